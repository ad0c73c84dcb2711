//! The sending side of a connection, shared by its driver and by tasks that do not wait for the driver's turn.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, Waker, ready};

use tokio::io::AsyncWrite;

use super::dial::Sender;
use super::queue::KEEP;

/// Requests on their way, in order.
#[derive(Default)]
pub(super) struct Outlet {
    /// None after the connection's end.
    socket: Option<Sender>,
    /// Requests, of which `sent` bytes have left.
    sending: Vec<u8>,
    sent: usize,
    is_unflushed: bool,
    /// An error that the driver has not met yet.
    failed: Option<io::Error>,
}

impl Outlet {
    pub(super) fn open(&mut self, socket: Sender) {
        self.socket = Some(socket);
    }

    /// Closes the sending side of the socket.
    pub(super) fn close(&mut self) {
        *self = Self::default();
    }

    /// The room for the next requests, once all before have left.
    ///
    /// # Errors
    /// The socket's, also one from [`Outlet::begin`].
    pub(super) fn poll_room(
        &mut self,
        context: &mut Context<'_>,
    ) -> Poll<io::Result<&mut Vec<u8>>> {
        if let Some(error) = self.failed.take() {
            return Poll::Ready(Err(error));
        }
        ready!(self.poll_send(context))?;
        Poll::Ready(Ok(&mut self.sending))
    }

    /// The room for the next requests, if all before have left.
    pub(super) fn room(&mut self) -> Option<&mut Vec<u8>> {
        (self.sending.is_empty() && self.failed.is_none()).then_some(&mut self.sending)
    }

    /// Sends as much as the socket takes at once. The driver, which has its turn after each request that is added, sends
    /// the rest and meets the error.
    pub(super) fn begin(&mut self) {
        if let Poll::Ready(Err(error)) = self.poll_send(&mut Context::from_waker(Waker::noop())) {
            self.failed = Some(error);
        }
    }

    fn poll_send(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if let Some(socket) = &mut self.socket {
            while let Some(rest) = self.sending.get(self.sent..).filter(|rest| !rest.is_empty()) {
                let count = ready!(Pin::new(&mut *socket).poll_write(context, rest))?;
                if count == 0 {
                    return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
                }
                self.sent += count;
                self.is_unflushed = true;
            }
        }
        self.sent = 0;
        match self.sending.capacity() > KEEP {
            true => self.sending = Vec::new(),
            false => self.sending.clear(),
        }
        Poll::Ready(Ok(()))
    }

    /// Sends bytes that a layer below holds back, as TLS may.
    pub(super) fn poll_flush(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if let Some(socket) = self.socket.as_mut().filter(|_| self.is_unflushed) {
            ready!(Pin::new(socket).poll_flush(context))?;
            self.is_unflushed = false;
        }
        Poll::Ready(Ok(()))
    }
}
