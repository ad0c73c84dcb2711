//! `config export --format acl`: its users work in their own database and reach nothing of another.

#![expect(clippy::unwrap_used, reason = "a failure here is a failed test")]

use std::time::Duration;

use compartment::key_value::SetOptions;
use compartment::queue::{NewTask, QueueStoreExt};
use compartment::{DatabaseMapBuilder, Databases, Expiry};
use compartment_testkit::{Reply, RespConnection, ServerProgram, TestRedis, run_test};

use crate::program::{Run, run};

const MAP: &str = r#"
[instances.primary]
url = "URL"

[databases.cache]
kind = "cache"
index = 2
default_ttl = "1h"

[databases.results]
kind = "durable"
index = 3
"#;

const BY_PREFIX: &str = r#"
[instances.primary]
url = "URL"

[databases.cache]
kind = "cache"
prefix = "cache:"
default_ttl = "1h"

[databases.results]
kind = "durable"
prefix = "results:"
"#;

/// The lines for this map, asked of the server.
fn users(folder: &std::path::Path, map: &str, more: &[&str]) -> Run {
    std::fs::write(folder.join("compartment.toml"), map).unwrap();
    let words = ["--config", "compartment.toml", "config", "export", "--format", "acl"];
    run(folder, &words.iter().chain(more).copied().collect::<Vec<_>>())
}

/// Creates the users on the server, with their name as password.
async fn create(server: &TestRedis, lines: &str) -> Vec<String> {
    let mut names = Vec::new();
    for line in lines.lines().filter_map(|line| line.strip_prefix("user ")) {
        let mut command = vec!["ACL", "SETUSER"];
        command.extend(line.split(' '));
        let (name, password) = (command[2], format!(">{}", command[2]));
        assert_eq!(command[3..5], ["off", "resetpass"]);
        command.extend(["on", &password]);
        let set = server.command(&command).await;
        assert!(!set.is_error(), "{line}: {set:?}");
        names.push(name.to_owned());
    }
    names
}

async fn connection(server: &TestRedis, user: &str) -> RespConnection {
    let mut connection = server.connect().await;
    let answer = connection.send(&["AUTH", user, user]).await.unwrap();
    assert!(!answer.is_error(), "{answer:?}");
    connection
}

async fn databases(server: &TestRedis, map: &str, user: &str) -> Databases {
    let map = map.replace("URL", &server.url_with_user(user, user));
    // Only the database that the user is for.
    let sections = map.split("\n\n").filter(|section| {
        !section.contains("[databases.") || section.contains(&format!("[databases.{user}]"))
    });
    let map = DatabaseMapBuilder::toml(&sections.collect::<Vec<_>>().join("\n\n")).unwrap();
    compartment::open(map.build().unwrap()).await.unwrap()
}

/// The user's own stores work.
async fn works(server: &TestRedis, map: &str, user: &str) {
    let databases = databases(server, map, user).await;
    let database = databases.get(user).unwrap();
    let life = Expiry::After(Duration::from_secs(60));
    database.key_value().set("own:1", "mine".into(), SetOptions::expiring(life)).await.unwrap();
    assert_eq!(database.key_value().get("own:1").await.unwrap().as_deref(), Some(&b"mine"[..]));
    if user == "results" {
        database.queue().submit_one("jobs", NewTask::new("1")).await.unwrap();
    }
}

async fn is_refused(connection: &mut RespConnection, line: &str) -> bool {
    let words: Vec<&str> = line.split(' ').collect();
    let answer = connection.send(&words).await.unwrap();
    matches!(&answer, Reply::Error(text) if text.contains("NOPERM") || text.contains("permission"))
}

mod versions {
    use super::*;

