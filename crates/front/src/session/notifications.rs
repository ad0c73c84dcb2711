//! Keyspace notifications: their channels name indexes, and a program knows its own ones only.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use bytes::{Bytes, BytesMut};

use crate::front::Config;
use crate::resp::{Resp, Tree, whole_number};
use crate::route::{Program, View};
use crate::upstream::Rename;

/// Indexes that a program may select, as far as notifications are looked for.
const INDEXES: u32 = 64;

/// A channel of notifications: `__keyspace@0__:name` or `__keyevent@0__:event`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Channel<'a> {
    /// `__keyspace@` or `__keyevent@`.
    head: &'a [u8],
    index: u32,
    /// The key's name, or the event.
    rest: &'a [u8],
}

impl<'a> Channel<'a> {
    fn read(name: &'a [u8]) -> Option<Self> {
        let head = [b"__keyspace@".as_slice(), b"__keyevent@"]
            .into_iter()
            .find(|head| name.starts_with(head))?;
        let (head, rest) = name.split_at(head.len());
        let end = rest.windows(3).position(|window| window == b"__:")?;
        let index = u32::try_from(whole_number(&rest[..end])?).ok()?;
        Some(Self { head, index, rest: &rest[end + 3..] })
    }

    fn is_keyspace(&self) -> bool {
        self.head == b"__keyspace@"
    }

    fn at(&self, index: u32) -> Bytes {
        let mut name = BytesMut::from(self.head);
        name.extend_from_slice(index.to_string().as_bytes());
        name.extend_from_slice(b"__:");
        name.extend_from_slice(self.rest);
        name.freeze()
    }
}

/// Whether a message is a notification of a key.
pub(super) fn is_notification(message: &[u8]) -> bool {
    let Ok(Some((Tree::Array(parts) | Tree::Push(parts), _))) = Tree::parse(message) else {
        return false;
    };
    let channel = match parts.first().and_then(Tree::text) {
        Some(b"message") => parts.get(1),
        Some(b"pmessage") => parts.get(2),
        _ => None,
    };
    channel.and_then(Tree::text).and_then(Channel::read).is_some()
}

/// Whether a channel or a pattern can be of notifications.
pub(super) fn may_notify(name: &[u8]) -> bool {
    name.starts_with(b"__key") || name.iter().take(5).any(|byte| matches!(byte, b'*' | b'?' | b'['))
}

/// The views that a program has, by the index that it would select.
#[derive(Debug)]
struct Views(Vec<(u32, Arc<View>)>);

/// Renames the channels of one program.
#[derive(Debug)]
pub(super) struct Notifications {
    config: Arc<Config>,
    views: Views,
    resp: Resp,
    state: RefCell<State>,
}

#[derive(Debug, Default)]
struct State {
    /// The program's name for each channel or pattern of the server.
    names: BTreeMap<Bytes, Bytes>,
    /// Channels and patterns of the server whose subscription was confirmed.
    confirmed: BTreeSet<Bytes>,
}

impl Notifications {
    pub(super) fn new(config: Arc<Config>, program: &Program<'_>, resp: Resp) -> Self {
        // The index that is selected comes first: it stands for those that several lead to.
        let indexes = std::iter::once(program.select)
            .chain((0..INDEXES).filter(|index| *index != program.select));
        let views = indexes.filter_map(|select| {
            let view = config.router.view(&Program { select, ..*program })?;
            Some((select, view))
        });
        let views = Views(views.collect());
        Self { config, views, resp, state: RefCell::default() }
    }

    /// The server's channels for one that the program names.
    pub(super) fn of_server(&self, name: &[u8], is_pattern: bool) -> Vec<Bytes> {
        let own = || vec![Bytes::copy_from_slice(name)];
        let Some(channel) = Channel::read(name) else { return own() };
        let Some((_, view)) = self.views.0.iter().find(|(select, _)| *select == channel.index)
        else {
            return own();
        };
        let all = || {
            let mut indexes: Vec<u32> = view
                .databases()
                .iter()
                .map(|database| self.config.placed(*database).index)
                .collect();
            indexes.sort_unstable();
            indexes.dedup();
            indexes
        };
        let indexes = match view.route(channel.rest) {
            Some(target) if channel.is_keyspace() && !is_pattern => {
                vec![self.config.placed(target.database).index]
            }
            _ => all(),
        };
        let mut state = self.state.borrow_mut();
        let names: Vec<Bytes> = indexes.into_iter().map(|index| channel.at(index)).collect();
        for server in &names {
            state.names.insert(server.clone(), Bytes::copy_from_slice(name));
        }
        names
    }

