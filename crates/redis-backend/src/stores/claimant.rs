//! Requests that hand something out, and what becomes of those whose answer nobody gets.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use compartment_core::backend::random;
use compartment_core::{Result, Retry};

use crate::link::Link;

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

/// A withdrawal on its way.
pub(crate) type Withdrawal = Pin<Box<dyn Future<Output = Result<()>> + Send>>;

/// Sends the withdrawal of a request.
pub(crate) trait Withdraw: Fn(Arc<Link>, Asked) -> Withdrawal + Send + 'static {}

impl<F: Fn(Arc<Link>, Asked) -> Withdrawal + Send + 'static> Withdraw for F {}

/// A request on its way. Dropped before it is answered, it is withdrawn.
pub(crate) struct Asking<W: Withdraw> {
    asked: Asked,
    /// How it is withdrawn, until it is answered.
    withdraw: Option<W>,
    link: Arc<Link>,
}

impl Claimant {
    pub(crate) fn new() -> Arc<Self> {
        let name = format!("{:016x}{:016x}", random(), random());
        Arc::new(Self { name, slots: Mutex::default() })
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Names a request for something that is held; `withdraw` sends its withdrawal.
    pub(crate) fn ask<W: Withdraw>(self: &Arc<Self>, link: &Arc<Link>, withdraw: W) -> Asking<W> {
        let slot = {
            let mut slots = self.lock();
            slots.free.pop().unwrap_or_else(|| {
                slots.made += 1;
                Slot { place: slots.made, number: 0 }
            })
        };
        let number = slot.number + 1;
        let asked = Asked { claimant: Arc::clone(self), slot: slot.place, number };
        Asking { asked, withdraw: Some(withdraw), link: Arc::clone(link) }
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

impl<W: Withdraw> Asking<W> {
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

impl<W: Withdraw> Drop for Asking<W> {
    fn drop(&mut self) {
        let Some(withdraw) = self.withdraw.take() else { return };
        let asked = self.asked.clone();
        self.link.in_background(move |link| {
            let (asked, withdrawal) = (asked.clone(), withdraw(link, asked.clone()));
            async move {
                // Not before it is withdrawn: another request of the slot would say that this one is over.
                withdrawal.await?;
                asked.free();
                Ok(())
            }
        });
    }
}
