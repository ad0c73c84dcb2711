//! A redis-server process on a free port, in its own folder, killed when dropped.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::program::ServerProgram;
use crate::{Reply, RespConnection};

/// Time limit of a start, which is slow if other tests keep the machine busy.
const PATIENCE: Duration = Duration::from_secs(20);
/// Attempts to start; another process may take the port before the server does.
const ATTEMPTS: u32 = 10;

/// A port that is free at this moment.
pub(super) fn free_port() -> u16 {
    TcpListener::bind(("127.0.0.1", 0))
        .and_then(|listener| listener.local_addr())
        .expect("a port is free")
        .port()
}

/// A running server, or a killed one that can be restarted.
#[derive(Debug)]
pub(super) struct Process {
    program: ServerProgram,
    pub(super) port: u16,
    folder: TempDir,
    sentinel: bool,
    /// The password of the inspecting connection.
    password: Option<String>,
    child: Option<Child>,
}

impl Process {
    /// Starts the usual server; `configuration` returns the lines of its file for a port.
    pub(super) async fn start(
        sentinel: bool,
        password: Option<String>,
        configuration: impl Fn(u16) -> String,
    ) -> Self {
        Self::start_on(ServerProgram::usual(), sentinel, password, None, configuration).await
    }

    /// Starts a server on a copy of an RDB file.
    pub(super) async fn start_on(
        program: ServerProgram,
        sentinel: bool,
        password: Option<String>,
        rdb: Option<&Path>,
        configuration: impl Fn(u16) -> String,
    ) -> Self {
        for _ in 0..ATTEMPTS {
            let port = free_port();
            let folder = tempfile::Builder::new()
                .prefix("compartment-redis-")
                .tempdir()
                .expect("a temporary folder can be made");
            let text = format!(
                "port {port}\nbind 127.0.0.1\ndir {0}\nlogfile {0}/log\n{1}",
                folder.path().display(),
                configuration(port),
            );
            std::fs::write(folder.path().join("redis.conf"), text).expect("the folder is ours");
            if let Some(rdb) = rdb {
                std::fs::copy(rdb, folder.path().join("dump.rdb")).expect("the file can be read");
            }
            let (program, password) = (program.clone(), password.clone());
            let mut process = Self { program, port, folder, sentinel, password, child: None };
            if process.run().await {
                return process;
            }
        }
        panic!("no redis-server could be started in {ATTEMPTS} attempts");
    }

    /// Runs the server and waits until it answers; `false` if it ended because its port was taken.
    async fn run(&mut self) -> bool {
        let mut command = Command::new(self.program.path());
        command.arg(self.folder.path().join("redis.conf"));
        if self.sentinel {
            command.arg("--sentinel");
        }
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap_or_else(|error| panic!("{}: {error}", self.program.path().display()));
        let pid = child.id();
        let give_up = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = child.try_wait().expect("the child is ours") {
                let log = self.log();
                // Before 7.0 the bus of a cluster has its port plus 10,000, which may be none.
                let is_port = log.contains("in use") || log.contains("too high for cluster");
                assert!(is_port, "redis-server ended with {status}:\n{log}");
                return false;
            }
            if self.answers_as(pid).await {
                self.child = Some(child);
                return true;
            }
            assert!(Instant::now() < give_up, "redis-server does not answer:\n{}", self.log());
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }

    /// Whether the server on the port is ready and is ours, not one that took the port first.
    async fn answers_as(&self, pid: u32) -> bool {
        let Ok(mut connection) = self.connect().await else {
            return false;
        };
        let info = connection.send(&["INFO", "server"]).await.map_or(String::new(), |r| r.text());
        info.contains(&format!("process_id:{pid}\r\n"))
    }

    pub(super) async fn connect(&self) -> std::io::Result<RespConnection> {
        let mut connection = RespConnection::open(self.port).await?;
        if let Some(password) = &self.password {
            connection.send(&["AUTH", password]).await?;
        }
        Ok(connection)
    }

    pub(super) async fn command<A: AsRef<[u8]>>(&self, command: &[A]) -> Reply {
        let mut connection = self.connect().await.expect("the server takes connections");
        connection.send(command).await.expect("the server answers")
    }

    pub(super) fn folder(&self) -> PathBuf {
        self.folder.path().to_owned()
    }

    pub(super) fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    /// Kills the server, like a crash: nothing is saved, and clients are not notified.
    pub(super) fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            // The process may have ended already; it is reaped in both cases.
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    pub(super) async fn restart(&mut self) {
        self.kill();
        let mut attempts = 0;
        while !self.run().await {
            attempts += 1;
            assert!(attempts < ATTEMPTS, "the port has been taken by another:\n{}", self.log());
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// Sends the server a signal, given by name.
    pub(super) fn signal(&self, name: &str) {
        let pid = self.child.as_ref().expect("the server runs").id();
        let sent = Command::new("kill")
            .args([format!("-{name}"), pid.to_string()])
            .status()
            .expect("there is a kill command");
        assert!(sent.success(), "SIG{name} was not taken by process {pid}");
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}
