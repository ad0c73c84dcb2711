//! The sending side of a connection, shared by its driver and by tasks that may not wait for the driver's turn.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, Waker, ready};

use tokio::io::{AsyncWrite, WriteHalf};

use super::dial::Socket;
use super::queue::KEEP;

/// What a connection sends, in order.
#[derive(Default)]
pub(super) struct Outlet {
    /// None before the driver has begun, and after the connection's end.
    socket: Option<WriteHalf<Socket>>,
    /// Requests, of which `sent` bytes have left.
    sending: Vec<u8>,
    sent: usize,
    is_unflushed: bool,
    /// The driver's: it continues what another task began.
    driver: Option<Waker>,
}

impl Outlet {
    /// An outlet to this socket.
    pub(super) fn open(&mut self, socket: WriteHalf<Socket>) {
        self.socket = Some(socket);
    }

    /// Lets the socket go.
    pub(super) fn close(&mut self) {
        *self = Self::default();
    }

    /// Notes who continues to send when the socket takes more.
    pub(super) fn is_driven_by(&mut self, driver: &Waker) {
        match &mut self.driver {
            Some(known) => known.clone_from(driver),
            none => *none = Some(driver.clone()),
        }
    }

    /// The room for the next requests, once all before have left.
    pub(super) fn poll_room(
        &mut self,
        context: &mut Context<'_>,
    ) -> Poll<io::Result<&mut Vec<u8>>> {
        ready!(self.poll_send(context))?;
        Poll::Ready(Ok(&mut self.sending))
    }

    /// The room for the next requests, if all before have left.
    pub(super) fn room(&mut self) -> Option<&mut Vec<u8>> {
        self.sending.is_empty().then_some(&mut self.sending)
    }

    /// Sends as much as the socket takes at once. The driver sends the rest, and meets the errors.
    pub(super) fn begin(&mut self) {
        if let Some(driver) = self.driver.clone() {
            let _ = self.poll_send(&mut Context::from_waker(&driver));
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

    /// Sends what a layer below holds back, as TLS may.
    pub(super) fn poll_flush(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if let Some(socket) = self.socket.as_mut().filter(|_| self.is_unflushed) {
            ready!(Pin::new(socket).poll_flush(context))?;
            self.is_unflushed = false;
        }
        Poll::Ready(Ok(()))
    }
}
