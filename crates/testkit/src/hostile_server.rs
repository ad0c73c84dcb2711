//! A server that means harm: it stands in front of a real one, and answers some command as no server would.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::OwnedWriteHalf;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Mutex;
use tokio::task::JoinHandle;

use crate::rewriting::parse_command;

/// The most that a flood sends over one connection: far more than any client should take.
const FLOOD: usize = 8 << 30;
/// The pause between two bytes of an answer that drips.
const DRIP: Duration = Duration::from_millis(300);

/// What a client is sent instead of an answer.
#[derive(Clone, Debug)]
pub enum Attack {
    /// These bytes, then the others again and again until the client hangs up.
    Flood(Vec<u8>, Vec<u8>),
    /// These bytes, then one byte now and then.
    Drip(Vec<u8>),
    /// These bytes, and the end of the connection.
    Say(Vec<u8>),
}

impl Attack {
    /// Announces, and sends, more than it may.
    #[must_use]
    pub fn flood(head: &str, piece: &str) -> Self {
        let piece = piece.as_bytes().repeat((64 * 1024 / piece.len().max(1)).max(1));
        Self::Flood(head.as_bytes().to_vec(), piece)
    }
}

/// A proxy on this machine. Dropping it ends its connections.
#[derive(Debug)]
pub struct HostileServer {
    port: u16,
    task: JoinHandle<()>,
    attacks: Arc<AtomicU64>,
}

/// The command to be attacked at, and how; at the connection itself if the command is empty.
type Plan = (Vec<u8>, Attack, Arc<AtomicU64>);

impl HostileServer {
    /// Stands in front of the server at port `target` of this machine, and attacks whoever sends `command` (all of them
    /// if it is `*`; whoever connects if it is empty).
    ///
    /// # Panics
    /// If no port is free.
    pub async fn start(target: u16, command: &str, attack: Attack) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port is free");
        let port = listener.local_addr().expect("a listener has an address").port();
        let attacks = Arc::<AtomicU64>::default();
        let plan: Arc<Plan> =
            Arc::new((command.to_ascii_uppercase().into_bytes(), attack, Arc::clone(&attacks)));
        let task = tokio::spawn(async move {
            // The connections end with this task.
            let mut connections = tokio::task::JoinSet::new();
            while let Ok((client, _)) = listener.accept().await {
                connections.spawn(serve(client, target, Arc::clone(&plan)));
            }
        });
        Self { port, task, attacks }
    }

    /// A URL that names it as a Redis server.
    #[must_use]
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// The number of attacks so far.
    #[must_use]
    pub fn attacks(&self) -> u64 {
        self.attacks.load(Ordering::Relaxed)
    }
}

impl Drop for HostileServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(client: TcpStream, target: u16, plan: Arc<Plan>) {
    let (from_client, to_client) = client.into_split();
    let to_client = Mutex::new(to_client);
    if plan.0.is_empty() {
        return attack(&to_client, &plan).await;
    }
    let Ok(server) = TcpStream::connect(("127.0.0.1", target)).await else { return };
    let (from_server, to_server) = server.into_split();
    tokio::select! {
        () = answers(from_server, &to_client) => {}
        () = requests(from_client, to_server, &to_client, &plan) => {}
    }
}

/// Passes the server's answers on, except during an attack.
async fn answers(mut from: impl AsyncRead + Unpin, to: &Mutex<OwnedWriteHalf>) {
    let mut chunk = vec![0; 16 * 1024];
    while let Ok(length @ 1..) = from.read(&mut chunk).await {
        if to.lock().await.write_all(&chunk[..length]).await.is_err() {
            return;
        }
    }
}

async fn requests(
    mut from: impl AsyncRead + Unpin,
    mut to: OwnedWriteHalf,
    client: &Mutex<OwnedWriteHalf>,
    plan: &Plan,
) {
    let (mut chunk, mut buffer) = (vec![0; 16 * 1024], Vec::new());
    while let Ok(length @ 1..) = from.read(&mut chunk).await {
        buffer.extend_from_slice(&chunk[..length]);
        let mut at = 0;
        while let Some((command, next)) = parse_command(&buffer, at) {
            let name = command.first().copied().unwrap_or_default();
            if plan.0 == b"*" || plan.0.eq_ignore_ascii_case(name) {
                return attack(client, plan).await;
            }
            if to.write_all(&buffer[at..next]).await.is_err() {
                return;
            }
            at = next;
        }
        buffer.drain(..at);
    }
}

async fn attack(client: &Mutex<OwnedWriteHalf>, (_, attack, attacks): &Plan) {
    attacks.fetch_add(1, Ordering::Relaxed);
    let mut client = client.lock().await;
    let (Attack::Flood(head, _) | Attack::Drip(head) | Attack::Say(head)) = attack;
    if client.write_all(head).await.is_err() {
        return;
    }
    match attack {
        Attack::Flood(_, piece) => {
            for _ in 0..FLOOD / piece.len().max(1) {
                if client.write_all(piece).await.is_err() {
                    return;
                }
            }
        }
        Attack::Drip(_) => {
            while client.write_all(b"1").await.is_ok() {
                tokio::time::sleep(DRIP).await;
            }
        }
        Attack::Say(_) => {
            // The client may have hung up.
            let _ = client.shutdown().await;
        }
    }
}
