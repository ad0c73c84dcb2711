//! A database with a previous place fulfils every contract, even if another process moves its keys meanwhile.

#![expect(clippy::unwrap_used, reason = "a failure here is a failed test")]

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use compartment_core::backend::{Backend, Capabilities};
use compartment_core::{
    BatchPlan, Contract, Database, DatabaseKind, ErrorKind, Expiry, ManualClock, Placement,
    Previous,
};
use compartment_testkit::differential::{KeyValueOp, Op, Step, operations, run_differential};
use compartment_testkit::{Harness, TestRedis, run_test};
use futures_util::TryStreamExt;
use proptest::test_runner::{Config, TestRunner};
use tokio::sync::Mutex;

use crate::harness::{RedisHarness, Servers};
use crate::memory_harness::MemoryHarness;

/// Difference between the index of each database and that of its previous place.
const APART: u32 = 8;

fn at(index: u32) -> Placement {
    Contract::new("x", DatabaseKind::Durable).with_index(index).placement
}

fn arriving(contract: Contract) -> Contract {
    let before = contract.placement.index() + APART;
    contract.previous(Previous::all(at(before)))
}

/// Every database has a previous place eight indexes further on.
struct ArrivingHarness {
    inner: RedisHarness,
    /// Held while time advances, which takes several steps on a server.
    still: Arc<Mutex<()>>,
}

impl ArrivingHarness {
    async fn start() -> Self {
        Self { inner: RedisHarness::start().await, still: Arc::default() }
    }

    /// Keeps moving every key back to its previous place, like a process that takes that place for the new one.
    async fn somebody_moves_them_back(&self) -> tokio::task::JoinHandle<()> {
        const BACK: &str = "for index = 0, 7 do
            redis.call('SELECT', index)
            for _, key in ipairs(redis.call('KEYS', '*')) do redis.call('MOVE', key, index + 8) end
        end";
        let mut connection = self.server().connect().await;
        let still = Arc::clone(&self.still);
        tokio::spawn(async move {
            loop {
                let _still = still.lock().await;
                let moved = connection.send(&["EVAL", BACK, "0"]).await.unwrap();
                assert!(!moved.is_error(), "{moved:?}");
            }
        })
    }

    fn server(&self) -> &TestRedis {
        match &self.inner.servers {
            Servers::Single(server) => server,
            _ => unreachable!("it was started with one server"),
        }
    }
}

#[async_trait]
impl Harness for ArrivingHarness {
    async fn open(&self, contract: Contract) -> Database {
        self.inner.open(arriving(contract)).await
    }

    async fn advance(&self, by: Duration) {
        let _still = self.still.lock().await;
        self.inner.advance(by).await;
    }

    fn capabilities(&self) -> Capabilities {
        let mut capabilities = self.inner.capabilities();
        // A batch stays in the place where it was created.
        capabilities.batches = false;
        capabilities
    }

    fn clock(&self) -> ManualClock {
        self.inner.clock()
    }
}

compartment_testkit::conformance_suite!(
    #[ignore = "needs redis-server"]
    => ArrivingHarness::start().await
);

#[test]
#[ignore = "needs redis-server"]
fn batches_wait_until_it_has_arrived() {
    run_test(async {
        let harness = ArrivingHarness::start().await;
        let contract = Contract::new("batch", DatabaseKind::Durable).with_index(4);
        let database = harness.open(contract.clone()).await;
        let store = database.batch();
        let error = store.create("b", &BatchPlan::chain(&["extract"])).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unsupported);
        assert!(error.message().contains("previous"), "{error}");
        assert!(store.progress("b").await.is_err());
        let error = database.batch_upkeep().audit("b").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unsupported);
        let error = database.batch_events().join("b", "search").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unsupported);
        // The patterns of the previous place do not include batches.
        let patterns = vec!["page:*".to_owned()];
        let contract = contract.previous(Previous::all(at(12)).matching(patterns));
        let store = harness.inner.open(contract).await.batch().clone();
        assert!(store.create("b", &BatchPlan::chain(&["extract"])).await.unwrap());
    });
}

