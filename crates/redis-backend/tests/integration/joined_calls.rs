//! Locks, permits and comparisons that are asked for at once leave as one call: each gets the answer that it would get alone.

#![expect(clippy::unwrap_used, reason = "a failure here is a failed test")]

use std::time::Duration;

use compartment_core::backend::Backend;
use compartment_core::{
    Contract, Database, DatabaseKind, ErrorKind, Expiry, LockAttempt, RateDecision, RateLimit,
    SetOptions,
};
use compartment_redis::RedisBackend;
use compartment_testkit::{Harness, TestRedis, run_test};
use futures_util::future::join_all;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use crate::harness::{RedisHarness, Servers, config};

const LEASE: Duration = Duration::from_secs(300);

fn contract() -> Contract {
    Contract::new("locks", DatabaseKind::Coordination)
}

/// The scripts that the server has run.
async fn calls(server: &TestRedis) -> u64 {
    let info = server.command(&["INFO", "commandstats"]).await;
    let text = info.text();
    let of = |line: &str| line.split(['=', ',']).nth(1)?.parse::<u64>().ok();
    text.lines().find(|line| line.starts_with("cmdstat_evalsha:")).and_then(of).unwrap_or(0)
}

#[tokio::test]
#[ignore = "needs redis-server"]
async fn a_hundred_locks_at_once_are_four_calls_and_each_has_its_own_token() {
    let harness = RedisHarness::start().await;
    let Servers::Single(server) = &harness.servers else { unreachable!() };
    let database = harness.open(contract()).await;
    // The server learns the scripts.
    let first = acquire(&database, "first").await.unwrap();
    assert!(database.lock().release("first", first).await.unwrap());
    let before = calls(server).await;
    let keys: Vec<String> = (0..100).map(|n| format!("k{n}")).collect();
    let tokens = join_all(keys.iter().map(|key| acquire(&database, key))).await;
    let tokens: Vec<_> = tokens.into_iter().map(Result::unwrap).collect();
    let calls = calls(server).await - before;
    assert_eq!(calls, 4, "32 in a call at most");
    // A token opens its own lock only.
    let lock = database.lock();
    let others = keys.iter().zip(tokens.iter().rev());
    let wrong = join_all(others.map(|(key, token)| lock.release(key, *token))).await;
    assert!(wrong.into_iter().all(|released| !released.unwrap()));
    let own = keys.iter().zip(&tokens);
    let right = join_all(own.map(|(key, token)| lock.release(key, *token))).await;
    assert!(right.into_iter().all(|released| released.unwrap()));
}

#[tokio::test]
#[ignore = "needs redis-server"]
async fn values_compared_at_once_are_few_calls_and_each_has_its_own_answer() {
    let harness = RedisHarness::start().await;
    let Servers::Single(server) = &harness.servers else { unreachable!() };
    let database = harness.open(Contract::new("values", DatabaseKind::Durable)).await;
    let store = database.key_value();
    let keys: Vec<String> = (0..100).map(|n| format!("k{n}")).collect();
    let swap = async |key: &str, expected: &str, value: String| {
        let (expected, value) = (Some(expected.to_owned().into()), Some(value.into()));
        store.compare_and_set(key, expected, value, Expiry::Keep).await
    };
    // The server learns the script.
    assert!(!swap("first", "old", "new".to_owned()).await.unwrap());
    let entries = keys.iter().map(|key| (key.clone(), "old".into())).collect();
    store.set_many(entries, Expiry::Keep).await.unwrap();
    store.set("k7", "another".into(), SetOptions::default()).await.unwrap();
    store.delete(&["k8".to_owned()]).await.unwrap();
    database.hash().set_fields("k8", vec![("a".into(), "b".into())], Expiry::Keep).await.unwrap();
    let before = calls(server).await;
    let long = "x".repeat(20_000);
    let answers = join_all((0..100).map(|n| {
        let value = if n == 9 { long.clone() } else { format!("new {n}") };
        let (key, swap) = (&keys[n], &swap);
        async move { swap(key, "old", value).await }
    }));
    for (n, answer) in answers.await.into_iter().enumerate() {
        match n {
            7 => assert!(!answer.unwrap()),
            8 => assert_eq!(answer.unwrap_err().kind(), ErrorKind::WrongType),
            _ => assert!(answer.unwrap(), "{n}"),
        }
    }
    let calls = calls(server).await - before;
    assert!((2..60).contains(&calls), "{calls} calls");
    let values = store.get_many(&[keys[7].clone(), keys[9].clone(), keys[10].clone()]).await;
    let wanted = [Some("another".into()), Some(long.into()), Some("new 10".into())];
    assert_eq!(values.unwrap(), wanted);
}

