//! The queues named by kombu's binding tables; a missed queue would stay behind in a move.

use std::collections::{BTreeMap, BTreeSet};

use crate::name::escape_glob_into;

/// Prefix of an exchange's name in the name of its table.
pub(super) const TABLE: &str = "_kombu.binding.";
/// Separates the parts of a member, and a queue from its priority.
const SEPARATOR: &[u8] = b"\x06\x16";

/// The table members read so far.
#[derive(Debug, Default)]
pub(super) struct Bindings {
    queues: BTreeMap<Vec<u8>, BTreeSet<Vec<u8>>>,
}

impl Bindings {
    /// Adds a member of a table: routing key, pattern and queue.
    pub(super) fn add(&mut self, table: &[u8], member: &[u8]) {
        let separator = member.windows(SEPARATOR.len()).rposition(|two| two == SEPARATOR);
        let queue = separator.map(|at| &member[at + SEPARATOR.len()..]);
        if let Some(queue) = queue.filter(|queue| !queue.is_empty() && !is_internal(queue)) {
            self.queues.entry(table.to_vec()).or_default().insert(queue.to_vec());
        }
    }

    /// The queues of the table named `prefix` + `table`. A table that was not read, or is empty, is
    /// assumed to have the queue with its exchange's name.
    pub(super) fn queues(&self, prefix: &[u8], table: &[u8]) -> Vec<Vec<u8>> {
        match self.queues.get([prefix, table].concat().as_slice()) {
            Some(queues) => queues.iter().cloned().collect(),
            None => exchange(table).into_iter().map(<[u8]>::to_vec).collect(),
        }
    }
}

/// The exchange of a table; `None` for control and events, which have no waiting queues.
pub(super) fn exchange(table: &[u8]) -> Option<&[u8]> {
    let exchange = table.strip_prefix(TABLE.as_bytes())?;
    (!exchange.is_empty() && !is_internal(exchange)).then_some(exchange)
}

/// Whether a key has the name of a table, with any prefix.
pub(crate) fn is_binding_table(name: &[u8]) -> bool {
    name.windows(TABLE.len()).any(|window| window == TABLE.as_bytes())
}

fn is_internal(name: &[u8]) -> bool {
    name.ends_with(b".pidbox") || name.starts_with(b"celeryev")
}

/// Globs of a queue, without and with kombu's priorities.
pub(super) fn queue_globs(queue: &[u8]) -> [Vec<u8>; 2] {
    let mut glob = Vec::new();
    escape_glob_into(queue, &mut glob);
    let priorities = [glob.as_slice(), SEPARATOR, b"[0-9]*"].concat();
    [glob, priorities]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queues_are_those_of_the_members_else_the_exchange() {
        let mut bindings = Bindings::default();
        let texts = |list: Vec<Vec<u8>>| -> Vec<String> {
            list.iter().map(|one| String::from_utf8_lossy(one).into_owned()).collect()
        };
        assert_eq!(texts(bindings.queues(b"", b"_kombu.binding.mail")), ["mail"]);
        for member in ["celery\u{6}\u{16}\u{6}\u{16}high", "a.*\u{6}\u{16}a\u{6}\u{16}low", "x"] {
            bindings.add(b"shop._kombu.binding.celery", member.as_bytes());
        }
        let table = b"_kombu.binding.celery";
        assert_eq!(texts(bindings.queues(b"shop.", table)), ["high", "low"]);
        assert_eq!(texts(bindings.queues(b"", table)), ["celery"]);
        assert!(bindings.queues(b"", b"_kombu.binding.celery.pidbox").is_empty());
        assert!(bindings.queues(b"", b"_kombu.binding.celeryev").is_empty());
    }
}
