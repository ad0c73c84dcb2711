//! The requests that have not left yet, and those who wait for replies.

use std::collections::VecDeque;
use std::io;
use std::task::Waker;

use redis::{RedisError, RedisResult, Value};
use tokio::sync::oneshot;
use tokio::time::Instant;

use super::joined::{Call, Joined};

/// The error of a connection that has ended.
pub(super) fn ended() -> RedisError {
    io::Error::from(io::ErrorKind::BrokenPipe).into()
}

/// The room that a connection keeps for requests, in bytes.
pub(super) const KEEP: usize = 256 * 1024;

/// So many requests leave before all tasks that can run have asked: the server then works on them meanwhile. If all left
/// together, their answers would come together too, and the server would wait while its users ask again. (Measured with
/// 64 tasks that read or write 100 bytes: 1.1 to 2.1 times as many requests as with all together; 12 and 24 instead of
/// 16 bring fewer.)
const ENOUGH: u64 = 16;
/// With so many under way the server has work, and the rest leaves together. (Measured: with 1,024 tasks a write for each
/// 16 requests would cost a fifth of them.)
const BUSY: u64 = 128;

/// Somebody, and the reply to the request.
pub(super) type Answered = (oneshot::Sender<RedisResult<Value>>, RedisResult<Value>);

#[derive(Default)]
pub(super) struct Queue {
    /// Requests that have not left yet, and since when there are any.
    pub(super) outgoing: Vec<u8>,
    pub(super) unsent_since: Option<Instant>,
    /// Script calls among them that others may still join, in the order of their places.
    pub(super) joined: Vec<Joined>,
    pub(super) waiting: VecDeque<Waiting>,
    /// The number of the first request that waits.
    pub(super) first: u64,
    /// The number of the first request that has not left.
    unsent: u64,
    /// The driver's, as long as it waits for requests.
    pub(super) driver: Option<Waker>,
    /// Whether the watch waits for the time of a request.
    pub(super) is_watched: bool,
    /// Whether requests come together: more than one was answered, or left, at once.
    pub(super) is_busy: bool,
    pub(super) is_closed: bool,
    /// Why the connection ended, if nobody was told yet.
    pub(super) failure: Option<RedisError>,
}

pub(super) struct Waiting {
    pub(super) answer: Answer,
    pub(super) until: Instant,
    pub(super) carries_values: bool,
}

/// Who gets the replies.
pub(super) enum Answer {
    One(oneshot::Sender<RedisResult<Value>>),
    Many {
        left: usize,
        values: Vec<Value>,
        sender: oneshot::Sender<RedisResult<Vec<Value>>>,
    },
    /// Each gets a part of the reply, or all its error.
    Joined(Vec<oneshot::Sender<RedisResult<Value>>>),
    /// So many replies are no longer waited for.
    Late(usize),
}

impl Queue {
    pub(super) fn fail_if_closed(&mut self) -> RedisResult<()> {
        match self.is_closed {
            true => Err(self.failure.take().unwrap_or_else(ended)),
            false => Ok(()),
        }
    }

    /// The number of the next request.
    pub(super) fn next(&self) -> u64 {
        self.first + self.waiting.len() as u64
    }

    /// The number of requests that have left and were not answered.
    pub(super) fn under_way(&self) -> u64 {
        self.unsent.saturating_sub(self.first)
    }

    /// Whether the server has work without the requests that have not left.
    pub(super) fn is_server_busy(&self) -> bool {
        self.under_way() >= BUSY
    }

    /// Whether requests should leave now, although others may be about to join them. More bytes than are kept leave with
    /// the driver: a task is not held up by the requests of others.
    pub(super) fn has_enough(&self) -> bool {
        let unsent = self.next() - self.unsent.max(self.first);
        unsent >= ENOUGH && !self.is_server_busy() && self.outgoing.len() <= KEEP
    }

    /// Whether all requests have left.
    pub(super) fn is_empty(&self) -> bool {
        self.outgoing.is_empty() && self.joined.is_empty()
    }

    /// The calls that this one may join, and who waits for them.
    pub(super) fn joinable(
        &mut self,
        call: &Call<'_>,
    ) -> Option<(&mut Joined, &mut Vec<oneshot::Sender<RedisResult<Value>>>)> {
        let joined = self.joined.iter_mut().rev().find(|joined| joined.takes(call))?;
        let at = usize::try_from(joined.request.checked_sub(self.first)?).ok()?;
        match &mut self.waiting.get_mut(at)?.answer {
            Answer::Joined(senders) => Some((joined, senders)),
            // Their time is over.
            _ => None,
        }
    }

    /// Gives each reply to whom it belongs; returns one that nobody waits for.
    pub(super) fn hand_out(
        &mut self,
        replies: &mut Vec<Value>,
        answered: &mut Vec<Answered>,
    ) -> Option<Value> {
        for reply in replies.drain(..) {
            let Some(first) = self.waiting.front_mut() else {
                return Some(reply);
            };
            match &mut first.answer {
                Answer::One(_) | Answer::Joined(_) => {}
                Answer::Many { left, values, .. } => {
                    values.push(reply);
                    *left -= 1;
                    if *left == 0
                        && let Some(Answer::Many { values, sender, .. }) = self.pop()
                    {
                        let _ = sender.send(Ok(values));
                    }
                    continue;
                }
                Answer::Late(left) => {
                    *left -= 1;
                    if *left == 0 {
                        self.pop();
                    }
                    continue;
                }
            }
            match self.pop() {
                Some(Answer::One(sender)) => answered.push((sender, Ok(reply))),
                Some(Answer::Joined(senders)) => deal_out(reply, senders, answered),
                _ => {}
            }
        }
        None
    }