/// The token, or whether the lock is held.
async fn acquire(database: &Database, key: &str) -> Result<compartment_core::FencingToken, String> {
    match database.lock().try_acquire(key, "me", LEASE).await {
        Ok(LockAttempt::Acquired(token)) => Ok(token),
        Ok(LockAttempt::Held(holder)) => Err(format!("{holder:?}")),
        Err(error) => Err(error.to_string()),
    }
}

#[test]
#[ignore = "needs redis-server"]
fn one_lock_asked_for_by_many_at_once_is_given_to_the_first() {
    run_test(async {
        let harness = RedisHarness::start().await;
        let database = harness.open(contract()).await;
        // The server learns the script: those that meet an unknown one are called again, in another order perhaps.
        acquire(&database, "first").await.unwrap();
        let owners: Vec<String> = (0..50).map(|n| format!("owner {n}")).collect();
        let lock = database.lock();
        let asked = owners.iter().map(|owner| lock.try_acquire("k", owner, LEASE));
        let mut answers = join_all(asked).await.into_iter().map(Result::unwrap);
        let Some(LockAttempt::Acquired(_)) = answers.next() else { panic!("the first has it not") };
        for answer in answers {
            let LockAttempt::Held(holder) = answer else { panic!("two have it") };
            assert_eq!(holder.owner, "owner 0");
        }
    });
}

#[test]
#[ignore = "needs redis-server"]
fn a_key_of_another_type_fails_its_own_caller_only() {
    run_test(async {
        let harness = RedisHarness::start().await;
        let Servers::Single(server) = &harness.servers else { unreachable!() };
        let database = harness.open(contract()).await;
        for key in ["k3", "k7"] {
            server.command(&["SET", key, "text"]).await;
        }
        let keys: Vec<String> = (0..10).map(|n| format!("k{n}")).collect();
        let (lock, limits) = (database.lock(), database.rate_limit());
        let limit = RateLimit::new(5, LEASE);
        let locked = join_all(keys.iter().map(|key| lock.try_acquire(key, "me", LEASE))).await;
        for (n, answer) in locked.iter().enumerate() {
            match answer {
                Ok(LockAttempt::Acquired(_)) => assert!(n != 3 && n != 7),
                Err(error) => {
                    assert!(n == 3 || n == 7);
                    assert_eq!(error.kind(), ErrorKind::WrongType);
                    assert!(error.to_string().contains(&keys[n]), "{error}");
                }
                held => panic!("{held:?}"),
            }
        }
        server.command(&["FLUSHALL"]).await;
        server.command(&["SET", "k3", "text"]).await;
        server.command(&["ZADD", "k7", "1", "not a limit"]).await;
        let taken = join_all(keys.iter().map(|key| limits.acquire(key, limit, 2))).await;
        for (n, answer) in taken.into_iter().enumerate() {
            match answer {
                Ok(decision) => assert_eq!((decision.remaining, n == 3 || n == 7), (3, false)),
                Err(error) => {
                    assert_eq!((error.kind(), n == 3 || n == 7), (ErrorKind::WrongType, true))
                }
            }
        }
        assert_eq!(server.command(&["GET", "k3"]).await.text(), "text", "stays");
    });
}

