//! A database that moves from another place: each request first brings the keys it is about.
//!
//! The script that brings them and the request itself are one transaction, so that no other client
//! sees a key in neither place or in both; which of two places a process takes for the new one makes
//! no difference to what it reads and writes. So a fleet may change over process by process.

use std::sync::Arc;

use compartment_core::{Placement, Previous};
use redis::{Arg, Cmd, Value};

use crate::link::Link;

const BRING: &str = include_str!("lua/bring.lua");

/// What a [`Link`] needs to know of the place that its database is moving from.
#[derive(Debug)]
pub(crate) struct Arrival {
    previous: Previous,
    placement: Placement,
    /// The previous place by itself, for walks over its names.
    pub(crate) old: Arc<Link>,
}

impl Arrival {
    pub(crate) fn new(previous: Previous, placement: Placement, old: Arc<Link>) -> Self {
        Self { previous, placement, old }
    }

    /// Whether a key, without any prefix, may be in the old place.
    pub(crate) fn concerns(&self, key: &str) -> bool {
        self.previous.concerns(key)
    }

    /// The requests in a transaction that brings their keys first; `None` where they are about no
    /// key that may be in the old place.
    pub(crate) fn wrap(&self, commands: &[Cmd]) -> Option<Vec<Cmd>> {
        let mut bring = redis::cmd("EVAL");
        let keys: Vec<&[u8]> = commands
            .iter()
            .flat_map(keys_of)
            .filter(|name| {
                let key = name.strip_prefix(self.placement.prefix().as_bytes());
                key.and_then(|key| std::str::from_utf8(key).ok()).is_some_and(|k| self.concerns(k))
            })
            .collect();
        if keys.is_empty() {
            return None;
        }
        bring.arg(BRING).arg(keys.len());
        for key in keys {
            bring.arg(key);
        }
        let old = &self.previous.placement;
        bring.arg(self.placement.index()).arg(old.index());
        bring.arg(self.placement.prefix()).arg(old.prefix());
        let mut wrapped = Vec::with_capacity(commands.len() + 3);
        wrapped.push(redis::cmd("MULTI"));
        wrapped.push(bring);
        wrapped.extend_from_slice(commands);
        wrapped.push(redis::cmd("EXEC"));
        Some(wrapped)
    }
}

/// The answers to the requests themselves, and how many keys were brought.
pub(crate) fn unwrap(mut answers: Vec<Value>, requests: usize) -> (Vec<Value>, u64) {
    match answers.pop() {
        Some(Value::Array(mut each)) if each.len() == requests + 1 => {
            let own = each.split_off(1);
            match each.pop() {
                Some(Value::Int(brought)) => (own, brought.unsigned_abs()),
                // What could not be brought must not be missed silently.
                Some(error @ Value::ServerError(_)) => (vec![error; requests], 0),
                _ => (own, 0),
            }
        }
        last => {
            // The transaction was refused; why is among the answers before its end.
            let refused =
                answers.into_iter().find(|answer| matches!(answer, Value::ServerError(_)));
            (vec![refused.or(last).unwrap_or(Value::Nil); requests], 0)
        }
    }
}

/// The keys of the commands that the stores send.
fn keys_of(command: &Cmd) -> Vec<&[u8]> {
    let mut arguments = command.args_iter().filter_map(|argument| match argument {
        Arg::Simple(bytes) => Some(bytes),
        _ => None,
    });
    let verb = arguments.next().unwrap_or_default();
    match verb {
        b"MGET" | b"UNLINK" | b"EXISTS" => arguments.collect(),
        b"EVAL" | b"EVALSHA" => {
            let count = arguments.nth(1).and_then(|n| std::str::from_utf8(n).ok()?.parse().ok());
            arguments.take(count.unwrap_or(0)).collect()
        }
        b"MEMORY" => arguments.nth(1).into_iter().collect(),
        b"DBSIZE" | b"SCAN" | b"CLUSTER" | b"PUBLISH" => Vec::new(),
        _ => arguments.next().into_iter().collect(),
    }
}
