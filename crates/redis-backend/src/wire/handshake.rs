//! Opens one connection to one server: in RESP3, or in RESP2 if the server hides `HELLO`.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use compartment_core::TlsFiles;
use futures_util::StreamExt;
use redis::aio::{PubSubSink, PubSubStream};
use redis::{
    Client, ConnectionInfo, ErrorKind, ProtocolVersion, PushKind, RedisError, RedisResult, Value,
};

use crate::wire::bounded::{self, BoundedConnection};
use crate::wire::diagnosis::words_of;
use crate::wire::dial::Dialer;
use crate::wire::drive::Pushed;

/// How connections to one address are opened, and the protocol they need.
pub(crate) struct Handshake {
    dialer: Dialer,
    connect_timeout: Duration,
    response_timeout: Duration,
    /// The name in the server's `CLIENT LIST`.
    client_name: String,
    /// Whether `HELLO` was rejected: some proxies do not know it, and it can be renamed or forbidden.
    without_hello: AtomicBool,
}

/// An event of a listening connection.
pub(crate) enum Heard {
    Message(Bytes),
    /// The connection has ended.
    End,
}

/// Receives the events of a listening connection, without waiting.
pub(crate) type Listener = Arc<dyn Fn(Heard) + Send + Sync>;

/// A connection that receives published messages.
pub(crate) enum Hearing {
    /// Messages are pushed between answers.
    Pushed(BoundedConnection),
    /// In RESP2 a subscribed connection can do nothing else.
    Subscribed(PubSubSink, Duration),
}

impl Hearing {
    pub(crate) async fn subscribe(&mut self, channel: &str) -> RedisResult<()> {
        match self {
            Self::Pushed(connection) => connection.subscribe(channel).await,
            Self::Subscribed(sink, limit) => within(*limit, sink.subscribe(channel)).await,
        }
    }

    /// Checks that the server answers.
    pub(crate) async fn ping(&mut self) -> RedisResult<()> {
        match self {
            // The connection itself applies the response time-out.
            Self::Pushed(connection) => connection.send(&redis::cmd("PING")).await.map(drop),
            Self::Subscribed(sink, limit) => within(*limit, sink.ping::<Value>()).await.map(|_| ()),
        }
    }
}

impl Handshake {
    pub(crate) fn new(
        connect_timeout: Duration,
        response_timeout: Duration,
        client_name: String,
        tls: TlsFiles,
    ) -> Self {
        let (dialer, without_hello) = (Dialer::new(tls), AtomicBool::new(false));
        Self { dialer, connect_timeout, response_timeout, client_name, without_hello }
    }

    pub(crate) fn client_name(&self) -> &str {
        &self.client_name
    }

    /// A connection to the server of `client`.
    pub(crate) async fn open(&self, client: &Client) -> RedisResult<BoundedConnection> {
        let connection = match self.in_resp3(client, None).await {
            Some(connection) => connection?,
            None => {
                let opened = self.log_in(&without_hello(client), None).await?;
                self.without_hello.store(true, Ordering::Relaxed);
                opened
            }
        };
        self.set_name(&connection).await;
        Ok(connection)
    }

    /// A connection to the server of `client` whose messages go to `listener`.
    pub(crate) async fn listen(&self, client: &Client, listener: Listener) -> RedisResult<Hearing> {
        let pushed = Arc::clone(&listener);
        let pass_on_each: Pushed = Box::new(move |kind, data| {
            if let Some(heard) = heard(&kind, data) {
                pushed(heard);
            }
        });
        if let Some(connection) = self.in_resp3(client, Some(pass_on_each)).await {
            let connection = connection?;
            self.set_name(&connection).await;
            return Ok(Hearing::Pushed(connection));
        }
        let info = without_hello(client);
        let listening = within(self.connect_timeout, async {
            let socket = self.dialer.open(info.addr()).await?;
            bounded::listen(socket, info.redis_settings()).await
        });
        let listening = listening.await?;
        self.without_hello.store(true, Ordering::Relaxed);
        let (sink, messages) = listening.split();
        tokio::spawn(pass_on(messages, listener));
        Ok(Hearing::Subscribed(sink, self.response_timeout))
    }

