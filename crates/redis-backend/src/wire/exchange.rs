//! Requests of many tasks on one connection: those that come together leave together.
//!
//! A task appends its request to one buffer and waits; the driver sends the buffer and hands out the replies in order.
//! A request then costs no message between tasks, and many cost one system call.

use std::collections::VecDeque;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Waker;
use std::time::Duration;

use redis::{Cmd, RedisError, RedisResult, Value};
use tokio::sync::{Notify, oneshot};
use tokio::time::Instant;

use super::answers::{BEFORE_LOGIN, Bounds, WITH_VALUES, WITHOUT_VALUES, carries_values};

/// The requests of a connection, shared by its users and its driver.
pub(super) struct Exchange {
    queue: Mutex<Queue>,
    /// Tells the watch that somebody waits.
    waited_for: Notify,
    response_timeout: Duration,
    is_logged_in: AtomicBool,
}

#[derive(Default)]
struct Queue {
    /// Requests that the driver has not taken yet, and since when there are any.
    outgoing: Vec<u8>,
    unsent_since: Option<Instant>,
    waiting: VecDeque<Waiting>,
    /// The driver's, as long as it waits for requests.
    driver: Option<Waker>,
    /// Whether the watch waits for the time of a request.
    is_watched: bool,
    /// Whether requests come together: more than one was answered, or left, at once.
    is_busy: bool,
    is_closed: bool,
    /// Why the connection ended, if nobody was told yet.
    failure: Option<RedisError>,
}

struct Waiting {
    answer: Answer,
    until: Instant,
    carries_values: bool,
}

/// Who gets the replies.
enum Answer {
    One(oneshot::Sender<RedisResult<Value>>),
    Many {
        left: usize,
        values: Vec<Value>,
        sender: oneshot::Sender<RedisResult<Vec<Value>>>,
    },
    /// So many replies are no longer waited for.
    Late(usize),
}

/// The driver's next step.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Outgoing {
    Nothing,
    /// Requests come together here: others may be about to join.
    Gathering,
    Ready,
    Closed,
}

/// The error of a connection that has ended.
pub(super) fn ended() -> RedisError {
    io::Error::from(io::ErrorKind::BrokenPipe).into()
}

fn timed_out() -> RedisError {
    io::Error::from(io::ErrorKind::TimedOut).into()
}

impl Exchange {
    pub(super) fn new(response_timeout: Duration) -> Arc<Self> {
        let (queue, waited_for) = (Mutex::default(), Notify::new());
        Arc::new(Self { queue, waited_for, response_timeout, is_logged_in: AtomicBool::new(false) })
    }

    /// Sends a command and returns its reply.
    ///
    /// # Errors
    /// The server's error; a time-out; the end of the connection.
    pub(super) async fn one(&self, command: &Cmd) -> RedisResult<Value> {
        let (sender, receiver) = oneshot::channel();
        self.submit(Answer::One(sender), &[command])?;
        let reply = receiver.await.unwrap_or_else(|_| Err(ended()))?;
        match reply {
            Value::ServerError(error) => Err(error.into()),
            value => Ok(value),
        }
    }

    /// Sends commands in one round trip, in order; returns the reply to each, which may be an error.
    ///
    /// # Errors
    /// A time-out, or the end of the connection.
    pub(super) async fn many(&self, commands: &[&Cmd]) -> RedisResult<Vec<Value>> {
        let left = commands.len();
        if left == 0 {
            return Ok(Vec::new());
        }
        let (sender, receiver) = oneshot::channel();
        let values = Vec::with_capacity(left);
        self.submit(Answer::Many { left, values, sender }, commands)?;
        receiver.await.unwrap_or_else(|_| Err(ended()))
    }

    fn submit(&self, answer: Answer, commands: &[&Cmd]) -> RedisResult<()> {
        let carries_values = commands.iter().any(|command| carries_values(command));
        let now = Instant::now();
        let until = now + self.response_timeout;
        let mut queue = self.lock();
        if queue.is_closed {
            return Err(queue.failure.take().unwrap_or_else(ended));
        }
        for command in commands {
            command.write_packed_command(&mut queue.outgoing);
        }
        queue.unsent_since.get_or_insert(now);
        queue.waiting.push_back(Waiting { answer, until, carries_values });
        let driver = queue.driver.take();
        let is_watched = std::mem::replace(&mut queue.is_watched, true);
        drop(queue);
        if let Some(driver) = driver {
            driver.wake();
        }
        if !is_watched {
            self.waited_for.notify_one();
        }
        Ok(())
    }

    /// Gives the driver the requests that are ready, in exchange for an empty buffer. Without any, `driver` is woken
    /// by the next one.
    pub(super) fn take(&self, into: &mut Vec<u8>, driver: &Waker, has_waited: bool) -> Outgoing {
        let mut queue = self.lock();
        if queue.is_closed {
            return Outgoing::Closed;
        }
        if queue.outgoing.is_empty() {
            match &mut queue.driver {
                Some(known) => known.clone_from(driver),
                none => *none = Some(driver.clone()),
            }
            return Outgoing::Nothing;
        }
        if (queue.is_busy || queue.waiting.len() > 1) && !has_waited {
            return Outgoing::Gathering;
        }
        queue.is_busy = queue.waiting.len() > 1;
        std::mem::swap(&mut queue.outgoing, into);
        queue.unsent_since = None;
        Outgoing::Ready
    }

