//! Requests that take more than one step, or change the connection's state.

use super::failed::Failed;
use super::failed::Gone;
use super::places::Places;
use super::queued::Step;
use super::state::Session;
use crate::commands::{Command, Connection, Kind, copy_database};
use crate::resp::Arguments;
use crate::resp::request::{Progress, Request, RequestParser};
use crate::route::Target;
use crate::upstream::To;

impl Session {
    /// Executes a request, whatever the state of the connection is.
    pub(super) async fn slow(&mut self, request: &Request) -> Result<(), Gone> {
        let done = self.steps(request).await;
        self.release_own();
        let told = match done {
            Ok(()) => Ok(()),
            Err(failed) => self.tell(failed),
        };
        self.outbox.release_messages();
        told
    }

    async fn steps(&mut self, request: &Request) -> Result<(), Failed> {
        if self.has_cluster() {
            self.know_slots().await?;
        }
        let config = self.config.clone();
        let arguments = request.arguments();
        let command = config.table.find(&arguments);
        if self.who.must_log_in && !command.is_some_and(|command| may_come_first(command.kind)) {
            return Err(Failed::Error("NOAUTH Authentication required.".to_owned()));
        }
        let Some(command) = command.filter(|command| command.takes(arguments.len())) else {
            // The server says what is wrong with it, and that no transaction is executed.
            match &self.transaction {
                // The server says so too late.
                Some(transaction) if transaction.held.is_some() => {
                    return Err(self.refused_within(&arguments));
                }
                Some(_) => {
                    self.queued(None, request.frame(), Step::Shown);
                    return Ok(());
                }
                None => {}
            }
            return self.pass_on(None, self.home(), request).await;
        };
        if self.transaction.is_some() {
            return self.in_transaction(command, request).await;
        }
        match command.kind {
            Kind::Connection(what) => self.connection(what, command, request).await,
            Kind::Client(what) => self.client(what, command, request).await,
            Kind::Transaction(what) => self.transaction(what, command, request).await,
            Kind::Subscribe(_) => self.subscribe(request).await,
            Kind::Monitor => self.monitor(command, request).await,
            Kind::Wait => self.wait_for_replicas(command, request).await,
            Kind::Keyspace(what) => self.keyspace(what, command, request).await,
            Kind::Flush(what) => self.flush(what, command, request).await,
            Kind::Blocking if command.blocks(&arguments) => self.block(command, request).await,
            Kind::Foreign => Err(Failed::Gone),
            Kind::Refused if !self.allows(command) => Err(Failed::Error(refusal(command))),
            Kind::Refused if matches!(&*command.name, "sync" | "psync") => self.join(request).await,
            Kind::Cluster => Err(no_cluster()),
            Kind::Scripts if self.has_several_servers() && is_of_all_servers(command) => {
                self.on_all_servers(command, request).await
            }
            Kind::Move => self.move_key(command, request).await,
            Kind::Publish => {
                let target = self.published(command, &arguments);
                self.pass_on(Some(command), target, request).await
            }
            Kind::Across if names_database(command, &arguments) => {
                self.copy(command, request).await
            }
            _ => match self.places(command, &arguments) {
                Places::NoKeys | Places::Unclear => {
                    self.pass_on(Some(command), self.home(), request).await
                }
                Places::One(target) => self.pass_on(Some(command), target, request).await,
                Places::Nowhere(key) => Err(nowhere(&key)),
                Places::Refused(error) => Err(Failed::Error(error)),
                Places::Several(targets) => match command.kind {
                    Kind::Split(split) => self.split(split, command, request, &targets).await,
                    _ => self.across(command, request, &targets).await,
                },
            },
        }
    }

    /// Whether a command that is refused otherwise may be executed.
    pub(super) fn allows(&self, command: &Command) -> bool {
        let name = command.name.replace('|', " ");
        let first = name.split(' ').next().unwrap_or_default();
        self.config.settings.allow.iter().any(|allowed| {
            allowed.eq_ignore_ascii_case(&name) || allowed.eq_ignore_ascii_case(first)
        })
    }

