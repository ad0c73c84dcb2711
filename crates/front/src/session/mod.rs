//! One program's connection: its requests, its state, its replies.

mod across;
mod blocking;
mod client;
mod connection;
mod contract;
mod dispatch;
mod flush;
mod keyspace;
mod large;
pub(crate) mod outbox;
mod own;
mod places;
mod run;
mod slow;
mod split;
mod subscribe;
mod transaction;
mod tunnel;
mod who;
mod wrapped;

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

use bytes::BytesMut;
use tokio::io::{AsyncRead, AsyncWrite};

use crate::commands::KeyAt;
use crate::front::{Config, Front};
use crate::resp::request::RequestParser;
use crate::route::View;
use crate::upstream::{Line, LineKey};
use outbox::Outbox;
use own::Own;
use who::Who;

/// A socket of a program.
pub(crate) trait Duplex: AsyncRead + AsyncWrite + Unpin {}

impl<T: AsyncRead + AsyncWrite + Unpin> Duplex for T {}

type Socket = RefCell<Box<dyn Duplex>>;

/// The program has gone, or its connection ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Gone;

/// The state of one program's connection.
pub(crate) struct Session {
    front: Rc<Front>,
    config: Arc<Config>,
    socket: Rc<Socket>,
    outbox: Rc<Outbox>,
    parser: RequestParser,
    /// Bytes that are read and not executed.
    buffer: BytesMut,
    keys: Vec<KeyAt>,
    who: Who,
    view: Arc<View>,
    /// The shared connection to each database that was used.
    lanes: Vec<Option<Rc<Line>>>,
    /// Whether the last request on shared connections was a script.
    has_scripted: bool,
    /// Where the last write went, and its number.
    last_write: Option<(Rc<Line>, u64)>,
    own: Option<Own>,
    /// Whether the request that is read now is held until it is whole, however long it is.
    holds_large: bool,
    /// When the bytes that are executed now were read.
    read_at: std::time::Instant,
}

impl Session {
    pub(crate) fn new(front: &Rc<Front>, socket: Box<dyn Duplex>) -> Option<Self> {
        let config = front.config();
        let who = Who::new(front.next_id(), &config);
        let view = config.router.view(&who.program())?;
        let outbox = Rc::new(Outbox::default());
        let mut session = Self {
            front: Rc::clone(front),
            parser: RequestParser::new(config.settings.max_request),
            config,
            socket: Rc::new(RefCell::new(socket)),
            outbox,
            buffer: BytesMut::new(),
            keys: Vec::new(),
            who,
            view,
            lanes: Vec::new(),
            has_scripted: false,
            last_write: None,
            own: None,
            holds_large: false,
            read_at: std::time::Instant::now(),
        };
        session.viewed();
        Some(session)
    }

    /// Takes the view that fits the program now; `false` if there is none, and nothing changes.
    fn look_again(&mut self) -> bool {
        let Some(view) = self.config.router.view(&self.who.program()) else { return false };
        self.view = view;
        self.viewed();
        true
    }

    fn viewed(&mut self) {
        self.lanes.clear();
        let placed = |id: &crate::route::DatabaseId| self.config.placed(*id).server;
        let mut servers: Vec<usize> = self.view.databases().iter().map(placed).collect();
        servers.dedup();
        self.outbox.set_follows_server(servers.len() <= 1);
    }

    /// Takes on a configuration that has changed since.
    fn refresh(&mut self) {
        if self.front.is_current(&self.config) {
            return;
        }
        let old = std::mem::replace(&mut self.config, self.front.config());
        if !self.look_again() {
            // The index is no longer routed: the program goes on with what it has.
            self.config = old;
        }
    }

    /// What a connection to a database is kept under.
    fn key(&self, server: usize, index: u32) -> LineKey {
        let (login, resp) = (self.who.login.clone(), self.who.resp);
        LineKey { server, index, login, resp, runs_scripts: false }
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        if let Some(own) = self.own.take() {
            own.line.close();
        }
    }
}