    /// A connection in RESP3, or the error; `None` if `HELLO` is hidden.
    async fn in_resp3(
        &self,
        client: &Client,
        pushed: Option<Pushed>,
    ) -> Option<RedisResult<BoundedConnection>> {
        if self.without_hello.load(Ordering::Relaxed) {
            return None;
        }
        match self.log_in(client.get_connection_info(), pushed).await {
            Err(error) if hides_hello(&error) => None,
            Err(error) if error.is_connection_dropped() => {
                Some(Err(words_of(client).await.unwrap_or(error)))
            }
            answer => Some(answer),
        }
    }

    /// Connects and logs in, within the time for that.
    async fn log_in(
        &self,
        info: &ConnectionInfo,
        pushed: Option<Pushed>,
    ) -> RedisResult<BoundedConnection> {
        within(self.connect_timeout, async {
            let socket = self.dialer.open(info.addr()).await?;
            let (login, limit) = (info.redis_settings(), self.response_timeout);
            BoundedConnection::open(socket, login, limit, pushed).await
        })
        .await
    }

    /// Sets the name for `CLIENT LIST`. Errors are ignored: not every server or user may set one.
    async fn set_name(&self, connection: &BoundedConnection) {
        let mut name = redis::cmd("CLIENT");
        name.arg("SETNAME").arg(&self.client_name);
        let _ = connection.send(&name).await;
    }
}

/// The event of a push, if it is one for listeners.
fn heard(kind: &PushKind, data: Vec<Value>) -> Option<Heard> {
    match kind {
        PushKind::Disconnection => Some(Heard::End),
        PushKind::Message => match data.into_iter().nth(1) {
            Some(Value::BulkString(message)) => Some(Heard::Message(message.into())),
            _ => None,
        },
        _ => None,
    }
}

/// Whether the server rejected `HELLO` itself, not the login that it carries.
pub(crate) fn hides_hello(error: &RedisError) -> bool {
    if error.kind() == ErrorKind::RESP3NotSupported {
        return true;
    }
    let text = format!(
        "{} {} {error}",
        error.code().unwrap_or_default(),
        error.detail().unwrap_or_default()
    )
    .to_ascii_lowercase();
    let is_about_hello = text.contains("hello");
    text.contains("noproto")
        || is_about_hello
            && ["unknown command", "noperm", "no permissions", "not support", "not allowed"]
                .iter()
                .any(|words| text.contains(words))
}

fn without_hello(client: &Client) -> ConnectionInfo {
    let info = client.get_connection_info().clone();
    let settings = info.redis_settings().clone().set_protocol(ProtocolVersion::RESP2);
    info.set_redis_settings(settings)
}

async fn within<T>(limit: Duration, work: impl Future<Output = RedisResult<T>>) -> RedisResult<T> {
    tokio::time::timeout(limit, work).await.unwrap_or_else(|_| {
        Err(RedisError::from(std::io::Error::from(std::io::ErrorKind::TimedOut)))
    })
}

/// Forwards messages as RESP3 would push them.
async fn pass_on(mut messages: PubSubStream, listener: Listener) {
    while let Some(message) = messages.next().await {
        listener(Heard::Message(Bytes::copy_from_slice(message.get_payload_bytes())));
    }
    listener(Heard::End);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refused_hello_is_told_from_a_refused_login() {
        let said = |code: &'static str, text: &str| {
            let line = format!("-{code} {text}\r\n");
            let value = redis::parse_redis_value(line.as_bytes()).unwrap();
            hides_hello(&value.extract_error().unwrap_err())
        };
        assert!(said("ERR", "unknown command `HELLO`, with args beginning with: `3`"));
        assert!(said("ERR", "unknown command 'hello'"));
        assert!(said("NOPERM", "User x has no permissions to run the 'hello' command"));
        assert!(said("NOPROTO", "unsupported protocol version"));
        assert!(!said("WRONGPASS", "invalid username-password pair or user is disabled."));
        assert!(!said("NOAUTH", "HELLO must be called with the client already authenticated"));
        assert!(!said("ERR", "max number of clients reached"));
    }
}
