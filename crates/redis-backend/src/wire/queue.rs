//! The requests that a connection's driver has not taken yet, and those who wait for replies.

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

/// Somebody, and the reply to the request.
pub(super) type Answered = (oneshot::Sender<RedisResult<Value>>, RedisResult<Value>);

#[derive(Default)]
pub(super) struct Queue {
    /// Requests that the driver has not taken yet, and since when there are any.
    pub(super) outgoing: Vec<u8>,
    pub(super) unsent_since: Option<Instant>,
    /// Script calls among them that others may still join, in the order of their places.
    pub(super) joined: Vec<Joined>,
    pub(super) waiting: VecDeque<Waiting>,
    /// The number of the first request that waits.
    pub(super) first: u64,
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

    /// Moves the requests that are ready into an empty buffer.
    pub(super) fn write(&mut self, into: &mut Vec<u8>) {
        if self.joined.is_empty() {
            std::mem::swap(&mut self.outgoing, into);
            return;
        }
        let mut written = 0;
        for joined in self.joined.drain(..) {
            into.extend_from_slice(self.outgoing.get(written..joined.at).unwrap_or_default());
            joined.write(into);
            written = joined.at;
        }
        into.extend_from_slice(self.outgoing.get(written..).unwrap_or_default());
        match self.outgoing.capacity() > KEEP {
            true => self.outgoing = Vec::new(),
            false => self.outgoing.clear(),
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
