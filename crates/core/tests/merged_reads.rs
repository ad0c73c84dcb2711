//! Merged reads: no read is sent twice without need, and none waits forever.

#![expect(clippy::unwrap_used, reason = "a failure here is a failed test")]

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use compartment_core::backend::{ReadMerger, ReadSource};
use compartment_core::{Clock, ManualClock, MonotonicInstant};
use futures_util::FutureExt;
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;

const PATIENCE: Duration = Duration::from_secs(10);

/// Answers each key with the key, once it is permitted to.
struct Echo {
    clock: ManualClock,
    gate: Semaphore,
    requests: AtomicUsize,
    fails: bool,
}

impl Echo {
    async fn pass(&self) -> Result<(), String> {
        self.requests.fetch_add(1, Ordering::SeqCst);
        self.gate.acquire().await.unwrap().forget();
        if self.fails { Err("away".to_owned()) } else { Ok(()) }
    }

    fn requests(&self) -> usize {
        self.requests.load(Ordering::SeqCst)
    }
}

impl ReadSource for Echo {
    type Value = String;
    type Error = String;

    async fn one(&self, key: &str) -> Result<String, String> {
        self.pass().await.map(|()| key.to_owned())
    }

    async fn many(&self, keys: &[String], _: MonotonicInstant) -> Result<Vec<String>, String> {
        self.pass().await.map(|()| keys.to_vec())
    }

    fn patience(&self) -> Duration {
        PATIENCE
    }

    fn now(&self) -> MonotonicInstant {
        self.clock.monotonic()
    }

    fn sleep(&self, duration: Duration) -> impl Future<Output = ()> + Send {
        self.clock.sleep(duration)
    }

    fn timed_out(&self, key: &str) -> String {
        format!("no answer for {key}")
    }
}

struct World {
    source: Arc<Echo>,
    reads: Arc<ReadMerger<String, String>>,
}

impl World {
    fn new(fails: bool) -> Self {
        let (clock, gate) = (ManualClock::default(), Semaphore::new(0));
        let source = Echo { clock, gate, requests: AtomicUsize::new(0), fails };
        Self { source: Arc::new(source), reads: Arc::default() }
    }

    async fn read(&self, key: usize) -> JoinHandle<Result<String, String>> {
        let (source, reads) = (Arc::clone(&self.source), Arc::clone(&self.reads));
        let read = tokio::spawn(async move { reads.read(&key.to_string(), &*source).await });
        self.settle().await;
        read
    }

    async fn settle(&self) {
        for _ in 0..20 {
            tokio::task::yield_now().await;
        }
    }

    fn let_go(&self, requests: usize) {
        self.source.gate.add_permits(requests);
    }
}

#[tokio::test]
async fn what_comes_while_two_are_under_way_is_one_request() {
    let world = World::new(false);
    let mut reads = Vec::new();
    for key in 0..12 {
        reads.push(world.read(key).await);
    }
    assert_eq!(world.source.requests(), 2);
    world.let_go(3);
    for (key, read) in reads.into_iter().enumerate() {
        assert_eq!(read.await.unwrap(), Ok(key.to_string()));
    }
    assert_eq!(world.source.requests(), 3);
}

#[tokio::test]
async fn full_batches_leave_before_the_others_are_answered() {
    let world = World::new(false);
    let mut reads = Vec::new();
    for key in 0..2 + 6 * 32 + 40 {
        reads.push(world.read(key).await);
    }
    // Two alone, six full batches; one more is full, and one is not.
    assert_eq!(world.source.requests(), 8);
    world.let_go(1);
    world.settle().await;
    assert_eq!(world.source.requests(), 9, "the next that is full");
    world.let_go(6);
    world.settle().await;
    assert_eq!(world.source.requests(), 9, "the last waits while two are under way");
    world.let_go(3);
    for (key, read) in reads.into_iter().enumerate() {
        assert_eq!(read.await.unwrap(), Ok(key.to_string()));
    }
    assert_eq!(world.source.requests(), 10);
}

