//! A move that was interrupted within a page goes on, and comes back exactly: what the migration copied goes, and what
//! stood in the target before stays.

#![expect(clippy::unwrap_used, reason = "a failure here is a failed test")]

use std::path::Path;
use std::time::Duration;

use compartment_admin::migrate::{LiveOptions, Migration, Way, follow};
use compartment_testkit::{TestCluster, TestRedis, eventually, run_test};

use crate::data::{State, connection, place, place_at, server, silent, state, tell};
use crate::setting::Setting;

const KEYS: u32 = 40;
/// Copied, and not yet removed from the source.
const HALF_WAY: std::ops::Range<u32> = 20..30;
/// Written to the journal, and not yet touched.
const UNTOUCHED: std::ops::Range<u32> = 30..KEYS;

/// Fills the source, and the target with two of its keys and one in the way.
async fn fill(one: &TestRedis, target: &TestRedis) -> (State, State) {
    for server in [one, target] {
        server.command(&["FLUSHALL"]).await;
    }
    let (mut from, mut to) = (connection(one, 0).await, connection(target, 1).await);
    for i in 0..KEYS {
        tell(&mut from, &format!("SET key:{i} {i}")).await;
    }
    tell(&mut to, "MSET key:7 in-the-way key:8 8 key:9 9").await;
    (state(one, 0).await, state(target, 1).await)
}

/// Cuts the journal after its only page, as if the run had been killed before it wrote the outcome.
fn cut_after_page(journal: &Path) {
    let text = std::fs::read_to_string(journal).unwrap();
    let kept: Vec<&str> = text.lines().take_while(|line| !line.starts_with('<')).collect();
    let page = kept.iter().rfind(|line| !line.starts_with("m ")).unwrap();
    assert!(page.starts_with("> 1 ") && kept.len() < text.lines().count(), "{text}");
    std::fs::write(journal, kept.join("\n") + "\n").unwrap();
}

async fn is_exact(way: Way, keep: bool, one: &TestRedis, target: &TestRedis) {
    for resumes in [false, true] {
        let (here, there) = fill(one, target).await;
        let setting = Setting::new(place(one, 0).await, place(target, 1).await).await;
        let way_of = |migration: &mut Migration| {
            (migration.options.way, migration.options.keep) = (Some(way), keep);
        };
        let report = setting.run(way_of).await.unwrap();
        assert_eq!((report.same, report.conflicts), (2, 1), "{way}: {report:?}");
        cut_after_page(&setting.journal());
        let (mut from, mut to) = (connection(one, 0).await, connection(target, 1).await);
        let is_in_steps = way == Way::Dump || way == Way::Typed;
        for i in HALF_WAY.filter(|_| is_in_steps || keep).chain(UNTOUCHED).chain([9]) {
            tell(&mut from, &format!("SET key:{i} {i}")).await;
        }
        for i in UNTOUCHED {
            tell(&mut to, &format!("DEL key:{i}")).await;
        }
        if resumes {
            let report = setting.run(way_of).await.unwrap();
            assert_eq!((report.conflicts, report.changed), (1, 0), "{way}: {report:?}");
            let left = if keep { i64::from(KEYS) } else { 1 };
            assert_eq!(tell(&mut from, "DBSIZE").await.integer(), Some(left), "{way}");
            assert_eq!(tell(&mut to, "DBSIZE").await.integer(), Some(i64::from(KEYS)), "{way}");
        }
        let report = setting.undo().await;
        let told = format!("{way}, keep {keep}, resumes {resumes}: {report:?}");
        assert!(report.unwrap().complete(), "{told}");
        assert_eq!(state(one, 0).await, here, "source, {told}");
        assert_eq!(state(target, 1).await, there, "target, {told}");
    }
}

#[test]
#[ignore = "needs redis-server"]
fn by_each_way_it_comes_back_as_if_nothing_had_been() {
    run_test(async {
        let (one, other) = (server().await, server().await);
        for (way, target) in
            [(Way::Move, &one), (Way::Copy, &one), (Way::Dump, &other), (Way::Typed, &other)]
        {
            is_exact(way, false, &one, target).await;
            if way != Way::Move {
                is_exact(way, true, &one, target).await;
            }
        }
    });
}

