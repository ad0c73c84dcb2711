//! Keys of every type go between databases and servers by every way, and come back.

#![expect(clippy::unwrap_used, reason = "a failure here is a failed test")]

use std::time::Duration;

use compartment_admin::migrate::{LiveOptions, Rename, Routes, Way, migrate_live};
use compartment_admin::{AdminError, Limits};
use compartment_core::ErrorKind;
use compartment_testkit::{TestCluster, TestRedis, run_test};

use crate::data::{
    State, connection, expires_at, fill, place, place_at, server, silent, state, tell,
};
use crate::setting::Setting;

async fn goes_and_comes_back(from: &TestRedis, to: &TestRedis, index: u32, way: Way) {
    fill(from, 0).await;
    let original = state(from, 0).await;
    let setting = Setting::new(place(from, 0).await, place(to, index).await).await;
    let report = setting
        .run(|migration| {
            migration.options.way = Some(way);
            migration.options.verify = true;
        })
        .await
        .unwrap();
    assert!(report.complete(), "{report:?}");
    assert_eq!(report.moved, original.len() as u64, "{report:?}");
    assert_eq!(state(to, index).await, original, "by {way}");
    assert_eq!(state(from, 0).await, State::new());
    let report = setting.undo().await.unwrap();
    assert!(report.complete(), "{report:?}");
    assert_eq!(state(from, 0).await, original, "back from {way}");
    assert_eq!(state(to, index).await, State::new());
    let error = setting.undo().await.unwrap_err();
    assert!(error.to_string().contains("already"), "{error}");
}

#[test]
#[ignore = "needs redis-server"]
fn every_type_goes_by_move_and_back() {
    run_test(async {
        let server = server().await;
        goes_and_comes_back(&server, &server, 12, Way::Move).await;
    });
}

#[test]
#[ignore = "needs redis-server"]
fn every_type_goes_by_copy_and_back() {
    run_test(async {
        let server = server().await;
        goes_and_comes_back(&server, &server, 1, Way::Copy).await;
    });
}

#[test]
#[ignore = "needs redis-server"]
fn every_type_goes_by_dump_within_a_server_and_between_two() {
    run_test(async {
        let (one, other) = (server().await, server().await);
        goes_and_comes_back(&one, &one, 3, Way::Dump).await;
        one.command(&["FLUSHALL"]).await;
        goes_and_comes_back(&one, &other, 0, Way::Dump).await;
    });
}

#[test]
#[ignore = "needs redis-server"]
fn every_type_goes_type_by_type() {
    run_test(async {
        let (one, other) = (server().await, server().await);
        goes_and_comes_back(&one, &other, 0, Way::Typed).await;
    });
}

#[test]
#[ignore = "needs redis-server"]
fn what_is_kept_is_in_both_places_until_it_is_taken_back() {
    run_test(async {
        let server = server().await;
        fill(&server, 0).await;
        let original = state(&server, 0).await;
        let setting = Setting::new(place(&server, 0).await, place(&server, 2).await).await;
        let report = setting.run(|m| m.options.keep = true).await.unwrap();
        assert_eq!((report.way, report.moved), (Some(Way::Copy), original.len() as u64));
        assert_eq!(
            (state(&server, 0).await, state(&server, 2).await),
            (original.clone(), original.clone())
        );
        // Again changes nothing: they are there, the same.
        let report = setting.run(|m| m.options.keep = true).await.unwrap();
        assert_eq!((report.moved, report.same, report.conflicts), (0, original.len() as u64, 0));
        // A copy that was written to since is not removed.
        tell(&mut connection(&server, 2).await, "SET text:1 newer").await;
        let report = setting.undo().await.unwrap();
        assert_eq!((report.conflicts, report.examples.len()), (1, 1), "{report:?}");
        assert_eq!(state(&server, 0).await, original);
        assert_eq!(state(&server, 2).await.len(), 1);
    });
}

