//! Opens databases on one server or cluster.

use std::sync::Arc;

use async_trait::async_trait;
use compartment_core::backend::{Backend, Capabilities, Stores, Traffic};
use compartment_core::{Contract, Database, Error, ErrorKind, Result, SystemClock};

use crate::RedisConfig;
use crate::budget::Budget;
use crate::budget::watch::watch;
use crate::link::Link;
use crate::previous::Arrival;
use crate::repeat::BACKOFF;
use crate::requests::Requests;
use crate::server::Server;
use crate::server::isolation::prove_isolation;
use crate::server::probe::{ServerInfo, Topology, probe};
use crate::stores::batch_script::RedisBatch;
use crate::stores::channel::{Ear, RedisChannel};
use crate::stores::counter::RedisCounter;
use crate::stores::hash::RedisHash;
use crate::stores::key_value::RedisKeyValue;
use crate::stores::lock::RedisLock;
use crate::stores::queue::RedisQueue;
use crate::stores::rate_limit::RedisRateLimit;
use crate::stores::usage::RedisUsage;
use crate::wire::allowance::ConnectionAllowance;
use crate::wire::connector::{Connector, NodeConnector};
use crate::wire::line::Line;

/// A server or cluster that was probed and can hold databases.
#[derive(Debug)]
pub struct RedisBackend {
    config: RedisConfig,
    info: ServerInfo,
    connections: ConnectionAllowance,
}

impl RedisBackend {
    /// Connects and probes: the server's version and set-up, that it has the `indexes` to be used, and that they are
    /// isolated from each other. The check briefly writes one key into the first index that is not 0.
    ///
    /// # Errors
    /// [`ErrorKind::Unavailable`], [`ErrorKind::Authentication`], [`ErrorKind::Protocol`],
    /// [`ErrorKind::NotIsolated`], [`ErrorKind::Configuration`]; the message has the server's address and what to do.
    pub async fn connect(config: RedisConfig, indexes: &[u32]) -> Result<Self> {
        config.check()?;
        if let Some(index) = config.url.index().filter(|index| *index > 0) {
            return Err(Error::new(
                ErrorKind::Configuration,
                "connect",
                format!(
                    "{} has index {index}, but a backend is a whole server: remove the index, since each \
                     database has its own",
                    config.url
                ),
            ));
        }
        let info = when_ready(&config, || probe(&config)).await?;
        let connections = ConnectionAllowance::new(config.max_connections);
        let backend = Self { config, info, connections };
        // A server with one database needs no `SELECT`: databases become prefixes.
        if backend.info.databases != Some(1) {
            for index in indexes {
                backend.check_index(*index)?;
            }
            let server = backend.as_server();
            when_ready(&backend.config, || prove_isolation(&server, indexes)).await?;
        }
        Ok(backend)
    }

    /// The findings of the probe.
    #[must_use]
    pub fn server(&self) -> &ServerInfo {
        &self.info
    }

    /// The server, for administration.
    pub(crate) fn as_server(&self) -> Server {
        Server::known(self.config.clone(), self.info.clone())
    }

    fn check_index(&self, index: u32) -> Result<()> {
        match self.info.databases {
            Some(databases) if index >= databases => Err(Error::new(
                ErrorKind::Configuration,
                "connect",
                format!(
                    "{}: index {index} is configured, but the server has {databases} databases (0 \
                     to {}); raise `databases` in its configuration, and restart it",
                    self.config.url,
                    databases.saturating_sub(1)
                ),
            )),
            _ => Ok(()),
        }
    }

    /// The connection to a database, and to its previous place while it moves.
    fn link(&self, contract: Contract) -> Result<Link> {
        let traffic = Arc::new(Traffic::default());
        let Some(previous) = contract.previous.clone() else {
            return self.requests(contract, &traffic).map(Link::new);
        };
        if self.info.topology == Topology::Cluster {
            return Err(Error::new(
                ErrorKind::Unsupported,
                "open database",
                "a previous place needs both in one step, which a cluster cannot do; move the keys \
                 with `compartment migrate`, and leave previous out",
            )
            .in_database(&contract.name));
        }
        self.check_index(previous.placement.index())?;
        let mut before = contract.clone().placement(previous.placement.clone());
        before.previous = None;
        let old = Arc::new(self.requests(before, &traffic)?);
        let placement = contract.placement.clone();
        Ok(Link::new(self.requests(contract, &traffic)?)
            .arriving(Arrival::new(previous, placement, old)))
    }

