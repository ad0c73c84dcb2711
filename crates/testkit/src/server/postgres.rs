//! A PostgreSQL server for a single test, in its own folder, killed when dropped.

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::process::free_port;

/// Time limit of a start, which is slow if other tests keep the machine busy.
const PATIENCE: Duration = Duration::from_secs(60);
/// Attempts to start; another process may take the port before the server does.
const ATTEMPTS: u32 = 10;
/// The password of the user in [`TestPostgres::url`].
const PASSWORD: &str = "p@ss-of-the-test";

/// A PostgreSQL server for a single test; killed when dropped.
#[derive(Debug)]
pub struct TestPostgres {
    programs: PathBuf,
    folder: TempDir,
    port: u16,
    child: Option<Child>,
}

impl TestPostgres {
    /// Starts a server; `None`, with a note on the reason, if PostgreSQL is not installed.
    ///
    /// # Panics
    /// If PostgreSQL is installed and does not start.
    pub async fn start() -> Option<Self> {
        let Some(programs) = programs() else {
            // Output of a test is shown if it was asked for.
            #[expect(clippy::print_stderr, reason = "a test that did not run has to say so")]
            {
                eprintln!("skipped: no initdb of PostgreSQL is installed");
            }
            return None;
        };
        let folder = tempfile::Builder::new()
            .prefix("compartment-postgres-")
            .tempdir()
            .expect("a temporary folder can be made");
        let mut server = Self { programs, folder, port: 0, child: None };
        server.make_cluster();
        for _ in 0..ATTEMPTS {
            server.port = free_port();
            if server.run().await {
                return Some(server);
            }
        }
        panic!("no PostgreSQL server could be started in {ATTEMPTS} attempts:\n{}", server.log());
    }

    /// The URL of its database, including the password.
    #[must_use]
    pub fn url(&self) -> String {
        format!(
            "postgres://tester:{}@127.0.0.1:{}/postgres",
            PASSWORD.replace('@', "%40"),
            self.port
        )
    }

