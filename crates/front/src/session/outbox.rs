//! The replies of one program: in the order of its requests, whichever connection they come from.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::task::{Context, Poll, Waker};

use bytes::BytesMut;

use crate::upstream::Lost;

/// Room for replies that is kept while a program is idle, in bytes.
const KEPT: usize = 4 << 10;

/// The replies that a program has not taken yet.
#[derive(Debug, Default)]
pub(crate) struct Outbox {
    inner: RefCell<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    /// Bytes that can be written now.
    out: BytesMut,
    /// The number of the first request whose reply is not whole.
    first: u64,
    /// The replies from `first` on.
    slots: VecDeque<Slot>,
    /// Messages that came while a reply was written in part.
    late: BytesMut,
    /// Whether messages wait until the session has made a reply of what its server has said.
    holds_messages: bool,
    /// Whether part of the first reply is in `out`.
    is_within: bool,
    /// Whether the replies to the requests from now on are dropped: `CLIENT REPLY OFF`.
    is_silent: bool,
    /// Whether the reply to the next request is dropped.
    skips_next: bool,
    follows_server: bool,
    end: Option<End>,
    /// Bytes that the program has taken since they were counted.
    taken: u64,
    waker: Option<Waker>,
    /// The connection that waits until the program has taken bytes.
    reader: Option<Waker>,
}

#[derive(Debug, Default)]
struct Slot {
    bytes: BytesMut,
    is_whole: bool,
    is_silent: bool,
}

/// How a program's connection ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// After the replies so far.
    AfterReplies,
    /// At once: an answer is lost, or the program takes none.
    AtOnce,
}

impl Outbox {
    /// The number of the next request; its reply has a place in the order from now on.
    pub(crate) fn expect(&self) -> u64 {
        let mut inner = self.inner.borrow_mut();
        let is_silent = inner.is_silent || std::mem::take(&mut inner.skips_next);
        inner.slots.push_back(Slot { is_silent, ..Slot::default() });
        inner.first + inner.slots.len() as u64 - 1
    }

    /// As [`Self::expect`], of a request whose replies are messages: these come although replies are silenced.
    pub(crate) fn expect_messages(&self) -> u64 {
        let number = self.expect();
        if let Some(slot) = self.inner.borrow_mut().slots.back_mut() {
            slot.is_silent = false;
        }
        number
    }

    /// Part of the reply to a request.
    pub(crate) fn add(&self, number: u64, bytes: &[u8], is_whole: bool) {
        let inner = &mut *self.inner.borrow_mut();
        if number == inner.first
            && let Some(slot) = inner.slots.front()
        {
            if !slot.is_silent {
                inner.out.extend_from_slice(bytes);
            }
            inner.is_within = !is_whole;
            if is_whole {
                inner.slots.pop_front();
                inner.first += 1;
                inner.advance();
            }
            inner.wake();
            return;
        }
        let at = number.checked_sub(inner.first).and_then(|at| usize::try_from(at).ok());
        if let Some(slot) = at.and_then(|at| inner.slots.get_mut(at)) {
            slot.bytes.extend_from_slice(bytes);
            slot.is_whole = is_whole;
        }
    }

    /// The reply to the request that was read last, which needs nobody else.
    pub(crate) fn answer(&self, bytes: &[u8]) {
        let number = self.expect();
        self.add(number, bytes, true);
    }

    /// There is no reply. The program is told where that is certain to be right; otherwise its connection ends, as it
    /// would if the server's had.
    pub(crate) fn lose(&self, number: u64, lost: &Lost) {
        let closes = {
            let inner = self.inner.borrow();
            lost.may_have_run
                || (inner.follows_server && lost.is_away)
                || (number == inner.first && inner.is_within)
        };
        if closes {
            self.end(End::AtOnce);
        } else {
            self.add(number, format!("-{}\r\n", lost.error).as_bytes(), true);
        }
    }

    /// Whether the program's connection ends when its server cannot be reached: it has no other.
    pub(crate) fn set_follows_server(&self, follows: bool) {
        self.inner.borrow_mut().follows_server = follows;
    }

    /// A message that is no reply: of a channel, or that a key has changed.
    pub(crate) fn push(&self, bytes: &[u8]) {
        let inner = &mut *self.inner.borrow_mut();
        if inner.is_within || inner.holds_messages {
            inner.late.extend_from_slice(bytes);
        } else {
            inner.out.extend_from_slice(bytes);
        }
        inner.wake();
    }

    /// Messages that come from now on come after the reply that the session is about to make: a server sends them in
    /// this order.
    pub(crate) fn hold_messages(&self) {
        self.inner.borrow_mut().holds_messages = true;
    }

    /// The reply is made.
    pub(crate) fn release_messages(&self) {
        let inner = &mut *self.inner.borrow_mut();
        inner.holds_messages = false;
        if !inner.is_within && !inner.late.is_empty() {
            inner.add_late();
            inner.wake();
        }
    }

    /// How many replies are not whole.
    pub(crate) fn outstanding(&self) -> usize {
        self.inner.borrow().slots.len()
    }

    /// The number of the last request whose reply is not whole, or waits for others'.
    pub(crate) fn newest(&self) -> Option<u64> {
        let inner = self.inner.borrow();
        (!inner.slots.is_empty()).then(|| inner.first + inner.slots.len() as u64 - 1)
    }

    /// Whether the reply to the request of this number is whole, and those before it.
    pub(crate) fn has_answered(&self, number: u64) -> bool {
        self.inner.borrow().first > number
    }

