//! Moves the bytes of a connection: requests to the server, replies to those who wait for them.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use bytes::{Buf, BytesMut};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::line::{Line, with_scratch};

/// Reads before others have their turn.
const READS: usize = 8;
/// A program that has this many bytes to take is waited for.
const SOFT: usize = 1 << 20;
/// So long, if others wait behind it; after that its replies are held for it.
const PATIENCE: Duration = Duration::from_millis(100);
/// Room for requests that is kept while nothing is sent, in bytes.
const KEPT: usize = 64 << 10;

impl Line {
    /// Moves bytes both ways until the connection ends. `Ok` if it was closed by the front.
    pub(crate) async fn drive<S>(&self, mut stream: S) -> std::io::Result<()>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let mut pause = Box::pin(tokio::time::sleep(Duration::ZERO));
        let mut is_deferred = false;
        std::future::poll_fn(|context| {
            if !self.inner.borrow_mut().note(context) || self.is_done() {
                return Poll::Ready(Ok(()));
            }
            // Other programs may have requests ready: the runtime looks once more before these leave.
            // Where a program has the connection for itself, nobody else's can come.
            if !is_deferred && self.unsent() > 0 && self.inner.borrow().owner.is_none() {
                is_deferred = true;
                let _ = std::pin::pin!(tokio::task::yield_now()).poll(context);
            } else {
                is_deferred = false;
                if let Poll::Ready(Err(error)) = self.poll_write(&mut stream, context) {
                    return Poll::Ready(Err(error));
                }
            }
            for _ in 0..READS {
                if let Some(until) = self.waits_until(context) {
                    pause.as_mut().reset(until.into());
                    if pause.as_mut().poll(context).is_pending() {
                        return Poll::Pending;
                    }
                }
                let read = with_scratch(|scratch| {
                    let mut buffer = ReadBuf::new(scratch);
                    match Pin::new(&mut stream).poll_read(context, &mut buffer) {
                        Poll::Pending => Poll::Pending,
                        Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
                        Poll::Ready(Ok(())) if buffer.filled().is_empty() => {
                            Poll::Ready(Err(std::io::ErrorKind::UnexpectedEof.into()))
                        }
                        Poll::Ready(Ok(())) => {
                            let is_full = buffer.remaining() == 0;
                            let fed = self.feed(buffer.filled());
                            Poll::Ready(fed.map(|()| is_full).map_err(std::io::Error::other))
                        }
                    }
                });
                match read {
                    Poll::Pending => return Poll::Pending,
                    Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                    Poll::Ready(Ok(_)) if self.is_done() => return Poll::Ready(Ok(())),
                    Poll::Ready(Ok(_)) => {}
                }
            }
            context.waker().wake_by_ref();
            Poll::Pending
        })
        .await
    }

    /// Whether a large reply was the last one that it was open for.
    fn is_done(&self) -> bool {
        let inner = &mut *self.inner.borrow_mut();
        if inner.is_retired && inner.expected.is_empty() {
            inner.is_closed = true;
        }
        inner.is_closed
    }

    fn poll_write<S: AsyncWrite + Unpin>(
        &self,
        stream: &mut S,
        context: &mut Context<'_>,
    ) -> Poll<std::io::Result<()>> {
        let inner = &mut *self.inner.borrow_mut();
        if inner.out.is_empty() && !inner.is_unflushed {
            return Poll::Ready(Ok(()));
        }
        inner.is_unflushed = true;
        while !inner.out.is_empty() {
            match Pin::new(&mut *stream).poll_write(context, &inner.out) {
                Poll::Ready(Ok(0)) => {
                    return Poll::Ready(Err(std::io::ErrorKind::WriteZero.into()));
                }
                Poll::Ready(Ok(written)) => {
                    inner.out.advance(written);
                    if let Some(sender) = inner.sender.take() {
                        sender.wake();
                    }
                }
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Pending => return Poll::Pending,
            }
        }
        if inner.out.capacity() > KEPT || inner.owner.is_some() {
            inner.out = BytesMut::new();
        } else {
            inner.out.clear();
        }
        let flushed = Pin::new(stream).poll_flush(context);
        inner.is_unflushed = flushed.is_pending();
        flushed
    }

    /// Until when reading waits for a program that takes its replies slowly; `None`: it does not.
    fn waits_until(&self, context: &mut Context<'_>) -> Option<Instant> {
        let inner = &mut *self.inner.borrow_mut();
        let Some(outbox) = inner.head().filter(|outbox| outbox.waiting_bytes() > SOFT) else {
            inner.waits_since = None;
            return None;
        };
        outbox.note_reader(context);
        inner.is_retired |= inner.owner.is_none();
        let since = *inner.waits_since.get_or_insert_with(Instant::now);
        // Who waits alone holds up nobody.
        if inner.expected.len() <= 1 {
            return Some(Instant::now() + Duration::from_secs(1));
        }
        (since.elapsed() < PATIENCE).then(|| since + PATIENCE)
    }
}
