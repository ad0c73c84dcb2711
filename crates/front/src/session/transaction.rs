//! MULTI, EXEC, DISCARD, WATCH and UNWATCH: one transaction at one server, over all of its databases.

use std::rc::Rc;

use bytes::Bytes;

use super::connection::out_of_range;
use super::failed::Failed;
use super::places::Places;
use super::queued::{Executing, Held, Step, Swallow, Transaction};
use super::slow::{names_database, no_cluster, nowhere, refusal};
use super::state::Session;
use crate::commands::{self, Client, Command, Connection, Kind};
use crate::resp::request::Request;
use crate::resp::{Arguments, write};
use crate::route::Target;
use crate::upstream::{Gather, To};

use super::frames::Around;
use super::joint::{Joint, Part, grouped};

fn swallow() -> To {
    To::Gather { gather: Rc::new(Swallow), part: 0 }
}

impl Session {
    pub(super) async fn transaction(
        &mut self,
        what: commands::Transaction,
        command: &Command,
        request: &Request,
    ) -> Result<(), Failed> {
        use commands::Transaction as T;
        match what {
            T::Watch => self.watch(command, request).await,
            // Where it is executed is known by its first key.
            T::Multi if self.has_cluster() => {
                self.settle().await?;
                self.transaction =
                    Some(Transaction { held: Some(Held::default()), ..Transaction::default() });
                self.outbox.answer(b"+OK\r\n");
                Ok(())
            }
            T::Multi => {
                let (server, index) = self.transaction_place();
                let line = self.take_own(server, index).await?;
                let reply = self.ask_frame(&line, request.frame()).await?;
                if reply.starts_with(b"+")
                    && let Some(own) = &self.own
                {
                    self.transaction =
                        Some(Transaction { index: Some(own.index), ..Transaction::default() });
                }
                self.outbox.answer(&reply);
                Ok(())
            }
            T::Unwatch => {
                let Some(line) = self.own.as_ref().map(|own| Rc::clone(&own.line)) else {
                    return self.pass_on(Some(command), self.home(), request).await;
                };
                let reply = self.ask_frame(&line, request.frame()).await?;
                if let Some(own) = &mut self.own {
                    own.holds.watches = false;
                }
                self.outbox.answer(&reply);
                Ok(())
            }
            // Without MULTI: the server says so.
            T::Exec | T::Discard => self.pass_on(Some(command), self.home(), request).await,
        }
    }

    /// The server of a transaction: where the program watches, else its home.
    fn transaction_place(&self) -> (usize, u32) {
        match &self.own {
            Some(own) => (own.server, own.index),
            None => {
                let home = self.config.placed(self.view.home());
                (home.server, home.index)
            }
        }
    }

    async fn watch(&mut self, command: &Command, request: &Request) -> Result<(), Failed> {
        let arguments = request.arguments();
        let targets = match self.places(command, &arguments) {
            Places::One(target) => vec![target; self.keys.len()],
            Places::Several(targets) => targets,
            Places::Nowhere(key) => return Err(nowhere(&key)),
            Places::Refused(error) => return Err(Failed::Error(error)),
            Places::NoKeys | Places::Unclear => {
                return self.pass_on(Some(command), self.home(), request).await;
            }
        };
        let keys: Vec<&[u8]> = self.keys.iter().map(|key| arguments.get(key.at as usize)).collect();
        self.bring_now(&keys, &targets).await?;
        let mut reply = Bytes::new();
        for (target, places) in grouped(&targets) {
            let keys = places.iter().map(|at| keys[*at]);
            let words: Vec<&[u8]> = [b"WATCH".as_slice()].into_iter().chain(keys).collect();
            reply = self.watch_at(target, &words).await?;
            if reply.starts_with(b"-") {
                break;
            }
            if let Some(own) = &mut self.own {
                own.holds.watches = true;
            }
        }
        self.outbox.answer(&reply);
        Ok(())
    }