#[test]
#[ignore = "needs redis-server"]
fn it_answers_as_memory_does_while_somebody_moves_its_keys_back() {
    run_test(async {
        let subject = ArrivingHarness::start().await;
        let somebody = subject.somebody_moves_them_back().await;
        let mut config = Config::with_cases(64);
        config.failure_persistence = None;
        let outcome = tokio::task::block_in_place(|| {
            TestRunner::new(config).run(&operations(), |mut program| {
                // A scan takes several steps, and may miss keys that are moved back behind its position.
                program.retain(|op| !matches!(op, Op::In(_, Step::KeyValue(KeyValueOp::Scan(_)))));
                tokio::runtime::Handle::current().block_on(async {
                    subject.inner.flush().await;
                    run_differential(&MemoryHarness::new(), &subject, program).await;
                });
                Ok(())
            })
        });
        assert_eq!(outcome.map_err(|failure| failure.to_string()), Ok(()));
        assert!(!somebody.is_finished(), "keys were moved to the end");
        somebody.abort();
    });
}

#[test]
#[ignore = "needs redis-server"]
fn keys_are_found_in_the_old_place_brought_and_counted() {
    run_test(async {
        let harness = ArrivingHarness::start().await;
        let server = harness.server();
        server.command_in(9, &["SET", "page", "old", "PX", "600000"]).await;
        server.command_in(9, &["SET", "hits", "41"]).await;
        server.command_in(9, &["SET", "other", "1"]).await;
        let database = harness.open(Contract::new("x", DatabaseKind::Durable).with_index(1)).await;
        let names: Vec<String> = database.key_value().scan("*").try_collect().await.unwrap();
        assert_eq!(names.len(), 3, "{names:?}");
        assert_eq!(database.key_value().get("page").await.unwrap().as_deref(), Some(&b"old"[..]));
        assert_eq!(database.counter().increment("hits", 1, Expiry::Keep).await.unwrap(), 42);
        assert_eq!(server.command_in(9, &["DBSIZE"]).await.integer(), Some(1));
        let left = server.command_in(1, &["PTTL", "page"]).await.integer().unwrap();
        assert!((500_000..=600_000).contains(&left), "{left}");
        assert_eq!(database.traffic().snapshot().brought, 2);
        database.key_value().get("page").await.unwrap();
        assert_eq!(database.traffic().snapshot().brought, 2);
        let mut names: Vec<String> = database.key_value().scan("*").try_collect().await.unwrap();
        names.sort();
        assert_eq!(names, ["hits", "other", "page"]);
        // A deletion removes the key from both places.
        assert_eq!(database.key_value().delete(&["other".into()]).await.unwrap(), 1);
        assert_eq!(server.command_in(9, &["DBSIZE"]).await.integer(), Some(0));
    });
}

#[test]
#[ignore = "needs redis-server"]
fn what_is_others_in_the_old_place_is_not_touched() {
    run_test(async {
        let harness = RedisHarness::start().await;
        let Servers::Single(server) = &harness.servers else { unreachable!("one server") };
        server.command_in(0, &["SET", "page:1", "mine"]).await;
        server.command_in(0, &["SET", "celery", "others"]).await;
        let contract = Contract::new("x", DatabaseKind::Durable)
            .with_index(2)
            .previous(Previous::all(at(0)).matching(["page:*"]));
        let database = harness.open(contract).await;
        assert_eq!(database.key_value().get("celery").await.unwrap(), None);
        let names: Vec<String> = database.key_value().scan("*").try_collect().await.unwrap();
        assert_eq!(names, ["page:1"]);
        assert!(database.key_value().get("page:1").await.unwrap().is_some());
        assert_eq!(server.command_in(0, &["KEYS", "*"]).await.text(), "celery");
    });
}

