//! Lines that the doctor prints for servers, given to real ones.

#![expect(clippy::unwrap_used, reason = "a failure here is a failed test")]

use compartment_admin::doctor::{InstanceUsers, users};
use compartment_core::{DatabaseMapBuilder, Instance, Preset, TtlByEnvironment};
use compartment_testkit::{RespConnection, TestRedis, run_test};

use super::{deployed, examined, pipeline};

/// The users of the preset, whose cache has a template.
async fn users_for(server: &TestRedis) -> InstanceUsers {
    let map = DatabaseMapBuilder::preset(Preset::Pipeline)
        .instance("primary", Instance::new(&server.url()).unwrap())
        .key("page", "page:{id}", "cache", TtlByEnvironment::default())
        .unwrap()
        .build()
        .unwrap();
    users(&deployed(&map).await).remove(0)
}

async fn logged_in(server: &TestRedis, user: &str) -> RespConnection {
    let mut connection = server.connect().await;
    let answer = connection.send(&["AUTH", user, "pw"]).await.unwrap();
    assert!(!answer.is_error(), "{answer:?}");
    connection
}

#[test]
#[ignore = "needs redis-server"]
fn a_server_takes_the_users_and_holds_them_to_their_keys() {
    run_test(async {
        let server = TestRedis::start().await;
        let emitted = users_for(&server).await;
        assert_eq!(emitted.lines.len(), 7, "{emitted:?}");
        // Valkey 9.1 keeps a user to an index; elsewhere a note says what is missing.
        let by_index = emitted.lines.iter().any(|line| line.contains(" db=2 "));
        let says =
            emitted.notes.iter().any(|note| note.contains("broker") && note.contains("index"));
        assert_eq!(says, !by_index);
        for line in &emitted.lines {
            let words: Vec<&str> = line.split(' ').skip(1).collect();
            let set = server.command(&[["ACL", "SETUSER"].as_slice(), &words].concat()).await;
            assert!(!set.is_error(), "{line}: {set:?}");
            // Without a password nobody is let in.
            let refused = server.connect().await.send(&["AUTH", words[0], ""]).await.unwrap();
            assert!(refused.is_error(), "{line}: {refused:?}");
            server.command(&["ACL", "SETUSER", words[0], ">pw"]).await;
        }
        let mut cache = logged_in(&server, "cache").await;
        let elsewhere = cache.send(&["GET", "other"]).await.unwrap();
        assert!(elsewhere.text().starts_with("NOPERM"), "{elsewhere:?}");
        for allowed in [
            ["SELECT", "2"].as_slice(),
            &["SET", "page:1", "x", "EX", "9"],
            &["GET", "compartment:stamp:1"],
            &["SCAN", "0"],
            &["INFO", "server"],
            &["CLIENT", "SETNAME", "cache"],
            &["EVAL", "return redis.call('GET', KEYS[1])", "1", "page:1"],
        ] {
            let answer = cache.send(allowed).await.unwrap();
            assert!(!answer.is_error(), "{allowed:?}: {answer:?}");
        }
        for refused in [
            ["FLUSHALL"].as_slice(),
            &["FLUSHDB"],
            &["CONFIG", "GET", "maxmemory"],
            &["ACL", "LIST"],
            &["KEYS", "*"],
        ] {
            let answer = cache.send(refused).await.unwrap();
            assert!(answer.text().starts_with("NOPERM"), "{refused:?}: {answer:?}");
        }
        // The doctor works as such a user too, as far as it is let.
        let map = pipeline(&server.url_with_user("cache", "pw"));
        let examination = examined(&map).await;
        assert_eq!(examination.instances, 1, "{examination:#?}");
        let mut operator = logged_in(&server, "operator").await;
        assert!(!operator.send(&["CONFIG", "GET", "maxmemory"]).await.unwrap().is_error());
    });
}

#[test]
#[ignore = "needs redis-server"]
fn a_server_starts_with_the_users_in_its_file() {
    run_test(async {
        let bare = TestRedis::start().await;
        let emitted = users_for(&bare).await;
        let rest = |line: &String| line.split_once(' ').unwrap().1.to_owned();
        let start = TestRedis::builder();
        let start =
            emitted.lines.iter().map(rest).fold(start, |server, user| server.config("user", &user));
        let server = start.start().await;
        let users = server.command(&["ACL", "USERS"]).await;
        assert_eq!(users.array().len(), 8, "{users:?}");
    });
}
