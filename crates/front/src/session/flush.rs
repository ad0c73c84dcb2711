//! FLUSHDB empties what the program's route allows, and nothing else.

use bytes::Bytes;

use super::failed::Failed;
use super::joint::{Joint, Part};
use super::slow::{refusal, whole_cluster};
use super::state::Session;
use crate::commands::{Command, Flush};
use crate::resp::request::Request;

impl Session {
    pub(super) async fn flush(
        &mut self,
        what: Flush,
        command: &Command,
        request: &Request,
    ) -> Result<(), Failed> {
        if what != Flush::FlushDb {
            if !self.allows(command) {
                return Err(Failed::Error(refusal(command)));
            }
            return self.on_all_servers(command, request).await;
        }
        let (parts, joint) = self.flush_parts(request)?;
        for part in &parts {
            self.remove_unmoved(part.target.database).await?;
        }
        if let [part] = &parts[..] {
            let (target, frame) = (part.target, part.frame.clone());
            return self.pass_on_frame(command, target, &frame).await;
        }
        self.execute_parts(command, parts, joint).await
    }

    /// A command that is about each server as a whole.
    pub(super) async fn on_all_servers(
        &mut self,
        command: &Command,
        request: &Request,
    ) -> Result<(), Failed> {
        self.settle().await?;
        let mut servers: Vec<usize> = Vec::new();
        let mut parts: Vec<Part> = Vec::new();
        for database in self.view.databases() {
            for target in self.each_of(*database) {
                let server = self.server_of(target);
                if !servers.contains(&server) {
                    servers.push(server);
                    parts.push(Part::plain(target, Bytes::copy_from_slice(request.frame())));
                }
            }
        }
        if let [part] = &parts[..] {
            return self.pass_on(Some(command), part.target, request).await;
        }
        let joint = Joint::Status(parts.len());
        self.execute_parts(command, parts, joint).await
    }

    /// FLUSHDB within a transaction.
    pub(super) fn queue_flush(
        &mut self,
        what: Flush,
        command: &Command,
        request: &Request,
    ) -> Result<(), Failed> {
        if what != Flush::FlushDb {
            if !self.allows(command) {
                return Err(Failed::Error(refusal(command)));
            }
            self.queued(None, request.frame(), super::queued::Step::Shown);
            return Ok(());
        }
        let (parts, joint) = self.flush_parts(request)?;
        for part in &parts {
            let placed = self.config.placed(part.target.database);
            if placed.is_clustered {
                return Err(whole_cluster("FLUSHDB", &placed.name));
            }
            if let Some(previous) = &placed.previous {
                return Err(Failed::Error(format!(
                    "ERR FLUSHDB cannot be in a transaction while keys of \"{}\" move from index {}: send it alone",
                    placed.name, previous.index
                )));
            }
        }
        self.queue_parts(parts, joint);
        Ok(())
    }

    fn flush_parts(&self, request: &Request) -> Result<(Vec<Part>, Joint), Failed> {
        let databases = self.view.flush();
        if databases.is_empty() {
            let names: Vec<&str> = self
                .view
                .databases()
                .iter()
                .map(|id| self.config.placed(*id).name.as_str())
                .collect();
            return Err(Failed::Error(format!(
                "NOPERM FLUSHDB is refused by the front: it would empty {}; say with flush = [...] in [front] or in \
                 the program's route which of them it may",
                names.join(", ")
            )));
        }
        let frame = Bytes::copy_from_slice(request.frame());
        let mut parts: Vec<Part> = Vec::new();
        for database in databases {
            let placed = self.config.placed(*database);
            if !placed.is_alone {
                return Err(Failed::Error(format!(
                    "NOPERM FLUSHDB is refused by the front: the database \"{}\" shares its index with others",
                    placed.name
                )));
            }
            let targets = self.each_of(*database).into_iter();
            parts.extend(targets.map(|target| Part::plain(target, frame.clone())));
        }
        let joint = Joint::Status(parts.len());
        Ok((parts, joint))
    }
}
