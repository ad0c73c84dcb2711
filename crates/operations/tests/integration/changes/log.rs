//! The log of changes: every act is in it, and an act that cannot be logged is not made.

use compartment::database_map::Instance;
use compartment::{Contract, DatabaseKind, DatabaseMap};
use compartment_operations::changes::{AuditOutcome, Change, ChangeError};
use compartment_testkit::{TestRedis, run_test};

use super::{Deployed, assert_moved, flush};

#[test]
#[ignore = "needs redis-server"]
fn acts_and_refused_acts_are_in_the_log_the_newest_first() {
    run_test(async {
        let deployed = Deployed::start().await;
        deployed.write(2, "page:1").await;
        let refused = deployed.plan(flush("cache", None)).await;
        deployed.write(2, "page:2").await;
        assert_moved(deployed.act(&refused).await);
        let made = deployed.plan(flush("cache", None)).await;
        deployed.act(&made).await.unwrap();
        let log = deployed.changes.operations().audit(None, 10).await.unwrap().unwrap();
        let outcomes: Vec<_> = log.iter().map(|entry| (entry.outcome, &entry.plan_id)).collect();
        let expected = [(AuditOutcome::Done, &made.id), (AuditOutcome::Refused, &refused.id)];
        assert_eq!(outcomes, expected);
        let entry = &log[0];
        assert_eq!((entry.who.as_str(), entry.count, &entry.digest), ("test", 2, &made.digest));
        assert_eq!(entry.change["change"], "flush_database");
        assert_eq!((&entry.before["keys"], &entry.after["removed"]), (&2.into(), &2.into()));
        assert!(entry.ended_ms.is_some() && log[1].detail.contains("no longer"), "{log:?}");
        let newest = deployed.changes.operations().audit(None, 1).await.unwrap().unwrap();
        assert_eq!(newest.len(), 1);
        let later = deployed.changes.operations().audit(Some(u64::MAX / 2), 10).await;
        assert!(later.unwrap().unwrap().is_empty());
    });
}

#[test]
#[ignore = "needs redis-server"]
fn an_act_that_cannot_be_logged_is_not_made() {
    run_test(async {
        let deployed = Deployed::start().await;
        deployed.write(2, "page:1").await;
        // Another program has a value of its own in the log's place.
        deployed.write(5, "compartment:changes").await;
        let before = deployed.data().await;
        let plan = deployed.plan(flush("cache", None)).await;
        let result = deployed.act(&plan).await;
        assert!(matches!(result, Err(ChangeError::NotLogged(_))), "{result:?}");
        assert_eq!(deployed.data().await, before);
    });
}

#[test]
#[ignore = "needs redis-server"]
fn a_server_that_is_full_gets_more_memory_without_its_log() {
    run_test(async {
        let deployed = Deployed::start().await;
        deployed.write(0, "job:1").await;
        deployed.server.command(&["CONFIG", "SET", "maxmemory", "1"]).await;
        let backup = Change::BackupDatabase { database: "cache".into(), file: "a.rdb".into() };
        let plan = deployed.plan(backup).await;
        assert!(matches!(deployed.act(&plan).await, Err(ChangeError::NotLogged(_))));
        let more = Change::SetMemoryLimit {
            instance: None,
            max_memory_mb: 100,
            policy: "noeviction".to_owned(),
            force: false,
        };
        let plan = deployed.plan(more).await;
        deployed.act(&plan).await.unwrap();
        let limit = deployed.server.command(&["CONFIG", "GET", "maxmemory"]).await;
        assert_eq!(limit.array()[1].text(), (100_u64 << 20).to_string());
    });
}

#[test]
#[ignore = "needs redis-server"]
fn a_map_without_metrics_has_no_log_and_says_so() {
    run_test(async {
        let server = TestRedis::start().await;
        let map = DatabaseMap::builder()
            .instance("primary", Instance::new(&server.url()).unwrap())
            .database(
                Contract::new("pages", DatabaseKind::Cache)
                    .with_index(2)
                    .default_ttl(std::time::Duration::from_secs(60)),
            )
            .build()
            .unwrap();
        let deployed = Deployed::with_map(server, map);
        deployed.write(2, "page:1").await;
        let plan = deployed.plan(flush("pages", None)).await;
        let done = deployed.act(&plan).await.unwrap();
        assert!(done.notes[0].contains("no database `metrics`"), "{:?}", done.notes);
        assert!(deployed.changes.operations().audit(None, 10).await.unwrap().is_none());
    });
}