    /// Sends a request to its place: on the program's own connection if it has one there, else on the shared one.
    pub(super) async fn pass_on(
        &mut self,
        command: Option<&Command>,
        target: Target,
        request: &Request,
    ) -> Result<(), Failed> {
        if target.slot.is_some() {
            // What is on its way may be sent to another node: it is not overtaken.
            self.settle().await?;
        }
        let (server, index) = (self.server_of(target), self.index_of(target));
        // What is wrapped into a transaction would end the program's WATCH by its EXEC.
        let is_wrapped =
            command.is_some_and(|command| !self.config.placed(target.database).is_plain(command));
        let passes_watch = is_wrapped && self.own.as_ref().is_some_and(|own| own.holds.watches);
        let line = match &self.own {
            Some(own) if own.server == server && passes_watch => {
                self.settle().await?;
                self.lane(target, false)
            }
            Some(own) if own.server == server => self.take_own(server, index).await?,
            Some(own) if own.holds.watches && target.slot.is_none() => {
                self.take_own(server, index).await?;
                return Err(Failed::Gone);
            }
            _ => {
                self.settle().await?;
                let is_script = command.is_some_and(|command| command.kind == Kind::Script);
                self.lane(target, is_script)
            }
        };
        if line.is_closed() {
            return Err(Failed::Gone);
        }
        match command {
            Some(command) => {
                let (arguments, frame) = (request.arguments(), request.frame());
                let number = self.send(command, target, &arguments, frame, &line);
                self.remember(command, line, number);
            }
            None => {
                let number = self.outbox.expect();
                line.send(
                    request.frame(),
                    To::Program { outbox: self.outbox.clone(), number },
                    None,
                );
            }
        }
        if passes_watch {
            self.settle().await?;
        }
        Ok(())
    }

    /// Sends bytes that the front has written to their place.
    pub(super) async fn pass_on_frame(
        &mut self,
        command: &Command,
        target: Target,
        frame: &[u8],
    ) -> Result<(), Failed> {
        let mut parser = RequestParser::new(u64::from(u32::MAX));
        match parser.advance(frame) {
            Ok(Progress::Request(_)) => {
                self.pass_on(Some(command), target, &parser.request(frame)).await
            }
            _ => Err(Failed::Gone),
        }
    }
}

/// A command about a whole database of a cluster, within a transaction.
pub(super) fn whole_cluster(command: &str, database: &str) -> Failed {
    Failed::Error(format!(
        "ERR {command} cannot be in a transaction: the database \"{database}\" is on several nodes of a cluster"
    ))
}

pub(super) fn no_cluster() -> Failed {
    Failed::Error("ERR This instance has cluster support disabled".to_owned())
}

/// Whether it is a COPY that may name another index.
pub(super) fn names_database(command: &Command, arguments: &Arguments<'_>) -> bool {
    arguments.len() > 4 && &*command.name == "copy" && copy_database(arguments).is_some()
}

/// Whether a command stores or removes scripts or functions, which run at the server of their keys.
fn is_of_all_servers(command: &Command) -> bool {
    let (_, what) = command.name.split_once('|').unwrap_or_default();
    matches!(what, "load" | "flush" | "delete" | "restore")
}

fn may_come_first(kind: Kind) -> bool {
    matches!(
        kind,
        Kind::Connection(
            Connection::Auth | Connection::Hello | Connection::Quit | Connection::Reset
        )
    )
}

pub(super) fn refusal(command: &Command) -> String {
    let name = command.name.replace('|', " ").to_uppercase();
    format!(
        "NOPERM {name} is refused by the front, since it could harm other programs of the server; allow it with \
         allow = [\"{}\"] in [front]",
        name.to_lowercase()
    )
}

pub(super) fn nowhere(key: &[u8]) -> Failed {
    Failed::Error(format!(
        "ERR no route takes the key \"{}\", and [front] has no default database",
        key.escape_ascii()
    ))
}
