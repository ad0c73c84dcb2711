//! A program that is a replica: its connection and the server's become one.

use std::task::Poll;

use bytes::BytesMut;
use tokio::io::AsyncReadExt;

use super::failed::Failed;
use super::state::Session;
use crate::resp::request::Request;

/// Bytes that the server has not taken, before no more are read.
const UNSENT: usize = 1 << 20;

impl Session {
    /// Passes bytes both ways until one side ends: what follows is no protocol of requests and replies.
    pub(super) async fn join(&mut self, request: &Request) -> Result<(), Failed> {
        self.settle().await?;
        self.identify().await?;
        let line = self.own_line()?;
        line.set_raw();
        self.outbox.release_messages();
        line.send_bytes(request.frame());
        line.send_bytes(&std::mem::take(&mut self.buffer));
        let (socket, mut buffer) = (self.socket.clone(), BytesMut::new());
        loop {
            let read = std::future::poll_fn(|context| {
                if line.poll_taken(context, UNSENT).is_pending() {
                    return Poll::Pending;
                }
                let mut socket = socket.borrow_mut();
                let read = std::pin::pin!(socket.read_buf(&mut buffer));
                read.poll(context)
            });
            if read.await.map_or(true, |length| length == 0) || line.is_closed() {
                return Err(Failed::Gone);
            }
            line.send_bytes(&buffer);
            buffer.clear();
        }
    }
}
