//! Walks a database's keys by `SCAN`, on every node of a cluster.

use std::collections::HashSet;
use std::sync::{Arc, PoisonError};

use compartment_core::{Error, KeyStream, Result, escape_glob};
use futures_util::stream::{StreamExt, TryStreamExt, unfold};
use redis::Value;

use crate::error::{Phase, convert};
use crate::link::Link;
use crate::repeat::Repeat;
use crate::requests::Requests;
use crate::wire::cluster_slots::slot_ranges;
use crate::wire::connector::Wire;

/// Keys requested at a time: enough to be fast, few enough to keep the server responsive.
const PAGE: usize = 1_000;

/// The state of the walk on one node.
struct Walk {
    requests: Arc<Requests>,
    node: Option<(String, u16)>,
    pattern: String,
    /// `None` after the last page.
    cursor: Option<u64>,
}

/// The names that match `pattern`, without the database's prefix. While the database moves, this includes the names
/// of its previous place, each once. Keys move in one direction, so the previous place is read first: a key that
/// moves meanwhile is met in the new one.
pub(crate) fn scan(link: Arc<Link>, pattern: &str) -> KeyStream {
    let Some(arrival) = link.arrival() else {
        return scan_place(Arc::clone(link.requests()), pattern);
    };
    let before = scan_place(Arc::clone(&arrival.old), pattern);
    let now = scan_place(Arc::clone(link.requests()), pattern);
    // Only names of the previous place can occur twice.
    let seen = Arc::new(std::sync::Mutex::new(HashSet::new()));
    let known = Arc::clone(&seen);
    let before = before.try_filter_map(move |name| {
        let mine = link.arrival().is_some_and(|arrival| arrival.concerns(&name));
        let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
        let new = mine && seen.insert(name.clone());
        std::future::ready(Ok(new.then_some(name)))
    });
    let now = now.try_filter_map(move |name| {
        let seen = known.lock().unwrap_or_else(PoisonError::into_inner);
        let new = !seen.contains(&name);
        std::future::ready(Ok(new.then_some(name)))
    });
    before.chain(now).boxed()
}

fn scan_place(requests: Arc<Requests>, pattern: &str) -> KeyStream {
    let prefix = requests.contract.placement.prefix().to_owned();
    let pattern = format!("{}{pattern}", escape_glob(&prefix));
    let walks = futures_util::stream::once(start(requests, pattern));
    walks
        .map_ok(|walks| futures_util::stream::iter(walks).map(Ok::<Walk, Error>))
        .try_flatten()
        .and_then(|walk| async move {
            Ok(unfold(walk, |mut walk| async move {
                let page = walk.next_page().await?;
                Some((page, walk))
            }))
        })
        .try_flatten()
        .map_ok(|names: Vec<Vec<u8>>| futures_util::stream::iter(names).map(Ok::<_, Error>))
        .try_flatten()
        .try_filter_map(move |name| {
            let name = String::from_utf8(name).ok();
            let name = name.and_then(|name| name.strip_prefix(&prefix).map(str::to_owned));
            async move { Ok(name) }
        })
        .boxed()
}

/// A walk for each node with keys.
async fn start(requests: Arc<Requests>, pattern: String) -> Result<Vec<Walk>> {
    let nodes = match requests.is_cluster {
        false => vec![None],
        true => node_masters(&requests).await?.into_iter().map(Some).collect(),
    };
    let walk = |node| Walk {
        requests: Arc::clone(&requests),
        node,
        pattern: pattern.clone(),
        cursor: Some(0),
    };
    Ok(nodes.into_iter().map(walk).collect())
}

impl Walk {
    async fn next_page(&mut self) -> Option<Result<Vec<Vec<u8>>>> {
        let cursor = self.cursor?;
        let mut command = redis::cmd("SCAN");
        command.arg(cursor).arg("MATCH").arg(&self.pattern).arg("COUNT").arg(PAGE);
        let answer: Result<(u64, Vec<Vec<u8>>)> = match &self.node {
            None => self.requests.query_plain(Repeat::Idempotent, "scan", "", &command).await,
            Some((host, port)) => on_node(&self.requests, command, host, *port).await,
        };
        match answer {
            Ok((next, names)) => {
                self.cursor = (next != 0).then_some(next);
                Some(Ok(names))
            }
            Err(error) => {
                self.cursor = None;
                Some(Err(error))
            }
        }
    }
}

/// Sends a command to one node of a cluster.
async fn on_node<T: redis::FromRedisValue>(
    requests: &Requests,
    command: redis::Cmd,
    host: &str,
    port: u16,
) -> Result<T> {
    let fail = |error| convert("scan", Phase::Request, &error).in_database(&requests.contract.name);
    let Wire::Cluster(cluster) = requests.wire().await? else {
        return Err(requests.unexpected("scan", "", "the server is not a cluster"));
    };
    let answer = cluster.send_to_node(command, host, port).await.map_err(fail)?;
    redis::from_redis_value(answer).map_err(|error| fail(error.into()))
}

/// The masters of a cluster.
async fn node_masters(requests: &Requests) -> Result<Vec<(String, u16)>> {
    let mut command = redis::cmd("CLUSTER");
    command.arg("SLOTS");
    let ranges = requests.query_plain(Repeat::Idempotent, "scan", "", &command).await?;
    Ok(masters(ranges))
}

/// The masters in the answer of `CLUSTER SLOTS`, each once.
fn masters(ranges: Vec<Vec<Value>>) -> Vec<(String, u16)> {
    let mut masters: Vec<(String, u16)> = slot_ranges(ranges, "")
        .into_iter()
        .filter_map(|(_, _, address)| {
            let (host, port) = address.rsplit_once(':')?;
            Some((host.to_owned(), port.parse().ok()?))
        })
        .collect();
    masters.sort();
    masters.dedup();
    masters
}
