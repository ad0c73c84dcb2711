//! Requests of many tasks on one connection: those that come together leave together.
//!
//! A task appends its request to one buffer and waits; the driver sends the buffer and hands out the replies in order.
//! A request then costs no message between tasks, and many cost one system call. A task that finds enough of them sends
//! them itself, so that the server and its users work at the same time.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Waker;
use std::time::Duration;

use redis::{Cmd, RedisError, RedisResult, Value};
use tokio::sync::{Notify, oneshot};
use tokio::time::Instant;

use super::answers::{BEFORE_LOGIN, Bounds, WITH_VALUES, WITHOUT_VALUES, carries_values};
use super::joined::{Call, Joined};
use super::outlet::Outlet;
use super::packed::Packed;
use super::queue::{Answer, Answered, Queue, Waiting, ended};

/// The requests of a connection, shared by its users and its driver.
pub(super) struct Exchange {
    queue: Mutex<Queue>,
    /// A task that locks both locks this first.
    outlet: Mutex<Outlet>,
    /// Whether requests were handed over since replies were last read.
    has_asked: AtomicBool,
    /// Tells the watch that somebody waits.
    waited_for: Notify,
    response_timeout: Duration,
    is_logged_in: AtomicBool,
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

fn timed_out() -> RedisError {
    io::Error::from(io::ErrorKind::TimedOut).into()
}

impl Exchange {
    pub(super) fn new(response_timeout: Duration) -> Arc<Self> {
        Arc::new(Self {
            queue: Mutex::default(),
            outlet: Mutex::default(),
            has_asked: AtomicBool::new(false),
            waited_for: Notify::new(),
            response_timeout,
            is_logged_in: AtomicBool::new(false),
        })
    }

    /// Sends a command and returns its reply.
    ///
    /// # Errors
    /// The server's error; a time-out; the end of the connection.
    pub(super) async fn one(&self, command: &Cmd) -> RedisResult<Value> {
        let (sender, receiver) = oneshot::channel();
        let write = |outgoing: &mut Vec<u8>| command.write_packed_command(outgoing);
        self.submit(Answer::One(sender), carries_values(command), write)?;
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
        let carries = commands.iter().any(|command| carries_values(command));
        let write = |outgoing: &mut Vec<u8>| {
            commands.iter().for_each(|command| command.write_packed_command(outgoing));
        };
        self.replies(commands.len(), carries, write).await
    }

    /// As [`Exchange::many`], for commands that are written already.
    pub(super) async fn packed(&self, commands: Packed) -> RedisResult<Vec<Value>> {
        let Packed { bytes, count, carries_values } = commands;
        self.replies(count, carries_values, move |outgoing| outgoing.extend_from_slice(&bytes))
            .await
    }

    async fn replies(
        &self,
        left: usize,
        carries_values: bool,
        write: impl FnOnce(&mut Vec<u8>),
    ) -> RedisResult<Vec<Value>> {
        if left == 0 {
            return Ok(Vec::new());
        }
        let (sender, receiver) = oneshot::channel();
        let answer = Answer::Many { left, values: Vec::with_capacity(left), sender };
        self.submit(answer, carries_values, write)?;
        receiver.await.unwrap_or_else(|_| Err(ended()))
    }

    /// Calls a script with one key, together with calls that come at this time; returns its part of the reply, which
    /// may be an error. The script returns a list with a part for each key.
    ///
    /// # Errors
    /// The server's error, if it refused the call, perhaps because of another's key: nothing was executed. A
    /// time-out; the end of the connection.
    pub(super) async fn joined(&self, command: &Cmd) -> RedisResult<Value> {
        let Some(call) = Call::of(command) else {
            return Err(
                (redis::ErrorKind::Client, "this is no call of a script with one key").into()
            );
        };
        let (sender, receiver) = oneshot::channel();
        self.join(&call, sender)?;
        receiver.await.unwrap_or_else(|_| Err(ended()))
    }

    fn join(
        &self,
        call: &Call<'_>,
        sender: oneshot::Sender<RedisResult<Value>>,
    ) -> RedisResult<()> {
        let now = Instant::now();
        let mut queue = self.lock();
        queue.fail_if_closed()?;
        let (is_server_idle, is_server_busy) = (queue.under_way() == 0, queue.is_server_busy());
        let mut is_enough = false;
        match queue.joinable(call) {
            Some((joined, senders)) => {
                joined.add(call);
                senders.push(sender);
                is_enough =
                    joined.is_full() && !is_server_busy || is_server_idle && joined.takes_long();
            }
            None => {
                let (at, request) = (queue.outgoing.len(), queue.next());
                queue.joined.push(Joined::new(call, at, request));
                self.wait(&mut queue, now, Answer::Joined(vec![sender]), true);
            }
        }
        self.call_driver(queue);
        if is_enough {
            self.send_ahead();
        }
        Ok(())
    }

