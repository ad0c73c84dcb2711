//! A front before a real server, with five databases.

#![expect(clippy::unwrap_used, reason = "a failure here is a failed test")]

use compartment_core::DatabaseMapBuilder;
use compartment_front::route::Router;
use compartment_front::{FrontHandle, FrontServer, Passwords, Setup};
use compartment_testkit::{Reply, RespConnection, TestRedis};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

/// Databases by the first letters of keys, one for programs that select 1, and the rest.
const MAP: &str = r#"
[databases.jobs]
kind = "durable"
index = 1

[databases.cache]
kind = "cache"
index = 2
default_ttl = "1h"

[databases.locks]
kind = "coordination"
index = 3
default_ttl = "30s"

[databases.sessions]
kind = "durable"
index = 4

[databases.rest]
kind = "durable"
index = 5

[front]
listen = ["127.0.0.1:0"]
default = "rest"
flush = ["cache"]
"#;

/// The routes of most tests.
const ROUTES: &str = r#"
[[front.route]]
to = "jobs"
keys = ["job:*"]
together = ["queue:{name}:*"]

[[front.route]]
to = "cache"
keys = ["page:*"]

[[front.route]]
to = "locks"
keys = ["lock:*"]

[[front.route]]
to = "sessions"
select = [1]
"#;

/// A front that runs, and stops at its end.
pub(crate) struct Front {
    pub(crate) port: u16,
    pub(crate) handle: FrontHandle,
    stop: Option<oneshot::Sender<()>>,
    running: JoinHandle<compartment_core::Result<()>>,
}

pub(crate) fn setup(text: &str, passwords: Passwords) -> Setup {
    let map = DatabaseMapBuilder::toml(text).unwrap().build().unwrap();
    let router = Router::new(&map, &|_| None).unwrap();
    Setup { map, router, passwords, listen: None, sockets: Vec::new(), observes: false }
}

/// The map of most tests, with more text for `[front]` and its routes.
pub(crate) fn map(url: &str, settings: &str, routes: &str) -> String {
    format!("[instances.primary]\nurl = \"{url}\"\n{MAP}{settings}\n{ROUTES}{routes}")
}

impl Front {
    pub(crate) async fn of(text: &str) -> Self {
        Self::with(setup(text, Passwords::default())).await
    }

    pub(crate) async fn with(setup: Setup) -> Self {
        let server = FrontServer::bind(setup).await.unwrap();
        let port = server.addresses()[0].rsplit_once(':').unwrap().1.parse().unwrap();
        let handle = server.handle();
        let (stop, stopped) = oneshot::channel();
        let running = tokio::spawn(server.run(async {
            let _ = stopped.await;
        }));
        Self { port, handle, stop: Some(stop), running }
    }

    /// Before a server, with the map of most tests.
    pub(crate) async fn before(server: &TestRedis) -> Self {
        Self::of(&map(&server.url(), "", "")).await
    }

    pub(crate) async fn connect(&self) -> RespConnection {
        RespConnection::open(self.port).await.unwrap()
    }

    /// Stops it and waits until it has.
    pub(crate) async fn stop(mut self) {
        let _ = self.stop.take().unwrap().send(());
        (&mut self.running).await.unwrap().unwrap();
    }
}

/// Sends a command that is written as a line.
pub(crate) async fn ask(connection: &mut RespConnection, line: &str) -> Reply {
    let words: Vec<&str> = line.split(' ').collect();
    connection.send(&words).await.unwrap()
}

/// The reply, as text: `OK`, a number, a value, `(nil)`, an error, or a list in brackets.
pub(crate) fn shown(reply: &Reply) -> String {
    match reply {
        Reply::Nil => "(nil)".to_owned(),
        Reply::Integer(number) => number.to_string(),
        Reply::Bytes(bytes) => String::from_utf8_lossy(bytes).into_owned(),
        Reply::Array(list) => format!("[{}]", list.iter().map(shown).collect::<Vec<_>>().join(" ")),
        Reply::Error(error) => format!("!{error}"),
    }
}

/// Sends commands one by one, each a line `command -> reply`, and compares.
pub(crate) async fn talk(connection: &mut RespConnection, script: &str) {
    for line in script.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let (command, wanted) = line.split_once(" -> ").unwrap();
        let reply = shown(&ask(connection, command).await);
        let is_wanted = match wanted.strip_suffix('…') {
            Some(beginning) => reply.starts_with(beginning),
            None => reply == wanted,
        };
        assert!(is_wanted, "{command}: {reply}, not {wanted}");
    }
}
