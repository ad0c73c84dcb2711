//! A server that floods, nests and drips: every command ends with an error, within its time-outs and its memory.

use std::path::Path;
use std::process::Command;

use compartment_testkit::{Attack, HostileServer, TestRedis, run_test};

use futures_util::future::join_all;

use crate::program::Run;

/// Runs a program with at most 300 MiB of data, and at most for a minute.
const LIMITED: &str = "ulimit -d 307200; exec timeout 60 \"$0\" \"$@\"";

fn run(folder: &Path, arguments: &[&str]) -> Run {
    let mut command = Command::new("sh");
    command.args(["-c", LIMITED, env!("CARGO_BIN_EXE_compartment")]).args(arguments);
    command.current_dir(folder).env_clear().env("PATH", std::env::var_os("PATH").unwrap());
    let output = command.stdin(std::process::Stdio::null()).output().unwrap();
    Run {
        code: output.status.code().unwrap_or(-1),
        out: String::from_utf8_lossy(&output.stdout).into_owned(),
        err: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

/// The command that is attacked at (the connection itself where it is empty), and how.
fn attacks() -> Vec<(&'static str, Attack)> {
    vec![
        ("", Attack::flood("", "+")),
        ("", Attack::flood("", "+OK\r\n")),
        ("", Attack::Drip(b"+".to_vec())),
        ("HELLO", Attack::flood("$536870912\r\n", "a")),
        ("HELLO", Attack::flood("", "*1\r\n")),
        ("HELLO", Attack::flood("*1000000000\r\n", ":1\r\n")),
        ("INFO", Attack::flood("$9223372036854775807\r\n", "a")),
        ("INFO", Attack::flood("$536870912\r\n", "a:1\r\n")),
        ("INFO", Attack::flood("", "%1\r\n")),
        ("INFO", Attack::flood("*2147483647\r\n", "_\r\n")),
        ("INFO", Attack::flood("", ">2\r\n+x\r\n+y\r\n")),
        ("INFO", Attack::flood("", "|1\r\n+a\r\n+b\r\n")),
    ]
}

/// Attacks on what commands ask after they have connected.
fn later_attacks() -> Vec<(&'static str, Attack)> {
    vec![
        ("SCAN", Attack::flood("*2\r\n$1\r\n0\r\n*100000000\r\n", "$1\r\na\r\n")),
        ("SCAN", Attack::flood("*2\r\n$536870912\r\n", "0")),
        ("DUMP", Attack::flood("$2147483647\r\n", "a")),
        ("DBSIZE", Attack::flood("*1\r\n", "*1\r\n")),
    ]
}

/// A folder with a configuration for this server.
fn configured(url: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let text = format!(
        "preset = \"pipeline\"\n[instances.primary]\nurl = \"{url}\"\nconnect_timeout = \"1s\"\n\
         response_timeout = \"1s\"\nretries = 1\n"
    );
    std::fs::write(folder.path().join("compartment.toml"), text).unwrap();
    folder
}

async fn filled() -> TestRedis {
    let server = TestRedis::start().await;
    for number in 0..100 {
        server.command(&["SET", &format!("key:{number}"), "value", "EX", "100000"]).await;
    }
    server
}

/// Runs a command against a server that attacks it. The command ends by itself, and neither by a signal nor at the limit
/// of its memory. Returns the run, and whether it was attacked.
async fn attacked(
    server: &TestRedis,
    at: &str,
    attack: Attack,
    command: &'static [&str],
) -> (Run, bool) {
    let what = format!("{command:?} at {at:?}");
    let hostile = HostileServer::start(server.port(), at, attack).await;
    let folder = configured(&hostile.url());
    let ended = tokio::task::spawn_blocking(move || run(folder.path(), command)).await.unwrap();
    assert!((0..124).contains(&ended.code), "{what}: {ended:?}");
    (ended, hostile.attacks() > 0)
}

const STATS: &[&str] = &["stats"];
const DOCTOR: &[&str] = &["doctor"];
const ANALYZE: &[&str] = &["analyze", "--database", "0"];
const MIGRATE: &[&str] = &["migrate", "--from", "0", "--to", "3", "--journal", "j"];
const BACKUP: &[&str] = &["backup", "-d", "0", "-o", "out.rdb"];
const WORKER: &[&str] = &["worker", "--wait", "3s"];

#[test]
#[ignore = "needs redis-server"]
fn every_command_ends_though_its_server_floods() {
    run_test(async {
        let server = filled().await;
        for (number, (at, attack)) in attacks().into_iter().enumerate() {
            let commands = [STATS, DOCTOR, ANALYZE, MIGRATE, BACKUP, WORKER];
            let runs = commands.map(|command| attacked(&server, at, attack.clone(), command));
            for (command, (run, attacked)) in commands.iter().zip(join_all(runs).await) {
                assert!(attacked, "{number}: {command:?} was not attacked: {run:?}");
                // The doctor says what is not known of a server that answers OK to everything.
                assert!(run.code != 0 || *command == DOCTOR, "{number}: {command:?}: {run:?}");
            }
        }
    });
}

#[test]
#[ignore = "needs redis-server"]
fn a_worker_ends_though_its_server_drips() {
    run_test(async {
        let server = filled().await;
        for at in ["HELLO", "INFO", "*"] {
            let attack = Attack::Drip(b"$100000\r\n".to_vec());
            let (run, attacked) = attacked(&server, at, attack, WORKER).await;
            assert!(attacked && run.code != 0, "{at:?}: {run:?}");
        }
    });
}

#[test]
#[ignore = "needs redis-server"]
fn every_command_ends_though_its_server_turns_bad_later() {
    run_test(async {
        let server = filled().await;
        for (number, (at, attack)) in later_attacks().into_iter().enumerate() {
            let commands = [STATS, DOCTOR, ANALYZE, BACKUP];
            let runs = commands.map(|command| attacked(&server, at, attack.clone(), command));
            for (command, (run, attacked)) in commands.iter().zip(join_all(runs).await) {
                if *command == BACKUP && at != "DBSIZE" {
                    assert!(attacked && run.code != 0, "{number}: {command:?}: {run:?}");
                }
            }
            // It may have a way that does without this answer, and move the keys.
            attacked(&server, at, attack, MIGRATE).await;
        }
        let mut left = 0;
        for index in [0, 3] {
            left += server.command_in(index, &["DBSIZE"]).await.integer().unwrap();
        }
        assert_eq!(left, 100, "no key was lost");
    });
}
