//! Dropped futures of the cache: work already begun is finished, and others need not wait for it.

#![expect(clippy::unwrap_used, reason = "a failure here is a failed test")]

use std::sync::Arc;
use std::time::Duration;

use compartment_cache::{Cache, Delivery};
use compartment_core::{Database, KeyValueStoreExt};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;

use crate::harness::faults::Cut;
use crate::harness::{Fleet, Source, key, policy, polled, read, until};

/// More polls than any of these futures needs.
const POLLS: usize = 60;
/// Real time: the test's clock does not move, so waiting for a lease never ends.
const PATIENCE: Duration = Duration::from_secs(5);

struct World {
    fleet: Fleet,
    database: Database,
    one: Cache,
    other: Cache,
}

/// Two processes; requests of the first can be dropped before and after they are executed.
async fn world() -> World {
    let fleet = Fleet::new().await;
    let (database, cut) = Cut::of(&fleet.database);
    let one = Cache::open(&database, fleet.options()).await.unwrap();
    let other = fleet.cache(policy()).await;
    cut.take_turns();
    World { fleet, database, one, other }
}

impl World {
    async fn settle(&self, what: &str) {
        until(&format!("nothing is left to do: {what}"), || {
            self.database.unfinished().count() == 0 && self.one.metrics().pending_removals == 0
        })
        .await;
        // Published invalidations arrive.
        for _ in 0..20 {
            tokio::task::yield_now().await;
        }
    }
}

async fn value(cache: &Cache, id: &str) -> Option<String> {
    cache.get(&key(id)).await.unwrap().map(|value| (*value).clone())
}

type Write = fn(Cache, String) -> BoxFuture<'static, ()>;

/// Every operation that removes or replaces a key's value.
fn writes() -> Vec<(&'static str, Write)> {
    vec![
        ("remove", |cache, id| async move { drop(cache.remove(&key(&id)).await) }.boxed()),
        ("remove_many", |cache, id| {
            async move { drop(cache.remove_many(&[key(&id), key("none")]).await) }.boxed()
        }),
        ("invalidate_document", |cache, _| {
            async move {
                let _ = cache.invalidate_document("d").await;
            }
            .boxed()
        }),
        ("invalidate_tag", |cache, _| {
            async move {
                let _ = cache.invalidate_tag("t").await;
            }
            .boxed()
        }),
        ("invalidate_all", |cache, _| {
            async move {
                let _ = cache.invalidate_all().await;
            }
            .boxed()
        }),
        ("set", |cache, id| {
            async move { drop(cache.set(&key(&id), "new".to_owned()).await) }.boxed()
        }),
        ("set_no_cache", |cache, _| {
            async move {
                let _ = cache.set_no_cache("d", true).await;
            }
            .boxed()
        }),
    ]
}

#[tokio::test]
async fn a_write_that_is_dropped_at_any_await_is_done_all_the_same() {
    for (name, write) in writes() {
        let mut ended = false;
        for polls in 1..POLLS {
            let world = world().await;
            let (document, id) = (world.other.of_document("d").tagged("t"), format!("{polls}"));
            let _ = document.set(&key(&id), "old".to_owned()).await.unwrap();
            assert_eq!(value(&world.one, &id).await.as_deref(), Some("old"));
            ended = polled(polls, write(world.one.clone(), id.clone())).await.is_some();
            world.settle(name).await;
            for cache in [&world.one, &world.other] {
                let found = value(cache, &id).await;
                assert_ne!(found.as_deref(), Some("old"), "{name}, {polls} polls");
            }
            // The key has no lease: a load begins at once, although the clock does not move.
            let source = Source::open();
            let loads = read(&document, &id, &source);
            let loaded = tokio::time::timeout(PATIENCE, loads).await;
            assert!(loaded.is_ok(), "{name}, {polls} polls: it waits for a lease");
            if ended {
                break;
            }
        }
        assert!(ended, "{name} came to its end within {POLLS} polls");
    }
}

