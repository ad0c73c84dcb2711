//! Calls that are dropped at random moments, for every store whose answers can be lost.

use std::collections::HashSet;
use std::time::Duration;

use bytes::Bytes;
use compartment_core::{Database, Expiry, KeyValueStoreExt, LockOptions, LockStoreExt, RateLimit};

use super::databases::{MINUTE, all, coordination, durable};
use crate::{Harness, eventually, give_up_after};

const CALLERS: u64 = 10;
const CALLS: u64 = 1_000;
const LOCKS: u64 = 16;
const LIMIT: RateLimit = RateLimit::new(1_000_000, Duration::from_secs(3_600));

/// Random numbers that are the same in each run.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, below: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963);
        (self.0 >> 33) % below
    }

    /// From zero to slightly more than a round trip; sometimes as long as the call takes.
    fn patience(&mut self) -> Duration {
        if self.roll(4) == 0 { MINUTE } else { Duration::from_micros(self.roll(400)) }
    }
}

/// A caller that often drops its calls, and keeps track of the possible results.
struct Caller {
    name: u64,
    dice: Dice,
    values: Database,
    locks: Database,
    /// The values its key may hold.
    possible: HashSet<Option<Bytes>>,
    /// Acknowledged increments, and all increments.
    counted: (i64, i64),
    /// The permits it was granted.
    permits: u32,
}

impl Caller {
    async fn call(&mut self, call: u64) {
        let (key, patience) = (format!("value {}", self.name), self.dice.patience());
        let store = self.values.key_value();
        match self.dice.roll(8) {
            0 => {
                let value = Bytes::from(format!("{call}"));
                let done = give_up_after(patience, store.put(&key, value.clone())).await;
                self.wrote(Some(value), done.map(Result::unwrap).is_some());
            }
            1 => {
                let done = give_up_after(patience, store.remove(&key)).await;
                self.wrote(None, done.map(Result::unwrap).is_some());
            }
            2 => {
                let (old, new) = (Bytes::from("0"), Bytes::from(format!("{call}")));
                let change =
                    store.compare_and_set(&key, Some(old), Some(new.clone()), Expiry::Never);
                match give_up_after(patience, change).await.map(Result::unwrap) {
                    Some(true) => self.possible = HashSet::from([Some(new)]),
                    Some(false) => {}
                    None => drop(self.possible.insert(Some(new))),
                }
            }
            3 => {
                if let Some(value) = give_up_after(patience, store.get(&key)).await {
                    let value = value.unwrap();
                    assert!(self.possible.contains(&value), "{value:?} of {:?}", self.possible);
                    self.possible = HashSet::from([value]);
                }
            }
            4 => {
                let counter = format!("counter {}", self.name);
                let increment = self.values.counter().increment(&counter, 1, Expiry::Never);
                let done = give_up_after(patience, increment).await.map(Result::unwrap);
                self.counted.0 += i64::from(done.is_some());
                self.counted.1 += 1;
            }
            5 => {
                let permits = 1 + self.dice.roll(9) as u32;
                let acquire = self.locks.rate_limit().acquire("limit", LIMIT, permits);
                if let Some(decision) = give_up_after(patience, acquire).await {
                    assert!(decision.unwrap().is_allowed);
                    self.permits += permits;
                }
            }
            _ => {
                let options = LockOptions::default().lease(MINUTE);
                let lock = format!("lock {}", self.dice.roll(LOCKS));
                let locked = self.locks.lock().lock(&lock, options);
                let Some(locked) = give_up_after(patience, locked).await else { return };
                if let (Some(guard), 0) = (locked.unwrap(), self.dice.roll(2)) {
                    // A dropped release frees the lock too.
                    let _ = give_up_after(self.dice.patience(), guard.release()).await;
                }
            }
        }
    }

    fn wrote(&mut self, value: Option<Bytes>, is_acknowledged: bool) {
        if is_acknowledged {
            self.possible.clear();
        }
        self.possible.insert(value);
    }
}

/// Ten thousand calls, most of them dropped. Afterwards no lock is held, no permit is taken without a caller, and
/// every read returns an acknowledged value or one requested since.
pub async fn cancel_everything(harness: &dyn Harness) {
    let (values, locks) = (durable(harness).await, coordination(harness).await);
    let callers = (0..CALLERS).map(|name| {
        let mut caller = Caller {
            name,
            dice: Dice(name + 1),
            values: values.clone(),
            locks: locks.clone(),
            possible: HashSet::from([None]),
            counted: (0, 0),
            permits: 0,
        };
        tokio::spawn(async move {
            for call in 0..CALLS {
                caller.call(call).await;
            }
            caller
        })
    });
    let callers = all(callers.collect()).await;
    for database in [&values, &locks] {
        database.unfinished().done().await;
    }
    let held = async || {
        let mut held = Vec::new();
        for lock in 0..LOCKS {
            let name = format!("lock {lock}");
            held.extend(locks.lock().holder(&name).await.unwrap().map(|holder| (name, holder)));
        }
        held
    };
    let still = held().await;
    assert!(still.is_empty(), "held by nobody: {still:?}");
    let given: u32 = callers.iter().map(|caller| caller.permits).sum();
    assert!(given > 0);
    eventually("only the permits that somebody knows of are taken", || async {
        let decision = locks.rate_limit().acquire("limit", LIMIT, 0).await.unwrap();
        decision.remaining == LIMIT.permits - given
    })
    .await;
    for caller in callers {
        let value = values.key_value().get(&format!("value {}", caller.name)).await.unwrap();
        assert!(caller.possible.contains(&value), "{value:?} of {:?}", caller.possible);
        let counter = format!("counter {}", caller.name);
        let counted = values.counter().count(&counter).await.unwrap().unwrap_or(0);
        let (acknowledged, all) = caller.counted;
        assert!((acknowledged..=all).contains(&counted), "{counted}: {acknowledged} to {all}");
    }
}

suite! { cancellation as cancellation_suite, needs Nothing:
    cancel_everything
}
