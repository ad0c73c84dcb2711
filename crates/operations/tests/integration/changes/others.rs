//! Limits, backups, tiers, and servers that are not the same any more.

use compartment_operations::changes::{Allowed, Change, ChangeError, ChangeOptions, Changes, Tier};
use compartment_testkit::run_test;

use super::{Deployed, actor, assert_moved, flush};

fn limit(max_memory_mb: u64, policy: &str, force: bool) -> Change {
    Change::SetMemoryLimit { instance: None, max_memory_mb, policy: policy.to_owned(), force }
}

async fn setting(deployed: &Deployed, name: &str) -> String {
    deployed.server.command(&["CONFIG", "GET", name]).await.array()[1].text()
}

#[test]
#[ignore = "needs redis-server"]
fn limits_are_set_if_the_settings_are_still_those_that_were_looked_at() {
    run_test(async {
        let deployed = Deployed::start().await;
        let refused = deployed.plan(limit(512, "allkeys-lru", false)).await;
        assert!(refused.id.is_empty() && refused.refusals[0].contains("evicts keys"));
        let plan = deployed.plan(limit(512, "noeviction", false)).await;
        deployed.server.command(&["CONFIG", "SET", "maxmemory", "300mb"]).await;
        assert_moved(deployed.act(&plan).await);
        assert_eq!(setting(&deployed, "maxmemory").await, (300_u64 << 20).to_string());
        let plan = deployed.plan(limit(512, "allkeys-lru", true)).await;
        let done = deployed.act(&plan).await.unwrap();
        assert!(done.notes[0].contains("--max-memory 314572800"), "{:?}", done.notes);
        assert_eq!(setting(&deployed, "maxmemory").await, (512_u64 << 20).to_string());
        assert_eq!(setting(&deployed, "maxmemory-policy").await, "allkeys-lru");
        for (mb, policy) in [(u64::MAX, "noeviction"), (0, "noeviction"), (64, "lru")] {
            let wrong = deployed.changes.plan(limit(mb, policy, false), &actor()).await;
            assert!(matches!(wrong, Err(ChangeError::Invalid(_))), "{mb} {policy} {wrong:?}");
        }
    });
}

#[test]
#[ignore = "needs redis-server"]
fn a_backup_is_a_new_file_in_its_folder() {
    run_test(async {
        let deployed = Deployed::start().await;
        deployed.write(2, "page:1").await;
        let backup =
            |file: &str| Change::BackupDatabase { database: "cache".to_owned(), file: file.into() };
        for file in ["../a.rdb", "/tmp/a.rdb", "a/b", "", ".hidden", "-", "a\u{202e}b", "a\nb"] {
            let wrong = deployed.changes.plan(backup(file), &actor()).await;
            assert!(matches!(wrong, Err(ChangeError::Invalid(_))), "{file:?} {wrong:?}");
        }
        std::fs::write(deployed.file("mine.rdb"), "mine").unwrap();
        let refused = deployed.plan(backup("mine.rdb")).await;
        assert!(refused.id.is_empty() && refused.refusals[0].contains("exists already"));
        let late = deployed.plan(backup("late.rdb")).await;
        std::fs::write(deployed.file("late.rdb"), "mine").unwrap();
        assert!(deployed.act(&late).await.is_err());
        let plan = deployed.plan(backup("cache.rdb")).await;
        // Keys may come meanwhile: a backup harms none.
        deployed.write(2, "page:2").await;
        assert_eq!(deployed.act(&plan).await.unwrap().count, 2);
        assert!(std::fs::read(deployed.file("cache.rdb")).unwrap().starts_with(b"REDIS"));
        for name in ["mine.rdb", "late.rdb"] {
            assert_eq!(std::fs::read(deployed.file(name)).unwrap(), b"mine");
        }
    });
}

#[test]
#[ignore = "needs redis-server"]
fn only_allowed_tiers_and_servers_of_the_map_are_changed() {
    run_test(async {
        let deployed = Deployed::start().await;
        deployed.write(2, "page:1").await;
        deployed.write(0, "job:1").await;
        let operations = deployed.changes.operations().clone();
        let options = ChangeOptions::new(Allowed::of([Tier::Cache]));
        let changes = Changes::new(operations, options);
        assert!(changes.plan(flush("cache", None), &actor()).await.is_ok());
        for change in [flush("broker", None), flush("2", None), limit(100, "noeviction", false)] {
            let refused = changes.plan(change.clone(), &actor()).await;
            assert!(matches!(refused, Err(ChangeError::NotAllowed(_))), "{change:?} {refused:?}");
        }
        let elsewhere = flush(&deployed.server.url(), None);
        let refused = deployed.changes.plan(elsewhere, &actor()).await;
        assert!(matches!(refused, Err(ChangeError::Invalid(_))), "{refused:?}");
    });
}

#[test]
#[ignore = "needs redis-server"]
fn a_plan_ends_with_the_run_of_its_server() {
    run_test(async {
        let mut deployed = Deployed::start().await;
        deployed.write(2, "page:1").await;
        let plan = deployed.plan(flush("cache", None)).await;
        deployed.server.restart().await;
        deployed.write(2, "page:1").await;
        let before = deployed.data().await;
        assert_moved(deployed.act(&plan).await);
        assert_eq!(deployed.data().await, before);
    });
}
