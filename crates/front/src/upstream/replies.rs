//! Reads what a server sends: whose reply it is, or whether it is a message.

use std::time::Instant;

use bytes::{Buf, BytesMut};

use super::expected::{Expected, To};
use super::line::{Current, Inner, Line};
use super::messages::{Kind, message_kind, says_what_it_is};
use crate::accounting::Replied;
use crate::resp::ProtocolError;
use crate::resp::scanner::{self, ReplyScanner};

impl Line {
    /// Hands the bytes of replies on.
    pub(super) fn feed(&self, bytes: &[u8]) -> Result<(), ProtocolError> {
        let now = Instant::now();
        if let Inner { is_raw: true, owner: Some(owner), .. } = &*self.inner.borrow() {
            owner.push(bytes);
            return Ok(());
        }
        let mut rest = std::mem::take(&mut self.inner.borrow_mut().rest);
        let rest = if rest.is_empty() {
            let taken = self.take(bytes, now)?;
            BytesMut::from(&bytes[taken..])
        } else {
            rest.extend_from_slice(bytes);
            let taken = self.take(&rest, now)?;
            rest.advance(taken);
            rest
        };
        self.inner.borrow_mut().rest = rest;
        Ok(())
    }

    fn take(&self, bytes: &[u8], now: Instant) -> Result<usize, ProtocolError> {
        let mut at = 0;
        while at < bytes.len() {
            let mut borrowed = self.inner.borrow_mut();
            let inner = &mut *borrowed;
            let begins = inner.scanner.is_between();
            if begins && inner.has_subscriptions() && !says_what_it_is(&bytes[at..]) {
                break;
            }
            let scanned = inner.scanner.scan(&bytes[at..])?;
            if scanned.length == 0 {
                // Asked again from its first byte.
                if begins {
                    inner.scanner = ReplyScanner::default();
                }
                break;
            }
            let piece = &bytes[at..at + scanned.length];
            at += scanned.length;
            if begins {
                inner.begin(piece)?;
            }
            inner.length += piece.len() as u64;
            if inner.current == Current::Message || inner.is_collecting() {
                inner.collected.extend_from_slice(piece);
                if !scanned.is_whole {
                    continue;
                }
                let whole = std::mem::take(&mut inner.collected);
                drop(borrowed);
                self.whole(&whole, now)?;
                continue;
            }
            let (outbox, number) = match inner.expected.front().map(|expected| &expected.to) {
                Some(To::Program { outbox, number }) => (outbox, *number),
                Some(To::Kept(kept)) => match kept.program() {
                    Some(program) => program,
                    None => return Err(ProtocolError::new("a reply that nobody asked for")),
                },
                _ => return Err(ProtocolError::new("a reply that nobody asked for")),
            };
            if scanned.is_whole {
                outbox.add(number, piece, true);
                let Some(Expected { to, about }) = inner.expected.pop_front() else { continue };
                if let Some(about) = about {
                    about.replied(inner.reply(), now);
                }
                if let To::Kept(kept) = to {
                    drop(borrowed);
                    kept.answered();
                }
            } else {
                outbox.add(number, piece, false);
                if outbox.waiting_bytes() > self.max_output {
                    outbox.end(crate::session::outbox::End::AtOnce);
                }
            }
        }
        Ok(at)
    }

    /// A whole reply, or message.
    fn whole(&self, reply: &[u8], now: Instant) -> Result<(), ProtocolError> {
        let mut borrowed = self.inner.borrow_mut();
        let inner = &mut *borrowed;
        if inner.current == Current::Message {
            if let Some(kind) = message_kind(reply) {
                inner.count(kind, reply);
            }
            if let Some(owner) = &inner.owner {
                match &inner.rename {
                    Some(rename) => owner.push(&rename.rename(reply)),
                    None => owner.push(reply),
                }
            }
            return Ok(());
        }
        if let Some(Expected { to: To::Subscriber { outbox, number }, .. }) = inner.expected.front()
        {
            let kind = message_kind(reply);
            if let Some(kind) = kind {
                match &inner.rename {
                    Some(rename) => outbox.add(*number, &rename.rename(reply), false),
                    None => outbox.add(*number, reply, false),
                }
                inner.count(kind, reply);
                return Ok(());
            }
            // A refusal is its only reply.
            let is_refused = reply.starts_with(b"-");
            outbox.add(*number, if is_refused { refusal(reply) } else { b"" }, true);
            inner.expected.pop_front();
            if is_refused {
                return Ok(());
            }
        }
        if let Some(Expected { to: To::Subscribed { outbox, .. }, .. }) = inner.expected.front()
            && reply.starts_with(b"-")
        {
            outbox.push(refusal(reply));
            return Ok(());
        }
        let Some(Expected { to, about }) = inner.expected.pop_front() else {
            return Err(ProtocolError::new("a reply that nobody asked for"));
        };
        if let To::Kept(kept) = to {
            let replied = inner.reply();
            drop(borrowed);
            kept.replied(reply, about, replied, now);
            return Ok(());
        }
        if let Some(about) = about {
            about.replied(inner.reply(), now);
        }
        if let To::Gather { gather, .. } = &to
            && let Some(owner) = &inner.owner
            && gather.is_before_messages()
        {
            owner.hold_messages();
        }
        drop(borrowed);
        match to {
            To::Gather { gather, part } => gather.reply(part, reply),
            To::Subscribed { gather, .. } => gather.reply(0, reply),
            To::Program { .. } | To::Subscriber { .. } | To::Kept(_) => {}
        }
        Ok(())
    }
}

/// Why a subscription was refused. Programs know of no nodes.
fn refusal(reply: &[u8]) -> &[u8] {
    match reply.starts_with(b"-MOVED ") {
        true => b"-TRYAGAIN the slot of the channel has just gone to another node\r\n",
        false => reply,
    }
}

impl Inner {
    /// The reply that was just read.
    fn reply(&self) -> Replied {
        Replied { is_error: self.first == b'-', is_nothing: self.is_nothing, bytes: self.length }
    }

    fn is_collecting(&self) -> bool {
        match self.expected.front().map(|expected| &expected.to) {
            Some(To::Program { .. }) => false,
            // An error may say where the request has to go.
            Some(To::Kept(kept)) => self.first == b'-' || kept.program().is_none(),
            _ => true,
        }
    }

    /// Notes what begins with these bytes.
    fn begin(&mut self, piece: &[u8]) -> Result<(), ProtocolError> {
        self.length = 0;
        self.first = piece.first().copied().unwrap_or_default();
        self.is_nothing = scanner::is_nothing(piece);
        let is_message = match self.first {
            b'>' => true,
            b'+' if self.is_monitoring => piece.starts_with(b"+1") && piece.contains(&b'['),
            b'*' if self.has_subscriptions() => {
                message_kind(piece).is_some_and(|kind| matches!(kind, Kind::Message))
            }
            _ => false,
        };
        self.current = if is_message { Current::Message } else { Current::Reply };
        if self.expected.is_empty() && !is_message && self.owner.is_none() {
            return Err(ProtocolError::new("a reply that nobody asked for"));
        }
        Ok(())
    }

    /// Notes how many channels the program is subscribed to now: the number that ends the message.
    fn count(&mut self, kind: Kind, reply: &[u8]) {
        if kind == Kind::Message {
            return;
        }
        let text = reply.strip_suffix(b"\r\n").unwrap_or(reply);
        if let Some(at) = text.iter().rposition(|byte| *byte == b':')
            && let Some(count) = crate::resp::whole_number(&text[at + 1..])
        {
            self.subscriptions[usize::from(kind == Kind::OfShard)] = count;
        }
    }
}