    /// The program's name for a channel of a message, if the message is about a key of the program.
    fn shown(&self, channel: &[u8], message: &[u8]) -> Option<Bytes> {
        let Some(read) = Channel::read(channel) else {
            return Some(Bytes::copy_from_slice(channel));
        };
        let key = if read.is_keyspace() { read.rest } else { message };
        let (select, _) = self.views.0.iter().find(|(_, view)| {
            view.route(key)
                .is_some_and(|target| self.config.placed(target.database).index == read.index)
        })?;
        Some(read.at(*select))
    }

    /// The confirmation that the program gets; `count` is how many channels and patterns the server has.
    fn confirmed(&self, kind: &[u8], name: Bytes, count: i64) -> Option<Tree> {
        let state = &mut *self.state.borrow_mut();
        let shown = state.names.get(&name).cloned().unwrap_or_else(|| name.clone());
        let of_shown = |state: &State| -> Vec<Bytes> {
            let all = state.names.iter().filter(|(_, known)| **known == shown);
            all.map(|(server, _)| server.clone()).collect()
        };
        if kind.ends_with(b"unsubscribe") {
            state.confirmed.remove(&name);
            state.names.remove(&name);
            if !of_shown(state).is_empty() {
                return None;
            }
        } else {
            state.confirmed.insert(name);
            if of_shown(state).iter().any(|server| !state.confirmed.contains(server)) {
                return None;
            }
        }
        // Where the server has several for one of the program's, the program counts one.
        let renamed = state.names.iter().filter(|(server, _)| state.confirmed.contains(*server));
        let (servers, names): (Vec<&Bytes>, BTreeSet<&Bytes>) = renamed.unzip();
        let more = i64::try_from(servers.len() - names.len()).unwrap_or_default();
        let parts = vec![Tree::bulk(kind), Tree::Bulk(shown), Tree::Integer(count - more)];
        Some(match self.resp {
            Resp::Two => Tree::Array(parts),
            Resp::Three => Tree::Push(parts),
        })
    }

    fn renamed(&self, reply: &[u8]) -> Option<Tree> {
        let (tree, _) = Tree::parse(reply).ok()??;
        let (Tree::Array(mut parts) | Tree::Push(mut parts)) = tree else { return None };
        let kind = parts.first()?.text()?.to_vec();
        match (&kind[..], &mut parts[..]) {
            (b"message", [_, channel, message]) => {
                *channel = Tree::Bulk(self.shown(channel.text()?, message.text()?)?);
            }
            (b"pmessage", [_, pattern, channel, message]) => {
                *channel = Tree::Bulk(self.shown(channel.text()?, message.text()?)?);
                let known = self.state.borrow().names.get(pattern.text()?).cloned();
                if let Some(known) = known {
                    *pattern = Tree::Bulk(known);
                }
            }
            (b"subscribe" | b"unsubscribe" | b"psubscribe" | b"punsubscribe", [_, name, count]) => {
                let Some(name) = name.text().map(Bytes::copy_from_slice) else {
                    return Some(Tree::Array(parts));
                };
                return self.confirmed(&kind, name, count.integer()?);
            }
            _ => {}
        }
        Some(match self.resp {
            Resp::Two => Tree::Array(parts),
            Resp::Three => Tree::Push(parts),
        })
    }
}

impl Rename for Notifications {
    fn rename(&self, reply: &[u8]) -> Bytes {
        let mut out = BytesMut::new();
        if let Some(tree) = self.renamed(reply) {
            tree.write(self.resp, &mut out);
        }
        out.freeze()
    }
}