#[test]
#[ignore = "needs redis-server"]
fn a_prefix_may_be_dropped_or_added_on_the_way() {
    run_test(async {
        let harness = RedisHarness::start().await;
        let Servers::Single(server) = &harness.servers else { unreachable!("one server") };
        let prefixed = |index, prefix: &str| Placement::Prefix {
            instance: "primary".into(),
            index,
            prefix: prefix.into(),
        };
        server.command_in(0, &["SET", "app:page", "1", "PX", "600000"]).await;
        let contract = Contract::new("x", DatabaseKind::Durable).with_index(2);
        let database = harness.open(contract.previous(Previous::all(prefixed(0, "app:")))).await;
        assert!(database.key_value().get("page").await.unwrap().is_some());
        assert!(server.command_in(2, &["PTTL", "page"]).await.integer().unwrap() > 500_000);
        let contract = Contract::new("y", DatabaseKind::Durable).placement(prefixed(2, "new:"));
        let database = harness.open(contract.previous(Previous::all(at(2)))).await;
        assert!(database.key_value().get("page").await.unwrap().is_some());
        assert_eq!(server.command_in(2, &["KEYS", "*"]).await.text(), "new:page");
    });
}

#[test]
#[ignore = "needs redis-server"]
fn a_cluster_is_told_that_it_cannot() {
    run_test(async {
        let harness = RedisHarness::cluster().await;
        let contract = Contract::new("x", DatabaseKind::Durable);
        let opened = harness.backend.open(contract.previous(Previous::all(at(1)))).await;
        assert_eq!(opened.unwrap_err().kind(), ErrorKind::Unsupported);
    });
}

/// A user who loses the right to move keys after the database was opened: each request fails before it does anything,
/// and once the right is back every old value is in its place.
#[test]
#[ignore = "needs redis-server"]
fn without_the_right_to_move_nothing_runs_on_the_empty_new_place() {
    use compartment_core::{LockAttempt, NewTask, QueueStoreExt, RateLimit};
    run_test(async {
        let harness = ArrivingHarness::start().await;
        let server = harness.server();
        let lease = Duration::from_secs(60);
        let limit = RateLimit::new(10, lease);
        let old = harness.inner.open(Contract::new("x", DatabaseKind::Durable).with_index(9)).await;
        let cleared = Expiry::Never;
        old.key_value().set("value", "old".into(), Default::default()).await.unwrap();
        old.counter().increment("hits", 1_000, cleared).await.unwrap();
        old.hash().set_fields("hash", vec![("a".into(), "1".into())], cleared).await.unwrap();
        for n in 0..3 {
            old.queue().submit_one("tasks", NewTask::new(vec![n])).await.unwrap();
        }
        let locks = Contract::new("locks", DatabaseKind::Coordination);
        let old_locks = harness.inner.open(locks.clone().with_index(11)).await;
        let LockAttempt::Acquired(token) =
            old_locks.lock().try_acquire("lock", "me", lease).await.unwrap()
        else {
            panic!("it is free")
        };
        assert!(old_locks.rate_limit().acquire("limit", limit, 7).await.unwrap().is_allowed);

        let x = harness.open(Contract::new("x", DatabaseKind::Durable).with_index(1)).await;
        let locked = harness.open(locks.clone().with_index(3)).await;
        server.command(&["ACL", "SETUSER", "default", "-move"]).await;
        let names =
            |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        let field = vec![("a".into(), "2".into())];
        let outcomes: Vec<(&str, Option<ErrorKind>)> = vec![
            ("get", kind(x.key_value().get("value").await)),
            ("get many", kind(x.key_value().get_many(&names(&["value", "hits"])).await)),
            ("set", kind(x.key_value().set("value", "new".into(), Default::default()).await)),
            ("delete", kind(x.key_value().delete(&names(&["value"])).await)),
            ("ttl", kind(x.key_value().ttl("value").await)),
            ("increment", kind(x.counter().increment("hits", 1, cleared).await)),
            ("take", kind(x.counter().take("hits").await)),
            ("get field", kind(x.hash().get_field("hash", "a").await)),
            ("set fields", kind(x.hash().set_fields("hash", field, cleared).await)),
            ("submit", kind(x.queue().submit_one("tasks", NewTask::new("n")).await)),
            (
                "claim",
                kind(x.queue().claim("tasks", compartment_core::ClaimOptions::new(1, lease)).await),
            ),
            ("purge", kind(x.queue().purge("tasks").await)),
            ("lock", kind(locked.lock().try_acquire("lock", "you", lease).await)),
            ("renew", kind(locked.lock().renew("lock", token, lease).await)),
            ("acquire", kind(locked.rate_limit().acquire("limit", limit, 7).await)),
        ];
        for (what, outcome) in outcomes {
            assert_eq!(outcome, Some(ErrorKind::Permission), "{what}");
        }
        for index in [1, 3] {
            let keys = server.command_in(index, &["DBSIZE"]).await;
            assert_eq!(keys.integer(), Some(0), "the new place {index} is empty");
        }
        let refused = harness.inner.backend.open(arriving(locks.with_index(3))).await.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Permission, "{refused}");
        assert!(refused.to_string().contains("previous place"), "{refused}");

        server.command(&["ACL", "SETUSER", "default", "+move"]).await;
        assert_eq!(x.key_value().get("value").await.unwrap(), Some("old".into()));
        assert_eq!(x.counter().increment("hits", 1, cleared).await.unwrap(), 1_001);
        assert_eq!(x.hash().get_field("hash", "a").await.unwrap(), Some("1".into()));
        assert_eq!(x.queue().counts("tasks").await.unwrap().waiting, 3);
        let attempt = locked.lock().try_acquire("lock", "you", lease).await.unwrap();
        assert!(matches!(attempt, LockAttempt::Held(_)), "{attempt:?}");
        assert_eq!(locked.rate_limit().acquire("limit", limit, 0).await.unwrap().remaining, 3);
    });
}

