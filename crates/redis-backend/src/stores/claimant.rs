//! Requests that claim, and the withdrawal of those whose answer is lost.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use compartment_core::backend::random;
use compartment_core::{Result, Retry};

use crate::link::Link;

/// One store of one process, as the claiming scripts know it.
///
/// A claim does not know in advance what it will be handed. So its request has the claimant, a slot, and its number
/// in that slot, and the script records what it handed out. If the answer is lost, or the caller gives up before it
/// arrives, the request is withdrawn by that name: its items are handed back, and if it has not been executed yet it
/// will be refused.
#[derive(Debug)]
pub(crate) struct Claimant {
    /// Unique among all stores of all processes.
    name: String,
    slots: Mutex<Slots>,
}

#[derive(Debug, Default)]
struct Slots {
    /// Slots without a request.
    free: Vec<Slot>,
    made: u32,
}

/// A slot has one request at a time.
#[derive(Clone, Copy, Debug)]
struct Slot {
    place: u32,
    /// The number of the last request.
    number: u64,
}

/// The name of a request.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    pub(crate) claimant: Arc<Claimant>,
    pub(crate) slot: u32,
    pub(crate) number: u64,
}

/// A withdrawal in progress.
pub(crate) type Withdrawal = Pin<Box<dyn Future<Output = Result<()>> + Send>>;

/// Sends the withdrawal of a request.
pub(crate) trait Withdraw: Fn(Arc<Link>, Asked) -> Withdrawal + Send + 'static {}

impl<F: Fn(Arc<Link>, Asked) -> Withdrawal + Send + 'static> Withdraw for F {}

/// A request in progress. If it is dropped before it is answered, it is withdrawn.
pub(crate) struct Asking<W: Withdraw> {
    asked: Asked,
    /// The withdrawal, until the request is answered.
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

    /// Names a claiming request; `withdraw` sends its withdrawal.
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
    /// Frees the slot for another request.
    fn free(&self) {
        let slot = Slot { place: self.slot, number: self.number };
        self.claimant.lock().free.push(slot);
    }
}

impl<W: Withdraw> Asking<W> {
    pub(crate) fn asked(&self) -> &Asked {
        &self.asked
    }

    /// Ends the request, unless the error leaves open whether it was executed; then it is withdrawn.
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
                // Only after the withdrawal: a further request in the slot would overwrite the record of this one.
                withdrawal.await?;
                asked.free();
                Ok(())
            }
        });
    }
}
