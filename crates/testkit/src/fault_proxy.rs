//! A proxy between a client and its server that cuts, refuses, delays and rewrites.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::rewriting::Rewriting;

/// How much is passed on at once.
const CHUNK: usize = 16 * 1024;

/// A TCP proxy on this machine. Its connections end with it.
#[derive(Debug)]
pub struct FaultProxy {
    port: u16,
    state: Arc<State>,
    task: JoinHandle<()>,
}

#[derive(Debug)]
struct State {
    target: u16,
    refuses: watch::Sender<bool>,
    /// Every change ends the connections there are.
    cuts: watch::Sender<u64>,
    delay: Mutex<Duration>,
    rewriting: Mutex<Rewriting>,
    accepted: AtomicU64,
}

impl State {
    fn rewriting(&self) -> std::sync::MutexGuard<'_, Rewriting> {
        self.rewriting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl FaultProxy {
    /// Starts a proxy in front of the server at port `target` of this machine.
    ///
    /// # Panics
    /// When no port is free.
    pub async fn start(target: u16) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port is free");
        let port = listener.local_addr().expect("a listener has an address").port();
        let state = Arc::new(State {
            target,
            refuses: watch::Sender::new(false),
            cuts: watch::Sender::new(0),
            delay: Mutex::default(),
            rewriting: Mutex::default(),
            accepted: AtomicU64::new(0),
        });
        let task = tokio::spawn(accept(listener, port, Arc::clone(&state)));
        Self { port, state, task }
    }

    /// The port it listens on.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// A URL through it.
    #[must_use]
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// How many connections it has taken so far.
    #[must_use]
    pub fn accepted(&self) -> u64 {
        self.state.accepted.load(Ordering::Relaxed)
    }

    /// Breaks every connection. Sent data may or may not have arrived.
    pub fn cut(&self) {
        self.state.cuts.send_modify(|cuts| *cuts += 1);
    }

    /// Refuses new connections, as a server that is not running does.
    pub async fn refuse(&self) {
        self.state.refuses.send_replace(true);
        crate::eventually("the proxy refuses connections", || async {
            TcpStream::connect(("127.0.0.1", self.port)).await.is_err()
        })
        .await;
    }

    /// Holds everything back for this long, both ways, from now on.
    pub fn delay(&self, delay: Duration) {
        *self.state.delay.lock().unwrap_or_else(PoisonError::into_inner) = delay;
    }

    /// Turns every `SELECT n` into `SELECT 0` from now on, as a server behaves that takes the
    /// command and ignores it. [`FaultProxy::heal`] leaves this as it is.
    pub fn rewrite_select(&self) {
        self.state.rewriting().ignore_index();
    }

    /// Has every command of this name answered by a Lua script on the server, which finds the
    /// command's arguments in `ARGV`. [`FaultProxy::heal`] leaves this as it is.
    pub fn answer_by(&self, command: &str, script: &str) {
        self.state.rewriting().answer_by(command, script);
    }

    /// Shows the server with a clock that is this many milliseconds ahead, for its time and for the
    /// expiry of keys. [`FaultProxy::heal`] leaves this as it is.
    pub fn clock_ahead(&self, milliseconds: i64) {
        self.state.rewriting().clock_ahead(milliseconds);
    }

    /// Takes connections again and delays nothing.
    pub async fn heal(&self) {
        self.delay(Duration::ZERO);
        self.state.refuses.send_replace(false);
        crate::eventually("the proxy takes connections", || async {
            TcpStream::connect(("127.0.0.1", self.port)).await.is_ok()
        })
        .await;
    }
}

impl Drop for FaultProxy {
    fn drop(&mut self) {
        self.cut();
        self.task.abort();
    }
}

async fn accept(listener: TcpListener, port: u16, state: Arc<State>) {
    let mut refuses = state.refuses.subscribe();
    let mut listener = Some(listener);
    loop {
        let refused = *refuses.borrow_and_update();
        match &listener {
            Some(_) if refused => listener = None,
            None if !refused => match TcpListener::bind(("127.0.0.1", port)).await {
                Ok(again) => listener = Some(again),
                Err(_) => tokio::time::sleep(Duration::from_millis(5)).await,
            },
            None => {
                if refuses.changed().await.is_err() {
                    return;
                }
            }
            Some(open) => tokio::select! {
                changed = refuses.changed() => if changed.is_err() { return },
                accepted = open.accept() => if let Ok((client, _)) = accepted {
                    state.accepted.fetch_add(1, Ordering::Relaxed);
                    // Subscribed here, not in the task: a cut right after must not be missed.
                    let cuts = state.cuts.subscribe();
                    tokio::spawn(pass(client, Arc::clone(&state), cuts));
                },
            },
        }
    }
}

async fn pass(client: TcpStream, state: Arc<State>, mut cuts: watch::Receiver<u64>) {
    let Ok(server) = TcpStream::connect(("127.0.0.1", state.target)).await else {
        return;
    };
    let _ = client.set_nodelay(true);
    let _ = server.set_nodelay(true);
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    tokio::select! {
        // First: what is sent after a cut must not get through.
        biased;
        _ = cuts.changed() => {}
        () = forward(from_client, to_server, &state, true) => {}
        () = forward(from_server, to_client, &state, false) => {}
    }
}

async fn forward(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    state: &State,
    are_requests: bool,
) {
    let mut chunk = vec![0; CHUNK];
    let mut requests = Vec::new();
    while let Ok(length) = from.read(&mut chunk).await {
        if length == 0 {
            return;
        }
        let delay = *state.delay.lock().unwrap_or_else(PoisonError::into_inner);
        if !delay.is_zero() {
            tokio::time::sleep(delay).await;
        }
        let rewritten = match are_requests {
            true => state.rewriting().pass(&mut requests, &chunk[..length]),
            false => None,
        };
        let written = if let Some(passed) = rewritten {
            to.write_all(&passed).await
        } else {
            to.write_all(&chunk[..length]).await
        };
        if written.is_err() {
            return;
        }
    }
}
