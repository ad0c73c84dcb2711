//! A server that floods, nests and drips: every command ends with an error, within its time-outs and its memory.

use std::path::Path;
use std::process::Command;

use compartment_testkit::{Attack, HostileServer, TestRedis, run_test};

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
        ("INFO", Attack::Drip(b"$100000\r\n".to_vec())),
    ]
}

/// Attacks on what commands ask after they have connected.
fn later_attacks() -> Vec<(&'static str, Attack)> {
    vec![
        ("SCAN", Attack::flood("*2\r\n$1\r\n0\r\n*100000000\r\n", "$1\r\na\r\n")),
        ("SCAN", Attack::flood("*2\r\n$536870912\r\n", "0")),
        ("SCAN", Attack::Drip(b"*2\r\n$1000\r\n".to_vec())),
        ("DBSIZE", Attack::flood("*1\r\n", "*1\r\n")),
        ("DUMP", Attack::flood("$2147483647\r\n", "a")),
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

/// Ends by itself, and neither by a signal nor at the limit of its memory.
fn has_ended(run: &Run, what: &str) {
    assert!((0..124).contains(&run.code), "{what}: {run:?}");
}

#[test]
#[ignore = "needs redis-server"]
fn every_command_ends_though_its_server_floods_or_drips() {
    run_test(async {
        let server = filled().await;
        let commands: [&[&str]; 6] = [
            &["stats"],
            &["doctor"],
            &["analyze", "-d", "0"],
            &["migrate", "--from", "0", "--to", "3", "--journal", "j"],
            &["backup", "-d", "0", "-o", "out.rdb"],
            &["worker"],
        ];
        for (number, (at, attack)) in attacks().into_iter().enumerate() {
            let hostile = HostileServer::start(server.port(), at, attack).await;
            let folder = configured(&hostile.url());
            for command in commands {
                let before = hostile.attacks();
                let (folder, what) =
                    (folder.path().to_owned(), format!("{command:?}, attack {number} at {at:?}"));
                let ended =
                    tokio::task::spawn_blocking(move || run(&folder, command)).await.unwrap();
                has_ended(&ended, &what);
                assert!(hostile.attacks() > before, "{what}: it was not attacked: {ended:?}");
                assert_ne!(ended.code, 0, "{what}: {ended:?}");
            }
        }
    });
}

#[test]
#[ignore = "needs redis-server"]
fn every_command_ends_though_its_server_turns_bad_later() {
    run_test(async {
        let server = filled().await;
        let commands: [&[&str]; 5] = [
            &["stats"],
            &["doctor"],
            &["analyze", "-d", "0"],
            &["migrate", "--from", "0", "--to", "3", "--journal", "j"],
            &["backup", "-d", "0", "-o", "out.rdb"],
        ];
        for (number, (at, attack)) in later_attacks().into_iter().enumerate() {
            let hostile = HostileServer::start(server.port(), at, attack).await;
            let folder = configured(&hostile.url());
            for command in commands {
                let before = hostile.attacks();
                let (folder, what) =
                    (folder.path().to_owned(), format!("{command:?}, attack {number} at {at:?}"));
                let ended =
                    tokio::task::spawn_blocking(move || run(&folder, command)).await.unwrap();
                has_ended(&ended, &what);
                if command[0] == "backup" && at != "DBSIZE" {
                    assert!(hostile.attacks() > before && ended.code != 0, "{what}: {ended:?}");
                }
            }
        }
        assert_eq!(server.command(&["DBSIZE"]).await.integer(), Some(100), "no key was lost");
    });
}
