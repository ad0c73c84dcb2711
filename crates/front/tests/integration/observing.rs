//! The dry mode, and the figures.

use compartment_front::Passwords;
use compartment_testkit::{TestRedis, run_test};

use crate::fixture::{Front, map, setup, talk};

#[test]
#[ignore = "needs redis-server"]
fn the_dry_mode_changes_nothing_and_counts() {
    run_test(async {
        let server = TestRedis::start().await;
        let mut observing = setup(&map(&server.url(), "", ""), Passwords::default());
        observing.observes = true;
        let front = Front::with(observing).await;
        let mut program = front.connect().await;
        talk(
            &mut program,
            "SET job:1 a -> OK
             SET page:1 b -> OK
             MGET job:1 page:1 -> [a b]
             SADD job:s a -> 1
             SADD page:s a -> 1
             SINTER job:s page:s -> [a]
             XREAD STREAMS job:x page:x 0 0 -> (nil)
             CONFIG SET hz 11 -> OK
             SELECT 3 -> OK
             SET job:1 c -> OK
             FLUSHDB -> OK
             DBSIZE -> 0
             SELECT 0 -> OK
             DBSIZE -> 4",
        )
        .await;
        assert_eq!(server.command(&["TTL", "page:1"]).await.integer(), Some(-1));
        let observed = front.handle.figures().observed.unwrap_or_default();
        assert_eq!((observed.split, observed.together), (1, 1));
        let refusals = observed.refusals.join("\n");
        for wanted in [
            "XREAD: its keys are in several databases: \"job:x\" in jobs, \"page:x\" in cache",
            "CONFIG SET",
            "SET: no route takes the index",
        ] {
            assert!(refusals.contains(wanted), "{refusals}");
        }
        assert_eq!(observed.keys["cache"], 5);
        front.stop().await;
    });
}

#[test]
#[ignore = "needs redis-server"]
fn everything_that_passes_is_counted() {
    run_test(async {
        let server = TestRedis::start().await;
        let front = Front::of(&map(&server.url(), "slow = \"1ms\"", "")).await;
        let mut program = front.connect().await;
        talk(
            &mut program,
            "SET job:1 a -> OK
             GET job:1 -> a
             GET job:2 -> (nil)
             LPUSH job:1 a -> !WRONGTYPE…
             EXPIRE job:1 100 -> 1
             SET page:1 b -> OK
             HSET page:2 f v -> 1
             SET x 1 EX 50 -> OK
             BLPOP job:l 0.01 -> (nil)
             CLIENT SETNAME web\"1 -> OK
             PING -> PONG",
        )
        .await;
        let figures = front.handle.figures();
        let jobs = &figures.databases["jobs"];
        assert_eq!((jobs.passed.operations, jobs.passed.errors), (6, 1));
        assert_eq!((jobs.passed.hits, jobs.passed.misses), (1, 1));
        assert_eq!((jobs.commands["get"].operations, jobs.with_life), (2, 1));
        let cache = &figures.databases["cache"];
        assert_eq!((cache.passed.operations, cache.passed.writes, cache.without_life), (2, 2, 2));
        assert_eq!(figures.databases["rest"].with_life, 1);
        assert_eq!(figures.routes["jobs"].operations, 6);
        assert_eq!(figures.clients, 1);
        let programs: Vec<(&str, u64, u64)> = figures
            .programs
            .iter()
            .map(|one| (one.name.as_str(), one.requests, one.connected))
            .collect();
        assert_eq!(programs, [("", 10, 0), ("web\"1", 1, 1)]);
        assert!(figures.programs[0].bytes_in > 300 && figures.programs[0].bytes_out > 30);
        assert!(jobs.passed.percentile(0.5).is_some());
        assert!(figures.slow.iter().any(|slow| slow.command == "blpop" && slow.micros >= 10_000));
        let text = figures.prometheus();
        assert!(
            text.contains(
                "compartment_front_operations_total{database=\"jobs\",command=\"get\"} 2\n"
            )
        );
        assert!(text.contains("program_requests_total{user=\"default\",name=\"web\\\"1\"} 1\n"));
        assert!(text.contains("compartment_front_latency_seconds_count{database=\"jobs\"} 6\n"));
        front.stop().await;
    });
}
