//! Reads a program's requests and writes its replies, until one of both ends.

use std::pin::Pin;
use std::task::Poll;
use std::time::Instant;

use bytes::Buf;
use tokio::io::{AsyncReadExt, ReadBuf};

use super::dispatch::Next;
use super::failed::Gone;
use super::large::LARGE;
use super::outbox::End;
use super::state::{Session, Socket};
use crate::resp::ProtocolError;
use crate::resp::request::{Progress, Request, RequestParser};
use crate::session::outbox::Outbox;
use crate::upstream::with_scratch;

/// Requests of a program that are not answered, before no more are read.
const OUTSTANDING: usize = 4096;
/// Bytes of replies that a program has not taken, before no more requests are read.
const UNTAKEN: usize = 1 << 20;
/// Bytes of further requests that are read while one is waited for.
const READ_AHEAD: usize = 64 << 10;
/// Room that is made at once for a long argument whose bytes are still to come.
const ROOM: usize = 1 << 20;

/// Why requests are not executed for now.
enum Stop {
    /// More bytes are needed.
    More,
    /// The request at the beginning of the bytes has to wait for the reply of this number.
    Wait(u64),
    /// Too much is on its way.
    Full,
    /// Most of a long value is still to come.
    Large,
    /// A request that takes more than one step.
    Slow(Request),
    Broken(ProtocolError),
}

impl Session {
    /// Serves the program to its end.
    pub(crate) async fn run(mut self) {
        let (socket, outbox) = (self.socket.clone(), self.outbox.clone());
        let (idle, front) = (self.config.settings.idle, self.front.clone());
        tokio::select! {
            biased;
            () = write_replies(&socket, &outbox) => return,
            // It reads nothing more; what is on its way is still answered.
            _ = self.read_requests(idle) => {}
            () = front.stopped() => {}
        }
        if outbox.ending() != Some(End::AtOnce) {
            outbox.end(End::AfterReplies);
            write_replies(&socket, &outbox).await;
        }
    }

    async fn read_requests(&mut self, idle: Option<std::time::Duration>) -> Result<(), Gone> {
        loop {
            // Who is subscribed waits for messages, and sends nothing.
            let idle = idle.filter(|_| self.own.is_none());
            let read = self.read();
            let stop = match idle {
                Some(idle) => tokio::time::timeout(idle, read).await.map_err(|_| Gone)?,
                None => read.await,
            }?;
            self.work(stop).await?;
        }
    }

    /// Executes what was read, as far as it goes.
    async fn work(&mut self, mut stop: Stop) -> Result<(), Gone> {
        loop {
            match stop {
                Stop::More => return Ok(()),
                Stop::Wait(number) => {
                    let outbox = self.outbox.clone();
                    self.wait(std::future::poll_fn(|context| {
                        outbox.note(context);
                        if outbox.has_answered(number) { Poll::Ready(()) } else { Poll::Pending }
                    }))
                    .await?;
                }
                Stop::Full => {
                    let outbox = self.outbox.clone();
                    std::future::poll_fn(|context| {
                        outbox.note(context);
                        let is_full = outbox.outstanding() >= OUTSTANDING / 2
                            || outbox.waiting_bytes() > UNTAKEN / 2;
                        if is_full { Poll::Pending } else { Poll::Ready(()) }
                    })
                    .await;
                }
                // Boxed: a program that only waits for its next request takes little room.
                Stop::Slow(request) => Box::pin(self.slow(&request)).await?,
                Stop::Large if self.pass_large().await? => {}
                Stop::Large => {
                    self.holds_large = true;
                    return Ok(());
                }
                Stop::Broken(error) => {
                    self.outbox.answer(format!("-ERR {error}\r\n").as_bytes());
                    return Err(Gone);
                }
            }
            if self.outbox.ending().is_some() {
                return Err(Gone);
            }
            if self.buffer.is_empty() {
                return Ok(());
            }
            let buffer = std::mem::take(&mut self.buffer);
            let (taken, next) = self.execute(&buffer);
            self.buffer = buffer;
            self.take_off(taken);
            stop = next;
        }
    }

    fn take_off(&mut self, taken: usize) {
        self.buffer.advance(taken);
        if self.buffer.is_empty() {
            self.buffer = bytes::BytesMut::new();
        }
    }

