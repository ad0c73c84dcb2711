//! A connection whose server cannot fill the memory: each answer is bounded before it is parsed.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use redis::aio::{ConnectionLike, MultiplexedConnection, PubSub};
use redis::{
    AsyncConnectionConfig, Cmd, Pipeline, RedisConnectionInfo, RedisFuture, RedisResult, Value,
};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::task::AbortHandle;

use crate::wire::answers::{Allowed, AnswerWatch, Expected};
use crate::wire::dial::Socket;

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
        self.watch.asked();
        Pin::new(&mut self.socket).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_shutdown(context)
    }
}

/// A connection that many tasks share. It is closed when its last clone is dropped.
#[derive(Clone)]
pub(crate) struct BoundedConnection {
    connection: MultiplexedConnection,
    allowed: Arc<Allowed>,
    _driver: Arc<Driver>,
}

/// The task that drives a connection. It would wait for the answers to all commands, also of a server that is silent.
struct Driver(AbortHandle);

impl Drop for Driver {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl BoundedConnection {
    /// Logs in on a socket. The caller bounds the time.
    pub(crate) async fn open(
        socket: Socket,
        login: &RedisConnectionInfo,
        options: AsyncConnectionConfig,
    ) -> RedisResult<Self> {
        let (watched, allowed) = watched(socket);
        let (connection, driver) =
            MultiplexedConnection::new_with_config(login, watched, options).await?;
        allowed.log_in();
        let driver = Arc::new(Driver(tokio::spawn(driver).abort_handle()));
        Ok(Self { connection, allowed, _driver: driver })
    }

    /// Sends a command.
    pub(crate) async fn send(&mut self, command: &Cmd) -> RedisResult<Value> {
        let expected = self.allowed.expect(std::iter::once(command));
        let answer = self.connection.send_packed_command(command).await;
        settle(expected, &answer);
        answer
    }

    /// Sends many commands in one round trip; returns an answer for each, which may be an error.
    pub(crate) async fn send_each(&mut self, commands: &Pipeline) -> RedisResult<Vec<Value>> {
        self.send_part(commands, 0, commands.len()).await
    }

    async fn send_part(
        &mut self,
        commands: &Pipeline,
        offset: usize,
        count: usize,
    ) -> RedisResult<Vec<Value>> {
        let expected = self.allowed.expect(commands.cmd_iter());
        let answers = self.connection.send_packed_commands(commands, offset, count).await;
        settle(expected, &answers);
        answers
    }

    pub(crate) async fn subscribe(&mut self, channel: &str) -> RedisResult<()> {
        self.connection.subscribe(channel).await
    }
}

/// The answers have arrived, unless they may be late.
fn settle<T>(expected: Option<Expected>, answer: &RedisResult<T>) {
    if let Some(expected) = expected
        && !answer.as_ref().is_err_and(redis::RedisError::is_timeout)
    {
        expected.answered();
    }
}

/// A connection in RESP2 that can only listen.
pub(crate) async fn listen(socket: Socket, login: &RedisConnectionInfo) -> RedisResult<PubSub> {
    let (watched, allowed) = watched(socket);
    let listening = PubSub::new(login, watched).await?;
    allowed.log_in();
    Ok(listening)
}

fn watched(socket: Socket) -> (Watched, Arc<Allowed>) {
    let allowed = Arc::new(Allowed::default());
    (Watched { socket, watch: AnswerWatch::new(Arc::clone(&allowed)) }, allowed)
}

/// For the client of clusters.
impl ConnectionLike for BoundedConnection {
    fn req_packed_command<'a>(&'a mut self, command: &'a Cmd) -> RedisFuture<'a, Value> {
        Box::pin(self.send(command))
    }

    fn req_packed_commands<'a>(
        &'a mut self,
        commands: &'a Pipeline,
        offset: usize,
        count: usize,
    ) -> RedisFuture<'a, Vec<Value>> {
        Box::pin(self.send_part(commands, offset, count))
    }

    fn get_db(&self) -> i64 {
        self.connection.get_db()
    }
}
