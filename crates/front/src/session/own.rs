//! A connection that one program has for itself, while a server keeps state for it.

use std::rc::Rc;

use bytes::Bytes;

use super::failed::{Failed, Gone};
use super::held::{Holds, Own};
use super::state::Session;
use crate::resp::write;
use crate::upstream::{Line, To, asked};

impl Session {
    /// Gives the program a connection of its own to a server, at this index.
    pub(super) async fn take_own(&mut self, server: usize, index: u32) -> Result<Rc<Line>, Failed> {
        if let Some(own) = self.own.as_ref().filter(|own| own.line.is_closed()) {
            // What the server kept for the program is gone with it.
            if own.holds != Holds::default() || self.transaction.is_some() {
                return Err(Failed::Gone);
            }
            self.own = None;
        }
        self.set_aside(server);
        let Some(own) = &self.own else {
            // Writes on shared connections take effect first.
            self.settle().await?;
            let line = self.front.servers().own(&self.key(server, index));
            let own = Own { line: Rc::clone(&line), server, index, holds: Holds::default() };
            self.own = Some(own);
            return Ok(line);
        };
        if own.server != server {
            let servers = self.front.servers();
            let (here, there) = (servers.name(own.server), servers.name(server));
            return Err(Failed::Error(format!(
                "ERR the connection watches, tracks or is in a transaction on the server \"{here}\", and the key is on \
                 \"{there}\""
            )));
        }
        let line = Rc::clone(&own.line);
        if own.index == index || self.transaction.is_some() {
            return Ok(line);
        }
        let reply = self.ask_on(&line, &[b"SELECT", index.to_string().as_bytes()]).await?;
        if let Some(error) = reply.strip_prefix(b"-") {
            return Err(Failed::Error(String::from_utf8_lossy(error).trim_end().to_owned()));
        }
        if let Some(own) = &mut self.own {
            own.index = index;
        }
        Ok(line)
    }

    /// On a cluster a connection that only says who the program is makes way for one to another node, until that is
    /// given back.
    fn set_aside(&mut self, server: usize) {
        let only = Holds { keeps_state: true, ..Holds::default() };
        let makes_way = self.own.as_ref().is_some_and(|own| {
            own.server != server && own.line.node().is_some() && own.holds == only
        });
        if makes_way && self.aside.is_none() {
            self.aside = self.own.take();
        }
    }

    /// The connection that the program has for itself.
    pub(super) fn own_line(&self) -> Result<Rc<Line>, Failed> {
        self.own.as_ref().map(|own| Rc::clone(&own.line)).ok_or(Failed::Gone)
    }

    /// Waits until every reply is whole.
    pub(super) async fn settle(&mut self) -> Result<(), Gone> {
        self.outbox.release_messages();
        let outbox = self.outbox.clone();
        self.wait(std::future::poll_fn(|context| {
            outbox.note(context);
            if outbox.ending().is_some() {
                return std::task::Poll::Ready(Err(Gone));
            }
            match outbox.outstanding() {
                0 => std::task::Poll::Ready(Ok(())),
                _ => std::task::Poll::Pending,
            }
        }))
        .await?
    }

    /// The reply to a request of the front on a connection.
    pub(super) async fn ask_on(&mut self, line: &Line, words: &[&[u8]]) -> Result<Bytes, Failed> {
        self.ask_frame(line, &write::frame(words)).await
    }

    /// The reply to a request whose bytes are these.
    pub(super) async fn ask_frame(&mut self, line: &Line, frame: &[u8]) -> Result<Bytes, Failed> {
        let (gather, ask) = asked();
        line.send(frame, To::Gather { gather, part: 0 }, None);
        Ok(self.wait(ask).await??)
    }

    /// Gives the connection back if nothing holds it.
    pub(super) fn release_own(&mut self) {
        let is_free = self
            .own
            .as_ref()
            .is_some_and(|own| own.holds == Holds::default() && own.line.is_quiet());
        let is_free = is_free && self.transaction.is_none();
        if is_free && let Some(own) = self.own.take() {
            let key = self.key(own.server, own.index);
            self.front.servers().give_back(&key, own.line);
            self.own = self.aside.take();
        }
    }

    /// Closes the connection, and with it all state that the server keeps for the program.
    pub(super) fn drop_own(&mut self) {
        self.transaction = None;
        self.close_ears();
        for own in self.own.take().into_iter().chain(self.aside.take()) {
            own.line.close();
        }
    }

    /// Tells the program why a step was not taken.
    pub(super) fn tell(&self, failed: Failed) -> Result<(), Gone> {
        match failed {
            Failed::Gone => Err(Gone),
            Failed::Error(error) => {
                let mut reply = bytes::BytesMut::new();
                write::error(&error, &mut reply);
                self.outbox.answer(&reply);
                Ok(())
            }
            Failed::Lost(lost) => {
                let number = self.outbox.expect();
                self.outbox.lose(number, &lost);
                Ok(())
            }
        }
    }
}
