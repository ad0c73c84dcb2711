//! Keeping house beside workers: one of a fleet does it, hands it back, and is replaced.

#![expect(clippy::unwrap_used, reason = "a failure here is a failed test")]

use std::time::Duration;

use compartment_testkit::{TestRedis, eventually, run_test};

use crate::fleet::{Fleet, WorkerProcess};

const CACHE: u32 = 2;
const LOCKS: u32 = 3;
const LOCK: &str = "compartment:lock:housekeeping";
const ROUND: &str = "compartment:lock:housekeeping:round";
/// Longer than a lock is remembered.
const LATER: Duration = Duration::from_secs(4 * 3_600);

async fn fleet(section: &str) -> Fleet {
    let fleet = Fleet::new(TestRedis::start().await, 3);
    let text = format!(
        "preset = \"pipeline\"\n[instances.primary]\nurl = {:?}\n[housekeeping]\n{section}\n",
        fleet.url
    );
    std::fs::write(fleet.path().join("compartment.toml"), text).unwrap();
    fleet
}

/// The process that has the lock; 0 if none has.
async fn leader(fleet: &Fleet) -> u32 {
    let fields = ["HMGET", LOCK, "owner", "lease_ends_ms"];
    let held = fleet.server.command_in(LOCKS, &fields).await;
    let [owner, ends] = held.array() else { return 0 };
    if ends.text() == "0" {
        return 0;
    }
    owner.text().strip_prefix("process ").and_then(|id| id.parse().ok()).unwrap_or(0)
}

/// A page that nobody has used for a day.
async fn old_page(fleet: &Fleet, name: &str) {
    const AGED: &str = "redis.call('SET', KEYS[1], 'page')
        local payload = redis.call('DUMP', KEYS[1])
        redis.call('DEL', KEYS[1])
        return redis.call('RESTORE', KEYS[1], 0, payload, 'IDLETIME', 86400)";
    let made = fleet.server.command_in(CACHE, &["EVAL", AGED, "1", name]).await;
    assert!(!made.is_error(), "{made:?}");
}

async fn is_there(fleet: &Fleet, name: &str) -> bool {
    fleet.server.command_in(CACHE, &["EXISTS", name]).await.text() == "1"
}

#[test]
#[ignore = "needs redis-server"]
fn one_worker_of_a_fleet_keeps_house_and_another_follows_when_it_is_killed() {
    run_test(async {
        let fleet = fleet("older_than = \"1h\"\norphans = true").await;
        old_page(&fleet, "page:old").await;
        let gone = ["HSET", "compartment:workers", "gone", "{\"seen_at\":1000}"];
        fleet.server.command_in(4, &gone).await;
        let mut workers: Vec<WorkerProcess> = (0..3).map(|_| fleet.worker(&[])).collect();
        eventually("an old page and an orphan are removed", || async {
            let orphan = ["HEXISTS", "compartment:workers", "gone"];
            let orphan = fleet.server.command_in(4, &orphan).await.text();
            !is_there(&fleet, "page:old").await && orphan == "0"
        })
        .await;
        let first = leader(&fleet).await;
        let at = workers.iter().position(|worker| worker.id() == first).unwrap();
        let mut killed = workers.remove(at);
        killed.kill();
        old_page(&fleet, "page:later").await;
        // Its lease ends, and so does the time between two rounds.
        fleet.server.pass_time(LATER).await;
        eventually("another keeps house", || async { !is_there(&fleet, "page:later").await }).await;
        let second = leader(&fleet).await;
        assert!(workers.iter().any(|worker| worker.id() == second), "{second}");
        // Nobody keeps house twice within the time between two rounds.
        let round = fleet.server.command_in(LOCKS, &["HGET", ROUND, "owner"]).await.text();
        assert_eq!(round, format!("process {second}"));
        for worker in &mut workers {
            assert_eq!(worker.ended(), None, "a worker that does not keep house goes on");
        }
    });
}

#[cfg(unix)]
#[test]
#[ignore = "needs redis-server"]
fn a_worker_that_ends_hands_the_lock_back_and_one_that_shall_not_never_takes_it() {
    run_test(async {
        let fleet = fleet("").await;
        let _other = fleet.worker(&["--no-housekeeping"]);
        let workers = || fleet.server.command_in(4, &["HLEN", "compartment:workers"]);
        eventually("it works", || async { workers().await.integer() == Some(1) }).await;
        let mut keeper = fleet.worker(&[]);
        eventually("the second keeps house", || async { leader(&fleet).await == keeper.id() })
            .await;
        old_page(&fleet, "page:old").await;
        keeper.signal("TERM");
        eventually("it has ended", || {
            let ended = keeper.ended().is_some();
            async move { ended }
        })
        .await;
        let lease = fleet.server.command_in(LOCKS, &["HGET", LOCK, "lease_ends_ms"]).await.text();
        assert_eq!(lease, "0", "the lock was handed back");
        assert!(is_there(&fleet, "page:old").await, "by default no key is removed for its age");
    });
}

#[test]
#[ignore = "needs redis-server"]
fn a_round_that_fails_and_a_lock_that_is_lost_disturb_no_worker() {
    run_test(async {
        let fleet = fleet("older_than = \"1h\"").await;
        // Neither lock can be had.
        fleet.server.command_in(LOCKS, &["SET", LOCK, "another program's"]).await;
        fleet.server.command_in(LOCKS, &["SET", ROUND, "another program's"]).await;
        old_page(&fleet, "page:old").await;
        fleet.submit();
        let databases = fleet.databases().await;
        let batch = databases.get("batch").unwrap();
        let mut worker = fleet.worker(&["--batch", "b", "--until-finished"]);
        fleet.completed(batch, Duration::from_secs(60)).await;
        eventually("the worker has ended", || {
            let ended = worker.ended();
            async move { ended == Some(0) }
        })
        .await;
        // The lock is there, but its holder changes while it is held.
        fleet.server.command_in(LOCKS, &["DEL", LOCK]).await;
        let mut worker = fleet.worker(&[]);
        eventually("it keeps house", || async { leader(&fleet).await == worker.id() }).await;
        fleet.server.command_in(LOCKS, &["DEL", LOCK, ROUND]).await;
        eventually("it takes the lock again", || async {
            leader(&fleet).await == worker.id() && !is_there(&fleet, "page:old").await
        })
        .await;
        assert_eq!(worker.ended(), None);
    });
}

#[test]
fn how_house_is_kept_stands_in_the_configuration() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("compartment.toml");
    let write = |section: &str| {
        let text = format!(
            "preset = \"pipeline\"\n[instances.primary]\nurl = \"memory://\"\n[housekeeping]\n{section}\n"
        );
        std::fs::write(&file, text).unwrap();
    };
    write("every = \"30m\"\norphans = true");
    let shown = crate::program::run(folder.path(), &["config", "show"]);
    assert!(shown.out.contains("[housekeeping]\nevery = \"30m\"\norphans = true"), "{}", shown.out);
    write("every = \"1s\"");
    let refused = crate::program::run(folder.path(), &["config", "check", "--offline"]);
    assert_eq!(refused.code, 4);
    assert!(refused.err.contains("every"), "{}", refused.err);
}