    /// Bytes that the program has not taken.
    pub(crate) fn waiting_bytes(&self) -> usize {
        let inner = self.inner.borrow();
        inner.out.len() + inner.slots.iter().map(|slot| slot.bytes.len()).sum::<usize>()
    }

    /// Bytes that can be written to the program now.
    pub(crate) fn ready_bytes(&self) -> usize {
        self.inner.borrow().out.len()
    }

    /// Whether there is nothing to write, and nothing to come.
    pub(crate) fn is_quiet(&self) -> bool {
        let inner = self.inner.borrow();
        inner.out.is_empty() && inner.slots.is_empty()
    }

    /// Whether replies are dropped from now on; `CLIENT REPLY SKIP` before it has no effect any more.
    pub(crate) fn set_silent(&self, is_silent: bool) {
        let mut inner = self.inner.borrow_mut();
        inner.is_silent = is_silent;
        inner.skips_next = false;
    }

    /// Drops the reply to the next request: `CLIENT REPLY SKIP`.
    pub(crate) fn skip_one(&self) {
        self.inner.borrow_mut().skips_next = true;
    }

    /// Ends the connection.
    pub(crate) fn end(&self, end: End) {
        let inner = &mut *self.inner.borrow_mut();
        if inner.end != Some(End::AtOnce) {
            inner.end = Some(end);
        }
        inner.wake();
    }

    pub(crate) fn ending(&self) -> Option<End> {
        self.inner.borrow().end
    }

    /// Bytes that the program has taken since this was asked last.
    pub(crate) fn taken(&self) -> u64 {
        std::mem::take(&mut self.inner.borrow_mut().taken)
    }

    /// Gives bytes to `write`, as long as there are some and it takes them. Ready when everything is written.
    pub(crate) fn poll_write<E>(
        &self,
        context: &mut Context<'_>,
        mut write: impl FnMut(&mut Context<'_>, &[u8]) -> Poll<Result<usize, E>>,
    ) -> Poll<Result<(), E>> {
        let inner = &mut *self.inner.borrow_mut();
        inner.note(context);
        while !inner.out.is_empty() {
            match write(context, &inner.out) {
                Poll::Ready(Ok(written)) => {
                    bytes::Buf::advance(&mut inner.out, written);
                    inner.taken += written as u64;
                    if let Some(reader) = inner.reader.take() {
                        reader.wake();
                    }
                }
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Pending => return Poll::Pending,
            }
        }
        if inner.out.capacity() > KEPT || inner.slots.is_empty() {
            inner.out = BytesMut::new();
        }
        Poll::Ready(Ok(()))
    }

    /// Notes who goes on reading when the program has taken bytes.
    pub(crate) fn note_reader(&self, context: &mut Context<'_>) {
        self.inner.borrow_mut().reader = Some(context.waker().clone());
    }

    /// Notes who is to be woken by the next reply.
    pub(crate) fn note(&self, context: &mut Context<'_>) {
        self.inner.borrow_mut().note(context);
    }
}

impl Inner {
    fn add_late(&mut self) {
        self.out.extend_from_slice(&self.late);
        self.late = BytesMut::new();
    }

    /// Takes on the replies that are whole, or begun, and whose turn it is now.
    fn advance(&mut self) {
        if !self.late.is_empty() && !self.holds_messages {
            self.add_late();
        }
        while let Some(slot) = self.slots.front_mut() {
            let bytes = std::mem::take(&mut slot.bytes);
            let is_whole = slot.is_whole;
            if !slot.is_silent {
                self.out.extend_from_slice(&bytes);
            }
            if !is_whole {
                self.is_within = !bytes.is_empty();
                return;
            }
            self.slots.pop_front();
            self.first += 1;
        }
    }

    fn note(&mut self, context: &mut Context<'_>) {
        match &mut self.waker {
            Some(waker) => waker.clone_from(context.waker()),
            none => *none = Some(context.waker().clone()),
        }
    }

    fn wake(&mut self) {
        if let Some(waker) = &self.waker {
            waker.wake_by_ref();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(outbox: &Outbox) -> String {
        let mut all = Vec::new();
        let mut context = Context::from_waker(Waker::noop());
        let written = outbox.poll_write::<()>(&mut context, |_, bytes| {
            all.extend_from_slice(bytes);
            Poll::Ready(Ok(bytes.len()))
        });
        assert!(written.is_ready());
        String::from_utf8(all).unwrap()
    }

    #[test]
    fn replies_leave_in_the_order_of_the_requests() {
        let outbox = Outbox::default();
        let (a, b, c) = (outbox.expect(), outbox.expect(), outbox.expect());
        outbox.add(c, b"c", true);
        outbox.add(b, b"b1", false);
        assert_eq!(taken(&outbox), "");
        outbox.add(a, b"a", true);
        assert_eq!(taken(&outbox), "ab1");
        outbox.push(b"message");
        assert_eq!(taken(&outbox), "", "not within a reply");
        outbox.add(b, b"b2", true);
        assert_eq!(taken(&outbox), "b2messagec");
        assert!(outbox.is_quiet());
        assert!(outbox.has_answered(c));
    }

    #[test]
    fn a_reply_that_nobody_wants_is_dropped() {
        let outbox = Outbox::default();
        outbox.set_silent(true);
        let one = outbox.expect();
        outbox.add(one, b"x", true);
        outbox.set_silent(false);
        outbox.answer(b"y");
        assert_eq!(taken(&outbox), "y");
    }
}
