//! Keys of a database that have not moved yet, where they cannot come with the request: before WATCH, blocking commands,
//! MOVE and FLUSHDB.

use bytes::Bytes;

use super::failed::Failed;
use super::keyspace::bulk;
use super::state::Session;
use crate::resp::scanner::elements;
use crate::route::{DatabaseId, Target};
use crate::upstream::Line;

/// Names that are asked for at once.
const NAMES: &[u8] = b"1000";

impl Session {
    /// Removes the keys that a request of this program would still bring into a database.
    pub(super) async fn remove_unmoved(&mut self, id: DatabaseId) -> Result<(), Failed> {
        let config = self.config.clone();
        let placed = config.placed(id);
        let Some(previous) = &placed.previous else { return Ok(()) };
        self.settle().await?;
        let line = self.front.servers().lane(&self.key(placed.server, previous.index));
        let mut cursor = b"0".to_vec();
        loop {
            let reply = self.ask_words(&line, &[b"SCAN", &cursor, b"COUNT", NAMES]).await?;
            let parts = elements(&reply).unwrap_or_default();
            let next = parts.first().and_then(|next| bulk(next)).unwrap_or(b"0").to_vec();
            let names = parts.get(1).and_then(|names| elements(names)).unwrap_or_default();
            // The place has keys of other databases too, of which the patterns may take some.
            let is_ours = |name: &&[u8]| {
                let target = self.view.route(name);
                previous.concerns(name) && target.is_some_and(|target| target.database == id)
            };
            let ours: Vec<&[u8]> =
                names.iter().filter_map(|name| bulk(name)).filter(is_ours).collect();
            if !ours.is_empty() {
                let words: Vec<&[u8]> = [b"UNLINK".as_slice()].into_iter().chain(ours).collect();
                self.ask_words(&line, &words).await?;
            }
            if next == b"0" {
                return Ok(());
            }
            cursor = next;
        }
    }

    /// Brings these keys, which are in these databases. A key that is watched must not come by a later request: that
    /// would look like the change of another program.
    pub(super) async fn bring_now(
        &mut self,
        keys: &[&[u8]],
        targets: &[Target],
    ) -> Result<(), Failed> {
        let config = self.config.clone();
        for (key, target) in keys.iter().zip(targets) {
            let placed = config.placed(target.database);
            let Some(previous) = placed.previous.as_ref().filter(|it| it.concerns(key)) else {
                continue;
            };
            self.settle().await?;
            let line = self.front.servers().lane(&self.key(placed.server, previous.index));
            let index = placed.index.to_string();
            self.ask_words(&line, &[b"MOVE", key, index.as_bytes()]).await?;
        }
        Ok(())
    }

    /// The reply to a command, or the server's refusal.
    async fn ask_words(&mut self, line: &Line, words: &[&[u8]]) -> Result<Bytes, Failed> {
        let reply = self.ask_on(line, words).await?;
        match reply.strip_prefix(b"-") {
            Some(error) => {
                let error = String::from_utf8_lossy(error);
                Err(Failed::Error(format!("{} (keys that have not moved yet)", error.trim_end())))
            }
            None => Ok(reply),
        }
    }
}
