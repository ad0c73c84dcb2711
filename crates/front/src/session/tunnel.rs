//! SYNC and PSYNC, where they are allowed: the program gets a server's replication stream, byte for byte.

use bytes::BytesMut;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::failed::Failed;
use super::failed::Gone;
use super::state::Session;
use crate::resp::request::Request;

/// Bytes that are on their way to one side.
const ROOM: usize = 64 << 10;

impl Session {
    /// Joins the program and the home server until one of them ends.
    pub(super) async fn tunnel(&mut self, request: &Request) -> Result<(), Failed> {
        self.settle().await?;
        self.release_own();
        if self.own.is_some() {
            return Err(Failed::Error(
                "ERR SYNC needs a connection that watches, tracks and subscribes to nothing"
                    .to_owned(),
            ));
        }
        let home = self.config.placed(self.view.home());
        let key = self.key(home.server, 0);
        let mut server = self.front.servers().apart(&key).await.map_err(Failed::Error)?;
        let mut down = BytesMut::with_capacity(ROOM);
        let mut up = BytesMut::from(request.frame());
        up.extend_from_slice(&std::mem::take(&mut self.buffer));
        let socket = self.socket.clone();
        loop {
            server.write_all_buf(&mut up).await.map_err(|_| Gone)?;
            server.flush().await.map_err(|_| Gone)?;
            let read = std::future::poll_fn(|context| {
                use std::task::Poll;
                let mut socket = socket.borrow_mut();
                let from_server = std::pin::pin!(server.read_buf(&mut down)).poll(context);
                if let Poll::Ready(read) = from_server {
                    return Poll::Ready(read);
                }
                std::pin::pin!(socket.read_buf(&mut up)).poll(context)
            });
            if read.await.map_err(|_| Gone)? == 0 {
                return Err(Failed::Gone);
            }
            while !down.is_empty() {
                let written = std::future::poll_fn(|context| {
                    std::pin::pin!(socket.borrow_mut().write_buf(&mut down)).poll(context)
                });
                if written.await.map_err(|_| Gone)? == 0 {
                    return Err(Failed::Gone);
                }
            }
            let flushed = std::future::poll_fn(|context| {
                std::pin::pin!(socket.borrow_mut().flush()).poll(context)
            });
            flushed.await.map_err(|_| Gone)?;
            down.reserve(ROOM);
            up.reserve(ROOM);
        }
    }
}