#[tokio::test]
async fn a_failure_is_that_of_all_who_waited() {
    let world = World::new(true);
    let mut reads = Vec::new();
    for key in 0..12 {
        reads.push(world.read(key).await);
    }
    world.let_go(3);
    for read in reads {
        assert_eq!(read.await.unwrap(), Err("away".to_owned()));
    }
    assert_eq!(world.source.requests(), 3, "nobody asks again by itself");
}

#[tokio::test]
async fn when_its_leader_is_dropped_another_makes_the_request() {
    let world = World::new(false);
    let (first, second) = (world.read(0).await, world.read(1).await);
    let (leader, heir) = (world.read(2).await, world.read(3).await);
    first.abort();
    world.settle().await;
    assert_eq!(world.source.requests(), 3, "the batch has left");
    leader.abort();
    world.settle().await;
    assert_eq!(world.source.requests(), 4);
    world.let_go(2);
    assert_eq!(heir.await.unwrap(), Ok("3".to_owned()));
    assert_eq!(second.await.unwrap(), Ok("1".to_owned()));
    let later = world.read(4).await;
    world.let_go(1);
    assert_eq!(later.await.unwrap(), Ok("4".to_owned()), "every place is free again");
}

#[tokio::test]
async fn with_nobody_left_the_place_is_free() {
    let world = World::new(false);
    for read in [world.read(0).await, world.read(1).await, world.read(2).await] {
        read.abort();
    }
    world.settle().await;
    let read = world.read(3).await;
    world.let_go(1);
    assert_eq!(read.await.unwrap(), Ok("3".to_owned()));
}

/// Polled once, then neither polled nor dropped, as in a stalled runtime.
#[tokio::test]
async fn readers_that_stand_still_hold_nobody_for_longer_than_half_their_patience() {
    let world = World::new(false);
    let mut still: Vec<_> = (0..6)
        .map(|key| {
            let (source, reads) = (Arc::clone(&world.source), Arc::clone(&world.reads));
            Box::pin(async move { reads.read(&format!("still {key}"), &*source).await })
        })
        .collect();
    for read in &mut still {
        assert!(read.now_or_never().is_none());
    }
    let read = world.read(7).await;
    world.settle().await;
    assert!(!read.is_finished(), "the places are held");
    world.source.clock.advance(PATIENCE / 2);
    world.settle().await;
    // Two of the stalled reads wait in the source's queue.
    world.let_go(3);
    world.settle().await;
    assert!(!read.is_finished() || world.source.requests() == 3);
    drop(still);
    assert_eq!(read.await.unwrap(), Ok("7".to_owned()));
    // The places count as free, so the next read is sent at once.
    world.let_go(1);
    assert_eq!(world.read(8).await.await.unwrap(), Ok("8".to_owned()));
}

#[tokio::test]
async fn a_leader_that_stands_still_is_replaced() {
    let world = World::new(false);
    let places = [world.read(0).await, world.read(1).await];
    let (source, reads) = (Arc::clone(&world.source), Arc::clone(&world.reads));
    let mut leader = Box::pin(async move { reads.read("leader", &*source).await });
    assert!((&mut leader).now_or_never().is_none());
    let (waits, other) = (world.read(2).await, world.read(3).await);
    // It is woken, but never polled.
    places.iter().for_each(JoinHandle::abort);
    world.settle().await;
    assert_eq!(world.source.requests(), 2);
    world.source.clock.advance(PATIENCE / 2);
    world.settle().await;
    assert_eq!(world.source.requests(), 3);
    world.let_go(1);
    assert_eq!(waits.await.unwrap(), Ok("2".to_owned()));
    assert_eq!(other.await.unwrap(), Ok("3".to_owned()));
    assert_eq!(leader.await, Ok("leader".to_owned()), "it has its share when it goes on");
}

