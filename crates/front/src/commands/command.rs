//! One command of a server, and what the front knows of it.

use super::flags::Flags;
use super::keys::{Access, KeyAt, NoKeys};
use super::kind::Kind;
use super::special::{Special, reading_blocks};
use super::specification::Specification;
use crate::resp::Arguments;

/// A command, or a subcommand.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Command {
    /// Its name in lower case; a subcommand's has that of its command before it: `config|get`.
    pub name: Box<str>,
    /// Its place in the table, from 0 without gaps.
    pub id: u16,
    /// How many arguments it takes, its own name (and a subcommand's) included; at least as many, if negative.
    pub arity: i32,
    /// What the server says of it in single words.
    pub flags: Flags,
    /// How the front treats it.
    pub kind: Kind,
    /// How a cluster's router should send it and join its answers: `request_policy:all_nodes`.
    pub tips: Box<[Box<str>]>,
    specifications: Box<[Specification]>,
    special: Option<Special>,
    first_key: Option<KeyAt>,
}

impl Command {
    /// From what a server says.
    pub(super) fn new(
        name: Box<str>,
        id: u16,
        arity: i32,
        flags: Flags,
        tips: Box<[Box<str>]>,
        specifications: Box<[Specification]>,
    ) -> Self {
        let special = Special::of(&name);
        let kind = Kind::of(&name, flags, !specifications.is_empty());
        let mut command =
            Self { name, id, arity, flags, kind, tips, specifications, special, first_key: None };
        command.first_key = command.only_first();
        command
    }

    fn only_first(&self) -> Option<KeyAt> {
        let moves =
            matches!(self.special, Some(Special::GeoRadius(_) | Special::Sort | Special::Migrate));
        match &*self.specifications {
            [only] if !moves && only.is_first_argument() => {
                // `BITFIELD` and `SET` may do less than their specifications say.
                Some(KeyAt { at: 1, access: only.access, may_insert: only.may_insert })
            }
            _ => None,
        }
    }

    /// Whether a request with as many arguments, the name included, may be right.
    #[must_use]
    pub fn takes(&self, arguments: usize) -> bool {
        let arguments = i64::try_from(arguments).unwrap_or(i64::MAX);
        let arity = i64::from(self.arity);
        if arity >= 0 { arguments == arity } else { arguments >= -arity }
    }

    /// Whether argument 1 is a key, and the only one, whatever the other arguments are.
    #[must_use]
    pub fn first_key_only(&self) -> bool {
        self.first_key.is_some()
    }

    /// The key that is argument 1 and the only one, with the most that the command may do to it.
    #[must_use]
    pub fn first_key(&self) -> Option<KeyAt> {
        self.first_key
    }

    /// Whether it can have keys.
    #[must_use]
    pub fn may_have_keys(&self) -> bool {
        !self.specifications.is_empty() || self.special.is_some()
    }

    /// Whether it may change a key or the server.
    #[must_use]
    pub fn writes(&self) -> bool {
        self.flags.has(Flags::WRITE)
    }

    /// Finds the request's keys, in the order of the server's specifications. What the list held before is gone.
    ///
    /// # Errors
    ///
    /// If the request is not valid, so that the server will refuse it, or if only the server knows.
    pub fn keys(&self, arguments: &Arguments<'_>, keys: &mut Vec<KeyAt>) -> Result<(), NoKeys> {
        keys.clear();
        let found = match (self.special, self.first_key) {
            (Some(special), _) => special.find(arguments, keys),
            (None, Some(key)) if arguments.len() > 1 => {
                keys.push(key);
                Ok(())
            }
            _ => self.specifications.iter().try_for_each(|keys_at| keys_at.find(arguments, keys)),
        };
        if found.is_ok() && self.specifications.is_empty() && self.flags.has(Flags::MOVABLEKEYS) {
            return Err(NoKeys::AskServer);
        }
        if found.is_err() {
            keys.clear();
        } else if self.kind == Kind::Script {
            // A script does what it likes with its keys.
            for key in keys.iter_mut() {
                key.may_insert = key.access == Access::Change;
            }
        }
        found
    }

    /// Whether the request may wait, outside a transaction.
    #[must_use]
    pub fn blocks(&self, arguments: &Arguments<'_>) -> bool {
        match self.kind {
            Kind::Blocking if matches!(&*self.name, "xread" | "xreadgroup") => {
                reading_blocks(arguments)
            }
            Kind::Blocking | Kind::Wait => true,
            _ => false,
        }
    }

    /// The policy of a router for its requests, if the server names one: `all_nodes`, `all_shards`, `multi_shard`,
    /// `special`.
    #[must_use]
    pub fn request_policy(&self) -> Option<&str> {
        self.tips.iter().find_map(|tip| tip.strip_prefix("request_policy:"))
    }

    /// How a router joins the answers, if the server says it: `one_succeeded`, `all_succeeded`,
    /// `agg_logical_and`, `agg_logical_or`, `agg_min`, `agg_max`, `agg_sum`, `special`.
    #[must_use]
    pub fn response_policy(&self) -> Option<&str> {
        self.tips.iter().find_map(|tip| tip.strip_prefix("response_policy:"))
    }
}
