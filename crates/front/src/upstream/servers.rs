//! The servers of a front, and the connections that it has to them.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;
use std::time::Instant;

use compartment_redis::Server;

use super::ask::asked;
use super::breaker::Breaker;
use super::gather::Lost;
use super::line::{Line, To};
use super::login::Login;
use super::open::{NotOpened, opened};
use crate::accounting::Accounts;
use crate::resp::{Resp, write};

/// Own connections that are kept for the next program that needs one.
const SPARE: usize = 64;

/// What a connection is for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct LineKey {
    /// The server's number.
    pub(crate) server: usize,
    pub(crate) index: u32,
    pub(crate) login: Login,
    pub(crate) resp: Resp,
}

#[derive(Debug)]
struct One {
    name: String,
    server: Server,
    breaker: RefCell<Breaker>,
}

/// The servers, by number, and the connections to them.
#[derive(Debug)]
pub(crate) struct Servers {
    servers: Vec<One>,
    lanes: RefCell<HashMap<LineKey, Rc<Line>>>,
    spare: RefCell<HashMap<LineKey, Vec<Rc<Line>>>>,
    accounts: Rc<Accounts>,
    max_output: usize,
}

impl Servers {
    pub(crate) fn new(servers: Vec<(String, Server)>, accounts: Rc<Accounts>, max_output: usize) -> Rc<Self> {
        let servers = servers.into_iter();
        Rc::new(Self {
            servers: servers
                .map(|(name, server)| One { name, server, breaker: RefCell::default() })
                .collect(),
            lanes: RefCell::default(),
            spare: RefCell::default(),
            accounts,
            max_output,
        })
    }

    /// The connection that programs share.
    pub(crate) fn lane(self: &Rc<Self>, key: &LineKey) -> Rc<Line> {
        if let Some(lane) = self.lanes.borrow().get(key).filter(|lane| lane.is_usable()) {
            return Rc::clone(lane);
        }
        let lane = self.opening(key);
        self.lanes.borrow_mut().insert(key.clone(), Rc::clone(&lane));
        lane
    }

    /// A connection for one program, until it is given back.
    pub(crate) fn own(self: &Rc<Self>, key: &LineKey) -> Rc<Line> {
        let mut spare = self.spare.borrow_mut();
        if let Some(lines) = spare.get_mut(key) {
            while let Some(line) = lines.pop() {
                if line.is_usable() {
                    return line;
                }
            }
        }
        drop(spare);
        self.opening(key)
    }

    /// Takes back a connection that has no state of a program, and is at the index of `key`.
    pub(crate) fn give_back(&self, key: &LineKey, line: Rc<Line>) {
        if !line.is_usable() || !line.is_quiet() {
            line.close();
            return;
        }
        line.set_owner(None);
        let mut spare = self.spare.borrow_mut();
        let lines = spare.entry(key.clone()).or_default();
        if lines.len() < SPARE {
            lines.push(line);
        } else {
            line.close();
        }
    }

    /// The reply to a request of the front on a shared connection.
    pub(crate) async fn ask(self: &Rc<Self>, key: &LineKey, words: &[&[u8]]) -> Result<bytes::Bytes, Lost> {
        let mut frame = bytes::BytesMut::new();
        write::request(words.iter().copied(), &mut frame);
        let (gather, ask) = asked();
        self.lane(key).send(&frame, To::Gather { gather, part: 0 }, None);
        ask.await
    }

    /// A server's name in the map.
    pub(crate) fn name(&self, server: usize) -> &str {
        self.servers.get(server).map_or("", |one| &one.name)
    }

    /// Whether a server could not be reached when it was last tried.
    pub(crate) fn is_away(&self, server: usize) -> bool {
        self.servers.get(server).is_some_and(|one| one.breaker.borrow().is_open())
    }

    /// Closes every connection that no program owns.
    pub(crate) fn close(&self) {
        for lane in self.lanes.borrow_mut().drain().map(|(_, lane)| lane) {
            lane.close();
        }
        for line in self.spare.borrow_mut().drain().flat_map(|(_, lines)| lines) {
            line.close();
        }
    }

    /// Opens a connection in the background. Requests can be sent at once.
    fn opening(self: &Rc<Self>, key: &LineKey) -> Rc<Line> {
        let line = Line::new(Rc::clone(&self.accounts), self.max_output);
        let (servers, driven, key) = (Rc::clone(self), Rc::clone(&line), key.clone());
        tokio::task::spawn_local(async move {
            let lost = servers.run(&driven, &key).await;
            driven.fail(&lost);
            let mut lanes = servers.lanes.borrow_mut();
            if lanes.get(&key).is_some_and(|lane| Rc::ptr_eq(lane, &driven)) {
                lanes.remove(&key);
            }
        });
        line
    }

    /// Opens the connection and drives it to its end.
    async fn run(&self, line: &Line, key: &LineKey) -> Lost {
        let Some(one) = self.servers.get(key.server) else {
            return Lost { may_have_run: false, error: "ERR no such server".into() };
        };
        let away = |reason: &str| Lost {
            may_have_run: false,
            error: format!("LOADING the server \"{}\" cannot be reached: {reason}", one.name).into(),
        };
        if let Some(reason) = one.breaker.borrow().refuses(Instant::now()) {
            return away(reason);
        }
        let stream = match opened(&one.server, &key.login, key.resp, key.index).await {
            Ok(stream) => stream,
            Err(NotOpened::Refused(error)) => {
                return Lost { may_have_run: false, error: error.into() };
            }
            Err(NotOpened::Away(error)) => {
                tracing::warn!(server = one.name, "{error}");
                let reason = error.message().to_owned();
                one.breaker.borrow_mut().failed(Instant::now(), reason.clone());
                return away(&reason);
            }
        };
        one.breaker.borrow_mut().succeeded();
        if let Err(error) = line.drive(stream).await {
            tracing::debug!(server = one.name, "the connection ended: {error}");
        }
        Lost {
            may_have_run: true,
            error: format!("ERR the connection to the server \"{}\" was lost; the command may have run", one.name)
                .into(),
        }
    }
}
