//! Opens one connection to one server: in RESP3, or in RESP2 if the server hides `HELLO`.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures_util::StreamExt;
use redis::aio::{MultiplexedConnection, PubSubSink, PubSubStream};
use redis::{
    AsyncConnectionConfig, Client, ErrorKind, ProtocolVersion, PushInfo, PushKind, RedisError,
    RedisResult, Value,
};
use tokio::sync::mpsc::UnboundedSender;

use crate::wire::diagnosis::words_of;

/// How connections to one address are opened, and the protocol they need.
pub(crate) struct Handshake {
    options: AsyncConnectionConfig,
    connect_timeout: Duration,
    response_timeout: Duration,
    /// The name in the server's `CLIENT LIST`.
    client_name: String,
    /// Whether `HELLO` was rejected: some proxies do not know it, and it can be renamed or forbidden.
    without_hello: AtomicBool,
}

/// A connection that receives published messages.
pub(crate) enum Hearing {
    /// Messages are pushed between answers.
    Pushed(MultiplexedConnection),
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
            Self::Pushed(connection) => {
                connection.send_packed_command(&redis::cmd("PING")).await.map(|_| ())
            }
            Self::Subscribed(sink, limit) => within(*limit, sink.ping::<Value>()).await.map(|_| ()),
        }
    }
}

impl Handshake {
    pub(crate) fn new(
        connect_timeout: Duration,
        response_timeout: Duration,
        client_name: String,
    ) -> Self {
        let options = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(connect_timeout))
            .set_response_timeout(Some(response_timeout));
        let without_hello = AtomicBool::new(false);
        Self { options, connect_timeout, response_timeout, client_name, without_hello }
    }

    pub(crate) fn client_name(&self) -> &str {
        &self.client_name
    }

    /// A connection to the server of `client`.
    pub(crate) async fn open(&self, client: &Client) -> RedisResult<MultiplexedConnection> {
        let mut connection = match self.in_resp3(client, &self.options).await {
            Some(connection) => connection?,
            None => {
                let client = without_hello(client)?;
                let opened =
                    client.get_multiplexed_async_connection_with_config(&self.options).await?;
                self.without_hello.store(true, Ordering::Relaxed);
                opened
            }
        };
        self.set_name(&mut connection).await;
        Ok(connection)
    }

    /// A connection to the server of `client` whose messages go to `sender`.
    pub(crate) async fn listen(
        &self,
        client: &Client,
        sender: UnboundedSender<PushInfo>,
    ) -> RedisResult<Hearing> {
        let options = self.options.clone().set_push_sender(sender.clone());
        if let Some(connection) = self.in_resp3(client, &options).await {
            let mut connection = connection?;
            self.set_name(&mut connection).await;
            return Ok(Hearing::Pushed(connection));
        }
        let client = without_hello(client)?;
        let listening = within(self.connect_timeout, client.get_async_pubsub()).await?;
        self.without_hello.store(true, Ordering::Relaxed);
        let (sink, messages) = listening.split();
        tokio::spawn(pass_on(messages, sender));
        Ok(Hearing::Subscribed(sink, self.response_timeout))
    }

    /// A connection in RESP3, or the error; `None` if `HELLO` is hidden.
    async fn in_resp3(
        &self,
        client: &Client,
        options: &AsyncConnectionConfig,
    ) -> Option<RedisResult<MultiplexedConnection>> {
        if self.without_hello.load(Ordering::Relaxed) {
            return None;
        }
        match client.get_multiplexed_async_connection_with_config(options).await {
            Err(error) if hides_hello(&error) => None,
            Err(error) if error.is_connection_dropped() => {
                Some(Err(words_of(client).await.unwrap_or(error)))
            }
            answer => Some(answer),
        }
    }

    /// Sets the name for `CLIENT LIST`. Errors are ignored: not every server or user may set one.
    async fn set_name(&self, connection: &mut MultiplexedConnection) {
        let mut name = redis::cmd("CLIENT");
        name.arg("SETNAME").arg(&self.client_name);
        let _ = connection.send_packed_command(&name).await;
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

fn without_hello(client: &Client) -> RedisResult<Client> {
    let info = client.get_connection_info().clone();
    let settings = info.redis_settings().clone().set_protocol(ProtocolVersion::RESP2);
    Client::open(info.set_redis_settings(settings))
}

async fn within<T>(limit: Duration, work: impl Future<Output = RedisResult<T>>) -> RedisResult<T> {
    tokio::time::timeout(limit, work).await.unwrap_or_else(|_| {
        Err(RedisError::from(std::io::Error::from(std::io::ErrorKind::TimedOut)))
    })
}

/// Forwards messages in the form in which RESP3 would push them.
async fn pass_on(mut messages: PubSubStream, sender: UnboundedSender<PushInfo>) {
    while let Some(message) = messages.next().await {
        let data = vec![
            Value::BulkString(message.get_channel_name().as_bytes().to_vec()),
            Value::BulkString(message.get_payload_bytes().to_vec()),
        ];
        if sender.send(PushInfo { kind: PushKind::Message, data }).is_err() {
            return;
        }
    }
    let _ = sender.send(PushInfo { kind: PushKind::Disconnection, data: Vec::new() });
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
