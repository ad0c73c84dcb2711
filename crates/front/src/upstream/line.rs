//! A connection to a server: requests go out in the order they came, and each reply finds who waits for it.

use std::any::Any;
use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::Instant;

use bytes::{Buf, BytesMut};

use super::expected::{Expected, To};
use super::gather::{Lost, Rename};
use super::messages::{Kind, message_kind, says_what_it_is};
use crate::accounting::{About, Replied};
use crate::resp::ProtocolError;
use crate::resp::scanner::{self, ReplyScanner};
use crate::session::outbox::Outbox;

/// Bytes read at once.
const SCRATCH: usize = 64 << 10;

thread_local! {
    /// Bytes on their way from a socket to whom they are for. A connection that is idle has no room of its own.
    static BYTES: RefCell<Vec<u8>> = RefCell::new(vec![0; SCRATCH]);
}

/// Lends the room for bytes that were just read.
pub(crate) fn with_scratch<R>(read: impl FnOnce(&mut [u8]) -> R) -> R {
    BYTES.with(|bytes| read(&mut bytes.borrow_mut()))
}

/// A connection to one index of a server, with one login and one version of the protocol.
#[derive(Debug)]
pub(crate) struct Line {
    pub(super) inner: RefCell<Inner>,
    server: Option<Rc<dyn Any>>,
    /// The number of the server, if it is a node of a cluster.
    node: Option<usize>,
    max_output: usize,
}

#[derive(Debug, Default)]
pub(super) struct Inner {
    pub(super) out: BytesMut,
    pub(super) expected: VecDeque<Expected>,
    waker: Option<Waker>,
    /// Who waits until the server has taken bytes.
    pub(super) sender: Option<Waker>,
    /// The beginning of a reply whose first line is not whole.
    rest: BytesMut,
    scanner: ReplyScanner,
    /// A reply that is needed whole.
    collected: BytesMut,
    /// What the current reply is.
    current: Current,
    /// The bytes of the current reply so far.
    length: u64,
    first: u8,
    is_nothing: bool,
    /// The program that owns the connection: it is sent messages.
    pub(super) owner: Option<Rc<Outbox>>,
    /// Who gives messages the names that the program knows.
    rename: Option<Rc<dyn Rename>>,
    /// How many channels and patterns the program is subscribed to, and how many channels of shards.
    subscriptions: [i64; 2],
    /// Whether its bytes go to the owner as they are.
    is_raw: bool,
    /// Whether the server shows requests: `MONITOR`.
    is_monitoring: bool,
    /// No new requests are taken: a large reply is on its way.
    pub(super) is_retired: bool,
    /// Whether bytes that were written may still be within the socket, as with TLS.
    pub(super) is_unflushed: bool,
    pub(super) is_closed: bool,
    /// Since when a program is waited for.
    pub(super) waits_since: Option<Instant>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Current {
    #[default]
    Reply,
    Message,
}

impl Line {
    /// To a server, as its address is now.
    pub(crate) fn new(
        server: Option<Rc<dyn Any>>,
        node: Option<usize>,
        max_output: usize,
    ) -> Rc<Self> {
        Rc::new(Self { inner: RefCell::default(), server, node, max_output })
    }

    /// The number of the server, if it is a node of a cluster.
    pub(crate) fn node(&self) -> Option<usize> {
        self.node
    }

    /// Whether it is to this server.
    pub(crate) fn is_to<T>(&self, server: &Rc<T>) -> bool {
        self.server
            .as_ref()
            .is_some_and(|own| std::ptr::addr_eq(Rc::as_ptr(own), Rc::as_ptr(server)))
    }

    /// Sends a request; its reply goes to `to`.
    pub(crate) fn send(&self, frame: &[u8], to: To, about: Option<About>) {
        let inner = &mut *self.inner.borrow_mut();
        if inner.is_closed {
            let lost = Lost {
                may_have_run: true,
                is_away: true,
                error: "ERR the connection to the server was lost".into(),
            };
            return Expected { to, about }.lose(&lost);
        }
        inner.out.extend_from_slice(frame);
        inner.expected.push_back(Expected { to, about });
        inner.wake();
    }

    /// Sends bytes whose reply is expected already, or comes as messages.
    pub(crate) fn send_bytes(&self, bytes: &[u8]) {
        let inner = &mut *self.inner.borrow_mut();
        if !inner.is_closed {
            inner.out.extend_from_slice(bytes);
            inner.wake();
        }
    }

