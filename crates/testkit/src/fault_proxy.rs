//! A proxy between a client and its server that cuts, refuses, delays and rewrites.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

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
    rewrites_select: AtomicBool,
    accepted: AtomicU64,
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
            rewrites_select: AtomicBool::new(false),
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

    /// Breaks every connection there is. What was sent may or may not have arrived.
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
        self.state.rewrites_select.store(true, Ordering::Relaxed);
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
        let written = if are_requests && state.rewrites_select.load(Ordering::Relaxed) {
            requests.extend_from_slice(&chunk[..length]);
            let passed = rewrite_selects(&mut requests);
            to.write_all(&passed).await
        } else {
            to.write_all(&chunk[..length]).await
        };
        if written.is_err() {
            return;
        }
    }
}

/// Takes the complete commands off `buffer`, with index 0 in every `SELECT`.
fn rewrite_selects(buffer: &mut Vec<u8>) -> Vec<u8> {
    let mut passed = Vec::new();
    let mut at = 0;
    while let Some((command, next)) = parse_command(buffer, at) {
        match command.as_slice() {
            [name, _] if name.eq_ignore_ascii_case(b"SELECT") => {
                passed.extend_from_slice(&crate::resp::encode(&[b"SELECT".as_slice(), b"0"]));
            }
            _ => passed.extend_from_slice(&buffer[at..next]),
        }
        at = next;
    }
    buffer.drain(..at);
    passed
}

/// The arguments of the command at `at`, and where the next begins, if all of it is there.
fn parse_command(buffer: &[u8], at: usize) -> Option<(Vec<&[u8]>, usize)> {
    let (count, mut at) = parse_length(buffer, at, b'*')?;
    let mut arguments = Vec::with_capacity(count);
    for _ in 0..count {
        let (length, from) = parse_length(buffer, at, b'$')?;
        arguments.push(buffer.get(from..from + length)?);
        at = from + length + 2;
    }
    (at <= buffer.len()).then_some((arguments, at))
}

fn parse_length(buffer: &[u8], at: usize, mark: u8) -> Option<(usize, usize)> {
    let rest = buffer.get(at..)?.strip_prefix(&[mark])?;
    let end = rest.windows(2).position(|pair| pair == b"\r\n")?;
    let length = std::str::from_utf8(&rest[..end]).ok()?.parse().ok()?;
    Some((length, at + 1 + end + 2))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resp::encode;

    #[test]
    fn a_select_is_rewritten_even_when_it_comes_in_pieces() {
        let sent = [
            encode(&["SELECT", "7"]),
            encode(&["SET", "SELECT", "7\r\n"]),
            encode(&["select", "12"]),
        ]
        .concat();
        let wanted = [
            encode(&["SELECT", "0"]),
            encode(&["SET", "SELECT", "7\r\n"]),
            encode(&["SELECT", "0"]),
        ]
        .concat();
        for size in 1..sent.len() {
            let (mut buffer, mut passed) = (Vec::new(), Vec::new());
            for piece in sent.chunks(size) {
                buffer.extend_from_slice(piece);
                passed.extend(rewrite_selects(&mut buffer));
            }
            assert_eq!(passed, wanted, "in pieces of {size}");
            assert!(buffer.is_empty());
        }
    }
}
