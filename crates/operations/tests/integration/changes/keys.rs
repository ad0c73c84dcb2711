//! Flushes, cleanups and moves touch the keys that were counted, and none if any moved.

use compartment_operations::changes::{Change, ChangeError};
use compartment_testkit::{TestRedis, run_test};

use super::{Deployed, actor, assert_moved, flush};

#[test]
#[ignore = "needs redis-server"]
fn a_flush_removes_what_was_counted_and_nothing_else() {
    run_test(async {
        let deployed = Deployed::start().await;
        for at in 0..20 {
            deployed.write(2, &format!("page:{at}")).await;
            deployed.write(0, &format!("page:{at}")).await;
        }
        deployed.write(2, "doc:1").await;
        let mut expected = deployed.data().await;
        let plan = deployed.plan(flush("cache", Some("page:*"))).await;
        assert_eq!((plan.count, plan.refusals.as_slice()), (20, [].as_slice()));
        assert!(plan.touches.iter().any(|line| line.contains("20 keys")), "{:?}", plan.touches);
        assert_eq!(deployed.data().await, expected, "a dry run changes nothing");
        let done = deployed.act(&plan).await.unwrap();
        assert_eq!(done.count, 20);
        expected.retain(|(index, name), _| *index != 2 || name == b"doc:1");
        assert_eq!(deployed.data().await, expected);
    });
}

#[test]
#[ignore = "needs redis-server"]
fn a_key_that_came_or_went_since_stops_a_flush() {
    run_test(async {
        let deployed = Deployed::start().await;
        deployed.write(2, "page:1").await;
        deployed.write(2, "page:2").await;
        let came = deployed.plan(flush("cache", None)).await;
        deployed.write(2, "page:3").await;
        let before = deployed.data().await;
        assert_moved(deployed.act(&came).await);
        assert_eq!(deployed.data().await, before);
        let went = deployed.plan(flush("cache", None)).await;
        // The number of keys is as it was, and one of them is another.
        deployed.server.command_in(2, &["DEL", "page:1"]).await;
        deployed.write(2, "page:4").await;
        let before = deployed.data().await;
        assert_moved(deployed.act(&went).await);
        assert_eq!(deployed.data().await, before);
    });
}

#[test]
#[ignore = "needs redis-server"]
fn a_plan_is_good_once_for_five_minutes_and_for_its_session() {
    run_test(async {
        let deployed = Deployed::start().await;
        deployed.write(2, "page:1").await;
        let before = deployed.data().await;
        let plan = deployed.plan(flush("cache", None)).await;
        let mut other = actor();
        other.session = "another".to_owned();
        let foreign = deployed.changes.act(&plan.id, &other).await;
        assert!(matches!(foreign, Err(ChangeError::UnknownPlan)), "{foreign:?}");
        let forged = deployed.changes.act("plan_0123456789abcdef0123456789abcdef", &actor()).await;
        assert!(matches!(forged, Err(ChangeError::UnknownPlan)), "{forged:?}");
        let wrong = flush("cache", Some("*"));
        let wrong = deployed.changes.act_on(&plan.id, &wrong, &actor()).await;
        assert!(matches!(wrong, Err(ChangeError::OtherChange(_))), "{wrong:?}");
        assert_eq!(deployed.data().await, before);
        let late = deployed.plan(flush("cache", None)).await;
        assert_eq!(deployed.act(&plan).await.unwrap().count, 1);
        assert!(matches!(deployed.act(&plan).await, Err(ChangeError::UnknownPlan)));
        deployed.clock.advance(std::time::Duration::from_secs(300));
        assert!(matches!(deployed.act(&late).await, Err(ChangeError::UnknownPlan)));
    });
}

#[test]
#[ignore = "needs redis-server"]
fn of_many_acts_of_one_plan_one_is_made() {
    run_test(async {
        let deployed = Deployed::start().await;
        deployed.write(2, "page:1").await;
        let plan = deployed.plan(flush("cache", None)).await;
        let acts = (0..10).map(|_| {
            let (changes, id) = (deployed.changes.clone(), plan.id.clone());
            tokio::spawn(async move { changes.act(&id, &actor()).await.is_ok() })
        });
        let acts: Vec<_> = acts.collect();
        let mut made = 0;
        for act in acts {
            made += usize::from(act.await.unwrap());
        }
        assert_eq!(made, 1);
        let log = deployed.changes.operations().audit(None, 10).await.unwrap().unwrap();
        assert_eq!(log.len(), 1);
    });
}