/// A target that refuses a key in the middle of a portion leaves those before it in both places.
#[test]
#[ignore = "needs redis-server"]
fn a_refusal_within_a_page_leaves_nothing_behind_either() {
    run_test(async {
        let one = server().await;
        let other = TestRedis::builder()
            .acl_user("some", "pw", "~key:* +@all")
            .debug_command()
            .start()
            .await;
        let (mut from, mut to) = (connection(&one, 0).await, connection(&other, 1).await);
        // They are one portion with the refused one.
        for i in 10..25 {
            tell(&mut from, &format!("SET key:{i} {i}")).await;
        }
        tell(&mut from, "SET refused 1").await;
        let here = state(&one, 0).await;
        let url = other.url_with_user("some", "pw");
        let setting = Setting::new(place(&one, 0).await, place_at(&url, 1).await).await;
        let error = setting.run(|_| ()).await.unwrap_err();
        assert!(error.to_string().contains("refused"), "{error}");
        assert_eq!(tell(&mut from, "DBSIZE").await.integer(), Some(here.len() as i64));
        tell(&mut to, "ACL SETUSER some ~*").await;
        let report = setting.run(|_| ()).await.unwrap();
        assert!(report.complete(), "{report:?}");
        assert_eq!(state(&one, 0).await, State::new());
        assert!(setting.undo().await.unwrap().complete());
        assert_eq!(state(&one, 0).await, here);
        assert_eq!(state(&other, 1).await, State::new());
    });
}

/// A key that was copied as the feed was killed is followed by the next one.
#[test]
#[ignore = "needs redis-server"]
fn a_copy_that_was_not_noted_is_kept_in_step() {
    run_test(async {
        let (one, other) = (server().await, server().await);
        fill(&one, &other).await;
        let (mut from, mut to) = (connection(&one, 0).await, connection(&other, 1).await);
        let setting = Setting::new(place(&one, 0).await, place(&other, 1).await).await;
        let options = LiveOptions::new(Duration::from_millis(300), Duration::from_secs(60));
        follow(setting.migration(|_| ()), options, silent()).await.unwrap();
        cut_after_page(&setting.journal());
        let text = std::fs::read_to_string(setting.journal()).unwrap();
        let unnoted: Vec<&str> = text.lines().filter(|line| !line.starts_with("m ")).collect();
        std::fs::write(setting.journal(), unnoted.join("\n") + "\n").unwrap();
        tell(&mut to, "DEL key:30").await;

        let options = LiveOptions::new(Duration::from_secs(2), Duration::from_secs(60));
        let writes = async {
            eventually("key:30 has arrived", async || {
                let mut to = connection(&other, 1).await;
                tell(&mut to, "EXISTS key:30").await.integer() == Some(1)
            })
            .await;
            tell(&mut from, "SET key:20 newer").await;
            tell(&mut from, "DEL key:21").await;
            // It stood in the target before, and is the target's own.
            tell(&mut from, "DEL key:8").await;
        };
        let (report, ()) =
            tokio::join!(follow(setting.migration(|_| ()), options, silent()), writes);
        let report = report.unwrap();
        assert_eq!((report.quiet, report.migration.conflicts), (true, 1), "{report:?}");
        assert_eq!(tell(&mut to, "GET key:20").await.text(), "newer");
        assert_eq!(tell(&mut to, "EXISTS key:21").await.integer(), Some(0));
        assert_eq!(tell(&mut to, "GET key:8").await.text(), "8");
    });
}

#[test]
#[ignore = "needs redis-server"]
fn into_a_cluster_it_comes_back_too() {
    run_test(async {
        let one = server().await;
        let cluster = TestCluster::start().await;
        let mut from = connection(&one, 0).await;
        for i in 0..KEYS {
            tell(&mut from, &format!("SET key:{i} {i}")).await;
        }
        let here = state(&one, 0).await;
        let setting = Setting::new(place(&one, 0).await, place_at(&cluster.url(), 0).await).await;
        setting.run(|_| ()).await.unwrap();
        cut_after_page(&setting.journal());
        for i in HALF_WAY {
            tell(&mut from, &format!("SET key:{i} {i}")).await;
        }
        let report = setting.run(|_| ()).await.unwrap();
        assert!(report.complete(), "{report:?}");
        assert!(setting.undo().await.unwrap().complete());
        assert_eq!(state(&one, 0).await, here);
        assert_eq!(setting.target.known_keys().await, Some(0));
    });
}