fn kind<T>(outcome: compartment_core::Result<T>) -> Option<ErrorKind> {
    outcome.err().map(|error| error.kind())
}

/// Every right needed to bring a key, with a prefix: without it no key is in two places, and no operation runs.
#[test]
#[ignore = "needs redis-server"]
fn without_any_one_right_a_prefixed_key_stays_where_it_was() {
    run_test(async {
        let harness = RedisHarness::start().await;
        let Servers::Single(server) = &harness.servers else { unreachable!("one server") };
        let old =
            |index| Placement::Prefix { instance: "primary".into(), index, prefix: "app:".into() };
        for (index, right) in [(1, "unlink"), (1, "copy"), (2, "rename"), (1, "select")] {
            server.command(&["FLUSHALL"]).await;
            server.command_in(index, &["SET", "app:hits", "1000"]).await;
            let contract = Contract::new("x", DatabaseKind::Durable).with_index(2);
            let database = harness.open(contract.previous(Previous::all(old(index)))).await;
            // Opens the connections and selects their index.
            database.key_value().get("other").await.unwrap();
            server.command(&["ACL", "SETUSER", "default", &format!("-{right}")]).await;
            let outcome = database.counter().increment("hits", 1, Expiry::Never).await;
            server.command(&["ACL", "SETUSER", "default", "+@all"]).await;
            assert_eq!(kind(outcome), Some(ErrorKind::Permission), "{right}");
            let is_there = server.command_in(2, &["EXISTS", "hits"]).await.integer();
            assert_eq!(is_there, Some(0), "{right}: the new place is empty");
            let sum = database.counter().increment("hits", 1, Expiry::Never).await.unwrap();
            assert_eq!(sum, 1_001, "{right}");
        }
    });
}
