//! A connection to a server: requests go out in the order they came, and each reply finds who waits for it.

use std::any::Any;
use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::Instant;

use bytes::BytesMut;

use super::expected::{Expected, To};
use super::gather::{Lost, Rename};
use crate::accounting::About;
use crate::resp::scanner::ReplyScanner;
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
    pub(super) max_output: usize,
}

#[derive(Debug, Default)]
pub(super) struct Inner {
    pub(super) out: BytesMut,
    pub(super) expected: VecDeque<Expected>,
    pub(super) waker: Option<Waker>,
    /// Who waits until the server has taken bytes.
    pub(super) sender: Option<Waker>,
    /// The beginning of a reply whose first line is not whole.
    pub(super) rest: BytesMut,
    pub(super) scanner: ReplyScanner,
    /// A reply that is needed whole.
    pub(super) collected: BytesMut,
    /// What the current reply is.
    pub(super) current: Current,
    /// The bytes of the current reply so far.
    pub(super) length: u64,
    pub(super) first: u8,
    pub(super) is_nothing: bool,
    /// The program that owns the connection: it is sent messages.
    pub(super) owner: Option<Rc<Outbox>>,
    /// Who gives messages the names that the program knows.
    pub(super) rename: Option<Rc<dyn Rename>>,
    /// How many channels and patterns the program is subscribed to, and how many channels of shards.
    pub(super) subscriptions: [i64; 2],
    /// Whether its bytes go to the owner as they are.
    pub(super) is_raw: bool,
    /// Whether the server shows requests: `MONITOR`.
    pub(super) is_monitoring: bool,
    /// No new requests are taken: a large reply is on its way.
    pub(super) is_retired: bool,
    /// Whether bytes that were written may still be within the socket, as with TLS.
    pub(super) is_unflushed: bool,
    pub(super) is_closed: bool,
    /// Since when a program is waited for.
    pub(super) waits_since: Option<Instant>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Current {
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

    pub(super) fn has_subscriptions(&self) -> bool {
        self.subscriptions.iter().any(|count| *count > 0)
    }
}