    /// A request while a transaction is open.
    pub(super) async fn in_transaction(
        &mut self,
        command: &Command,
        request: &Request,
    ) -> Result<(), Failed> {
        use commands::Transaction as T;
        match command.kind {
            Kind::Transaction(T::Exec) => return self.exec(request).await,
            Kind::Transaction(T::Discard) if self.holds_transaction() => {
                self.unwatch().await?;
                self.end_transaction();
                self.outbox.answer(b"+OK\r\n");
                return Ok(());
            }
            // As the server does: nothing is discarded.
            Kind::Transaction(T::Multi) if self.holds_transaction() => {
                return Err(Failed::Error("ERR MULTI calls can not be nested".to_owned()));
            }
            Kind::Transaction(T::Watch) if self.holds_transaction() => {
                return Err(Failed::Error("ERR WATCH inside MULTI is not allowed".to_owned()));
            }
            Kind::Transaction(T::Discard) => {
                let line = self.own_line()?;
                let reply = self.ask_frame(&line, request.frame()).await?;
                self.end_transaction();
                self.outbox.answer(&reply);
                return Ok(());
            }
            // The server refuses them at once, and queues nothing.
            Kind::Transaction(T::Multi | T::Watch) => {
                let line = self.own_line()?;
                let reply = self.ask_frame(&line, request.frame()).await?;
                self.outbox.answer(&reply);
                return Ok(());
            }
            Kind::Connection(what @ (Connection::Quit | Connection::Reset)) => {
                return self.connection(what, command, request).await;
            }
            _ => {}
        }
        let queued = self.queue(command, request).await;
        if matches!(queued, Err(Failed::Error(_)))
            && let Some(transaction) = &mut self.transaction
        {
            transaction.is_refused = true;
        }
        queued
    }

    async fn queue(&mut self, command: &Command, request: &Request) -> Result<(), Failed> {
        let arguments = request.arguments();
        match command.kind {
            Kind::Connection(Connection::Select) => return self.queue_select(&arguments),
            Kind::Refused if !self.allows(command) => return Err(Failed::Error(refusal(command))),
            Kind::Flush(what) => return self.queue_flush(what, command, request),
            Kind::Keyspace(what) => return self.queue_keyspace(what, request),
            Kind::Foreign => return Err(Failed::Gone),
            Kind::Cluster => return Err(no_cluster()),
            // They would change the connection behind the front's back.
            Kind::Connection(Connection::Auth | Connection::Hello)
            | Kind::Subscribe(_)
            | Kind::Monitor
            | Kind::Move => return Err(not_within(command)),
            Kind::Client(Client::Kill | Client::Pause | Client::Unpause)
                if !self.allows(command) =>
            {
                return Err(Failed::Error(refusal(command)));
            }
            Kind::Client(what) if !is_harmless(what) => return Err(not_within(command)),
            Kind::Across if names_database(command, &arguments) => return Err(not_within(command)),
            _ => {}
        }
        match self.places(command, &arguments) {
            Places::NoKeys | Places::Unclear => {
                self.queued(None, request.frame(), Step::Shown);
                Ok(())
            }
            Places::One(target) => {
                self.fits(target)?;
                let frames = self.frames(command, target, &arguments, request.frame());
                for frame in &frames.before {
                    self.queued(Some(frame.index), &frame.bytes, Step::Hidden);
                }
                self.queued(Some(self.index_of(target)), &frames.request, Step::Shown);
                for frame in &frames.after {
                    self.queued(Some(frame.index), &frame.bytes, Step::Hidden);
                }
                Ok(())
            }
            Places::Nowhere(key) => Err(nowhere(&key)),
            Places::Refused(error) => Err(Failed::Error(error)),
            Places::Several(targets) => {
                for target in &targets {
                    self.fits(*target)?;
                }
                match command.kind {
                    Kind::Split(split) => {
                        let (parts, joint) = self.parts(split, command, &arguments, &targets)?;
                        self.queue_parts(parts, joint);
                    }
                    _ => {
                        let (target, frame) = self.across_frame(command, request, &targets)?;
                        let around = self.around(command, &arguments, &targets, |_| true)?;
                        self.queue_before(&around);
                        self.queued(Some(self.index_of(target)), &frame, Step::Shown);
                        self.queue_after(&around);
                    }
                }
                Ok(())
            }
        }
    }

    /// Queues the parts of a command of the program.
    pub(super) fn queue_parts(&mut self, parts: Vec<Part>, joint: Joint) {
        let joint = Rc::new(joint);
        for (at, part) in parts.into_iter().enumerate() {
            let step = if at == 0 { Step::Parts(Rc::clone(&joint)) } else { Step::Part };
            self.queue_before(&part.around);
            self.queued(Some(self.index_of(part.target)), &part.frame, step);
            self.queue_after(&part.around);
        }
    }

    fn queue_before(&mut self, around: &Around) {
        for frame in &around.before {
            self.queued(Some(frame.index), &frame.bytes, Step::Hidden);
        }
    }

    fn queue_after(&mut self, around: &Around) {
        for after in &around.after {
            self.queued(Some(after.frame.index), &after.frame.bytes, Step::Hidden);
        }
    }