#[test]
#[ignore = "needs redis-server"]
fn a_durable_database_is_not_flushed_unless_it_is_named_twice() {
    run_test(async {
        let deployed = Deployed::start().await;
        deployed.write(0, "job:1").await;
        let before = deployed.data().await;
        let plan = deployed.plan(flush("broker", None)).await;
        assert!(plan.id.is_empty() && plan.refusals[0].contains("broker"), "{:?}", plan.refusals);
        assert_eq!(deployed.data().await, before);
        let named = Change::FlushDatabase {
            database: "broker".to_owned(),
            pattern: None,
            yes_really: Some("broker".to_owned()),
        };
        let plan = deployed.plan(named).await;
        assert_eq!(deployed.act(&plan).await.unwrap().count, 1);
    });
}

#[test]
#[ignore = "needs redis-server"]
fn a_flush_of_the_metrics_leaves_the_log() {
    run_test(async {
        let deployed = Deployed::start().await;
        deployed.write(2, "page:1").await;
        let first = deployed.plan(flush("cache", None)).await;
        deployed.act(&first).await.unwrap();
        deployed.write(5, "figures").await;
        let flush = Change::FlushDatabase {
            database: "metrics".to_owned(),
            pattern: Some("*".to_owned()),
            yes_really: Some("metrics".to_owned()),
        };
        let plan = deployed.plan(flush).await;
        assert_eq!(deployed.act(&plan).await.unwrap().count, 1);
        let log = deployed.changes.operations().audit(None, 10).await.unwrap().unwrap();
        assert_eq!(log.len(), 2);
    });
}

#[test]
#[ignore = "needs redis-server"]
fn a_cleanup_removes_old_keys_unless_one_was_used() {
    run_test(async {
        let deployed = Deployed::start().await;
        let cleanup = || Change::CleanupCache {
            database: "cache".to_owned(),
            older_than_hours: 1.0,
            pattern: Some("page:*".to_owned()),
        };
        for (key, idle) in [("page:1", "7200"), ("page:2", "7200"), ("page:3", "10")] {
            let restored = ["RESTORE", key, "0"].map(str::as_bytes).to_vec();
            let payload = payload(&deployed.server).await;
            let command = [restored, vec![&payload, b"IDLETIME", idle.as_bytes()]].concat();
            let reply = deployed.server.command_in(2, &command).await;
            assert!(!reply.is_error(), "{reply:?}");
        }
        let plan = deployed.plan(cleanup()).await;
        assert_eq!(plan.count, 2);
        deployed.server.command_in(2, &["GET", "page:1"]).await;
        let before = deployed.server.command_in(2, &["DBSIZE"]).await;
        assert_moved(deployed.act(&plan).await);
        assert_eq!(deployed.server.command_in(2, &["DBSIZE"]).await, before);
        let plan = deployed.plan(cleanup()).await;
        // A key that becomes old after the dry run is no part of it, and stops nothing.
        let payload = payload(&deployed.server).await;
        let command = [b"RESTORE".as_slice(), b"page:4", b"0", &payload, b"IDLETIME", b"9000"];
        deployed.server.command_in(2, &command).await;
        assert_eq!(deployed.act(&plan).await.unwrap().count, 1);
        assert_eq!(deployed.server.command_in(2, &["DBSIZE"]).await.integer(), Some(3));
    });
}

/// The serialised value of a key.
async fn payload(server: &TestRedis) -> Vec<u8> {
    server.command_in(9, &["SET", "origin", "value"]).await;
    match server.command_in(9, &["DUMP", "origin"]).await {
        compartment_testkit::Reply::Bytes(payload) => payload,
        other => unreachable!("{other:?}"),
    }
}

#[test]
#[ignore = "needs redis-server"]
fn a_move_takes_the_counted_keys_and_can_be_taken_back() {
    run_test(async {
        let deployed = Deployed::start().await;
        for at in 0..5 {
            deployed.write(7, &format!("page:{at}")).await;
        }
        deployed.write(7, "other").await;
        let change = || Change::MigrateKeys {
            from: "7".to_owned(),
            to: "cache".to_owned(),
            pattern: Some("page:*".to_owned()),
        };
        let plan = deployed.plan(change()).await;
        assert_eq!((plan.count, plan.refusals.as_slice()), (5, [].as_slice()));
        deployed.write(7, "page:5").await;
        assert_moved(deployed.act(&plan).await);
        assert_eq!(deployed.server.command_in(7, &["DBSIZE"]).await.integer(), Some(7));
        let plan = deployed.plan(change()).await;
        let done = deployed.act(&plan).await.unwrap();
        assert_eq!(done.count, 6);
        assert!(done.notes[0].contains("--undo"), "{:?}", done.notes);
        assert_eq!(deployed.server.command_in(7, &["KEYS", "*"]).await.text(), "other");
        assert_eq!(deployed.server.command_in(2, &["DBSIZE"]).await.integer(), Some(6));
    });
}
