//! How the replies to the parts of a request become one.

use bytes::{Bytes, BytesMut};

use super::frames::Around;
use crate::resp::scanner::elements;
use crate::resp::{whole_number, write};
use crate::route::Target;

/// A part of a request: of one database, and on a cluster of one slot.
#[derive(Clone, Debug)]
pub(super) struct Part {
    pub(super) target: Target,
    pub(super) frame: Bytes,
    /// What the front does before and after it.
    pub(super) around: Around,
}

impl Part {
    /// A part with nothing before or after it.
    pub(super) fn plain(target: Target, frame: Bytes) -> Self {
        Self { target, frame, around: Around::default() }
    }
}

/// Each database once, on a cluster each slot of it, in the order in which they come first, with the places of its targets.
pub(super) fn grouped(targets: &[Target]) -> Vec<(Target, Vec<usize>)> {
    let mut groups: Vec<(Target, Vec<usize>)> = Vec::new();
    for (at, target) in targets.iter().enumerate() {
        match groups.iter_mut().find(|(known, _)| known.is_beside(target)) {
            Some((_, places)) => places.push(at),
            None => groups.push((*target, vec![at])),
        }
    }
    groups
}

/// How the replies to parts become one.
#[derive(Clone, Debug)]
pub(super) enum Joint {
    /// Values: of each part, the places of its values among all.
    Values(Vec<Vec<usize>>),
    /// Numbers, which are added up.
    Sum(usize),
    /// Statuses, all `OK`.
    Status(usize),
    /// Lists, one after the other.
    Lists(usize),
}

impl Joint {
    /// How many parts there are.
    pub(super) fn parts(&self) -> usize {
        match self {
            Self::Values(places) => places.len(),
            Self::Sum(parts) | Self::Status(parts) | Self::Lists(parts) => *parts,
        }
    }

    /// Writes the one reply. The error of a part is the error of all.
    pub(super) fn write(&self, replies: &[&[u8]], out: &mut BytesMut) {
        if let Some(error) = replies.iter().find(|reply| reply.starts_with(b"-")) {
            out.extend_from_slice(error);
            return;
        }
        match self {
            Self::Values(places) => {
                let total = places.iter().map(Vec::len).sum();
                let mut values: Vec<&[u8]> = vec![b"$-1\r\n"; total];
                for (places, reply) in places.iter().zip(replies) {
                    for (at, value) in places.iter().zip(elements(reply).unwrap_or_default()) {
                        if let Some(place) = values.get_mut(*at) {
                            *place = value;
                        }
                    }
                }
                write::array(total, out);
                values.iter().for_each(|value| out.extend_from_slice(value));
            }
            Self::Sum(_) => {
                let number = |reply: &&[u8]| {
                    let text = reply.strip_prefix(b":").and_then(|rest| rest.strip_suffix(b"\r\n"));
                    text.and_then(whole_number).unwrap_or_default()
                };
                write::integer(replies.iter().map(number).sum(), out);
            }
            Self::Status(_) => {
                out.extend_from_slice(replies.first().unwrap_or(&b"+OK\r\n".as_slice()))
            }
            Self::Lists(_) => {
                let lists: Vec<Vec<&[u8]>> =
                    replies.iter().map(|reply| elements(reply).unwrap_or_default()).collect();
                write::array(lists.iter().map(Vec::len).sum(), out);
                lists.iter().flatten().for_each(|value| out.extend_from_slice(value));
            }
        }
    }
}
