//! Drives a connection: sends what its users ask, and hands out the replies.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use redis::{PushKind, RedisError, Value};
use tokio::io::{AsyncRead, ReadBuf};

use super::answers::TooMuch;
use super::dial::{Receiver, Socket};
use super::exchange::{Exchange, Outgoing};
use super::queue::{Answered, ended};
use super::replies::{Replies, Unreadable};

/// Gets the messages that the server pushes: their kind and their parts.
pub(super) type Pushed = Box<dyn Fn(PushKind, Vec<Value>) + Send>;

/// The driver of one connection. It is ready when the connection has ended.
pub(super) struct Driver {
    socket: Receiver,
    exchange: Arc<Exchange>,
    replies: Replies,
    pushed: Option<Pushed>,
    /// Whether others had their turn to add requests to those that are ready.
    has_waited: bool,
    /// Room for replies, and for those who get them.
    values: Vec<Value>,
    answered: Vec<Answered>,
}

impl Driver {
    pub(super) fn new(
        socket: Socket,
        exchange: Arc<Exchange>,
        replies: Replies,
        pushed: Option<Pushed>,
    ) -> Self {
        let (socket, sender) = socket.sides();
        exchange.outlet().open(sender);
        Self {
            socket,
            exchange,
            replies,
            pushed,
            has_waited: false,
            values: Vec::new(),
            answered: Vec::new(),
        }
    }

    /// Sends what is ready; pending if there is nothing more, or the socket takes no more.
    fn poll_send(&mut self, context: &mut Context<'_>) -> Poll<io::Result<End>> {
        let mut outlet = self.exchange.outlet();
        loop {
            let room = ready!(outlet.poll_room(context))?;
            match self.exchange.take(room, context.waker(), self.has_waited) {
                Outgoing::Ready => self.has_waited = false,
                Outgoing::Gathering => {
                    // To the end of the line of tasks that can run.
                    self.has_waited = true;
                    context.waker().wake_by_ref();
                    return Poll::Pending;
                }
                Outgoing::Nothing => {
                    self.has_waited = false;
                    ready!(outlet.poll_flush(context))?;
                    return Poll::Pending;
                }
                Outgoing::Closed => return Poll::Ready(Ok(End)),
            }
        }
    }

    /// Reads and hands out what has arrived; pending if there is nothing more.
    fn poll_receive(&mut self, context: &mut Context<'_>) -> Poll<io::Result<Failure>> {
        loop {
            let mut buffer = ReadBuf::new(self.replies.room());
            ready!(Pin::new(&mut self.socket).poll_read(context, &mut buffer))?;
            let count = buffer.filled().len();
            if count == 0 {
                return Poll::Ready(Ok(Failure(ended())));
            }
            self.replies.filled(count);
            if let Err(error) = self.read() {
                return Poll::Ready(Ok(Failure(error)));
            }
        }
    }

    fn read(&mut self) -> Result<(), RedisError> {
        if self.exchange.has_asked() {
            self.replies.asked();
        }
        let read = loop {
            match self.replies.next() {
                Ok(Some(Value::Push { kind, data })) if !is_reply(&kind) => {
                    if let Some(pushed) = &self.pushed {
                        pushed(kind, data);
                    }
                }
                Ok(Some(value)) => self.values.push(value),
                Ok(None) => break Ok(()),
                Err(error) => break Err(error),
            }
        };
        self.exchange.hand_out(&mut self.values, &mut self.answered)?;
        match read {
            Ok(()) => Ok(()),
            Err(Unreadable::NoReply(error)) => Err(error),
            Err(Unreadable::TooMuch) => Err(io::Error::other(TooMuch).into()),
        }
    }
}

/// The users of the connection are gone.
struct End;

struct Failure(RedisError);

/// Whether a push answers a command: the end of a subscription's beginning, or of its end.
fn is_reply(kind: &PushKind) -> bool {
    matches!(
        kind,
        PushKind::Subscribe
            | PushKind::PSubscribe
            | PushKind::SSubscribe
            | PushKind::Unsubscribe
            | PushKind::PUnsubscribe
            | PushKind::SUnsubscribe
    )
}

