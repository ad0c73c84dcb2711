//! Requests that hand something out, and what becomes of those whose answer nobody gets.

use std::future::Future;
use std::hash::{BuildHasher, Hasher};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use compartment_core::{Result, Retry};

use crate::link::Link;

/// Between two tries to hand back.
const PAUSE: Duration = Duration::from_millis(100);
/// What a longer lease holds is handed back within this time, or when it ends.
const LONGEST: Duration = Duration::from_secs(3_600);

/// One store of one process, as the scripts that hand something out know it.
///
/// A request that claims has no name for what it will be handed. So it says who asks, in which slot, and
/// its number in that slot; the script notes what it handed out there. When the answer is lost, or the
/// caller gives up before it comes, the request is withdrawn by that name: what it was handed is handed
/// back, and if it has not come yet it is refused when it does.
#[derive(Debug)]
pub(crate) struct Claimant {
    /// Differs from that of any other store of any process.
    name: String,
    slots: Mutex<Slots>,
}

#[derive(Debug, Default)]
struct Slots {
    /// Slots that no request is in.
    free: Vec<Slot>,
    made: u32,
}

/// One request at a time is in a slot.
#[derive(Clone, Copy, Debug)]
struct Slot {
    place: u32,
    /// The number of its last request.
    number: u64,
}

/// The name of a request.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    pub(crate) claimant: Arc<Claimant>,
    pub(crate) slot: u32,
    pub(crate) number: u64,
}

type Withdrawal = Pin<Box<dyn Future<Output = Result<()>> + Send>>;

/// A request on its way. Dropped before it is answered, it is withdrawn.
pub(crate) struct Asking<W: Fn(Asked) -> Withdrawal + Send + Sync + 'static> {
    asked: Asked,
    /// How it is withdrawn, until it is answered.
    withdraw: Option<W>,
    link: Arc<Link>,
    lease: Duration,
}

impl Claimant {
    pub(crate) fn new() -> Arc<Self> {
        // The standard library's hasher is seeded at random for each of these.
        let random = || std::collections::hash_map::RandomState::new().build_hasher().finish();
        let name = format!("{:016x}{:016x}", random(), random());
        Arc::new(Self { name, slots: Mutex::default() })
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Names a request for something that is held for `lease`; `withdraw` sends its withdrawal.
    pub(crate) fn ask<W>(
        self: &Arc<Self>,
        link: &Arc<Link>,
        lease: Duration,
        withdraw: W,
    ) -> Asking<W>
    where
        W: Fn(Asked) -> Withdrawal + Send + Sync + 'static,
    {
        let slot = {
            let mut slots = self.lock();
            slots.free.pop().unwrap_or_else(|| {
                slots.made += 1;
                Slot { place: slots.made, number: 0 }
            })
        };
        let number = slot.number + 1;
        let asked = Asked { claimant: Arc::clone(self), slot: slot.place, number };
        Asking { asked, withdraw: Some(withdraw), link: Arc::clone(link), lease }
    }

    fn lock(&self) -> MutexGuard<'_, Slots> {
        self.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Asked {
    /// Lets another request have the slot.
    fn free(&self) {
        let slot = Slot { place: self.slot, number: self.number };
        self.claimant.lock().free.push(slot);
    }
}

impl<W: Fn(Asked) -> Withdrawal + Send + Sync + 'static> Asking<W> {
    pub(crate) fn asked(&self) -> &Asked {
        &self.asked
    }

    /// Takes the answer. One that does not tell whether the request was executed is none.
    pub(crate) fn answered<T>(mut self, answer: Result<T>) -> Result<T> {
        if answer.as_ref().err().is_none_or(|error| error.retry() != Retry::IfIdempotent) {
            self.withdraw = None;
            self.asked.free();
        }
        answer
    }
}

impl<W: Fn(Asked) -> Withdrawal + Send + Sync + 'static> Drop for Asking<W> {
    fn drop(&mut self) {
        let Some(withdraw) = self.withdraw.take() else { return };
        let (asked, until) = (self.asked.clone(), self.lease.min(LONGEST));
        self.link.in_background(async move {
            let again = async {
                while let Err(error) = withdraw(asked.clone()).await {
                    if error.retry() == Retry::Never {
                        // There is nothing any more that could be held.
                        tracing::debug!(%error, "a request was not withdrawn");
                        return;
                    }
                    tokio::time::sleep(PAUSE).await;
                }
                asked.free();
            };
            // Afterwards the lease has ended; the slot is left alone, as the request may still come.
            let _ = tokio::time::timeout(until, again).await;
        });
    }
}

impl Link {
    /// Runs work that nobody waits for.
    pub(crate) fn in_background(self: &Arc<Self>, work: impl Future<Output = ()> + Send + 'static) {
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(work);
        }
    }
}