#[test]
#[ignore = "needs redis-server"]
fn a_name_that_is_taken_is_left_in_both_places_and_the_same_call_goes_on() {
    run_test(async {
        let (one, other) = (server().await, server().await);
        for (way, target) in [(Way::Move, &one), (Way::Copy, &one), (Way::Dump, &other)] {
            one.command(&["FLUSHALL"]).await;
            other.command(&["FLUSHALL"]).await;
            let mut from = connection(&one, 0).await;
            let mut to = connection(target, 1).await;
            for i in 0..50 {
                tell(&mut from, &format!("SET key:{i} {i}")).await;
            }
            tell(&mut to, "SET key:7 in-the-way").await;
            tell(&mut to, "SET key:8 8").await;
            let setting = Setting::new(place(&one, 0).await, place(target, 1).await).await;
            let report = setting.run(|m| m.options.way = Some(way)).await.unwrap();
            assert_eq!(
                (report.moved, report.same, report.conflicts),
                (48, 1, 1),
                "{way}: {report:?}"
            );
            assert_eq!(report.examples[0].0, "key:7");
            assert_eq!(tell(&mut from, "GET key:7").await.text(), "7");
            assert_eq!(tell(&mut to, "GET key:7").await.text(), "in-the-way");
            tell(&mut to, "DEL key:7").await;
            let report = setting.run(|m| m.options.way = Some(way)).await.unwrap();
            assert_eq!((report.moved, report.conflicts), (1, 0), "{way}: {report:?}");
            let report = setting.undo().await.unwrap();
            assert!(report.complete());
            assert_eq!(tell(&mut from, "DBSIZE").await.integer(), Some(50));
        }
    });
}

#[test]
#[ignore = "needs redis-server"]
fn keys_are_chosen_by_pattern_and_renamed_and_get_their_old_names_back() {
    run_test(async {
        let (one, other) = (server().await, server().await);
        for (way, target, index) in [
            (Way::Move, &one, 4),
            (Way::Move, &one, 0),
            (Way::Copy, &one, 4),
            (Way::Dump, &other, 0),
        ] {
            one.command(&["FLUSHALL"]).await;
            other.command(&["FLUSHALL"]).await;
            let mut from = connection(&one, 0).await;
            for i in 0..20 {
                tell(&mut from, &format!("SET old:{i} {i} PXAT 4102444800123")).await;
                tell(&mut from, &format!("SET other:{i} {i}")).await;
            }
            let original = state(&one, 0).await;
            let setting = Setting::new(place(&one, 0).await, place(target, index).await).await;
            let rename = Rename::parse("old:{id}", "doc:state:{id}").unwrap();
            let report = setting
                .run(|m| {
                    m.options.way = Some(way);
                    m.options.verify = true;
                    m.routes = Routes::single("states", &[], Some(rename));
                })
                .await
                .unwrap();
            assert_eq!((report.moved, report.damaged), (20, 0), "{way} to {index}: {report:?}");
            let mut to = connection(target, index).await;
            assert_eq!(tell(&mut to, "GET doc:state:7").await.text(), "7");
            let expires_at = expires_at(&mut to, b"doc:state:7").await;
            assert!(expires_at.abs_diff(4_102_444_800_123) < 1_000, "{expires_at}");
            let report = setting.undo().await.unwrap();
            assert!(report.complete(), "{report:?}");
            assert_eq!(state(&one, 0).await, original);
        }
    });
}

#[test]
#[ignore = "needs redis-server"]
fn into_and_out_of_a_cluster() {
    run_test(async {
        let one = server().await;
        let cluster = TestCluster::start().await;
        fill(&one, 0).await;
        let original = state(&one, 0).await;
        let here = place(&one, 0).await;
        let there = place_at(&cluster.url(), 0).await.with_prefix("moved:");
        let setting = Setting::new(here, there).await;
        let report = setting.run(|m| m.options.verify = true).await.unwrap();
        assert_eq!(
            (report.way, report.moved),
            (Some(Way::Dump), original.len() as u64),
            "{report:?}"
        );
        assert_eq!(state(&one, 0).await, State::new());
        let back = Setting::new(setting.target.clone(), place(&one, 5).await).await;
        let report = back.run(|m| m.options.verify = true).await.unwrap();
        assert_eq!(report.moved, original.len() as u64, "{report:?}");
        assert_eq!(state(&one, 5).await, original);
    });
}

#[test]
#[ignore = "needs redis-server"]
fn a_user_who_may_not_is_told_which_commands_are_missing() {
    run_test(async {
        let server = TestRedis::builder()
            .acl_user("nocopy", "pw", "~* +@all -copy -move -dump")
            .acl_user("nomove", "pw", "~* +@all -move")
            .start()
            .await;
        let mut c = connection(&server, 0).await;
        tell(&mut c, "SET a 1").await;
        let url = server.url_with_user("nocopy", "pw");
        let setting = Setting::new(place_at(&url, 0).await, place_at(&url, 1).await).await;
        let error = setting.run(|_| ()).await.unwrap_err();
        let AdminError::Server(server_error) = &error else { panic!("{error}") };
        assert_eq!(server_error.kind(), ErrorKind::Permission);
        for command in ["MOVE is refused", "COPY is refused", "DUMP is refused"] {
            assert!(error.to_string().contains(command), "{error}");
        }
        let url = server.url_with_user("nomove", "pw");
        let setting = Setting::new(place_at(&url, 0).await, place_at(&url, 1).await).await;
        assert_eq!(setting.run(|_| ()).await.unwrap().way, Some(Way::Copy));
    });
}

