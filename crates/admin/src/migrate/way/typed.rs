//! Read and written type by type: to a server that does not know the source's encodings.

use compartment_core::{Error, ErrorKind};
use redis::{Pipeline, Value};

use super::{Lane, as_int, key_error, unexpected};
use crate::Result;
use crate::migrate::{Item, Outcome};
use crate::rdb::Payload;
use crate::snapshot::{ExpiryCommand, Snapshot};
use crate::typed;

impl Lane {
    /// Writes what was read, key by key: each appears whole or not at all, and a name that stands
    /// already is left as it is.
    pub(super) async fn write_typed(
        &mut self,
        items: &[Item],
        snapshots: &[Option<Snapshot>],
    ) -> Result<Vec<Outcome>> {
        let mut outcomes = Vec::with_capacity(items.len());
        for (item, snapshot) in items.iter().zip(snapshots) {
            outcomes.push(match snapshot {
                None => Outcome::Gone,
                Some(snapshot) => self.write_one(item, snapshot).await?,
            });
        }
        Ok(outcomes)
    }

    pub(super) async fn write_one(&mut self, item: &Item, snapshot: &Snapshot) -> Result<Outcome> {
        let (number, name) = self.course.destination(item);
        let fail = |kind, message: String| {
            key_error(&self.course, Error::new(kind, "write by type", message), number, &name)
        };
        let value = Payload::parse(&snapshot.payload)
            .and_then(|payload| payload.value())
            .map_err(|error| fail(ErrorKind::Unsupported, error.to_string()))?;
        let target = &mut self.targets[number];
        let mut look = Pipeline::new();
        look.cmd("WATCH").arg(&name);
        look.cmd("EXISTS").arg(&name);
        let answers = target.ask_each("write by type", &look).await?;
        let there = answers.last().unwrap_or(&Value::Nil);
        if as_int(&self.course, "write by type", there)? == 1 {
            target.ask::<Value>("write by type", &redis::cmd("UNWATCH")).await?;
            return Ok(Outcome::Conflict);
        }
        let mut write = Pipeline::new();
        write.cmd("MULTI");
        let server = self.course.targets[number].server().info();
        let before_7 = ExpiryCommand::of(server) == ExpiryCommand::Left;
        for command in typed::commands(&name, &value, snapshot.expires_at, before_7) {
            write.add_command(command);
        }
        write.cmd("EXEC");
        let answers = target.ask_each("write by type", &write).await?;
        // What is refused when it is queued undoes the whole; what fails later does not.
        let refused = answers.iter().find(|answer| matches!(answer, Value::ServerError(_)));
        if let Some(refused) = refused {
            return Err(unexpected(&self.course, "write by type", refused));
        }
        match answers.last() {
            Some(Value::Nil) => Ok(Outcome::Conflict),
            Some(Value::Array(each)) => {
                match each.iter().find(|answer| matches!(answer, Value::ServerError(_))) {
                    None => Ok(Outcome::Done),
                    Some(failed) => {
                        let mut remove = redis::cmd("UNLINK");
                        remove.arg(&name);
                        target.ask::<Value>("remove a half-written key", &remove).await?;
                        Err(unexpected(&self.course, "write by type", failed))
                    }
                }
            }
            other => Err(unexpected(&self.course, "write by type", other.unwrap_or(&Value::Nil))),
        }
    }
}
