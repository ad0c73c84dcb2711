//! Servers that are set as the doctor wants them: nothing is found that is not there.

#![expect(clippy::unwrap_used, reason = "a failure here is a failed test")]

use compartment_admin::doctor::{Code, Examination, settings};
use compartment_core::DatabaseMap;
use compartment_testkit::{RespConnection, TestCluster, TestRedis, TestSentinel, run_test};

use super::{codes, deployed, examined, found, pipeline};
use crate::installations::{celery, django, own, tell, writer};

/// The lines of `--emit-config` for the only instance.
pub(crate) async fn lines_for(map: &DatabaseMap) -> Vec<(String, String)> {
    let all = settings(&deployed(map).await).await;
    let pair = |line: &String| {
        let (name, value) = line.split_once(' ').unwrap();
        (name.to_owned(), value.to_owned())
    };
    all[0].lines.iter().map(pair).collect()
}

/// A server with these settings and a password.
pub(crate) async fn right_server() -> TestRedis {
    let bare = TestRedis::start().await;
    let lines = lines_for(&pipeline(&bare.url())).await;
    let start = TestRedis::builder().password("pw");
    lines.iter().fold(start, |server, (name, value)| server.config(name, value)).start().await
}

/// Nothing is found but these, and nothing remains unknown.
fn only(examination: &Examination, allowed: &[Code]) {
    let others: Vec<Code> =
        codes(examination).into_iter().filter(|code| !allowed.contains(code)).collect();
    assert!(others.is_empty(), "{others:?} in {examination:#?}");
    assert!(examination.unknown.is_empty(), "{:?}", examination.unknown);
}

#[test]
#[ignore = "needs redis-server"]
fn the_presets_databases_on_a_server_set_by_emit_config_have_no_finding() {
    run_test(async {
        let server = right_server().await;
        let map = pipeline(&server.url());
        only(&examined(&map).await, &[Code::VersionEndOfLife]);

        // Celery with Django, apart: broker, results and cache each in its own database.
        let tasks = celery("", 50);
        let (results, broker): (Vec<String>, Vec<String>) = tasks
            .into_iter()
            .filter(|line| !line.contains("unacked"))
            .partition(|line| line.contains("celery-task-meta"));
        tell(&mut writer(&server, 0).await, &broker).await;
        tell(&mut writer(&server, 1).await, &results).await;
        tell(&mut writer(&server, 2).await, &django(100)).await;
        tell(&mut writer(&server, 4).await, &own(20)).await;
        server.command_in(3, &["SET", "lock:1", "x", "EX", "30"]).await;
        server.command_in(5, &["INCR", "requests"]).await;
        let examination = examined(&map).await;
        only(&examination, &[Code::VersionEndOfLife]);
        assert!(examination.keys_looked_at > 300, "{examination:?}");
        assert_eq!((examination.instances, examination.databases), (1, 6));
    });
}

#[test]
#[ignore = "needs redis-server"]
fn a_cluster_that_is_set_by_emit_config_has_no_finding() {
    run_test(async {
        let cluster = TestCluster::start().await;
        let map = pipeline(&cluster.url());
        let wrong = codes(&examined(&map).await);
        assert!(wrong.contains(&Code::DurableNotPersisted) && wrong.contains(&Code::NoMaxmemory));
        let lines = lines_for(&map).await;
        for (name, value) in &lines {
            for master in 0..cluster.ports().len() {
                let set = cluster.command(master, &["CONFIG", "SET", name, value]).await;
                assert!(!set.is_error(), "{name} {value}: {set:?}");
            }
        }
        let put = async |words: &[&str]| {
            let mut takers = 0;
            for master in 0..cluster.ports().len() {
                takers += u32::from(!cluster.command(master, words).await.is_error());
            }
            assert_eq!(takers, 1, "{words:?}: one master has the slot");
        };
        for number in 0..10 {
            put(&["SET", &format!("cache:{number}"), "x", "EX", "100"]).await;
        }
        let allowed = [Code::VersionEndOfLife, Code::DefaultUserWithoutPassword];
        let examination = examined(&map).await;
        only(&examination, &allowed);
        assert_eq!(examination.keys_looked_at, 10);

        put(&["SET", "cache:old", "x"]).await;
        put(&["SET", "stray", "x"]).await;
        let examination = examined(&map).await;
        assert_eq!(found(&examination, Code::KeyWithoutTtl).keys, ["old"]);
        assert_eq!(found(&examination, Code::UnnamedKeys).keys, ["stray"]);
    });
}

#[test]
#[ignore = "needs redis-server"]
fn a_sentinel_group_that_is_set_by_emit_config_has_no_finding() {
    run_test(async {
        let group = TestSentinel::start().await;
        let map = pipeline(&group.url());
        let info = group.command(&["INFO", "replication"]).await.text();
        let port = info.split("port=").nth(1).and_then(|rest| rest.split(',').next()).unwrap();
        let mut replica = RespConnection::open(port.parse().unwrap()).await.unwrap();
        let lines = lines_for(&map).await;
        // `databases` is as it has to be, and cannot be set while a server runs.
        for (name, value) in lines.iter().filter(|(name, _)| name != "databases") {
            let words = ["CONFIG", "SET", name, value];
            assert!(!group.command(&words).await.is_error(), "{name} {value}");
            assert!(!replica.send(&words).await.unwrap().is_error(), "{name} {value}");
        }
        let allowed = [Code::VersionEndOfLife, Code::DefaultUserWithoutPassword];
        only(&examined(&map).await, &allowed);
    });
}

#[test]
#[ignore = "needs redis-server"]
fn a_server_that_hides_its_commands_has_no_finding_about_them() {
    run_test(async {
        let server = TestRedis::builder()
            .acl_user("app", "pw", "~* &* +@all -@admin -@dangerous -info -client -memory -object")
            .start()
            .await;
        let map = pipeline(&server.url_with_user("app", "pw"));
        server.command_in(2, &["SET", "page", "x", "EX", "30"]).await;
        // `HELLO` tells the version.
        let of_settings = |examination: &Examination| {
            let mut found = codes(examination);
            found.retain(|code| *code != Code::VersionEndOfLife);
            found
        };
        let examination = examined(&map).await;
        assert_eq!(of_settings(&examination), []);
        for part in ["CONFIG GET", "INFO", "ACL GETUSER", "CLIENT LIST"] {
            let is_told = examination.unknown.iter().any(|one| one.contains(part));
            assert!(is_told, "{part} is not in {:?}", examination.unknown);
        }
        server.command_in(2, &["SET", "page", "x"]).await;
        assert_eq!(of_settings(&examined(&map).await), [Code::KeyWithoutTtl]);
    });
}
