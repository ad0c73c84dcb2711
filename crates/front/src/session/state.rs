//! The state of one program's connection.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

use bytes::BytesMut;
use tokio::io::{AsyncRead, AsyncWrite};

use super::held::Own;
use super::nodes::Nodes;
use super::notifications::Notifications;
use super::outbox::Outbox;
use super::queued::Transaction;
use super::who::Who;
use crate::accounting::Book;
use crate::commands::KeyAt;
use crate::front::{Config, Current, Front};
use crate::programs::ProgramTally;
use crate::resp::request::RequestParser;
use crate::route::View;
use crate::upstream::{Line, LineKey};

/// A socket of a program.
pub(crate) trait Duplex: AsyncRead + AsyncWrite + Unpin {}

impl<T: AsyncRead + AsyncWrite + Unpin> Duplex for T {}

pub(super) type Socket = RefCell<Box<dyn Duplex>>;

/// The state of one program's connection.
pub(crate) struct Session {
    pub(super) front: Rc<Front>,
    pub(super) config: Arc<Config>,
    /// The accounts that are kept by the configuration's numbers.
    pub(super) accounts: Book,
    pub(super) socket: Rc<Socket>,
    pub(super) outbox: Rc<Outbox>,
    pub(super) parser: RequestParser,
    /// Bytes that are read and not executed.
    pub(super) buffer: BytesMut,
    pub(super) keys: Vec<KeyAt>,
    pub(super) who: Who,
    pub(super) view: Arc<View>,
    /// Where its requests are counted.
    pub(super) tally: Arc<ProgramTally>,
    /// The shared connections to each database that was used: for requests, then for scripts.
    pub(super) lanes: Vec<Option<Rc<Line>>>,
    /// Those to nodes of clusters.
    pub(super) nodes: Nodes,
    /// Where the last write went, and its number.
    pub(super) last_write: Option<(Rc<Line>, u64)>,
    /// Where the last script went, and its number.
    pub(super) last_script: Option<(Rc<Line>, u64)>,
    /// Where the last request went, and its number.
    pub(super) last: Option<(Rc<Line>, u64)>,
    pub(super) own: Option<Own>,
    /// The one that it has again when that is given back.
    pub(super) aside: Option<Own>,
    /// The transaction that is open.
    pub(super) transaction: Option<Transaction>,
    /// Who renames the channels of notifications, while there are subscriptions.
    pub(super) notifications: Option<Rc<Notifications>>,
    /// Connections to further nodes of a cluster that tell of their keys.
    pub(super) ears: Vec<Rc<Line>>,
    /// Whether the request that is read now is held until it is whole, however long it is.
    pub(super) holds_large: bool,
    /// Whether the program sends nothing more.
    pub(super) is_over: bool,
    /// Whether what it waits for is not worth waiting for once it sends nothing more.
    pub(super) gives_up: bool,
    /// When the bytes that are executed now were read.
    pub(super) read_at: std::time::Instant,
}

impl Session {
    pub(crate) fn new(front: &Rc<Front>, socket: Box<dyn Duplex>) -> Option<Self> {
        let Current { config, accounts } = front.current();
        let who = Who::new(front.next_id(), &config);
        let view = config.router.view(&who.program())?;
        let outbox = Rc::new(Outbox::default());
        let tally = front.programs().of(&who.user, &who.name);
        tally.joins();
        let mut session = Self {
            front: Rc::clone(front),
            parser: parser_of(&who, &config),
            config,
            accounts,
            socket: Rc::new(RefCell::new(socket)),
            outbox,
            buffer: BytesMut::new(),
            keys: Vec::new(),
            who,
            view,
            tally,
            lanes: Vec::new(),
            nodes: Nodes::default(),
            aside: None,
            transaction: None,
            last_write: None,
            last_script: None,
            last: None,
            own: None,
            notifications: None,
            ears: Vec::new(),
            holds_large: false,
            is_over: false,
            gives_up: false,
            read_at: std::time::Instant::now(),
        };
        session.viewed();
        Some(session)
    }

    /// Takes the view that fits the program now; `false` if there is none, and nothing changes.
    pub(super) fn look_again(&mut self) -> bool {
        let Some(view) = self.config.router.view(&self.who.program()) else { return false };
        self.view = view;
        self.viewed();
        let tally = self.front.programs().of(&self.who.user, &self.who.name);
        if !Arc::ptr_eq(&tally, &self.tally) {
            tally.joins();
            std::mem::replace(&mut self.tally, tally).leaves();
        }
        true
    }

    fn viewed(&mut self) {
        self.lanes.clear();
        self.nodes.forget();
        self.outbox.set_follows_server(!self.has_several_servers());
    }

    /// Whether the program's databases are on several servers, or on a cluster.
    pub(super) fn has_several_servers(&self) -> bool {
        if self.has_cluster() {
            return true;
        }
        let mut servers = self.view.databases().iter().map(|id| self.config.placed(*id).server);
        let first = servers.next();
        servers.any(|server| Some(server) != first)
    }

    /// Takes on a configuration that has changed since.
    pub(super) fn refresh(&mut self) {
        if self.front.is_current(&self.config) {
            return;
        }
        let Current { config, accounts } = self.front.current();
        let old = std::mem::replace(&mut self.config, config);
        if !self.look_again() {
            // The index is no longer routed: the program goes on with what it has.
            self.config = old;
        } else {
            self.accounts = accounts;
            // A program that was let in by another rule has to log in anew.
            if old.settings.login != self.config.settings.login {
                self.outbox.end(super::outbox::End::AfterReplies);
            }
        }
    }

    /// What a connection to a database is kept under.
    pub(super) fn key(&self, server: usize, index: u32) -> LineKey {
        LineKey {
            server,
            index,
            login: self.who.login.clone(),
            resp: self.who.resp,
            is_for_scripts: false,
        }
    }
}

/// Before a program has logged in, its requests are short, as servers have it.
pub(super) fn parser_of(who: &Who, config: &Config) -> RequestParser {
    const BEFORE_LOGIN: u64 = 16 << 10;
    let most = config.settings.max_request;
    RequestParser::new(if who.must_log_in { most.min(BEFORE_LOGIN) } else { most })
}

impl Drop for Session {
    fn drop(&mut self) {
        self.tally.took(self.outbox.taken());
        self.tally.leaves();
        self.close_ears();
        for own in self.own.take().into_iter().chain(self.aside.take()) {
            own.line.close();
        }
    }
}
