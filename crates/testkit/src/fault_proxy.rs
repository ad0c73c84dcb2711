//! A proxy between client and server that cuts, refuses, delays and rewrites.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::rewriting::Rewriting;

/// Most bytes forwarded at once.
const CHUNK: usize = 16 * 1024;

/// A TCP proxy on this machine. Dropping it ends its connections.
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
    /// Every change ends the current connections.
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
    /// If no port is free.
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

    /// The port on which it listens.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// A URL that leads through the proxy.
    #[must_use]
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// The number of connections accepted so far.
    #[must_use]
    pub fn accepted(&self) -> u64 {
        self.state.accepted.load(Ordering::Relaxed)
    }

    /// Breaks every connection. Data sent before may or may not have arrived.
    pub fn cut(&self) {
        self.state.cuts.send_modify(|cuts| *cuts += 1);
    }

    /// Refuses new connections, like a server that is not running.
    pub async fn refuse(&self) {
        self.state.refuses.send_replace(true);
        crate::eventually("the proxy refuses connections", || async {
            TcpStream::connect(("127.0.0.1", self.port)).await.is_err()
        })
        .await;
    }

    /// Delays all data in both directions by this long, from now on.
    pub fn delay(&self, delay: Duration) {
        *self.state.delay.lock().unwrap_or_else(PoisonError::into_inner) = delay;
    }

    /// Turns every `SELECT n` into `SELECT 0` from now on, like a server that accepts the command and ignores it.
    /// [`FaultProxy::heal`] does not undo this.
    pub fn rewrite_select(&self) {
        self.state.rewriting().ignore_index();
    }

    /// Answers every command of this name by a Lua script on the server, which gets the arguments in `ARGV`.
    /// [`FaultProxy::heal`] does not undo this.
    pub fn answer_by(&self, command: &str, script: &str) {
        self.state.rewriting().answer_by(command, script);
    }

    /// Makes the server's clock appear this many milliseconds ahead, for its time and for the expiry of keys.
    /// [`FaultProxy::heal`] does not undo this.
    pub fn clock_ahead(&self, milliseconds: i64) {
        self.state.rewriting().clock_ahead(milliseconds);
    }

    /// Accepts connections again and removes the delay.
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
                    // Subscribed here, not in the task, so that an immediate cut is not missed.
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
        // Checked first, so that no data sent after a cut gets through.
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
