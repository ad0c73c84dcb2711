//! Reads of single keys, merged while others are under way.
//!
//! A lone read goes straight out. Those that come while two are under way wait, and leave together
//! when one has come back: with one time-out, one look at the breaker and at the pending removals,
//! and one request for all of them. Who waits has its share of the answer by its place, so that
//! nothing but its key is its own. (With all of that for each read, 1,024 tasks got 0.71 of the bare
//! store's reads done.)

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use compartment_core::{ErrorKind, Timestamp};

use crate::inner::Inner;

/// The most keys in one request.
const MOST_KEYS: usize = 256;
/// Requests under way before others wait. A second one keeps the server busy while an answer is
/// taken apart.
const MOST_UNDER_WAY: usize = 2;

/// The database did not answer, or is left alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Away;

/// What stands at a key.
#[derive(Debug)]
pub(crate) enum Answer {
    Alone(Option<Bytes>),
    /// A share of what many have asked for.
    Share(Arc<Batch>, usize),
}

impl Answer {
    pub(crate) fn bytes(&self) -> Option<&Bytes> {
        match self {
            Self::Alone(value) => value.as_ref(),
            Self::Share(batch, place) => batch.answers.get()?.as_ref().ok()?.get(*place)?.as_ref(),
        }
    }
}

/// The reads of one cache.
#[derive(Debug, Default)]
pub(crate) struct Reads {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    under_way: usize,
    waiting: VecDeque<Arc<Batch>>,
}

/// Reads that leave together.
#[derive(Debug)]
pub(crate) struct Batch {
    /// When the first of them has waited for as long as it may. What is under way was begun
    /// before, and has come back or is given up by then.
    deadline: Timestamp,
    joined: Mutex<Joined>,
    answers: OnceLock<Result<Vec<Option<Bytes>>, Away>>,
}

#[derive(Debug, Default)]
struct Joined {
    keys: Vec<String>,
    wakers: Vec<Option<Waker>>,
}

impl Reads {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Batch {
    fn lock(&self) -> MutexGuard<'_, Joined> {
        self.joined.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn answer(&self, answers: Result<Vec<Option<Bytes>>, Away>) {
        // Answered once; whoever comes second has nothing new to say.
        let _ = self.answers.set(answers);
        // After the answer: who looked before it has left its waker.
        let wakers = std::mem::take(&mut self.lock().wakers);
        wakers.into_iter().flatten().for_each(Waker::wake);
    }
}

/// Waits for its share.
struct Waiting {
    batch: Arc<Batch>,
    place: usize,
}

impl Future for Waiting {
    type Output = Result<Answer, Away>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let answered = || match self.batch.answers.get()? {
            Ok(_) => Some(Ok(Answer::Share(Arc::clone(&self.batch), self.place))),
            Err(away) => Some(Err(*away)),
        };
        if let Some(answer) = answered() {
            return Poll::Ready(answer);
        }
        let mut joined = self.batch.lock();
        // Again, since the answer may have come before the lock.
        match (answered(), joined.wakers.get_mut(self.place)) {
            (Some(answer), _) => return Poll::Ready(answer),
            (None, Some(waker)) => *waker = Some(context.waker().clone()),
            (None, None) => return Poll::Ready(Err(Away)),
        }
        Poll::Pending
    }
}

/// A request under way. Dropped when it has come back, or when its caller gave up: in both cases
/// those who wait may go.
struct UnderWay<'a> {
    inner: &'a Arc<Inner>,
    /// Those that it is for; they are told should it be dropped unanswered.
    batch: Option<Arc<Batch>>,
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        if let Some(batch) = &self.batch {
            batch.answer(Err(Away));
        }
        self.inner.one_came_back();
    }
}

impl Inner {
    /// What stands at `key`; a key that holds another type is one that has nothing.
    pub(crate) async fn read_one(self: &Arc<Self>, key: &str) -> Result<Answer, Away> {
        // Made before the lock, which others wait for.
        let name = key.to_owned();
        let waiting = {
            let mut state = self.reads.lock();
            // A breaker that is not closed and removals that are pending decide about each alone.
            if state.under_way < MOST_UNDER_WAY || !self.breaker.is_closed() || self.pending.any() {
                state.under_way += 1;
                None
            } else {
                Some(self.wait_in(&mut state.waiting, name))
            }
        };
        if let Some(waiting) = waiting {
            return waiting.await;
        }
        let _under_way = UnderWay { inner: self, batch: None };
        match self.call(self.database.key_value().get(key)).await {
            Ok(value) => Ok(Answer::Alone(value)),
            Err(error) if error.kind() == ErrorKind::WrongType => Ok(Answer::Alone(None)),
            Err(_) => Err(Away),
        }
    }

    fn wait_in(&self, waiting: &mut VecDeque<Arc<Batch>>, key: String) -> Waiting {
        if let Some(batch) = waiting.back() {
            let mut joined = batch.lock();
            if joined.keys.len() < MOST_KEYS {
                joined.keys.push(key);
                joined.wakers.push(None);
                return Waiting { batch: Arc::clone(batch), place: joined.keys.len() - 1 };
            }
        }
        let batch = Arc::new(Batch {
            deadline: self.options.clock.now().after(self.options.database_timeout),
            joined: Mutex::new(Joined { keys: vec![key], wakers: vec![None] }),
            answers: OnceLock::new(),
        });
        waiting.push_back(Arc::clone(&batch));
        Waiting { batch, place: 0 }
    }

    fn one_came_back(self: &Arc<Self>) {
        let batch = {
            let mut state = self.reads.lock();
            let next = state.waiting.pop_front();
            if next.is_none() {
                state.under_way -= 1;
            }
            next
        };
        // Its place is taken by the next.
        let Some(batch) = batch else { return };
        let Ok(runtime) = tokio::runtime::Handle::try_current() else {
            // Dropped outside a runtime, which is shutting down.
            drop(UnderWay { inner: self, batch: Some(batch) });
            return;
        };
        let inner = Arc::clone(self);
        runtime.spawn(async move {
            let keys = std::mem::take(&mut batch.lock().keys);
            let under_way = UnderWay { inner: &inner, batch: Some(Arc::clone(&batch)) };
            let answers = inner.read_until(&keys, batch.deadline).await;
            batch.answer(answers.map_err(|_| Away));
            drop(under_way);
        });
    }
}