    #[test]
    #[ignore = "needs redis-server and the servers of cargo xtask servers"]
    fn users_of_valkey_9_1_reach_no_database_but_their_own() {
        run_test(async {
            let valkey = ServerProgram::named("valkey-9.1");
            let server = TestRedis::builder().program(&valkey).debug_command().start().await;
            let folder = tempfile::tempdir().unwrap();
            let map = MAP.replace("URL", &server.url());
            let run = users(folder.path(), &map, &[]);
            assert_eq!(run.code, 0, "{run:?}");
            assert!(run.out.contains("db=2") && run.out.contains("db=3"), "{}", run.out);
            assert_eq!(create(&server, &run.out).await, ["cache", "results"]);
            for (user, own, other) in [("cache", 2, 3), ("results", 3, 2)] {
                works(&server, MAP, user).await;
                let theirs = format!("SET theirs:{user} value");
                for index in [own, other] {
                    server.command_in(index, &theirs.split(' ').collect::<Vec<_>>()).await;
                }
                let mut c = connection(&server, user).await;
                // It cannot enter the other database, by itself or in a transaction, so nothing of it can be asked there.
                assert!(is_refused(&mut c, &format!("SELECT {other}")).await, "{user}");
                assert!(c.send(&["GET", &format!("theirs:{user}")]).await.unwrap().is_error());
                c = connection(&server, user).await;
                c.send(&["SELECT", &own.to_string()]).await.unwrap();
                for line in [
                    format!("MOVE theirs:{user} {other}"),
                    format!("COPY theirs:{user} copied DB {other}"),
                    format!("SWAPDB {own} {other}"),
                    "FLUSHALL".to_owned(),
                    "CONFIG SET maxmemory 1".to_owned(),
                    "CONFIG GET requirepass".to_owned(),
                    "SCRIPT FLUSH".to_owned(),
                    "FUNCTION FLUSH".to_owned(),
                    "ACL SETUSER cache alldbs".to_owned(),
                    "SHUTDOWN NOSAVE".to_owned(),
                    "DEBUG SLEEP 0".to_owned(),
                    "KEYS *".to_owned(),
                    "MONITOR".to_owned(),
                    "REPLICAOF NO ONE".to_owned(),
                ] {
                    assert!(is_refused(&mut c, &line).await, "{user}: {line}");
                }
                let in_script = format!(
                    "redis.call('SELECT',{other}) return redis.call('GET','theirs:{user}')"
                );
                let answer = c.send(&["EVAL", &in_script, "0"]).await.unwrap();
                assert!(answer.is_error(), "{user}: {answer:?}");
                assert_eq!(is_refused(&mut c, "FLUSHDB").await, user == "results");
                let kept = server.command_in(other, &["GET", &format!("theirs:{user}")]).await;
                assert_eq!(kept.text(), "value");
            }
        });
    }
}

#[test]
#[ignore = "needs redis-server"]
fn users_of_other_servers_are_kept_to_their_keys() {
    run_test(async {
        let server = TestRedis::builder().program(&ServerProgram::system()).start().await;
        let folder = tempfile::tempdir().unwrap();
        let run = users(folder.path(), &BY_PREFIX.replace("URL", &server.url()), &[]);
        assert_eq!(run.code, 0, "{run:?}");
        create(&server, &run.out).await;
        for (user, other) in [("cache", "results"), ("results", "cache")] {
            works(&server, BY_PREFIX, user).await;
            let mut c = connection(&server, user).await;
            for line in
                [format!("GET {other}:own:1"), format!("DEL {other}:own:1"), "FLUSHDB".to_owned()]
            {
                assert!(is_refused(&mut c, &line).await, "{user}: {line}");
            }
        }
        // By an index they could not be kept apart, which is said.
        let run = users(folder.path(), &MAP.replace("URL", &server.url()), &[]);
        assert!(run.out.contains("lets every user") && !run.out.contains("db="), "{}", run.out);
        let run = users(
            folder.path(),
            &MAP.replace("URL", "redis://127.0.0.1:1"),
            &["--rights", "database"],
        );
        assert!(run.out.contains("db=3"), "{run:?}");
        let run = users(folder.path(), &MAP.replace("URL", "redis://127.0.0.1:1"), &[]);
        assert!(run.code != 0 && run.err.contains("--rights"), "{run:?}");
    });
}
