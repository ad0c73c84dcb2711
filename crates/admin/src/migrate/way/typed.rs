//! Writes keys by commands of their type, for a server that does not know the source's encodings.

use compartment_core::{Error, ErrorKind};

use super::{Lane, key_error};
use crate::Result;
use crate::migrate::{Item, Outcome};
use crate::rdb::Payload;
use crate::snapshot::Snapshot;
use crate::typed;

impl Lane {
    /// Writes the keys that were read one by one: each appears completely or not at all, and
    /// existing names are left unchanged.
    pub(super) async fn write_typed(
        &mut self,
        items: &[Item],
        snapshots: &[Option<Snapshot>],
    ) -> Result<Vec<Outcome>> {
        let mut outcomes = Vec::with_capacity(items.len());
        for (item, snapshot) in items.iter().zip(snapshots) {
            outcomes.push(match snapshot {
                None => Outcome::Gone,
                Some(snapshot) => self.write_one(item, snapshot, false).await?,
            });
        }
        Ok(outcomes)
    }

    /// Writes one key, over an existing one only with `replace`.
    pub(super) async fn write_one(
        &mut self,
        item: &Item,
        snapshot: &Snapshot,
        replace: bool,
    ) -> Result<Outcome> {
        let (number, name) = self.course.destination(item);
        if self.stays(number, snapshot) {
            return Ok(Outcome::Stays);
        }
        let value = Payload::parse(&snapshot.payload).and_then(|payload| payload.value());
        let value = value.map_err(|error| {
            let error = Error::new(ErrorKind::Unsupported, "write by type", error.to_string());
            key_error(&self.course, error, number, &name)
        })?;
        let value = match snapshot.drops_field_lives {
            Some(now_ms) => value.without_field_lives(now_ms),
            None => value,
        };
        if !self.course.knows_field_lives(number) && value.expires_by_field() {
            return Err(self.unknown_field_lives(&name));
        }
        let expires_at = snapshot.expires_at.map(|at| self.course.shift(number).forth(at));
        let server = self.course.targets[number].server();
        let target = &mut self.targets[number];
        let written = typed::write(target, server, &name, (&value, expires_at), replace).await;
        match written {
            Ok(true) => Ok(Outcome::Done),
            Ok(false) => Ok(Outcome::Conflict),
            Err(error) => Err(key_error(&self.course, error, number, &name)),
        }
    }
}