    fn submit(
        &self,
        answer: Answer,
        carries_values: bool,
        write: impl FnOnce(&mut Vec<u8>),
    ) -> RedisResult<()> {
        let now = Instant::now();
        let mut queue = self.lock();
        queue.fail_if_closed()?;
        write(&mut queue.outgoing);
        self.wait(&mut queue, now, answer, carries_values);
        let is_enough = queue.has_enough();
        self.call_driver(queue);
        if is_enough {
            self.send_ahead();
        }
        Ok(())
    }

    fn wait(&self, queue: &mut Queue, now: Instant, answer: Answer, carries_values: bool) {
        queue.unsent_since.get_or_insert(now);
        let until = now + self.response_timeout;
        queue.waiting.push_back(Waiting { answer, until, carries_values });
    }

    /// There is a request to send, and to watch.
    fn call_driver(&self, mut queue: MutexGuard<'_, Queue>) {
        let driver = queue.driver.take();
        let is_watched = std::mem::replace(&mut queue.is_watched, true);
        drop(queue);
        if let Some(driver) = driver {
            driver.wake();
        }
        if !is_watched {
            self.waited_for.notify_one();
        }
    }

    /// Sends before the driver has its turn, which comes after that of all tasks that can run: the server works while
    /// those ask.
    fn send_ahead(&self) {
        // If it is locked, the driver sends.
        let Ok(mut outlet) = self.outlet.try_lock() else { return };
        let Some(room) = outlet.room() else { return };
        let mut queue = self.lock();
        // The driver may have been faster.
        if !queue.is_closed && !queue.is_empty() {
            self.hand_over(&mut queue, room);
            drop(queue);
            outlet.begin();
        }
    }

    /// Gives the driver the requests that are ready, in exchange for an empty buffer. Without any, `driver` is woken
    /// by the next one.
    pub(super) fn take(&self, into: &mut Vec<u8>, driver: &Waker, has_waited: bool) -> Outgoing {
        let mut queue = self.lock();
        if queue.is_closed {
            return Outgoing::Closed;
        }
        if queue.is_empty() {
            match &mut queue.driver {
                Some(known) => known.clone_from(driver),
                none => *none = Some(driver.clone()),
            }
            return Outgoing::Nothing;
        }
        let is_shared = queue.waiting.len() > 1 || queue.joined.iter().any(Joined::is_shared);
        if (queue.is_busy || is_shared) && !has_waited {
            return Outgoing::Gathering;
        }
        queue.is_busy = is_shared;
        self.hand_over(&mut queue, into);
        Outgoing::Ready
    }

    /// Moves requests that are ready into an empty buffer.
    fn hand_over(&self, queue: &mut Queue, into: &mut Vec<u8>) {
        queue.write(into);
        queue.unsent_since = (!queue.is_empty()).then(Instant::now);
        self.has_asked.store(true, Ordering::Release);
    }

    /// Whether requests were sent since the last call.
    pub(super) fn has_asked(&self) -> bool {
        self.has_asked.swap(false, Ordering::AcqRel)
    }

    /// The sending side.
    pub(super) fn outlet(&self) -> MutexGuard<'_, Outlet> {
        self.outlet.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Hands out replies in order. `answered` is room for those who get one.
    ///
    /// # Errors
    /// If nobody waits for a reply: the server's own error, if it is one. A server that has too many clients, or is
    /// protected, says so unasked and closes.
    pub(super) fn hand_out(
        &self,
        replies: &mut Vec<Value>,
        answered: &mut Vec<Answered>,
    ) -> RedisResult<()> {
        let mut queue = self.lock();
        queue.is_busy |= replies.len() > 1;
        let unasked = queue.hand_out(replies, answered);
        drop(queue);
        // Whoever is woken may ask again at once.
        for (sender, reply) in answered.drain(..) {
            let _ = sender.send(reply);
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
        // Before anybody is told: nothing leaves after that.
        self.outlet().close();
        let mut queue = self.lock();
        queue.is_closed = true;
        (queue.outgoing, queue.joined) = (Vec::new(), Vec::new());
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
                Answer::One(_) | Answer::Joined(_) => 1,
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