#[test]
#[ignore = "needs redis-server"]
fn a_replica_a_full_server_and_the_same_place_are_refused_and_lose_nothing() {
    run_test(async {
        let one = server().await;
        let replica = server().await;
        fill(&one, 0).await;
        let original = state(&one, 0).await;
        let answer = replica.command(&["REPLICAOF", "127.0.0.1", &one.port().to_string()]).await;
        assert!(!answer.is_error());
        let setting = Setting::new(place(&one, 0).await, place(&replica, 1).await).await;
        let error = setting.run(|_| ()).await.unwrap_err();
        assert!(error.to_string().contains("is a replica"), "{error}");

        let setting = Setting::new(place(&one, 0).await, place(&one, 0).await).await;
        let error = setting.run(|_| ()).await.unwrap_err();
        assert!(error.to_string().contains("same database"), "{error}");

        let full = server().await;
        full.command(&["CONFIG", "SET", "maxmemory", "1"]).await;
        let setting = Setting::new(place(&one, 0).await, place(&full, 0).await).await;
        let error = setting.run(|_| ()).await.unwrap_err();
        assert!(error.to_string().contains("out of memory"), "{error}");
        assert_eq!(state(&one, 0).await, original);
        // Given room, the same call does it all.
        full.command(&["CONFIG", "SET", "maxmemory", "0"]).await;
        let report = setting.run(|_| ()).await.unwrap();
        assert!(report.complete());
        assert_eq!(state(&full, 0).await, original);
    });
}

#[test]
#[ignore = "needs redis-server"]
fn limits_slow_the_work_and_change_nothing_else() {
    run_test(async {
        let server = server().await;
        let mut c = connection(&server, 0).await;
        for i in 0..500 {
            tell(&mut c, &format!("SET key:{i} {i}")).await;
        }
        let setting = Setting::new(place(&server, 0).await, place(&server, 1).await).await;
        let report = setting
            .run(|m| m.options.limits = Limits::default().operations_per_second(Some(1_000)))
            .await
            .unwrap();
        assert_eq!(report.moved, 500);
        assert!(report.seconds > 0.3, "500 keys at 1,000 a second took {} s", report.seconds);
    });
}

/// Programs that use both places as one bring each key that they read, as `bring.lua` of the Redis backend does.
#[test]
#[ignore = "needs redis-server"]
fn programs_that_bring_keys_lose_none_to_a_move_by_dump() {
    const KEYS: u32 = 3_000;
    const READ: &str = "redis.call('SELECT', 0)
        if redis.call('EXISTS', KEYS[1]) == 1 and redis.call('MOVE', KEYS[1], 1) == 0 then
            redis.call('UNLINK', KEYS[1])
        end
        redis.call('SELECT', 1)
        return redis.call('GET', KEYS[1])";
    run_test(async {
        let server = server().await;
        for verify in [false, true] {
            server.command(&["FLUSHALL"]).await;
            let mut c = connection(&server, 0).await;
            for i in 0..KEYS {
                tell(&mut c, &format!("SET key:{i} {i}")).await;
            }
            let setting = Setting::new(place(&server, 0).await, place(&server, 1).await).await;
            let migration = setting.migration(|m| {
                m.options.way = Some(if verify { Way::Copy } else { Way::Dump });
                m.options.verify = verify;
            });
            let options = LiveOptions::new(Duration::from_millis(100), Duration::from_secs(60));
            let reads = async {
                let mut program = connection(&server, 1).await;
                for i in (0..KEYS).chain(0..KEYS) {
                    let key = format!("key:{i}");
                    let read = program.send(&["EVAL", READ, "1", &key]).await.unwrap();
                    assert_eq!(read.text(), i.to_string(), "{key} is lost");
                }
            };
            let (report, ()) = tokio::join!(migrate_live(migration, options, silent()), reads);
            assert!(report.unwrap().quiet);
            let size = tell(&mut connection(&server, 1).await, "DBSIZE").await;
            assert_eq!(size.integer(), Some(i64::from(KEYS)));
        }
    });
}
