//! Sends many commands to a cluster at once: a pipeline to each node, by the slots of their keys.
//!
//! redis-rs's cluster client sends a pipeline to one node, and single commands of many tasks can hang while slots
//! move. Administration sends thousands of commands about single keys, so they are split by slot here, and
//! redirections are followed.

use std::collections::HashMap;
use std::sync::Arc;

use redis::{Arg, Cmd, ErrorKind, RedisError, RedisResult, ServerErrorKind, Value};
use tokio::sync::Mutex;

use crate::wire::bounded::BoundedConnection;
use crate::wire::cluster_slots::slot_ranges;
use crate::wire::connector::NodeConnector;
use crate::wire::key_slot::key_slot;
use crate::wire::redirection::Redirection;

/// How often a command is repeated because its slot has moved.
const REDIRECTIONS: usize = 16;
/// The pause before a command is repeated whose slot is between two nodes.
const PAUSE: std::time::Duration = std::time::Duration::from_millis(20);

/// Connections to every node of a cluster. Clones share them.
#[derive(Clone)]
pub(crate) struct Slots {
    shared: Arc<Mutex<Shared>>,
}

struct Shared {
    connector: NodeConnector,
    nodes: HashMap<String, BoundedConnection>,
    /// First slot, last slot, the master's address.
    ranges: Vec<(u16, u16, String)>,
}

/// The next destination of a command.
enum Next {
    Slot(u16),
    /// A node that is taking the slot over, or that was just named as its owner.
    Node {
        address: String,
        asking: bool,
    },
}

impl Slots {
    pub(crate) async fn open(connector: NodeConnector) -> RedisResult<Self> {
        let mut shared = Shared { connector, nodes: HashMap::new(), ranges: Vec::new() };
        shared.look().await?;
        Ok(Self { shared: Arc::new(Mutex::new(shared)) })
    }

    /// A connection to each master.
    pub(crate) async fn masters(&self) -> RedisResult<Vec<(String, BoundedConnection)>> {
        let mut shared = self.shared.lock().await;
        shared.look().await?;
        let mut addresses: Vec<String> =
            shared.ranges.iter().map(|(_, _, address)| address.clone()).collect();
        addresses.sort();
        addresses.dedup();
        let mut masters = Vec::with_capacity(addresses.len());
        for address in addresses {
            masters.push((address.clone(), shared.node(&address).await?));
        }
        Ok(masters)
    }

    /// Sends each command to the node of its key; returns the answers in the order of the commands. Commands about
    /// one slot are executed in order.
    pub(crate) async fn send(&self, commands: &[&Cmd]) -> RedisResult<Vec<Value>> {
        let mut answers = vec![Value::Nil; commands.len()];
        let mut open: Vec<(usize, Next)> =
            commands.iter().enumerate().map(|(at, c)| (at, Next::Slot(slot_of(c)))).collect();
        for round in 0..=REDIRECTIONS {
            if round > 1 {
                tokio::time::sleep(PAUSE).await;
            }
            open = self.round(commands, open, &mut answers, round == REDIRECTIONS).await?;
            if open.is_empty() {
                break;
            }
        }
        Ok(answers)
    }