    /// Reads bytes and executes the requests in them.
    async fn read(&mut self) -> Result<Stop, Gone> {
        if !self.buffer.is_empty() {
            let wanted = self.parser.wanted(self.buffer.len());
            self.buffer.reserve(wanted.clamp(4 << 10, ROOM));
            let socket = self.socket.clone();
            let read = std::future::poll_fn(|context| {
                let mut socket = socket.borrow_mut();
                let read = std::pin::pin!(socket.read_buf(&mut self.buffer));
                read.poll(context)
            });
            if read.await.map_err(|_| Gone)? == 0 {
                return Err(Gone);
            }
            self.begins();
            let buffer = std::mem::take(&mut self.buffer);
            let (taken, stop) = self.execute(&buffer);
            self.buffer = buffer;
            self.take_off(taken);
            return Ok(stop);
        }
        let socket = self.socket.clone();
        std::future::poll_fn(|context| {
            with_scratch(|scratch| {
                let mut read = ReadBuf::new(scratch);
                match Pin::new(&mut **socket.borrow_mut()).poll_read(context, &mut read) {
                    Poll::Pending => return Poll::Pending,
                    Poll::Ready(Err(_)) => return Poll::Ready(Err(Gone)),
                    Poll::Ready(Ok(())) => {}
                }
                let bytes = read.filled();
                if bytes.is_empty() {
                    return Poll::Ready(Err(Gone));
                }
                self.begins();
                let (taken, stop) = self.execute(bytes);
                self.buffer.extend_from_slice(&bytes[taken..]);
                Poll::Ready(Ok(stop))
            })
        })
        .await
    }

    /// Requests were read that are executed now.
    fn begins(&mut self) {
        self.read_at = Instant::now();
        self.refresh();
    }

    /// Executes requests up to one that stops; returns the bytes of those that are done.
    fn execute(&mut self, bytes: &[u8]) -> (usize, Stop) {
        let (mut at, mut requests) = (0, 0);
        // The parser is lent out, since its arguments are used while the session changes.
        let mut parser = std::mem::replace(&mut self.parser, RequestParser::new(0));
        let stop = loop {
            if self.outbox.outstanding() >= OUTSTANDING || self.outbox.waiting_bytes() > UNTAKEN {
                break Stop::Full;
            }
            let rest = &bytes[at..];
            let length = match parser.advance(rest) {
                Ok(Progress::Request(length)) => length,
                Ok(Progress::More) if parser.wanted(rest.len()) > LARGE && !self.holds_large => {
                    break Stop::Large;
                }
                Ok(Progress::More) => break Stop::More,
                Err(error) => break Stop::Broken(error),
            };
            let arguments = parser.arguments(rest);
            let frame = parser.frame(rest);
            self.holds_large = false;
            requests += 1;
            if arguments.is_empty() {
                at += length;
                continue;
            }
            self.observe(&arguments);
            match self.dispatch(frame, &arguments) {
                Next::Done => at += length,
                // It is read once more, from its first byte.
                Next::Wait(number) => break Stop::Wait(number),
                Next::Slow => {
                    at += length;
                    break Stop::Slow(parser.request(rest));
                }
            }
        };
        self.parser = parser;
        // One that waits is read, and counted, once more.
        requests -= u64::from(matches!(stop, Stop::Wait(_)));
        self.tally.sent(requests, at as u64);
        self.tally.took(self.outbox.taken());
        (at, stop)
    }

    /// Waits for something while the program's further requests are read ahead, so that its end is noticed.
    pub(super) async fn wait<F: Future>(&mut self, future: F) -> Result<F::Output, Gone> {
        let mut future = std::pin::pin!(future);
        let socket = self.socket.clone();
        let (buffer, is_over, gives_up) = (&mut self.buffer, &mut self.is_over, self.gives_up);
        std::future::poll_fn(|context| {
            if let Poll::Ready(output) = future.as_mut().poll(context) {
                return Poll::Ready(Ok(output));
            }
            while !*is_over && buffer.len() < READ_AHEAD {
                let mut socket = socket.borrow_mut();
                let read = std::pin::pin!(socket.read_buf(buffer));
                match read.poll(context) {
                    Poll::Pending => break,
                    Poll::Ready(Ok(0) | Err(_)) => *is_over = true,
                    Poll::Ready(Ok(_)) => {}
                }
            }
            // What it has sent is executed, but for commands that wait for others.
            if *is_over && gives_up { Poll::Ready(Err(Gone)) } else { Poll::Pending }
        })
        .await
    }
}

/// Writes replies as they come, until the connection ends.
async fn write_replies(socket: &Socket, outbox: &Outbox) {
    // Whether bytes that were written may still be within the socket, as with TLS.
    let mut is_unflushed = false;
    std::future::poll_fn(|context| {
        if outbox.ending() == Some(End::AtOnce) {
            return Poll::Ready(());
        }
        is_unflushed |= outbox.ready_bytes() > 0;
        let written = outbox.poll_write(context, |context, bytes| {
            Pin::new(&mut **socket.borrow_mut()).poll_write(context, bytes)
        });
        match written {
            Poll::Pending => return Poll::Pending,
            Poll::Ready(Err(_)) => return Poll::Ready(()),
            Poll::Ready(Ok(())) => {}
        }
        if is_unflushed {
            if Pin::new(&mut **socket.borrow_mut()).poll_flush(context).is_pending() {
                return Poll::Pending;
            }
            is_unflushed = false;
        }
        match outbox.ending() {
            Some(End::AfterReplies) if outbox.is_quiet() => {
                Pin::new(&mut **socket.borrow_mut()).poll_shutdown(context).map(|_| ())
            }
            _ => Poll::Pending,
        }
    })
    .await;
}