    /// The password in the URL, unencoded.
    #[must_use]
    pub fn password(&self) -> &'static str {
        PASSWORD
    }

    /// Executes statements without the client under test, and returns selected rows, one per line.
    ///
    /// # Panics
    /// If the server rejects them.
    #[must_use]
    pub fn sql(&self, statements: &str) -> String {
        let beside = self.programs.join("psql");
        let psql = if beside.is_file() { beside } else { "psql".into() };
        let output = Command::new(psql)
            .args(["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-d"])
            .arg(self.url())
            .args(["-c", statements])
            .output()
            .expect("psql is installed");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }

    /// Stops every process of the server (SIGSTOP): it accepts connections and answers nothing.
    pub fn freeze(&self) {
        self.signal("STOP");
    }

    /// Resumes the stopped processes.
    pub fn thaw(&self) {
        self.signal("CONT");
    }

    /// Kills the server, like a crash.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            // Stopped first, so that it does not replace its killed processes.
            send("STOP", child.id());
            let children = children_of(child.id());
            for pid in &children {
                send("KILL", *pid);
            }
            // The process may have ended already; it is reaped in both cases.
            let _ = child.kill();
            let _ = child.wait();
            // The processes share its memory; until all have ended, no server can start on its data.
            let give_up = Instant::now() + PATIENCE;
            while children.iter().any(|pid| runs(*pid)) && Instant::now() < give_up {
                std::thread::sleep(Duration::from_millis(2));
            }
        }
    }

    /// Restarts a killed server on its data.
    ///
    /// # Panics
    /// If it does not start.
    pub async fn restart(&mut self) {
        self.kill();
        assert!(self.run().await, "the server did not come back:\n{}", self.log());
    }

    fn make_cluster(&self) {
        let password = self.folder.path().join("password");
        std::fs::write(&password, PASSWORD).expect("the folder is ours");
        if is_root() {
            // PostgreSQL refuses to run as root.
            let owned = Command::new("chown")
                .args(["-R", "postgres"])
                .arg(self.folder.path())
                .status()
                .expect("there is a chown command");
            assert!(owned.success(), "the folder could not be given to the user postgres");
        }
        let output = self
            .program("initdb")
            .arg("-D")
            .arg(self.data())
            .args(["-U", "tester", "-A", "scram-sha-256", "-E", "UTF8", "--no-sync"])
            .arg(format!("--pwfile={}", password.display()))
            .output()
            .expect("initdb is installed");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }

    /// Runs the server and waits until it answers; `false` if it ended because its port was taken.
    async fn run(&mut self) -> bool {
        let log =
            std::fs::File::create(self.folder.path().join("log")).expect("the folder is ours");
        let mut child = self
            .program("postgres")
            .arg("-D")
            .arg(self.data())
            .args(["-p", &self.port.to_string(), "-c", "listen_addresses=127.0.0.1"])
            .args(["-c", "fsync=off", "-c", "shared_buffers=16MB"])
            .arg("-c")
            .arg(format!("unix_socket_directories={}", self.folder.path().display()))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::from(log))
            .spawn()
            .expect("postgres is installed");
        let give_up = Instant::now() + PATIENCE;
        loop {
            if child.try_wait().expect("the child is ours").is_some() {
                let log = self.log();
                assert!(log.contains("in use"), "PostgreSQL ended:\n{log}");
                return false;
            }
            if self.log().contains("ready to accept connections") {
                self.child = Some(child);
                return true;
            }
            assert!(Instant::now() < give_up, "PostgreSQL does not answer:\n{}", self.log());
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// A command for one of PostgreSQL's programs, run as a user it accepts.
    fn program(&self, name: &str) -> Command {
        let program = self.programs.join(name);
        if !is_root() {
            return Command::new(program);
        }
        // `setpriv` replaces itself with the program, so that the server is our child.
        let mut command = Command::new("setpriv");
        command.args(["--reuid", "postgres", "--regid", "postgres", "--clear-groups"]).arg(program);
        command.current_dir(self.folder.path());
        command
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    fn signal(&self, name: &str) {
        let server = self.child.as_ref().expect("the server runs").id();
        // A signal reaches only one process, so each one gets it.
        for pid in std::iter::once(server).chain(children_of(server)) {
            send(name, pid);
        }
    }
}

impl Drop for TestPostgres {
    fn drop(&mut self) {
        self.kill();
    }
}

/// The folder with the programs of the newest installed version.
fn programs() -> Option<PathBuf> {
    let in_path = std::env::var_os("PATH").unwrap_or_default();
    let mut folders: Vec<PathBuf> = std::env::split_paths(&in_path).collect();
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut versions: Vec<PathBuf> = versions.map(|version| version.path().join("bin")).collect();
    versions.sort();
    folders.extend(versions.into_iter().rev());
    folders.into_iter().find(|folder| folder.join("initdb").is_file())
}

fn is_root() -> bool {
    use std::os::unix::fs::MetadataExt;
    std::fs::metadata("/proc/self").is_ok_and(|process| process.uid() == 0)
}

/// The child processes of a process.
fn children_of(parent: u32) -> Vec<u32> {
    let processes = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = processes.filter_map(|process| process.file_name().to_str()?.parse().ok());
    pids.filter(|pid| parent_of(*pid) == Some(parent)).collect()
}

/// Whether the process exists and is not a zombie.
fn runs(pid: u32) -> bool {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let state = status.lines().find_map(|line| line.strip_prefix("State:"));
    state.is_some_and(|state| !state.trim_start().starts_with('Z'))
}

fn parent_of(pid: u32) -> Option<u32> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    status.lines().find_map(|line| line.strip_prefix("PPid:"))?.trim().parse().ok()
}

/// Sends a signal to a process, which may have ended already.
fn send(signal: &str, pid: u32) {
    let _ = Command::new("kill")
        .args([format!("-{signal}"), pid.to_string()])
        .stderr(Stdio::null())
        .status();
}