    /// Sends the open commands; returns those to repeat.
    async fn round(
        &self,
        commands: &[&Cmd],
        open: Vec<(usize, Next)>,
        answers: &mut [Value],
        last: bool,
    ) -> RedisResult<Vec<(usize, Next)>> {
        let mut shared = self.shared.lock().await;
        let asking_first = redis::cmd("ASKING");
        let mut by_node: HashMap<String, (Vec<&Cmd>, Vec<Option<usize>>)> = HashMap::new();
        for (at, next) in open {
            let (address, asking) = match next {
                Next::Slot(slot) => (shared.master(slot)?, false),
                Next::Node { address, asking } => (address, asking),
            };
            let (pipeline, places) = by_node.entry(address).or_default();
            if asking {
                pipeline.push(&asking_first);
                places.push(None);
            }
            pipeline.push(commands[at]);
            places.push(Some(at));
        }
        let mut sent = Vec::with_capacity(by_node.len());
        for (address, (pipeline, places)) in by_node {
            let node = shared.node(&address).await?;
            sent.push(async move {
                let answers = node.send_each(&pipeline).await;
                (address, places, answers)
            });
        }
        let mut again = Vec::new();
        let mut moved = false;
        for (address, places, result) in futures_util::future::join_all(sent).await {
            let each = match result {
                Ok(each) => each,
                Err(error) => {
                    shared.nodes.remove(&address);
                    return Err(error);
                }
            };
            for (place, answer) in places.into_iter().zip(each) {
                let Some(at) = place else { continue };
                match redirection(&answer, &address) {
                    Some(Redirection::Moved(address)) if !last => {
                        moved = true;
                        again.push((at, Next::Node { address, asking: false }));
                    }
                    Some(Redirection::Ask(address)) if !last => {
                        again.push((at, Next::Node { address, asking: true }));
                    }
                    Some(Redirection::Later) if !last => {
                        again.push((at, Next::Slot(slot_of(commands[at]))));
                    }
                    _ => answers[at] = answer,
                }
            }
        }
        if moved {
            // If this fails, the next commands are redirected again.
            let _ = shared.look().await;
        }
        again.sort_by_key(|(at, _)| *at);
        Ok(again)
    }
}

impl Shared {
    /// Reads the slots of all masters from any node.
    async fn look(&mut self) -> RedisResult<()> {
        let mut addresses: Vec<String> = self.nodes.keys().cloned().collect();
        addresses.extend(self.connector.hosts());
        let mut failure = None;
        for address in addresses {
            let asked = async {
                let node = self.node(&address).await?;
                let mut command = redis::cmd("CLUSTER");
                command.arg("SLOTS");
                let answer = node.send(&command).await?.extract_error()?;
                Ok::<Vec<Vec<Value>>, RedisError>(redis::from_redis_value(answer)?)
            };
            match asked.await {
                Ok(ranges) => {
                    self.ranges = slot_ranges(ranges, &address);
                    return Ok(());
                }
                Err(error) => {
                    self.nodes.remove(&address);
                    failure = Some(error);
                }
            }
        }
        Err(failure.unwrap_or_else(|| (ErrorKind::Io, "no node of the cluster is known").into()))
    }

    async fn node(&mut self, address: &str) -> RedisResult<BoundedConnection> {
        if let Some(node) = self.nodes.get(address) {
            return Ok(node.clone());
        }
        let node = self.connector.open(address).await?;
        self.nodes.insert(address.to_owned(), node.clone());
        Ok(node)
    }

    fn master(&self, slot: u16) -> RedisResult<String> {
        let range = self.ranges.iter().find(|(first, last, _)| (*first..=*last).contains(&slot));
        range.map(|(_, _, address)| address.clone()).ok_or_else(|| {
            // The error that a node returns that knows of no other.
            let what = "Hash slot not served".to_owned();
            (ErrorKind::Server(ServerErrorKind::ClusterDown), "CLUSTERDOWN", what).into()
        })
    }
}

/// The redirection in an answer of the node at `from`.
fn redirection(answer: &Value, from: &str) -> Option<Redirection> {
    let Value::ServerError(error) = answer else { return None };
    Redirection::read(error.code(), error.details().unwrap_or_default(), from)
}

/// The slot of a command's first key. A command without keys gets the slot of the empty key; any node accepts it.
fn slot_of(command: &Cmd) -> u16 {
    let mut arguments = command.args_iter().filter_map(|argument| match argument {
        Arg::Simple(bytes) => Some(bytes),
        _ => None,
    });
    let key = match arguments.next() {
        Some(b"EVAL" | b"EVALSHA") => arguments.nth(2),
        Some(b"MEMORY" | b"OBJECT" | b"XGROUP" | b"DEBUG") => arguments.nth(1),
        _ => arguments.next(),
    };
    key_slot(key.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_slot_of_a_command_is_that_of_its_first_key() {
        let slot = |key: &str| slot_of(redis::cmd("GET").arg(key));
        let mut script = redis::cmd("EVAL");
        script.arg("return 1").arg(1).arg("foo");
        assert_eq!(slot_of(&script), slot("foo"));
    }
}
