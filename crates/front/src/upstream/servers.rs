//! The servers of a front, and the connections that it has to them.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::collections::{HashMap, VecDeque};
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use compartment_redis::{RedisConfig, ServerStream};

use super::ask::asked;
use super::away::Away;
use super::breaker::Breaker;
use super::cluster::{Cluster, NOWHERE};
use super::expected::To;
use super::gather::Lost;
use super::keeps::Again;
use super::line::Line;
use super::login::Login;
use super::open::{NotOpened, opened};
use crate::resp::{Resp, write};
use crate::session::outbox::Outbox;

/// How often a server that is away is looked for.
const LOOK_EVERY: Duration = Duration::from_secs(1);
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
    /// Whether it is shared for scripts only: a server reads nothing more from a connection whose script runs, and
    /// other requests are not to wait behind it.
    pub(crate) is_for_scripts: bool,
}

/// The first number of a node of a cluster.
pub(super) const NODES: usize = 1 << 20;

/// A server, or a node of a cluster.
#[derive(Debug)]
pub(super) struct One {
    pub(super) name: String,
    pub(super) server: RedisConfig,
    pub(super) node: Option<Node>,
    breaker: RefCell<Breaker>,
    /// Whether somebody looks for it while it is away.
    pub(super) is_looked_for: Cell<bool>,
}

/// Which node of a cluster it is.
#[derive(Debug)]
pub(super) struct Node {
    /// As `host:port`.
    pub(super) address: String,
    /// The number of the cluster's instance.
    pub(super) instance: usize,
}

impl One {
    pub(super) fn new(name: String, server: RedisConfig, node: Option<Node>) -> Self {
        Self { name, server, node, breaker: RefCell::default(), is_looked_for: Cell::new(false) }
    }

    /// Its address, if it is a node.
    fn address(&self) -> Option<&str> {
        self.node.as_ref().map(|node| node.address.as_str())
    }
}

/// The servers, by number, and the connections to them.
#[derive(Debug)]
pub(crate) struct Servers {
    pub(super) servers: RefCell<Vec<Rc<One>>>,
    lanes: RefCell<HashMap<LineKey, Rc<Line>>>,
    spare: RefCell<HashMap<LineKey, Vec<Rc<Line>>>>,
    pub(super) away: Arc<Away>,
    max_output: usize,
    /// The clusters, by the numbers of their instances.
    pub(super) clusters: RefCell<Vec<Option<Rc<Cluster>>>>,
    /// The nodes of clusters, by their numbers from [`NODES`] on. Those that have gone are none.
    pub(super) nodes: RefCell<Vec<Option<Rc<One>>>>,
    /// How often something has changed in a cluster.
    pub(super) changes: Cell<u64>,
    /// Bytes of requests to clusters that are kept.
    pub(super) kept: Cell<usize>,
    /// Of each program that has one on its way to another node: the requests that go there after it.
    pub(super) again: RefCell<HashMap<*const Outbox, VecDeque<Box<dyn Again>>>>,
}

impl Servers {
    pub(crate) fn new(
        servers: Vec<(String, RedisConfig)>,
        away: Arc<Away>,
        max_output: usize,
    ) -> Rc<Self> {
        let all = Self {
            servers: RefCell::default(),
            lanes: RefCell::default(),
            spare: RefCell::default(),
            away,
            max_output,
            clusters: RefCell::default(),
            nodes: RefCell::default(),
            changes: Cell::new(0),
            kept: Cell::new(0),
            again: RefCell::default(),
        };
        all.set(servers);
        Rc::new(all)
    }

    /// Takes on servers; one that is known under its name keeps its number, and its connections if its address is as
    /// before.
    pub(crate) fn set(&self, servers: Vec<(String, RedisConfig)>) {
        for (number, (name, server)) in servers.into_iter().enumerate() {
            let mut known = self.servers.borrow_mut();
            let is_same = known
                .get(number)
                .is_some_and(|one| one.name == name && one.server.url == server.url);
            if is_same {
                continue;
            }
            let one = Rc::new(One::new(name, server, None));
            // Connections to the old address are given back to nobody.
            match known.get_mut(number) {
                Some(place) => *place = one,
                None => known.push(one),
            }
            drop(known);
            self.retire(number);
            self.end_cluster(number);
            self.changed();
        }
    }

    /// Takes no new requests for a server. Those on their way are still answered.
    pub(super) fn retire(&self, number: usize) {
        self.lanes.borrow_mut().retain(|key, lane| {
            lane.retire_if(key.server == number);
            key.server != number
        });
        self.spare.borrow_mut().retain(|key, _| key.server != number);
    }

