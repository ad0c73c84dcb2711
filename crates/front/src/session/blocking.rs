//! Commands that wait: for an element, for replicas.

use std::rc::Rc;
use std::time::Instant;

use super::failed::Failed;
use super::outbox::End;
use super::places::Places;
use super::queued::Swallow;
use super::slow::nowhere;
use super::state::Session;
use crate::commands::Command;
use crate::resp::request::Request;
use crate::route::Target;
use crate::upstream::{To, asked};

impl Session {
    /// Waits at the server, on a connection that nobody else waits behind. If the program goes away, so does the
    /// connection: the server gives it no element then.
    pub(super) async fn block(
        &mut self,
        command: &Command,
        request: &Request,
    ) -> Result<(), Failed> {
        let arguments = request.arguments();
        let target = match self.places(command, &arguments) {
            Places::One(target) => target,
            Places::Nowhere(key) => return Err(nowhere(&key)),
            Places::Refused(error) => return Err(Failed::Error(error)),
            Places::NoKeys | Places::Unclear => {
                return self.pass_on(Some(command), self.home(), request).await;
            }
            Places::Several(targets) => return Err(self.apart(command, &arguments, &targets)),
        };
        let keys: Vec<&[u8]> = self.keys.iter().map(|key| arguments.get(key.at as usize)).collect();
        self.bring_now(&keys, &vec![target; keys.len()]).await?;
        if target.slot.is_some() {
            return self.block_at_node(command, target, request).await;
        }
        let placed = self.config.placed(target.database);
        let (server, index) = (placed.server, placed.index);
        let line = self.take_own(server, index).await?;
        // Within a transaction it would not wait: what the contract asks for comes after it.
        let number = self.outbox.expect();
        let about = self.about(command, target, request.frame().len());
        line.send(
            request.frame(),
            To::Program { outbox: self.outbox.clone(), number },
            Some(about),
        );
        let frames = self.frames(command, target, &arguments, request.frame());
        for frame in &frames.after {
            line.send(&frame.bytes, To::Gather { gather: Rc::new(Swallow), part: 0 }, None);
        }
        self.give_up_with_the_program().await?;
        if line.is_closed() {
            self.drop_own();
        }
        Ok(())
    }

    /// Waits at the node of a slot; where the slot goes elsewhere meanwhile, it waits there.
    async fn block_at_node(
        &mut self,
        command: &Command,
        target: Target,
        request: &Request,
    ) -> Result<(), Failed> {
        let arguments = request.arguments();
        let frames = self.frames(command, target, &arguments, request.frame());
        self.settle().await?;
        let mut at = self.followed(target);
        let reply = loop {
            let line = self.take_own(at.server, self.index_of(target)).await?;
            Self::announce(&at, &line);
            let (gather, ask) = asked();
            line.send(request.frame(), To::Gather { gather, part: 0 }, None);
            for frame in &frames.after {
                line.send(&frame.bytes, To::Gather { gather: Rc::new(Swallow), part: 0 }, None);
            }
            let asked_at = Instant::now();
            self.gives_up = true;
            let waited = self.wait(ask).await;
            self.gives_up = false;
            let Ok(reply) = waited else {
                self.drop_own();
                self.outbox.end(End::AtOnce);
                return Err(Failed::Gone);
            };
            let reply = reply?;
            at.has_waited(asked_at);
            if !self.follow(&mut at, &reply).await? {
                break reply;
            }
            self.release_own();
        };
        self.note_reply(command, target, request.frame(), &reply);
        self.outbox.answer(&reply);
        Ok(())
    }

    /// Waits until replicas have the writes so far. A server counts from the last command of the connection, so one
    /// comes before.
    pub(super) async fn wait_for_replicas(
        &mut self,
        command: &Command,
        request: &Request,
    ) -> Result<(), Failed> {
        self.settle().await?;
        // Of a cluster the node that has the last write.
        let last = self.last_write.as_ref().and_then(|(line, _)| line.node());
        let home = self.home();
        let server = last.filter(|_| home.slot.is_some()).unwrap_or_else(|| self.server_of(home));
        let index = self.home_index();
        let line = self.take_own(server, index).await?;
        self.ask_on(&line, &[b"PING"]).await?;
        self.on_own(command, request).await?;
        self.give_up_with_the_program().await
    }

    /// Waits for the reply, as long as the program is there: an element that nobody takes stays where it is.
    async fn give_up_with_the_program(&mut self) -> Result<(), Failed> {
        self.gives_up = true;
        let settled = self.settle().await;
        self.gives_up = false;
        if settled.is_err() {
            self.drop_own();
            self.outbox.end(End::AtOnce);
        }
        Ok(settled?)
    }
}