    /// Makes messages go to a program; `None`: there are none.
    pub(crate) fn set_owner(&self, owner: Option<Rc<Outbox>>) {
        let inner = &mut *self.inner.borrow_mut();
        if owner.is_none() {
            inner.rename = None;
        }
        inner.owner = owner;
    }

    /// Has messages renamed from now on.
    pub(crate) fn set_rename(&self, rename: Rc<dyn Rename>) {
        self.inner.borrow_mut().rename = Some(rename);
    }

    /// Whether the program is subscribed to channels on this connection.
    pub(crate) fn has_subscriptions(&self) -> bool {
        self.inner.borrow().has_subscriptions()
    }

    /// From now on its bytes go to the owner as they are.
    pub(crate) fn set_raw(&self) {
        self.inner.borrow_mut().is_raw = true;
    }

    /// From now on the server shows requests.
    pub(crate) fn set_monitoring(&self) {
        self.inner.borrow_mut().is_monitoring = true;
    }

    /// Whether requests can be sent.
    pub(crate) fn is_usable(&self) -> bool {
        let inner = self.inner.borrow();
        !inner.is_closed && !inner.is_retired
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.inner.borrow().is_closed
    }

    /// Whether nothing is on its way.
    pub(crate) fn is_quiet(&self) -> bool {
        let inner = self.inner.borrow();
        inner.expected.is_empty() && inner.out.is_empty()
    }

    /// Bytes that the server has not taken.
    pub(crate) fn unsent(&self) -> usize {
        self.inner.borrow().out.len()
    }

    /// Ready when the server has taken all but `most` bytes, or takes none any more.
    pub(crate) fn poll_taken(&self, context: &mut Context<'_>, most: usize) -> Poll<()> {
        let inner = &mut *self.inner.borrow_mut();
        if inner.is_closed || inner.out.len() <= most {
            return Poll::Ready(());
        }
        inner.sender = Some(context.waker().clone());
        Poll::Pending
    }

    /// Takes no new requests; those on their way are still answered.
    pub(crate) fn retire_if(&self, retires: bool) {
        let inner = &mut *self.inner.borrow_mut();
        inner.is_retired |= retires;
        inner.wake();
    }

    /// Ends the connection. Nobody is told.
    pub(crate) fn close(&self) {
        let inner = &mut *self.inner.borrow_mut();
        inner.is_closed = true;
        inner.owner = None;
        inner.expected.clear();
        inner.out = BytesMut::new();
        inner.wake();
    }

    /// Tells all who wait that no reply comes.
    pub(crate) fn fail(&self, lost: &Lost) {
        let expected = {
            let inner = &mut *self.inner.borrow_mut();
            inner.is_closed = true;
            inner.out = BytesMut::new();
            if let Some(sender) = inner.sender.take() {
                sender.wake();
            }
            if let Some(owner) = inner.owner.take()
                && lost.may_have_run
            {
                owner.end(crate::session::outbox::End::AtOnce);
            }
            std::mem::take(&mut inner.expected)
        };
        for expected in expected {
            expected.lose(lost);
        }
    }

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
            let program = match inner.expected.front().map(|expected| &expected.to) {
                Some(To::Program { outbox, number }) => Some((outbox, *number)),
                Some(To::Kept(kept)) => kept.program(),
                _ => None,
            };
            let Some((outbox, number)) = program else {
                return Err(ProtocolError::new("a reply that nobody asked for"));
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
    /// Notes who drives the connection; `false` if it is over.
    pub(super) fn note(&mut self, context: &mut Context<'_>) -> bool {
        match &mut self.waker {
            Some(waker) => waker.clone_from(context.waker()),
            none => *none = Some(context.waker().clone()),
        }
        !self.is_closed
    }

    fn wake(&mut self) {
        if let Some(waker) = &self.waker {
            waker.wake_by_ref();
        }
    }

    /// The program that the current reply goes to, or that is sent messages.
    pub(super) fn head(&self) -> Option<&Rc<Outbox>> {
        match self.expected.front().map(|expected| &expected.to) {
            Some(To::Program { outbox, .. } | To::Subscriber { outbox, .. }) => Some(outbox),
            Some(To::Kept(kept)) => kept.program().map(|(outbox, _)| outbox),
            Some(To::Gather { .. } | To::Subscribed { .. }) => None,
            None => self.owner.as_ref(),
        }
    }

    fn has_subscriptions(&self) -> bool {
        self.subscriptions.iter().any(|count| *count > 0)
    }

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
