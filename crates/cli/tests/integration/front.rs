//! `compartment front` as a process: sockets that are handed over, a changed file, its figures, its end.

#![expect(clippy::unwrap_used, reason = "a failure here is a failed test")]

use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use compartment_testkit::{RespConnection, TestRedis, eventually, run_test};

/// Opens a socket, and becomes the program with it as descriptor 3: what a service manager does.
const MANAGER: &str = "import os, socket, sys
s = socket.socket(); s.bind(('127.0.0.1', 0)); s.listen(64)
print(s.getsockname()[1], flush=True)
os.dup2(s.fileno(), 3); os.set_inheritable(3, True)
os.environ['LISTEN_FDS'] = '1'; os.environ['LISTEN_PID'] = str(os.getpid())
os.execv(sys.argv[1], sys.argv[1:])";

fn configuration(url: &str, more: &str) -> String {
    format!(
        "[instances.primary]\nurl = \"{url}\"\n[databases]\nmain = {{ index = 0, kind = \"durable\" }}\njobs = {{ index = \
         1, kind = \"durable\" }}\n[front]\nlisten = \"127.0.0.1:1\"\ndefault = \"main\"\n{more}"
    )
}

/// A front that was handed a socket, and its port.
fn handed_over(folder: &std::path::Path) -> (Child, u16) {
    let mut child = Command::new("python3")
        .args(["-c", MANAGER, env!("CARGO_BIN_EXE_compartment"), "front"])
        .current_dir(folder)
        .env("COMPARTMENT_CONFIG", folder.join("compartment.toml"))
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut line = String::new();
    let mut output = std::io::BufReader::new(child.stdout.take().unwrap());
    std::io::BufRead::read_line(&mut output, &mut line).unwrap();
    child.stdout = Some(output.into_inner());
    (child, line.trim().parse().unwrap())
}

#[test]
#[ignore = "needs redis-server and python3"]
fn a_front_takes_the_sockets_of_its_manager_and_a_changed_file() {
    run_test(async {
        let server = TestRedis::start().await;
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("compartment.toml");
        std::fs::write(&file, configuration(&server.url(), "")).unwrap();
        let (child, port) = handed_over(folder.path());
        let mut program = RespConnection::open(port).await.unwrap();
        assert_eq!(program.send(&["SET", "job:1", "a"]).await.unwrap().text(), "OK");
        assert_eq!(server.command(&["GET", "job:1"]).await.text(), "a");
        // The changed file is in use at once, and the connection stays.
        let route = "[[front.route]]\nto = \"jobs\"\nkeys = [\"job:*\"]\n";
        std::fs::write(&file, configuration(&server.url(), route)).unwrap();
        let pid = child.id().to_string();
        assert!(Command::new("kill").args(["-HUP", &pid]).status().unwrap().success());
        eventually("the route is in use", || async {
            let mut other = RespConnection::open(port).await.unwrap();
            other.send(&["SET", "job:1", "b"]).await.is_ok()
                && server.command_in(1, &["GET", "job:1"]).await.text() == "b"
        })
        .await;
        assert_eq!(program.send(&["GET", "job:1"]).await.unwrap().text(), "b");
        // A file that cannot be used changes nothing.
        std::fs::write(&file, "[front").unwrap();
        assert!(Command::new("kill").args(["-HUP", &pid]).status().unwrap().success());
        assert_eq!(program.send(&["GET", "job:1"]).await.unwrap().text(), "b");
        assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
        let ended = tokio::task::spawn_blocking(move || child.wait_with_output());
        let ended =
            tokio::time::timeout(Duration::from_secs(20), ended).await.unwrap().unwrap().unwrap();
        assert_eq!(ended.status.code(), Some(0));
        let said = String::from_utf8_lossy(&ended.stdout).into_owned();
        assert!(said.contains("jobs") && said.contains("main"), "{said}");
        assert!(program.send(&["GET", "job:1"]).await.is_err());
    });
}

#[test]
#[ignore = "needs redis-server and python3"]
fn a_killed_front_loses_no_write_that_was_acknowledged() {
    run_test(async {
        let server = TestRedis::start().await;
        let folder = tempfile::tempdir().unwrap();
        let route = "[[front.route]]\nto = \"jobs\"\nkeys = [\"job:*\"]\n";
        std::fs::write(folder.path().join("compartment.toml"), configuration(&server.url(), route))
            .unwrap();
        let (mut child, port) = handed_over(folder.path());
        let acknowledged = Arc::new(AtomicU64::new(0));
        let mut writers = Vec::new();
        for writer in 0..4 {
            let acknowledged = Arc::clone(&acknowledged);
            writers.push(tokio::spawn(async move {
                let mut program = RespConnection::open(port).await.unwrap();
                let mut last = Vec::new();
                for number in 0_u64.. {
                    let value = number.to_string();
                    for head in ["job", "main"] {
                        let key = format!("{head}:{writer}:{number}");
                        match program.send(&["SET", &key, &value]).await {
                            Ok(reply) => assert_eq!(reply.text(), "OK"),
                            Err(_) => return last,
                        }
                        last.push((key, value.clone()));
                        acknowledged.fetch_add(1, Ordering::Relaxed);
                    }
                }
                last
            }));
        }
        eventually("writes are acknowledged", || async {
            acknowledged.load(Ordering::Relaxed) > 2_000
        })
        .await;
        child.kill().unwrap();
        child.wait().unwrap();
        let (mut child, port) = handed_over(folder.path());
        let mut program = RespConnection::open(port).await.unwrap();
        for writer in writers {
            for (key, value) in writer.await.unwrap() {
                assert_eq!(program.send(&["GET", &key]).await.unwrap().text(), value, "{key}");
            }
        }
        child.kill().unwrap();
        child.wait().unwrap();
    });
}
