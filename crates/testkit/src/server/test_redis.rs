//! A standalone server for a single test.

use std::path::{Path, PathBuf};
use std::time::Duration;

use tempfile::TempDir;

use super::process::{Process, free_port};
use super::program::ServerProgram;
use super::tls::TlsCertificates;
use crate::{Reply, RespConnection};

/// The options of a [`TestRedis`].
#[derive(Clone, Debug, Default)]
pub struct TestRedisBuilder {
    lines: Vec<String>,
    password: Option<String>,
    tls: bool,
    asks_for_client_certificate: bool,
    rdb: Option<PathBuf>,
    program: Option<ServerProgram>,
    debug_command: bool,
}

impl TestRedisBuilder {
    /// Adds a line to redis.conf: `.config("maxmemory", "20mb")`.
    #[must_use]
    pub fn config(mut self, name: &str, value: &str) -> Self {
        self.lines.push(format!("{name} {value}"));
        self
    }

    /// Sets the number of numbered databases; default 16.
    #[must_use]
    pub fn databases(self, count: u32) -> Self {
        self.config("databases", &count.to_string())
    }

    /// Adds a user, with `rules` as in `ACL SETUSER`: `.acl_user("bob", "pw", "~* +@read")`.
    #[must_use]
    pub fn acl_user(self, name: &str, password: &str, rules: &str) -> Self {
        self.config("user", &format!("{name} on >{password} {rules}"))
    }

    /// Starts on a copy of an RDB file.
    #[must_use]
    pub fn rdb(mut self, file: &Path) -> Self {
        self.rdb = Some(file.to_owned());
        self
    }

    /// Allows `DEBUG`, which servers before 7.0 always do.
    #[must_use]
    pub fn debug_command(mut self) -> Self {
        self.debug_command = true;
        self
    }

    /// Runs this program instead of the usual one.
    #[must_use]
    pub fn program(mut self, program: &ServerProgram) -> Self {
        self.program = Some(program.clone());
        self
    }

    /// Sets a password for the default user.
    #[must_use]
    pub fn password(mut self, password: &str) -> Self {
        self.password = Some(password.to_owned());
        self.config("requirepass", password)
    }

    /// Enables TLS on the port of [`TestRedis::url`]. [`TestRedis::command`] uses a port without TLS. The server is
    /// the system's, unless a program is chosen, because other builds may lack TLS.
    #[must_use]
    pub fn tls(mut self) -> Self {
        self.tls = true;
        self
    }

    /// Enables TLS for clients that present a certificate.
    #[must_use]
    pub fn tls_with_client_certificates(mut self) -> Self {
        self.asks_for_client_certificate = true;
        self.tls()
    }

    /// Starts the server and waits until it answers.
    ///
    /// # Panics
    /// If there is no redis-server, or it does not start.
    pub async fn start(self) -> TestRedis {
        // The certificates are used by each attempt to find a port.
        let tls = self.tls.then(|| {
            let folder = tempfile::tempdir().expect("a temporary folder can be made");
            let certificates = TlsCertificates::make_in(folder.path());
            Tls { port: free_port(), certificates, _folder: folder }
        });
        let program = self.program.unwrap_or_else(|| match tls {
            Some(_) => ServerProgram::system(),
            None => ServerProgram::usual(),
        });
        let mut lines = "save \"\"\nappendonly no\n".to_owned();
        if self.debug_command && program.major() >= 7 {
            lines.push_str("enable-debug-command yes\n");
        }
        for line in &self.lines {
            lines.push_str(line);
            lines.push('\n');
        }
        if let Some(tls) = &tls {
            lines.push_str(&tls.configuration(self.asks_for_client_certificate));
        }
        let (password, rdb) = (self.password.clone(), self.rdb.as_deref());
        let process = Process::start_on(program, false, password, rdb, |_| lines.clone()).await;
        TestRedis { process, password: self.password, tls }
    }
}

#[derive(Debug)]
struct Tls {
    port: u16,
    certificates: TlsCertificates,
    _folder: TempDir,
}

impl Tls {
    fn configuration(&self, asks_for_client_certificate: bool) -> String {
        let files = &self.certificates;
        format!(
            "tls-port {}\ntls-cert-file {}\ntls-key-file {}\ntls-ca-cert-file {}\ntls-auth-clients {}\n",
            self.port,
            files.server_certificate.display(),
            files.server_key.display(),
            files.ca.display(),
            if asks_for_client_certificate { "yes" } else { "no" },
        )
    }
}

/// A redis-server for a single test, without persistence, in a temporary folder; killed when dropped.
#[derive(Debug)]
pub struct TestRedis {
    process: Process,
    password: Option<String>,
    tls: Option<Tls>,
}

impl TestRedis {
    /// Starts a server with the settings that every test needs.
    ///
    /// # Panics
    /// If there is no redis-server, or it does not start.
    pub async fn start() -> Self {
        Self::builder().start().await
    }

    /// Builds a server with further settings.
    #[must_use]
    pub fn builder() -> TestRedisBuilder {
        TestRedisBuilder::default()
    }