    /// The program selects another index within the transaction.
    fn queue_select(&mut self, arguments: &Arguments<'_>) -> Result<(), Failed> {
        let before = self.who.select;
        let index = self.selectable(arguments)?;
        self.who.select = index;
        if !self.look_again() {
            self.who.select = before;
            return Err(out_of_range());
        }
        let home = self.config.placed(self.view.home()).index;
        if let Some(transaction) = &mut self.transaction {
            transaction.select_before.get_or_insert(before);
            transaction.index = Some(home);
        }
        let frame = match self.holds_transaction() {
            true => Bytes::new(),
            false => write::frame(&[b"SELECT", home.to_string().as_bytes()]),
        };
        self.queued(None, &frame, Step::Shown);
        Ok(())
    }

    pub(super) fn index_of(&self, target: Target) -> u32 {
        self.config.placed(target.database).index
    }

    /// Queues a command at an index; `None`: wherever the transaction is.
    pub(super) fn queued(&mut self, index: Option<u32>, frame: &[u8], step: Step) {
        let Some(transaction) = &mut self.transaction else { return };
        if let Some(held) = &mut transaction.held {
            let shows = matches!(step, Step::Shown | Step::Parts(_));
            held.add(index, frame, step);
            if shows {
                self.outbox.answer(b"+QUEUED\r\n");
            }
            return;
        }
        let Some(own) = &self.own else { return };
        if let Some(index) = index
            && transaction.index != Some(index)
        {
            let select = write::frame(&[b"SELECT", index.to_string().as_bytes()]);
            own.line.send(&select, swallow(), None);
            transaction.index = Some(index);
            transaction.steps.push(Step::Hidden);
        }
        let to = match step {
            Step::Hidden | Step::Part => swallow(),
            Step::Shown | Step::Parts(_) => {
                let number = self.outbox.expect();
                To::Program { outbox: self.outbox.clone(), number }
            }
        };
        own.line.send(frame, to, None);
        transaction.steps.push(step);
    }

    async fn exec(&mut self, request: &Request) -> Result<(), Failed> {
        if self.holds_transaction() {
            return self.exec_held().await;
        }
        let Some(own) = &self.own else { return Err(Failed::Gone) };
        let line = Rc::clone(&own.line);
        if self.transaction.as_ref().is_some_and(|transaction| transaction.is_refused) {
            self.ask_on(&line, &[b"DISCARD"]).await?;
            self.end_transaction();
            return Err(Failed::Error(
                "EXECABORT Transaction discarded because of previous errors.".to_owned(),
            ));
        }
        let Some(transaction) = self.transaction.take() else { return Err(Failed::Gone) };
        // The reply is written where it arrives: what the transaction invalidates is told right after it.
        let number = self.outbox.expect();
        let executing =
            Rc::new(Executing::new(transaction.steps.clone(), self.outbox.clone(), number));
        let gather: Rc<dyn Gather> = executing.clone();
        line.send(request.frame(), To::Gather { gather, part: 0 }, None);
        self.settle().await?;
        self.ended(&transaction, executing.was_executed());
        Ok(())
    }

    /// The transaction was not executed.
    pub(super) fn end_transaction(&mut self) {
        if let Some(dropped) = self.transaction.take() {
            self.ended(&dropped, false);
        }
    }

    /// The connection is as it was before MULTI; after a transaction that was executed, at the index where that ended.
    pub(super) fn ended(&mut self, transaction: &Transaction, was_executed: bool) {
        if let Some(own) = &mut self.own {
            own.holds.watches = false;
            // Without a WATCH a held transaction goes another way.
            if was_executed && transaction.held.is_none() {
                own.index = transaction.index.unwrap_or(own.index);
            }
        }
        if !was_executed && let Some(before) = transaction.select_before {
            self.who.select = before;
            self.look_again();
        }
    }
}

/// Whether a subcommand of CLIENT leaves the connection as it is.
fn is_harmless(what: Client) -> bool {
    matches!(
        what,
        Client::Kill
            | Client::Pause
            | Client::Unpause
            | Client::GetName
            | Client::GetRedir
            | Client::Help
            | Client::Id
            | Client::Info
            | Client::List
            | Client::TrackingInfo
            | Client::Unblock
    )
}

fn not_within(command: &Command) -> Failed {
    let name = command.name.replace('|', " ").to_uppercase();
    Failed::Error(format!("ERR {name} is not allowed in a transaction by the front"))
}
