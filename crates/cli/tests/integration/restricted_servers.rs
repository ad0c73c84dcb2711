//! Servers that hide commands, keys or themselves: commands still work, or show the server's error.

#![expect(clippy::unwrap_used, reason = "a failure here is a failed test")]

use std::path::Path;

use compartment_testkit::{TestRedis, run_test};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;

use crate::program::{Run, run};

fn succeeds(folder: &Path, words: &[&str]) -> Run {
    let run = run(folder, words);
    assert_eq!(run.code, 0, "{words:?}: {run:?}");
    run
}

fn is_refused(run: &Run, code: i32, says: &str) {
    assert_eq!(run.code, code, "{run:?}");
    assert!(run.err.contains(says), "{says:?} is not in {run:?}");
    assert_eq!(run.err.lines().filter(|line| line.starts_with("error: ")).count(), 1, "{run:?}");
}

async fn fill(server: &TestRedis) {
    for number in 0..30 {
        server.command(&["SET", &format!("page:{number}"), "value"]).await;
    }
    server.command(&["SET", "other", "value"]).await;
}

async fn keys_of(server: &TestRedis, index: u32) -> i64 {
    const COUNT: &str = "redis.call('SELECT', ARGV[1]); return redis.call('DBSIZE')";
    server.command(&["EVAL", COUNT, "0", &index.to_string()]).await.integer().unwrap()
}

/// All commands that an operator runs on some keys, as this user.
async fn separate(server: &TestRedis, url: &str) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    fill(server).await;
    let pages = ["--pattern", "page:*"];
    let succeeds = |words: &[&str], more: &[&str]| {
        succeeds(path, &[words, more, &["--backend", url]].concat());
    };
    succeeds(&["databases"], &[]);
    let moving = ["migrate", "--from", "0", "--to", "5"];
    succeeds(&moving, &[&pages[..], &["--dry-run"]].concat());
    succeeds(&moving, &[&pages[..], &["--journal", "a.journal"]].concat());
    assert_eq!((keys_of(server, 0).await, keys_of(server, 5).await), (1, 30));
    succeeds(&["migrate", "--undo", "a.journal"], &[]);
    assert_eq!((keys_of(server, 0).await, keys_of(server, 5).await), (31, 0));
    succeeds(&moving, &[&pages[..], &["--keep"]].concat());
    succeeds(&["verify", "--from", "0", "--to", "5"], &pages);
    succeeds(&["backup", "-d", "0", "-o", "pages.rdb"], &pages);
    // FLUSHDB may be refused: then the keys are removed one by one.
    succeeds(&["flush", "--database", "5"], &["--yes-really", "index 5"]);
    assert_eq!((keys_of(server, 0).await, keys_of(server, 5).await), (31, 0));
    server.command(&["FLUSHALL"]).await;
}

#[test]
#[ignore = "needs redis-server"]
fn users_with_few_rights_separate_their_keys() {
    run_test(async {
        let server = TestRedis::builder()
            .acl_user("modest", "pw", "~* &* +@all -@dangerous")
            .acl_user("pages", "pw", "~page:* &* +@all")
            .acl_user("both", "pw", "~page:* &* +@all -@dangerous")
            .acl_user("one", "pw", "~* &* +@all -select")
            .start()
            .await;
        for user in ["modest", "pages", "both"] {
            separate(&server, &server.url_with_user(user, "pw")).await;
        }
        let folder = tempfile::tempdir().unwrap();
        fill(&server).await;
        let url = server.url_with_user("one", "pw");
        let words = ["migrate", "--from", "0", "--to", "3", "--backend", &url];
        is_refused(&run(folder.path(), &words), 6, "'select' command");
        let url = server.url_with_user("modest", "pw");
        let analysis = succeeds(folder.path(), &["analyze", "--backend", &url]);
        assert!(
            analysis.out.contains("31 keys") && analysis.out.contains("CLIENT LIST"),
            "{analysis:?}"
        );
        succeeds(folder.path(), &["plan", "-o", "plan.toml", "--backend", &url]);
    });
}

#[test]
#[ignore = "needs redis-server"]
fn a_server_without_hello_is_spoken_to_in_the_older_protocol() {
    run_test(async {
        let server = TestRedis::builder().config("rename-command", "HELLO \"\"").start().await;
        separate(&server, &server.url()).await;
        // Everything that a managed server hides.
        let mut hidden = TestRedis::builder().acl_user("guest", "pw", "~* &* +@all -info -client");
        for command in ["HELLO", "CONFIG", "FLUSHDB"] {
            hidden = hidden.config("rename-command", &format!("{command} \"\""));
        }
        let server = hidden.start().await;
        separate(&server, &server.url_with_user("guest", "pw")).await;
        let server = TestRedis::builder().acl_user("old", "pw", "~* &* +@all -hello").start().await;
        separate(&server, &server.url_with_user("old", "pw")).await;
    });
}

#[test]
#[ignore = "needs redis-server"]
fn a_server_that_is_full_says_so_itself() {
    run_test(async {
        let server = TestRedis::builder().config("maxclients", "1").start().await;
        let held = std::net::TcpStream::connect(("127.0.0.1", server.port())).unwrap();
        let folder = tempfile::tempdir().unwrap();
        for command in [&["databases"][..], &["analyze"], &["backup", "-d", "0", "-o", "x.rdb"]] {
            let run = run(folder.path(), &[command, &["--backend", &server.url()]].concat());
            is_refused(&run, 5, "max number of clients reached");
        }
        drop(held);
    });
}

#[test]
fn protected_mode_is_told_in_the_servers_words() {
    run_test(async {
        // Answers like a server that is reached from another machine.
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let url = format!("redis://{}", listener.local_addr().unwrap());
        let answering = tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                // The real answer has more than a thousand bytes.
                let words = format!(
                    "-DENIED Redis is running in protected mode because no password is set. {}\r\n",
                    "Connections are only accepted from the loopback interface. ".repeat(30)
                );
                let _ = stream.write_all(words.as_bytes()).await;
            }
        });
        let folder = tempfile::tempdir().unwrap();
        let run = tokio::task::spawn_blocking(move || {
            run(folder.path(), &["databases", "--backend", &url])
        });
        is_refused(&run.await.unwrap(), 6, "protected mode");
        answering.abort();
    });
}

#[test]
#[ignore = "needs redis-server"]
fn tls_where_there_is_none_and_none_where_there_is() {
    run_test(async {
        let server = TestRedis::builder().tls().start().await;
        let folder = tempfile::tempdir().unwrap();
        let (_, address) =
            server.url().split_once("://").map(|(a, b)| (a.to_owned(), b.to_owned())).unwrap();
        let plain = format!("redis://{address}");
        is_refused(&run(folder.path(), &["databases", "--backend", &plain]), 7, "speaks TLS");
        let tls = format!("rediss://127.0.0.1:{}", server.plain_port());
        is_refused(&run(folder.path(), &["databases", "--backend", &tls]), 7, "does not speak TLS");
    });
}