/// A stalled leader with its request, and the reader that has taken over from it.
async fn replaced(
    world: &World,
) -> (Pin<Box<impl Future<Output = Result<String, String>>>>, JoinHandle<Result<String, String>>) {
    let places = [world.read(0).await, world.read(1).await];
    let (source, reads) = (Arc::clone(&world.source), Arc::clone(&world.reads));
    let mut leader = Box::pin(async move { reads.read("leader", &*source).await });
    assert!((&mut leader).now_or_never().is_none());
    let heir = world.read(2).await;
    places[0].abort();
    world.settle().await;
    assert!((&mut leader).now_or_never().is_none());
    assert_eq!(world.source.requests(), 3, "it leads");
    places[1].abort();
    world.source.clock.advance(PATIENCE / 2);
    world.settle().await;
    assert_eq!(world.source.requests(), 4, "the other has taken over");
    (leader, heir)
}

/// Checks that as many requests as places are sent at once.
async fn every_place_is_free(world: &World) {
    let before = world.source.requests();
    let reads = [world.read(10).await, world.read(11).await, world.read(12).await];
    assert_eq!(world.source.requests(), before + 2);
    world.let_go(3);
    for read in reads {
        assert!(read.await.unwrap().is_ok());
    }
}

#[tokio::test]
async fn a_leader_that_was_replaced_leaves_no_place_taken_when_it_is_dropped() {
    let world = World::new(false);
    let (leader, heir) = replaced(&world).await;
    drop(leader);
    world.settle().await;
    world.let_go(1);
    assert_eq!(heir.await.unwrap(), Ok("2".to_owned()));
    every_place_is_free(&world).await;
}

/// The successor has its own place, independent of the leader it replaced.
#[tokio::test]
async fn who_has_taken_over_keeps_its_place_when_the_replaced_leader_is_dropped() {
    let world = World::new(false);
    let (leader, heir) = replaced(&world).await;
    drop(leader);
    let before = world.source.requests();
    let others = [world.read(10).await, world.read(11).await];
    assert_eq!(world.source.requests(), before + 1, "one place is its own");
    world.let_go(3);
    for read in others.into_iter().chain([heir]) {
        assert!(read.await.unwrap().is_ok());
    }
    every_place_is_free(&world).await;
}

/// The batch was to be sent again when the replaced leader continues and answers it.
#[tokio::test]
async fn a_place_that_waits_for_a_batch_is_free_when_that_is_answered() {
    let world = World::new(false);
    let (mut leader, heir) = replaced(&world).await;
    heir.abort();
    world.settle().await;
    world.let_go(1);
    assert_eq!((&mut leader).now_or_never(), Some(Ok("leader".to_owned())));
    every_place_is_free(&world).await;
}

#[tokio::test]
async fn with_all_its_patience_gone_a_reader_fails() {
    let world = World::new(false);
    let mut reads = Vec::new();
    for key in 0..4 {
        reads.push(world.read(key).await);
    }
    world.source.clock.advance(PATIENCE / 2);
    world.settle().await;
    world.source.clock.advance(PATIENCE / 2);
    world.settle().await;
    // The leading read waits in its own request, which the source limits.
    let waits = reads.pop().unwrap();
    assert_eq!(waits.await.unwrap(), Err("no answer for 3".to_owned()));
    world.let_go(Semaphore::MAX_PERMITS / 2);
    for (key, read) in reads.into_iter().enumerate() {
        assert_eq!(read.await.unwrap(), Ok(key.to_string()));
    }
}

/// Ten thousand reads, dropped at any moment: the remaining ones get their answers.
#[tokio::test]
async fn readers_that_are_dropped_at_any_moment_take_nothing_from_the_others() {
    let world = World::new(false);
    world.let_go(Semaphore::MAX_PERMITS / 2);
    let mut reads = Vec::new();
    for key in 0..10_000_usize {
        let (source, reads_of) = (Arc::clone(&world.source), Arc::clone(&world.reads));
        reads.push(tokio::spawn(async move {
            let read = async {
                let name = key.to_string();
                assert_eq!(reads_of.read(&name, &*source).await, Ok(name));
            };
            let leaves = async {
                for _ in 0..key % 7 {
                    tokio::task::yield_now().await;
                }
            };
            tokio::select! {
                () = read => {}
                () = leaves, if key % 3 == 0 => {}
            }
        }));
    }
    for read in reads {
        tokio::time::timeout(Duration::from_secs(20), read).await.unwrap().unwrap();
    }
}