    pub(super) fn one(&self, number: usize) -> Option<Rc<One>> {
        match number.checked_sub(NODES) {
            Some(node) => self.nodes.borrow().get(node).cloned().flatten(),
            None => self.servers.borrow().get(number).map(Rc::clone),
        }
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
        let is_of_now = self.one(key.server).is_some_and(|one| line.is_to(&one));
        if !is_of_now || !line.is_usable() || !line.is_quiet() {
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
    pub(crate) async fn ask(
        self: &Rc<Self>,
        key: &LineKey,
        words: &[&[u8]],
    ) -> Result<bytes::Bytes, Lost> {
        let frame = write::frame(words);
        let (gather, ask) = asked();
        self.lane(key).send(&frame, To::Gather { gather, part: 0 }, None);
        ask.await
    }

    /// A server's name in the map.
    pub(crate) fn name(&self, server: usize) -> String {
        self.one(server).map_or_else(String::new, |one| one.name.clone())
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
        let one: Option<Rc<dyn Any>> = self.one(key.server).map(|one| one as Rc<dyn Any>);
        let node = (key.server >= NODES).then_some(key.server);
        let line = Line::new(one, node, self.max_output);
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

    /// Looks for a server that is away until it is back: nobody may ask for it meanwhile, and probes want to know.
    fn look_for(self: &Rc<Self>, one: &Rc<One>) {
        if one.is_looked_for.replace(true) {
            return;
        }
        let (servers, one) = (Rc::clone(self), Rc::clone(one));
        tokio::task::spawn_local(async move {
            loop {
                tokio::time::sleep(LOOK_EVERY).await;
                if !servers.has(&one) || Box::pin(found(&one)).await {
                    break;
                }
                servers.look_for_master(&one);
            }
            one.is_looked_for.set(false);
            one.breaker.borrow_mut().succeeded();
            servers.away.set(&one.name, false);
        });
    }

    /// Whether this is a server of now.
    fn has(&self, one: &Rc<One>) -> bool {
        let is_node = || self.nodes.borrow().iter().flatten().any(|now| Rc::ptr_eq(now, one));
        self.servers.borrow().iter().any(|now| Rc::ptr_eq(now, one)) || is_node()
    }

    /// Another node may be the master now, if this is one of a cluster.
    fn look_for_master(self: &Rc<Self>, one: &One) {
        if let Some(node) = &one.node {
            self.look_again(node.instance);
        }
    }

    /// Opens the connection and drives it to its end.
    async fn run(self: &Rc<Self>, line: &Line, key: &LineKey) -> Lost {
        let Some(one) = self.one(key.server) else {
            let error = match key.server {
                NOWHERE => "CLUSTERDOWN no node that can be reached has the slot of the key",
                _ => "LOADING the node of the cluster has gone",
            };
            return Lost { may_have_run: false, is_away: true, error: error.into() };
        };
        let away = |reason: &str| Lost {
            may_have_run: false,
            is_away: true,
            error: format!("LOADING the server \"{}\" cannot be reached: {reason}", one.name)
                .into(),
        };
        if let Some(reason) = one.breaker.borrow().refuses(Instant::now()) {
            return away(reason);
        }
        // Boxed: it is a large future, and is over before the connection is used.
        let opening = Box::pin(opened(&one.server, one.address(), &key.login, key.resp, key.index));
        let stream = match opening.await {
            Ok(stream) => stream,
            Err(NotOpened::Refused(error)) => {
                return Lost { may_have_run: false, is_away: false, error: error.into() };
            }
            Err(NotOpened::Away(error)) => {
                tracing::warn!(server = one.name, "{error}");
                let reason = error.message().to_owned();
                one.breaker.borrow_mut().failed(Instant::now(), reason.clone());
                self.away.set(&one.name, true);
                self.look_for(&one);
                self.look_for_master(&one);
                return away(&reason);
            }
        };
        one.breaker.borrow_mut().succeeded();
        self.away.set(&one.name, false);
        if let Err(error) = line.drive(stream).await {
            tracing::debug!(server = one.name, "the connection ended: {error}");
            self.look_for_master(&one);
        }
        Lost {
            may_have_run: true,
            is_away: true,
            error: format!(
                "ERR the connection to the server \"{}\" was lost; the command may have run",
                one.name
            )
            .into(),
        }
    }
}

/// Whether a server takes connections.
async fn found(one: &One) -> bool {
    let opened = match one.address() {
        Some(address) => ServerStream::open_node(&one.server, address, false).await,
        None => ServerStream::open(&one.server, false).await,
    };
    opened.is_ok()
}