    /// The connector for the subscriptions of its channels.
    fn ear(&self, contract: &Contract) -> Result<Ear> {
        let name = format!("compartment:{}:channel", contract.name);
        let index = contract.placement.index();
        Ok(if self.info.topology == Topology::Cluster {
            Ear::Nodes(Box::new(NodeConnector::new(&self.config, 0, name)))
        } else {
            Ear::Server(Box::new(Connector::new(&self.config, index, name)?))
        })
    }

    /// Requests to the contract's place, counted in `traffic`.
    fn requests(&self, contract: Contract, traffic: &Arc<Traffic>) -> Result<Requests> {
        let count = self.config.connections_per_database.max(1);
        let allowance = self.connections.take(&contract, count, traffic)?;
        let connector = Arc::new(Connector::new(
            &self.config,
            contract.placement.index(),
            format!("compartment:{}", contract.name),
        )?);
        let lines = (0..count).map(|_| Line::new(Arc::clone(&connector))).collect();
        Ok(Requests::new(Arc::new(contract), lines, allowance, &self.info, &self.config))
    }
}

/// Repeats a request while the server is starting or busy, as the stores do.
async fn when_ready<T, F: Future<Output = Result<T>>>(
    config: &RedisConfig,
    mut ask: impl FnMut() -> F,
) -> Result<T> {
    let mut attempt = 0;
    loop {
        match ask().await {
            Err(error) if error.kind() == ErrorKind::NotReady && attempt < config.retries => {
                tokio::time::sleep(BACKOFF.after(attempt + 1)).await;
                attempt += 1;
            }
            answer => return answer,
        }
    }
}

#[async_trait]
impl Backend for RedisBackend {
    async fn open(&self, contract: Contract) -> Result<Database> {
        let contract = self.info.place(contract);
        self.check_index(contract.placement.index())?;
        let budget = Budget::of(&contract, self.info.topology == Topology::Cluster);
        let link = Arc::new(self.link(contract)?.within(budget));
        let contract = Arc::clone(&link.contract);
        when_ready(&self.config, || link.connect()).await?;
        if let Some(arrival) = link.arrival() {
            let proof = arrival.prove(&link).await;
            proof.map_err(|error| error.in_database(&contract.name))?;
        }
        let clock = self.config.clock.clone().unwrap_or_else(|| Arc::new(SystemClock));
        watch(&link, clock, self.config.budget_poll);
        let batch = Arc::new(RedisBatch::new(Arc::clone(&link)));
        let stores = Stores::builder("redis", Arc::new(RedisKeyValue::new(Arc::clone(&link))))
            .hash(Arc::new(RedisHash::new(Arc::clone(&link))))
            .counter(Arc::new(RedisCounter::new(Arc::clone(&link))))
            .lock(Arc::new(RedisLock::new(Arc::clone(&link))))
            .rate_limit(Arc::new(RedisRateLimit::new(Arc::clone(&link))))
            .queue(Arc::new(RedisQueue::new(Arc::clone(&link))))
            .batch(batch.clone())
            .batch_upkeep(batch.clone())
            .batch_events(batch)
            .channel(Arc::new(RedisChannel::new(
                Arc::clone(&link),
                self.ear(&contract)?,
                self.connections.clone(),
            )))
            .usage(Arc::new(RedisUsage::new(Arc::clone(&link))))
            .build();
        let database = Database::new(contract, Arc::clone(&link.traffic), stores);
        Ok(database.with_unfinished(link.unfinished.clone()))
    }

    fn capabilities(&self) -> Capabilities {
        let mut capabilities = Capabilities::none();
        capabilities.outlives_process = true;
        capabilities.shared_between_processes = true;
        (capabilities.queues, capabilities.batches, capabilities.channels) = (true, true, true);
        // A budget needs a numbered database of its own.
        capabilities.holds_budget =
            self.info.databases != Some(1) && self.info.topology != Topology::Cluster;
        capabilities
    }

    fn location(&self) -> String {
        let (url, info) = (&self.config.url, &self.info);
        let version = if info.version.is_empty() { "of unknown version" } else { &info.version };
        format!("{} {version} at {url}", info.server)
    }
}