    /// The port for clients: with TLS, the encrypted one.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.tls.as_ref().map_or(self.process.port, |tls| tls.port)
    }

    /// The port without TLS.
    #[must_use]
    pub fn plain_port(&self) -> u16 {
        self.process.port
    }

    /// The URL of the default user, including its password.
    #[must_use]
    pub fn url(&self) -> String {
        match &self.password {
            Some(password) => self.url_with_user("", password),
            None => format!("{}://{}:{}", self.scheme(), self.host(), self.port()),
        }
    }

    /// The URL of another user.
    #[must_use]
    pub fn url_with_user(&self, user: &str, password: &str) -> String {
        format!("{}://{user}:{password}@{}:{}", self.scheme(), self.host(), self.port())
    }

    fn scheme(&self) -> &'static str {
        if self.tls.is_some() { "rediss" } else { "redis" }
    }

    fn host(&self) -> &'static str {
        // Clients check a certificate against a host name more often than against an address.
        if self.tls.is_some() { "localhost" } else { "127.0.0.1" }
    }

    /// The certificates, if the server has TLS.
    #[must_use]
    pub fn certificates(&self) -> Option<&TlsCertificates> {
        self.tls.as_ref().map(|tls| &tls.certificates)
    }

    /// The folder in which the server writes its files.
    #[must_use]
    pub fn folder(&self) -> PathBuf {
        self.process.folder()
    }

    /// The server's log.
    #[must_use]
    pub fn log(&self) -> String {
        self.process.log()
    }

    /// Opens a connection of the default user, without the client under test.
    ///
    /// # Panics
    /// If the server does not accept it.
    pub async fn connect(&self) -> RespConnection {
        self.process.connect().await.expect("the server takes connections")
    }

    /// Sends a command to database 0 and returns its answer.
    ///
    /// # Panics
    /// If the server does not answer.
    pub async fn command<A: AsRef<[u8]>>(&self, command: &[A]) -> Reply {
        self.process.command(command).await
    }

    /// Sends a command to another database and returns its answer.
    ///
    /// # Panics
    /// If the server does not answer.
    pub async fn command_in<A: AsRef<[u8]>>(&self, index: u32, command: &[A]) -> Reply {
        let mut connection = self.connect().await;
        let selected = connection.send(&["SELECT", &index.to_string()]).await;
        assert_eq!(selected.expect("the server answers"), Reply::Bytes(b"OK".to_vec()));
        connection.send(command).await.expect("the server answers")
    }

    /// Lets `by` pass for every key of every database: shortens their TTLs, and removes keys whose TTL has passed.
    ///
    /// # Panics
    /// If the server does not answer.
    pub async fn pass_time(&self, by: Duration) {
        pass_time(&mut self.connect().await, by).await;
    }

    /// Kills the server, like a crash.
    pub fn kill(&mut self) {
        self.process.kill();
    }

    /// Restarts the server on its port and in its folder; kills it first if it runs.
    ///
    /// # Panics
    /// If it does not start.
    pub async fn restart(&mut self) {
        self.process.restart().await;
    }

    /// Pauses the server's process: connections stay open, and nothing answers.
    ///
    /// # Panics
    /// If it does not run.
    pub fn pause(&self) {
        self.process.signal("STOP");
    }

    /// Resumes a paused server.
    ///
    /// # Panics
    /// If it does not run.
    pub fn resume(&self) {
        self.process.signal("CONT");
    }
}

/// A script, so that no client sees only some keys aged. SCAN may return a key twice. Pending entries of a stream age
/// with its key.
const PASS_TIME: &str = "
local cursor, seen = '0', {}
repeat
  local page = redis.call('SCAN', cursor, 'COUNT', 1000)
  cursor = page[1]
  for _, key in ipairs(page[2]) do
    if not seen[key] then
      seen[key] = true
      local left = redis.call('PTTL', key)
      if left >= 0 then redis.call('PEXPIRE', key, string.format('%.0f', left - ARGV[1])) end
      if redis.call('TYPE', key).ok == 'stream' then
        for _, group in ipairs(redis.call('XINFO', 'GROUPS', key)) do
          for _, one in ipairs(redis.call('XPENDING', key, group[2], '-', '+', 10000)) do
            redis.call('XCLAIM', key, group[2], one[2], 0, one[1], 'IDLE',
              string.format('%.0f', one[3] + ARGV[1]), 'JUSTID')
          end
        end
      end
    end
  end
until cursor == '0'";

pub(super) async fn pass_time(connection: &mut RespConnection, by: Duration) {
    let millis = by.as_millis().to_string();
    let keyspace = connection.send(&["INFO", "keyspace"]).await.expect("the server answers").text();
    let indexes = keyspace.lines().filter_map(|line| line.strip_prefix("db")?.split(':').next());
    for index in indexes {
        let selected = connection.send(&["SELECT", index]).await.expect("the server answers");
        assert!(!selected.is_error(), "{selected:?}");
        let passed = connection.send(&["EVAL", PASS_TIME, "0", &millis]).await;
        let passed = passed.expect("the server answers");
        assert!(!passed.is_error(), "{passed:?}");
    }
}