    /// Hands out replies in order. `answered` is room for those who get one.
    ///
    /// # Errors
    /// If nobody waits for a reply: the server's own error, if it is one. A server that has too many clients, or is
    /// protected, says so unasked and closes.
    pub(super) fn hand_out(
        &self,
        replies: &mut Vec<Value>,
        answered: &mut Vec<(oneshot::Sender<RedisResult<Value>>, Value)>,
    ) -> RedisResult<()> {
        let mut queue = self.lock();
        queue.is_busy |= replies.len() > 1;
        let mut unasked = None;
        for reply in replies.drain(..) {
            let Some(first) = queue.waiting.front_mut() else {
                unasked = Some(reply);
                break;
            };
            let left = match &mut first.answer {
                Answer::One(_) => 0,
                Answer::Many { left, values, .. } => {
                    values.push(reply);
                    *left -= 1;
                    if *left == 0
                        && let Some(Waiting { answer: Answer::Many { values, sender, .. }, .. }) =
                            queue.waiting.pop_front()
                    {
                        let _ = sender.send(Ok(values));
                    }
                    continue;
                }
                Answer::Late(left) => {
                    *left -= 1;
                    *left
                }
            };
            if left == 0
                && let Some(Waiting { answer: Answer::One(sender), .. }) = queue.waiting.pop_front()
            {
                answered.push((sender, reply));
            }
        }
        drop(queue);
        // Whoever is woken may ask again at once.
        for (sender, reply) in answered.drain(..) {
            let _ = sender.send(Ok(reply));
        }
        match unasked {
            None => Ok(()),
            Some(Value::ServerError(error)) => Err(error.into()),
            Some(_) => {
                let what = "the server answers without being asked";
                Err((redis::ErrorKind::Parse, what).into())
            }
        }
    }

    /// The login is over: answers may be longer than a greeting.
    pub(super) fn log_in(&self) {
        self.is_logged_in.store(true, Ordering::Release);
    }

    pub(super) fn is_logged_in(&self) -> bool {
        self.is_logged_in.load(Ordering::Acquire)
    }

    #[cfg(test)]
    pub(super) fn is_open(&self) -> bool {
        !self.lock().is_closed
    }

    /// Ends the connection. The first request in progress, or else the next one, gets `error`, all others that the
    /// connection has ended.
    pub(super) fn close(&self, error: Option<RedisError>) {
        let mut queue = self.lock();
        queue.is_closed = true;
        queue.outgoing = Vec::new();
        let (waiting, driver) = (std::mem::take(&mut queue.waiting), queue.driver.take());
        let mut error = error;
        if waiting.is_empty() {
            queue.failure = error.take().or(queue.failure.take());
        }
        drop(queue);
        for one in waiting {
            one.answer.fail(|| error.take().unwrap_or_else(ended));
        }
        if let Some(driver) = driver {
            driver.wake();
        }
        self.waited_for.notify_one();
    }

    /// Fails requests whose time is over, until the connection ends. One timer serves all requests: they have one time
    /// limit, so their times end in order. It is a task of its own, which runs where the driver is held up by a task
    /// that blocks its thread.
    pub(super) async fn watch(&self) {
        loop {
            match self.fail_overdue(Instant::now()) {
                Watch::Until(until) => tokio::time::sleep_until(until).await,
                Watch::Requests => self.waited_for.notified().await,
                Watch::Stuck => self.close(Some(timed_out())),
                Watch::Over => return,
            }
        }
    }

    fn fail_overdue(&self, now: Instant) -> Watch {
        let mut queue = self.lock();
        if queue.is_closed {
            return Watch::Over;
        }
        // A peer that is gone takes nothing, and callers that gave up would leave their requests here.
        if queue.unsent_since.is_some_and(|since| now >= since + self.response_timeout) {
            return Watch::Stuck;
        }
        for one in &mut queue.waiting {
            let left = match &one.answer {
                Answer::Late(_) => continue,
                _ if one.until > now => return Watch::Until(one.until),
                Answer::One(_) => 1,
                Answer::Many { left, .. } => *left,
            };
            let answer = std::mem::replace(&mut one.answer, Answer::Late(left));
            answer.fail(timed_out);
        }
        queue.is_watched = false;
        Watch::Requests
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Bounds for Exchange {
    fn most(&self) -> u64 {
        if !self.is_logged_in() {
            return BEFORE_LOGIN;
        }
        // Replies that were read with this one may not be handed out yet: any request may be the one.
        let carries = self.lock().waiting.iter().any(|one| one.carries_values);
        if carries { WITH_VALUES } else { WITHOUT_VALUES }
    }
}

/// The next event that the watch waits for.
enum Watch {
    Until(Instant),
    Requests,
    /// The socket takes nothing for as long as an answer may take.
    Stuck,
    Over,
}

impl Answer {
    fn fail(self, error: impl FnOnce() -> RedisError) {
        match self {
            Self::One(sender) => drop(sender.send(Err(error()))),
            Self::Many { sender, .. } => drop(sender.send(Err(error()))),
            Self::Late(_) => {}
        }
    }
}