#[tokio::test]
async fn a_removal_by_pattern_is_done_as_a_whole_or_not_begun() {
    let mut ended = false;
    for polls in 1..POLLS {
        let world = world().await;
        for id in 0..1_200 {
            let _ = world.one.set(&key(&format!("p{id}")), "old".to_owned()).await.unwrap();
        }
        ended = polled(polls, world.one.remove_matching("doc:p*", 2_000)).await.is_some();
        world.settle("a removal by pattern").await;
        let left = world.one.count_matching("doc:p*").await.unwrap();
        assert!(left == 0 || left == 1_200, "{left} are left after {polls} polls");
        if ended {
            break;
        }
    }
    assert!(ended);
}

#[tokio::test]
async fn a_mark_that_cannot_be_read_outlives_an_invalidation_that_is_given_up() {
    for polls in 1..12 {
        let world = world().await;
        let _ = world.other.set_no_cache("d", true).await;
        let _ = polled(polls, world.one.invalidate_document("d")).await;
        world.settle("an invalidation").await;
        let marked = world.fleet.cache(policy()).await.is_no_cache("d").await;
        assert_eq!(marked, Some(true), "{polls} polls");
    }
}

#[tokio::test]
async fn a_reader_that_is_dropped_ends_no_load_for_the_others() {
    for polls in 1..30 {
        let world = world().await;
        let source = Source::closed();
        let first = polled(polls, read(&world.one, "a", &source)).await;
        assert!(first.is_none());
        let second = tokio::spawn({
            let (cache, source) = (world.one.clone(), source.clone());
            async move { read(&cache, "a", &source).await }
        });
        until("it loads", || source.calls() == 1).await;
        source.let_go(1);
        assert_eq!(second.await.unwrap().unwrap(), "value 1");
    }
}

#[tokio::test]
async fn removals_of_a_server_that_was_away_are_delivered_when_nobody_asks() {
    let fleet = Fleet::new().await;
    let (database, cut) = Cut::of(&fleet.database);
    let cache = Cache::open(&database, fleet.options()).await.unwrap();
    let other = fleet.cache(policy()).await;
    let _ = cache.set(&key("a"), "old".to_owned()).await.unwrap();
    assert_eq!(value(&other, "a").await.as_deref(), Some("old"));
    cut.set(true);
    assert_eq!(cache.remove(&key("a")).await.unwrap(), Delivery::Pending);
    assert_eq!(database.unfinished().count(), 1);
    drop(cache);
    cut.set(false);
    compartment_testkit::eventually("it is delivered", || {
        fleet.clock.advance(Duration::from_secs(1));
        let done = database.unfinished().count() == 0;
        async move { done }
    })
    .await;
    until("the other hears", || value(&other, "a").now_or_never().flatten().is_none()).await;
    assert!(!fleet.database.key_value().exists("doc:a").await.unwrap());
    let _ = fleet.database.key_value().keys("*").await.unwrap();
}

/// When a load's runtime ends, its lease is given back by the next use of the cache in another runtime.
#[tokio::test]
async fn a_load_whose_runtime_ends_gives_its_lease_back_and_who_waits_loads_anew() {
    let world = Arc::new(world().await);
    let (dead, source) = (Source::closed(), Source::open());
    let (send, ended) = tokio::sync::oneshot::channel::<()>();
    let thread = std::thread::spawn({
        let (world, dead) = (Arc::clone(&world), dead.clone());
        move || {
            let runtime =
                tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            let loading = async {
                tokio::select! {
                    _ = read(&world.one, "a", &dead) => {}
                    _ = ended => {}
                }
            };
            runtime.block_on(loading);
        }
    });
    until("the load has begun", || dead.calls() == 1).await;
    let waiting = tokio::spawn({
        let (cache, source) = (world.one.clone(), source.clone());
        async move { read(&cache, "a", &source).await }
    });
    for _ in 0..50 {
        tokio::task::yield_now().await;
    }
    assert!(!waiting.is_finished() && source.calls() == 0);
    send.send(()).unwrap();
    tokio::task::spawn_blocking(|| thread.join()).await.unwrap().unwrap();
    let value = tokio::time::timeout(PATIENCE, waiting).await.unwrap();
    assert_eq!(value.unwrap().unwrap(), "value 1", "by its own loader, and not by the clock");
    world.settle("the lease").await;
    let other = tokio::time::timeout(PATIENCE, read(&world.other, "a", &source)).await;
    assert!(other.unwrap().is_ok());
}