#[test]
#[ignore = "needs redis-server"]
fn a_key_that_the_login_may_not_reach_fails_its_own_caller_only() {
    run_test(async {
        let rules = "+@all ~job:* ~limit:* &*";
        let server = TestRedis::builder().acl_user("worker", "secret", rules).start().await;
        let url = server.url_with_user("worker", "secret");
        let database = RedisBackend::connect(config(&url), &[0])
            .await
            .unwrap()
            .open(contract())
            .await
            .unwrap();
        let keys = ["job:1", "job:2", "other:1", "job:3"];
        for round in 0..3 {
            let lock = database.lock();
            let asked = keys.iter().map(|key| lock.try_acquire(key, "me", LEASE));
            for (key, answer) in keys.iter().zip(join_all(asked).await) {
                match answer {
                    Ok(LockAttempt::Acquired(token)) => {
                        assert!(key.starts_with("job:"));
                        assert!(lock.release(key, token).await.unwrap(), "{round}");
                    }
                    Err(error) => {
                        assert_eq!((error.kind(), *key), (ErrorKind::Permission, "other:1"));
                    }
                    held => panic!("{key}: {held:?}"),
                }
            }
        }
    });
}

#[tokio::test]
#[ignore = "needs redis-server"]
async fn no_permit_is_given_twice_and_a_full_server_gives_none() {
    let harness = RedisHarness::start().await;
    let Servers::Single(server) = &harness.servers else { unreachable!() };
    let database = harness.open(contract()).await;
    let (limits, limit) = (database.rate_limit(), RateLimit::new(100, LEASE));
    let _ = limits.acquire("limit", limit, 0).await.unwrap();
    let before = calls(server).await;
    let answers = join_all((0..150).map(|_| limits.acquire("limit", limit, 1))).await;
    let given = answers.iter().filter(|one| one.as_ref().unwrap().is_allowed).count();
    let calls = calls(server).await - before;
    assert_eq!(given, 100);
    // Sixteen, since the server waits; four times thirty-two; the rest.
    assert_eq!(calls, 6);
    server.command(&["CONFIG", "SET", "maxmemory", "1"]).await;
    let refused = join_all((0..20).map(|_| limits.acquire("other", limit, 1))).await;
    for answer in refused {
        assert_eq!(answer.unwrap_err().kind(), ErrorKind::OutOfMemory);
    }
    let locked = join_all((0..20).map(|_| acquire(&database, "lock"))).await;
    assert!(locked.iter().all(Result::is_err));
    server.command(&["CONFIG", "SET", "maxmemory", "0"]).await;
    assert_eq!(limits.acquire("other", limit, 0).await.unwrap().remaining, 100);
    assert!(acquire(&database, "lock").await.is_ok());
}

#[tokio::test]
#[ignore = "needs redis-server"]
async fn a_longer_window_counts_entries_that_are_about_to_be_removed() {
    let harness = RedisHarness::start().await;
    let database = harness.open(contract()).await;
    let mut answers = Vec::new();
    for log in ["joined", "single"] {
        // More than one call removes; the later ones keep the log alive.
        join_all((0..4_500).map(|_| ask(&database, log, ("a", 10_000, 100_000, 1)))).await;
    }
    for _ in 0..2 {
        harness.advance(Duration::from_secs(60)).await;
        for log in ["joined", "single"] {
            answers.push(ask(&database, log, ("a", 10_000, 100_000, 1)).await);
        }
    }
    let pair = [("a", 10_000, 100_000, 1), ("a", 3_000, 500_000, 2_000)];
    let joined = join_all(pair.map(|one| ask(&database, "joined", one))).await;
    let single = [ask(&database, "single", pair[0]).await, ask(&database, "single", pair[1]).await];
    assert_eq!(joined, single);
    assert!(!joined[1].is_allowed, "{joined:?}");
}

#[tokio::test]
#[ignore = "needs redis-server"]
async fn after_a_refusal_calls_leave_alone_for_a_while() {
    let rules = "+@all ~job:* &*";
    let server = TestRedis::builder().acl_user("worker", "secret", rules).start().await;
    let url = server.url_with_user("worker", "secret");
    let backend = RedisBackend::connect(config(&url), &[0]).await.unwrap();
    let database = backend.open(contract()).await.unwrap();
    acquire(&database, "job:first").await.unwrap();
    let keys = ["job:1", "other:1", "job:2"];
    let answers = join_all(keys.map(|key| acquire(&database, key))).await;
    assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), 2);
    let before = calls(&server).await;
    let names: Vec<String> = (0..50).map(|n| format!("job:more:{n}")).collect();
    join_all(names.iter().map(|key| acquire(&database, key))).await;
    assert_eq!(calls(&server).await, before + 50);
}