impl Future for Driver {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let this = self.get_mut();
        let received = match this.poll_receive(context) {
            Poll::Ready(Ok(Failure(error))) => Some(error),
            Poll::Ready(Err(error)) => Some(error.into()),
            Poll::Pending => None,
        };
        let failed = match received {
            Some(error) => error,
            None => match ready!(this.poll_send(context)) {
                Ok(End) => return Poll::Ready(()),
                Err(error) => error.into(),
            },
        };
        this.exchange.close(Some(failed));
        // A login that failed had no listener yet.
        if let Some(pushed) = this.pushed.as_ref().filter(|_| this.exchange.is_logged_in()) {
            pushed(PushKind::Disconnection, Vec::new());
        }
        Poll::Ready(())
    }
}

impl Drop for Driver {
    /// Also where its runtime ends.
    fn drop(&mut self) {
        self.exchange.close(None);
    }
}

#[cfg(test)]
mod tests {
    use std::task::Waker;
    use std::time::Duration;

    use redis::{Cmd, RedisResult};
    use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, DuplexStream};

    use super::*;
    use crate::wire::answers::{AnswerWatch, Listening};

    const TIMEOUT: Duration = Duration::from_secs(1);

    /// A connection, its tasks' exchange, and the server's end.
    fn connection() -> (Arc<Exchange>, DuplexStream) {
        let (ours, theirs) = tokio::io::duplex(1 << 16);
        let exchange = Exchange::new(TIMEOUT);
        let bounds = Listening::default();
        bounds.log_in();
        let replies = Replies::new(AnswerWatch::new(Arc::new(bounds)), false);
        tokio::spawn(Driver::new(Box::new(ours), Arc::clone(&exchange), replies, None));
        let watched = Arc::clone(&exchange);
        tokio::spawn(async move { watched.watch().await });
        (exchange, theirs)
    }

    fn get(key: usize) -> Cmd {
        let mut command = redis::cmd("GET");
        command.arg(key);
        command
    }

    fn asked(exchange: &Arc<Exchange>, key: usize) -> tokio::task::JoinHandle<RedisResult<Value>> {
        let exchange = Arc::clone(exchange);
        tokio::spawn(async move { exchange.one(&get(key)).await })
    }

    /// What arrives in one read.
    async fn arrived(server: &mut DuplexStream) -> String {
        let mut bytes = vec![0; 1 << 16];
        let count = server.read(&mut bytes).await.unwrap();
        String::from_utf8(bytes[..count].to_vec()).unwrap()
    }

    #[tokio::test]
    async fn requests_that_come_together_leave_together_and_get_their_own_replies() {
        let (exchange, mut server) = connection();
        let all: Vec<_> = (0..50).map(|key| asked(&exchange, key)).collect();
        let first = arrived(&mut server).await;
        assert_eq!(first.matches("GET").count(), 50, "before any reply");
        let replies: String = (0..50).map(|key| format!(":{key}\r\n")).collect();
        let (begin, end) = replies.split_at(31);
        server.write_all(begin.as_bytes()).await.unwrap();
        server.write_all(end.as_bytes()).await.unwrap();
        for (key, one) in all.into_iter().enumerate() {
            assert_eq!(one.await.unwrap().unwrap(), Value::Int(key as i64));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_reply_that_is_late_is_nobodys() {
        let (exchange, mut server) = connection();
        let (late, many) = (asked(&exchange, 1), Arc::clone(&exchange));
        let pair = tokio::spawn(async move { many.many(&[&get(2), &get(3)]).await });
        assert!(late.await.unwrap().unwrap_err().is_timeout());
        assert!(pair.await.unwrap().unwrap_err().is_timeout());
        let next = asked(&exchange, 4);
        while !arrived(&mut server).await.contains("$1\r\n4\r\n") {}
        server.write_all(b":1\r\n:2\r\n:3\r\n:4\r\n").await.unwrap();
        assert_eq!(next.await.unwrap().unwrap(), Value::Int(4));
    }

    /// A connection whose driver waits, after one request.
    async fn idle() -> (Arc<Exchange>, DuplexStream) {
        let (exchange, mut server) = connection();
        let first = asked(&exchange, 0);
        arrived(&mut server).await;
        server.write_all(b":0\r\n").await.unwrap();
        first.await.unwrap().unwrap();
        (exchange, server)
    }

    /// Lets each of these begin in turn, while no other task runs; returns what has left each time.
    fn left_after_each<F: Future + Unpin>(
        requests: &mut [F],
        server: &mut DuplexStream,
    ) -> Vec<String> {
        let mut context = Context::from_waker(Waker::noop());
        let mut left = Vec::new();
        for request in requests {
            assert!(Pin::new(request).poll(&mut context).is_pending());
            let mut bytes = vec![0; 1 << 16];
            let mut buffer = ReadBuf::new(&mut bytes);
            if Pin::new(&mut *server).poll_read(&mut context, &mut buffer).is_ready() {
                left.push(String::from_utf8(buffer.filled().to_vec()).unwrap());
            }
        }
        left
    }

    fn counts(parts: &[String], word: &str) -> Vec<usize> {
        parts.iter().map(|part| part.matches(word).count()).collect()
    }

    #[tokio::test]
    async fn enough_requests_leave_in_order_while_other_tasks_run_unless_the_server_is_busy() {
        let (exchange, mut server) = idle().await;
        let commands: Vec<_> = (0..200).map(get).collect();
        let mut all: Vec<_> = commands.iter().map(|key| Box::pin(exchange.one(key))).collect();
        let mut left = left_after_each(&mut all, &mut server);
        assert_eq!(counts(&left, "GET"), [16; 8], "then 128 are under way");
        left.push(arrived(&mut server).await);
        let written: Vec<u8> = commands.iter().flat_map(Cmd::get_packed_command).collect();
        assert_eq!(left.concat().into_bytes(), written);
        let replies: String = (0..200).map(|key| format!(":{key}\r\n")).collect();
        server.write_all(replies.as_bytes()).await.unwrap();
        for (key, one) in all.into_iter().enumerate() {
            assert_eq!(one.await.unwrap(), Value::Int(key as i64));
        }
    }

    #[tokio::test]
    async fn a_joined_call_leaves_when_it_is_full_or_long_and_the_server_waits() {
        let (exchange, mut server) = idle().await;
        let commands: Vec<_> = (0..60).map(call).collect();
        let mut all: Vec<_> = commands.iter().map(|one| Box::pin(exchange.joined(one))).collect();
        let mut left = left_after_each(&mut all, &mut server);
        left.push(arrived(&mut server).await);
        assert_eq!(counts(&left, "me\r\n"), [16, 32, 12]);
        for keys in [0..16, 16..48, 48..60] {
            let replies: String = keys.clone().map(|key| format!(":{key}\r\n")).collect();
            let reply = format!("*{}\r\n{replies}", keys.len());
            server.write_all(reply.as_bytes()).await.unwrap();
        }
        for (key, one) in all.into_iter().enumerate() {
            assert_eq!(one.await.unwrap(), Value::Int(key as i64));
        }
    }

    #[tokio::test]
    async fn the_driver_continues_where_the_socket_takes_no_more() {
        let (exchange, mut server) = idle().await;
        let commands: Vec<_> = (0..16_u8)
            .map(|value| redis::cmd("SET").arg("a").arg(vec![b'a' + value; 10_000]).clone())
            .collect();
        let mut all: Vec<_> = commands.iter().map(|one| Box::pin(exchange.one(one))).collect();
        let left = left_after_each(&mut all, &mut server);
        assert_eq!(left.iter().map(String::len).collect::<Vec<_>>(), [1 << 16], "its room");
        let written: Vec<u8> = commands.iter().flat_map(Cmd::get_packed_command).collect();
        let mut rest = vec![0; written.len() - (1 << 16)];
        server.read_exact(&mut rest).await.unwrap();
        assert!([left.concat().as_bytes(), &rest].concat() == written);
    }

    #[tokio::test]
    async fn an_error_of_a_task_that_sends_ends_the_connection_for_all() {
        let (exchange, server) = idle().await;
        drop(server);
        let commands: Vec<_> = (0..20).map(get).collect();
        let mut all: Vec<_> = commands.iter().map(|key| Box::pin(exchange.one(key))).collect();
        let mut context = Context::from_waker(Waker::noop());
        for one in &mut all {
            assert!(one.as_mut().poll(&mut context).is_pending());
        }
        for one in all {
            assert!(one.await.unwrap_err().is_connection_dropped());
        }
    }

    #[tokio::test]
    async fn the_socket_is_closed_with_the_driver() {
        let (ours, mut server) = tokio::io::duplex(1 << 16);
        let exchange = Exchange::new(TIMEOUT);
        let replies = Replies::new(AnswerWatch::new(Arc::new(Listening::default())), false);
        let driver = tokio::spawn(Driver::new(Box::new(ours), exchange.clone(), replies, None));
        tokio::task::yield_now().await;
        driver.abort();
        assert_eq!(server.read(&mut [0; 16]).await.unwrap(), 0);
        assert!(exchange.one(&get(1)).await.is_err());
    }

    /// Answers each request with its key, and each call of a script with its keys.
    async fn answer_with_keys(stream: tokio::net::TcpStream) {
        let (receiver, mut sender) = stream.into_split();
        let mut lines = tokio::io::BufReader::new(receiver).lines();
        while let Ok(Some(head)) = lines.next_line().await {
            let mut words = Vec::new();
            for _ in 0..head.strip_prefix('*').unwrap().parse::<usize>().unwrap() {
                lines.next_line().await.unwrap();
                words.push(lines.next_line().await.unwrap().unwrap());
            }
            let reply = match words[0].as_str() {
                "GET" => format!(":{}\r\n", words[1]),
                _ => {
                    let count: usize = words[2].parse().unwrap();
                    let keys = words[3..3 + count].iter().map(|key| format!(":{key}\r\n"));
                    format!("*{count}\r\n{}", keys.collect::<String>())
                }
            };
            sender.write_all(reply.as_bytes()).await.unwrap();
        }
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn tasks_of_many_threads_get_their_own_replies() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move { answer_with_keys(listener.accept().await.unwrap().0).await });
        let ours = tokio::net::TcpStream::connect(address).await.unwrap();
        let exchange = Exchange::new(TIMEOUT * 60);
        let replies = Replies::new(AnswerWatch::new(Arc::clone(&exchange) as _), false);
        tokio::spawn(Driver::new(Box::new(ours), Arc::clone(&exchange), replies, None));
        let task = |first: usize| {
            let exchange = Arc::clone(&exchange);
            tokio::spawn(async move {
                for key in first..first + 300 {
                    let read = exchange.one(&get(key)).await.unwrap();
                    let called = exchange.joined(&call(key)).await.unwrap();
                    assert_eq!((read, called), (Value::Int(key as i64), Value::Int(key as i64)));
                }
            })
        };
        let tasks: Vec<_> = (0..100).map(|number| task(number * 1_000)).collect();
        for one in tasks {
            one.await.unwrap();
        }
    }

    fn call(key: usize) -> Cmd {
        let mut command = redis::cmd("EVALSHA");
        command.arg("abc").arg(1).arg(key).arg("me");
        command
    }

    #[tokio::test]
    async fn calls_that_come_together_leave_as_one_and_get_their_parts_of_the_reply() {
        let (exchange, mut server) = connection();
        let joined = |key: usize| {
            let exchange = Arc::clone(&exchange);
            tokio::spawn(async move { exchange.joined(&call(key)).await })
        };
        let (one, read, two, three) = (joined(1), asked(&exchange, 9), joined(2), joined(3));
        let sent = arrived(&mut server).await;
        let whole = "*9\r\n$7\r\nEVALSHA\r\n$3\r\nabc\r\n$1\r\n3\r\n";
        assert!(sent.starts_with(whole) && sent.matches("EVALSHA").count() == 1, "{sent}");
        server.write_all(b"*3\r\n:1\r\n-WRONGTYPE no\r\n$-1\r\n:9\r\n").await.unwrap();
        assert_eq!(one.await.unwrap().unwrap(), Value::Int(1));
        let failed = two.await.unwrap().unwrap();
        assert!(matches!(failed, Value::ServerError(error) if error.code() == "WRONGTYPE"));
        assert_eq!(three.await.unwrap().unwrap(), Value::Nil);
        assert_eq!(read.await.unwrap().unwrap(), Value::Int(9));

        // An error of the whole call is all callers'; so is a reply of another length.
        for reply in [&b"-NOSCRIPT no\r\n"[..], b"*1\r\n:1\r\n", b"+OK\r\n"] {
            let all = [joined(1), joined(2)];
            arrived(&mut server).await;
            server.write_all(reply).await.unwrap();
            for one in all {
                let error = one.await.unwrap().unwrap_err();
                assert_eq!(error.code().is_some(), reply.starts_with(b"-"), "{error}");
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn calls_whose_time_is_over_leave_the_replies_to_others_in_order() {
        let (exchange, mut server) = connection();
        let calls = [exchange.clone(), exchange.clone()]
            .map(|exchange| tokio::spawn(async move { exchange.joined(&call(1)).await }));
        for one in calls {
            assert!(one.await.unwrap().unwrap_err().is_timeout());
        }
        let (next, read) = (Arc::clone(&exchange), asked(&exchange, 4));
        let next = tokio::spawn(async move { next.joined(&call(2)).await });
        while !arrived(&mut server).await.contains("$1\r\n4\r\n") {}
        server.write_all(b"*2\r\n:1\r\n:1\r\n:4\r\n*1\r\n:2\r\n").await.unwrap();
        assert_eq!(read.await.unwrap().unwrap(), Value::Int(4));
        assert_eq!(next.await.unwrap().unwrap(), Value::Int(2));
    }

    #[tokio::test]
    async fn an_error_among_many_is_the_reply_to_its_command() {
        let (exchange, mut server) = connection();
        let many = Arc::clone(&exchange);
        let all = tokio::spawn(async move { many.many(&[&get(1), &get(2)]).await });
        arrived(&mut server).await;
        server.write_all(b"-WRONGTYPE no\r\n$1\r\nx\r\n").await.unwrap();
        let replies = all.await.unwrap().unwrap();
        assert!(matches!(&replies[0], Value::ServerError(error) if error.code() == "WRONGTYPE"));
        assert_eq!(replies[1], Value::BulkString(b"x".to_vec()));
        assert!(exchange.many(&[]).await.unwrap().is_empty());
    }

    #[tokio::test]
    async fn all_who_wait_are_told_when_the_connection_ends() {
        let (exchange, mut server) = connection();
        let all: Vec<_> = (0..3).map(|key| asked(&exchange, key)).collect();
        arrived(&mut server).await;
        drop(server);
        for one in all {
            assert!(one.await.unwrap().unwrap_err().is_connection_dropped());
        }
        assert!(exchange.one(&get(9)).await.unwrap_err().is_connection_dropped());
    }

    #[tokio::test]
    async fn a_long_value_may_follow_a_short_reply_that_was_read_with_it() {
        let (ours, mut server) = tokio::io::duplex(1 << 16);
        let exchange = Exchange::new(TIMEOUT * 60);
        exchange.log_in();
        let replies = Replies::new(AnswerWatch::new(Arc::clone(&exchange) as _), false);
        tokio::spawn(Driver::new(Box::new(ours), Arc::clone(&exchange), replies, None));
        let set = Arc::clone(&exchange);
        let both = tokio::spawn(async move {
            let mut command = redis::cmd("SET");
            command.arg("a").arg("b");
            let read = get(1);
            tokio::join!(set.one(&command), set.one(&read))
        });
        arrived(&mut server).await;
        let mut bytes = b"+OK\r\n$41943040\r\n".to_vec();
        bytes.resize(bytes.len() + (40 << 20), b'x');
        bytes.extend(b"\r\n");
        server.write_all(&bytes).await.unwrap();
        let (stored, read) = both.await.unwrap();
        assert_eq!(stored.unwrap(), Value::Okay);
        assert!(matches!(read.unwrap(), Value::BulkString(value) if value.len() == 40 << 20));
    }

    #[tokio::test(start_paused = true)]
    async fn a_peer_that_takes_nothing_is_given_up_with_what_nobody_waits_for() {
        let (exchange, _server) = connection();
        let mut long = redis::cmd("SET");
        long.arg("a").arg(vec![b'x'; 1 << 20]);
        for _ in 0..50 {
            let sent = tokio::time::timeout(TIMEOUT / 10, exchange.one(&long)).await;
            match sent {
                Err(_) => {}
                Ok(failed) => {
                    failed.unwrap_err();
                    assert!(!exchange.is_open());
                    return;
                }
            }
        }
        panic!("requests are kept without end");
    }

    #[tokio::test]
    async fn a_server_that_refuses_unasked_is_heard() {
        let (exchange, mut server) = connection();
        server.write_all(b"-ERR max number of clients reached\r\n").await.unwrap();
        while exchange.is_open() {
            tokio::task::yield_now().await;
        }
        let refused = exchange.one(&get(1)).await.unwrap_err();
        assert!(refused.to_string().contains("max number of clients"), "{refused}");
    }
}