    /// Moves the requests that are ready into an empty buffer: up to a joined call that takes the server long. It can
    /// then begin while the rest is written, and answers the first before it reads the rest. With all in one, the
    /// server waits while its users work, and they while it works.
    pub(super) fn write(&mut self, into: &mut Vec<u8>) {
        let last = self.joined.iter().position(Joined::takes_long);
        let last_request = last.and_then(|last| self.joined.get(last)).map(|last| last.request);
        self.unsent = last_request.map_or(self.next(), |request| request + 1);
        if self.joined.is_empty() {
            std::mem::swap(&mut self.outgoing, into);
            return;
        }
        let rest = self.joined.split_off(last.map_or(self.joined.len(), |last| last + 1));
        let mut written = 0;
        for joined in std::mem::replace(&mut self.joined, rest) {
            into.extend_from_slice(self.outgoing.get(written..joined.at).unwrap_or_default());
            joined.write(into);
            written = joined.at;
        }
        if last.is_none() {
            into.extend_from_slice(self.outgoing.get(written..).unwrap_or_default());
            written = self.outgoing.len();
        }
        for joined in &mut self.joined {
            joined.at -= written;
        }
        match written == self.outgoing.len() && self.outgoing.capacity() > KEEP {
            true => self.outgoing = Vec::new(),
            false => drop(self.outgoing.drain(..written)),
        }
    }

    /// The first that waits is answered.
    fn pop(&mut self) -> Option<Answer> {
        let first = self.waiting.pop_front()?;
        self.first += 1;
        Some(first.answer)
    }
}

/// Gives each of those who called a script together its part of the reply.
fn deal_out(
    reply: Value,
    senders: Vec<oneshot::Sender<RedisResult<Value>>>,
    answered: &mut Vec<Answered>,
) {
    match reply {
        Value::Array(parts) if parts.len() == senders.len() => {
            answered.extend(senders.into_iter().zip(parts.into_iter().map(Ok)));
        }
        Value::ServerError(error) => {
            answered.extend(senders.into_iter().map(|sender| (sender, Err(error.clone().into()))));
        }
        _ => {
            let what = "a script did not answer for each of its keys";
            let wrong = || Err((redis::ErrorKind::Parse, what).into());
            answered.extend(senders.into_iter().map(|sender| (sender, wrong())));
        }
    }
}

impl Answer {
    pub(super) fn fail(self, mut error: impl FnMut() -> RedisError) {
        match self {
            Self::One(sender) => drop(sender.send(Err(error()))),
            Self::Many { sender, .. } => drop(sender.send(Err(error()))),
            Self::Joined(senders) => {
                for sender in senders {
                    drop(sender.send(Err(error())));
                }
            }
            Self::Late(_) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(key: usize) -> redis::Cmd {
        let mut command = redis::cmd("EVALSHA");
        command.arg("abc").arg(1).arg(key).arg("me");
        command
    }

    fn join(queue: &mut Queue, keys: std::ops::Range<usize>) {
        let commands: Vec<_> = keys.map(call).collect();
        let mut calls = commands.iter().map(|command| Call::of(command).unwrap());
        let mut joined = Joined::new(&calls.next().unwrap(), queue.outgoing.len(), 0);
        calls.for_each(|call| joined.add(&call));
        queue.joined.push(joined);
    }

    /// The keys of the scripts and the other requests, as they leave in turn.
    fn leave(queue: &mut Queue) -> Vec<String> {
        let mut left = Vec::new();
        while !queue.outgoing.is_empty() || !queue.joined.is_empty() {
            let mut written = Vec::new();
            queue.write(&mut written);
            left.push(String::from_utf8(written).unwrap());
        }
        left
    }

    #[test]
    fn what_follows_a_long_call_leaves_after_it_in_order() {
        let mut queue = Queue::default();
        queue.outgoing.extend(b"first ");
        join(&mut queue, 0..3);
        queue.outgoing.extend(b"second ");
        join(&mut queue, 3..33);
        queue.outgoing.extend(b"third ");
        join(&mut queue, 33..65);
        join(&mut queue, 65..67);
        queue.outgoing.extend(b"last");
        let left = leave(&mut queue);
        let of = |part: &str| (part.matches("EVALSHA").count(), part.matches("me\r\n").count());
        assert_eq!(
            left.iter().map(|part| of(part)).collect::<Vec<_>>(),
            [(2, 33), (1, 32), (1, 2)]
        );
        assert!(left[0].starts_with("first *") && left[0].contains("\r\nsecond *"), "{left:?}");
        assert!(left[1].starts_with("third *") && left[2].ends_with("\r\nlast"), "{left:?}");
    }

    #[test]
    fn requests_after_a_long_call_have_not_left() {
        let mut queue = Queue::default();
        join(&mut queue, 0..20);
        for _ in 0..=ENOUGH {
            queue.outgoing.extend(b"next ");
            let answer = Answer::One(oneshot::channel().0);
            queue.waiting.push_back(Waiting {
                answer,
                until: Instant::now(),
                carries_values: false,
            });
        }
        assert!(queue.has_enough() && queue.under_way() == 0);
        queue.write(&mut Vec::new());
        assert!(queue.has_enough() && queue.under_way() == 1, "the call");
        queue.write(&mut Vec::new());
        assert!(!queue.has_enough() && queue.is_empty());
        assert_eq!(queue.under_way(), 1 + ENOUGH);
    }

    #[test]
    fn short_calls_leave_with_all_others() {
        let mut queue = Queue::default();
        join(&mut queue, 0..3);
        queue.outgoing.extend(b"next ");
        join(&mut queue, 3..6);
        let left = leave(&mut queue);
        assert!(left.len() == 1 && left[0].contains("\r\nnext *"), "{left:?}");
    }
}
