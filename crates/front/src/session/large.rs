//! Requests with a long value: passed on as they come, and never held whole.

use std::rc::Rc;

use bytes::Buf;
use compartment_core::FrontContract;
use tokio::io::AsyncReadExt;

use super::failed::Failed;
use super::failed::Gone;
use super::outbox::End;
use super::queued::Swallow;
use super::state::Session;
use crate::commands::Kind;
use crate::resp::request::RequestParser;
use crate::resp::scanner::ReplyScanner;
use crate::upstream::To;

/// A value of which so many bytes are still to come is passed on as it comes.
pub(super) const LARGE: usize = 1 << 20;
/// Bytes that are read at once.
const PIECE: usize = 256 << 10;
/// Bytes that the server has not taken, before no more are read.
const UNSENT: usize = 1 << 20;

impl Session {
    /// Passes the request at the beginning of the buffer on as it comes; `false` if it has to be held, since its place
    /// cannot be told by what is there, or it takes more than one step.
    pub(super) async fn pass_large(&mut self) -> Result<bool, Gone> {
        let config = self.config.clone();
        let parser = std::mem::replace(&mut self.parser, RequestParser::new(0));
        let found = {
            let arguments = parser.arguments(&self.buffer);
            let command = config.table.find(&arguments).filter(|command| {
                command.kind == Kind::Plain && command.first_key_only() && arguments.len() > 1
            });
            let target = command.and_then(|_| self.view.route(arguments.get(1)));
            command
                .zip(target)
                .map(|(command, target)| (command, target, arguments.get(1).to_vec()))
        };
        self.parser = parser;
        let Some((command, target, key)) = found else { return Ok(false) };
        let database = config.placed(target.database);
        if database.is_clustered || self.transaction.is_some() {
            // Its slot may have gone elsewhere: it has to be there to be sent again.
            return Ok(false);
        }
        if self.own.is_some() || self.who.must_log_in || database.previous.is_some() {
            return Ok(false);
        }
        let needs_life = database.needs_life() && command.writes();
        let contract = self.view.contract(target.route);
        if needs_life && contract == FrontContract::Refuse {
            // Whether it is refused has to be known before its bytes are sent.
            return Ok(false);
        }
        let is_repaired = needs_life && contract == FrontContract::Repair;
        let life = self.view.life(target.route).filter(|_| is_repaired);
        let line = match self.take_own(database.server, database.index).await {
            Ok(line) => line,
            Err(Failed::Gone) => return Err(Gone),
            Err(_) => return Ok(false),
        };
        let length = self.buffer.len() + self.parser.wanted(self.buffer.len());
        self.parser = RequestParser::new(config.settings.max_request);
        let mut scanner = ReplyScanner::default();
        // The server may refuse it before it is whole.
        let number = self.outbox.expect();
        let about = self.about(command, target, length);
        line.send(&[], To::Program { outbox: self.outbox.clone(), number }, Some(about));
        loop {
            let scanned = scanner.scan(&self.buffer).map_err(|_| Gone)?;
            line.send_bytes(&self.buffer[..scanned.length]);
            self.buffer.advance(scanned.length);
            if scanned.is_whole {
                break;
            }
            if line.is_closed() {
                // The program is told what the server has said, and its connection ends as the server's did.
                self.drop_own();
                self.outbox.end(End::AfterReplies);
                return Err(Gone);
            }
            let (socket, buffer) = (self.socket.clone(), &mut self.buffer);
            buffer.reserve(PIECE);
            std::future::poll_fn(|context| {
                if line.poll_taken(context, UNSENT).is_pending() {
                    return std::task::Poll::Pending;
                }
                let mut socket = socket.borrow_mut();
                let read = std::pin::pin!(socket.read_buf(buffer));
                read.poll(context).map(|read| match read {
                    Ok(0) | Err(_) => Err(Gone),
                    Ok(_) => Ok(()),
                })
            })
            .await?;
        }
        if let Some(life) = life {
            // The value has gone already: its life comes right after it.
            let life = life.as_millis().to_string();
            let frame = crate::resp::write::frame(&[b"PEXPIRE", &key, life.as_bytes(), b"NX"]);
            line.send(&frame, To::Gather { gather: Rc::new(Swallow), part: 0 }, None);
        }
        self.settle().await?;
        self.release_own();
        Ok(true)
    }
}