#[tokio::test]
#[ignore = "needs redis-server"]
async fn a_command_that_the_login_may_not_use_is_a_lack_of_permission() {
    let rules = "+@all -hset -zadd ~* &*";
    let server = TestRedis::builder().acl_user("worker", "secret", rules).start().await;
    let url = server.url_with_user("worker", "secret");
    let backend = RedisBackend::connect(config(&url), &[0]).await.unwrap();
    let database = backend.open(contract()).await.unwrap();
    for _ in 0..2 {
        let (lock, limits) = (database.lock(), database.rate_limit());
        let locked = join_all(["a", "b"].map(|key| lock.try_acquire(key, "me", LEASE))).await;
        for answer in locked {
            assert_eq!(answer.unwrap_err().kind(), ErrorKind::Permission);
        }
        let limit = RateLimit::new(5, LEASE);
        let taken = join_all(["c", "d", "d"].map(|key| limits.acquire(key, limit, 1))).await;
        for answer in taken {
            assert_eq!(answer.unwrap_err().kind(), ErrorKind::Permission);
        }
    }
}

/// An acquisition: the key, the limit, the window in milliseconds, the permits.
type Asked = (&'static str, u32, u64, u32);

fn asked() -> impl Strategy<Value = Asked> {
    let windows = prop_oneof![Just(5_000_u64), Just(10_000), Just(30_000), Just(60_000)];
    (prop_oneof![Just("a"), Just("b")], prop_oneof![Just(3_u32), Just(10), Just(1_000)], windows)
        .prop_flat_map(|(key, limit, window)| (Just(key), Just(limit), Just(window), 0..=limit))
}

#[test]
#[ignore = "needs redis-server"]
fn permits_asked_for_at_once_are_given_as_one_after_another() {
    run_test(async {
        let harness = RedisHarness::start().await;
        // The server learns the script.
        let _ = ask(&harness.open(contract()).await, "first", ("a", 3, 5_000, 1)).await;
        // How far the clock goes between rounds, and the acquisitions of each. A key's life ends by the server's own
        // clock: either no log's does, or none is near its end.
        let rounds = |pauses: BoxedStrategy<u64>| {
            let round = proptest::collection::vec(asked(), 1..20);
            proptest::collection::vec((pauses, round), 1..8)
        };
        let near_an_end = prop_oneof![Just(0_u64), 4_990..5_010_u64, 19_990..20_010_u64].boxed();
        let far_from_ends = proptest::sample::select(vec![0_u64, 2_600, 19_000, 61_000]).boxed();
        let programs =
            prop_oneof![(Just(true), rounds(near_an_end)), (Just(false), rounds(far_from_ends)),];
        let mut settings = Config::with_cases(150);
        settings.failure_persistence = None;
        let outcome = tokio::task::block_in_place(|| {
            TestRunner::new(settings).run(&programs, |(lives, rounds)| {
                tokio::runtime::Handle::current().block_on(async {
                    harness.flush().await;
                    let database = harness.open(contract()).await;
                    for (log, key) in
                        [("joined", "a"), ("joined", "b"), ("single", "a"), ("single", "b")]
                    {
                        let permits = u32::from(lives);
                        let _ = ask(&database, log, (key, 1_000, 600_000, permits)).await;
                    }
                    for (pause, round) in rounds {
                        harness.advance(Duration::from_millis(pause)).await;
                        let asked = round.iter().map(|one| ask(&database, "joined", *one));
                        let together = join_all(asked).await;
                        let mut after_another = Vec::new();
                        for one in &round {
                            after_another.push(ask(&database, "single", *one).await);
                        }
                        assert_eq!(together, after_another, "{round:?}");
                    }
                });
                Ok(())
            })
        });
        assert_eq!(outcome.map_err(|failure| failure.to_string()), Ok(()));
    });
}

async fn ask(database: &Database, log: &str, (key, limit, window, permits): Asked) -> RateDecision {
    let limit = RateLimit::new(limit, Duration::from_millis(window));
    let key = format!("{log}:{key}");
    database.rate_limit().acquire(&key, limit, permits).await.unwrap()
}
