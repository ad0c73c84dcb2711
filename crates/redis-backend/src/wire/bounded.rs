//! A connection whose server cannot fill the memory: each answer is bounded before it is parsed.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use redis::aio::PubSub;
use redis::{Cmd, RedisConnectionInfo, RedisResult, Value};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::task::AbortHandle;

use crate::wire::answers::{AnswerWatch, Listening};
use crate::wire::dial::Socket;
use crate::wire::drive::{Driver, Pushed};
use crate::wire::exchange::Exchange;
use crate::wire::greeting::greet;
use crate::wire::packed::Packed;
use crate::wire::replies::Replies;

/// A connection that many tasks share. It is closed when its last clone is dropped.
#[derive(Clone)]
pub(crate) struct BoundedConnection(Arc<Open>);

struct Open {
    exchange: Arc<Exchange>,
    /// The driver, and the watch over the time of each request.
    tasks: [AbortHandle; 2],
}

impl Drop for Open {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
    }
}

impl BoundedConnection {
    /// Logs in on a socket. The caller bounds the time.
    pub(crate) async fn open(
        socket: Socket,
        login: &RedisConnectionInfo,
        response_timeout: Duration,
        pushed: Option<Pushed>,
    ) -> RedisResult<Self> {
        let exchange = Exchange::new(response_timeout);
        let watch = AnswerWatch::new(Arc::clone(&exchange) as _);
        let replies = Replies::new(watch, pushed.is_some());
        let driver = Driver::new(socket, Arc::clone(&exchange), replies, pushed);
        let watched = Arc::clone(&exchange);
        let tasks = [
            tokio::spawn(driver).abort_handle(),
            tokio::spawn(async move { watched.watch().await }).abort_handle(),
        ];
        let open = Self(Arc::new(Open { exchange, tasks }));
        greet(&open.0.exchange, login).await?;
        open.0.exchange.log_in();
        Ok(open)
    }

    /// Sends a command.
    pub(crate) async fn send(&self, command: &Cmd) -> RedisResult<Value> {
        self.0.exchange.one(command).await
    }

    /// Sends many commands in one round trip; returns an answer for each, which may be an error.
    pub(crate) async fn send_each(&self, commands: &[&Cmd]) -> RedisResult<Vec<Value>> {
        self.0.exchange.many(commands).await
    }

    /// Sends commands in one round trip, in order; returns the reply to each, which may be an error.
    pub(crate) async fn send_packed(&self, commands: Packed) -> RedisResult<Vec<Value>> {
        self.0.exchange.packed(commands).await
    }

    /// Calls a script with one key, together with other calls: see [`Exchange::joined`].
    pub(crate) async fn send_joined(&self, command: &Cmd) -> RedisResult<Value> {
        self.0.exchange.joined(command).await
    }

    pub(crate) async fn subscribe(&self, channel: &str) -> RedisResult<()> {
        let mut subscribe = redis::cmd("SUBSCRIBE");
        subscribe.arg(channel);
        self.send(&subscribe).await.map(drop)
    }
}

/// A stream that fails when the server sends more than it may.
struct Watched {
    socket: Socket,
    watch: AnswerWatch,
}

impl AsyncRead for Watched {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        std::task::ready!(Pin::new(&mut self.socket).poll_read(context, buffer))?;
        let new = buffer.filled().get(before..).unwrap_or_default();
        let seen = self.watch.see(new);
        Poll::Ready(seen.map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error)))
    }
}

impl AsyncWrite for Watched {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.socket).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_shutdown(context)
    }
}

/// A connection in RESP2 that can only listen.
pub(crate) async fn listen(socket: Socket, login: &RedisConnectionInfo) -> RedisResult<PubSub> {
    let bounds = Arc::new(Listening::default());
    let watched = Watched { socket, watch: AnswerWatch::new(Arc::clone(&bounds) as _) };
    let listening = PubSub::new(login, watched).await?;
    bounds.log_in();
    Ok(listening)
}
