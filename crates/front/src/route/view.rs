//! The databases as one program sees them.

use std::sync::Arc;
use std::time::Duration;

use compartment_core::FrontContract;
use compartment_core::backend::glob_matches;

use super::table::Table;
use super::target::{DatabaseId, RouteId, Target};

/// The routes of the programs that share a login, a name and an index. Immutable; asking it costs no allocation and no
/// lock.
#[derive(Debug)]
pub struct View {
    /// Patterns in the order of the rules: first those of keys that scripts use together.
    pub(super) table: Table<Target>,
    /// How many entries of the table are of keys that scripts use together.
    pub(super) together: usize,
    /// Where all other keys go.
    pub(super) rest: Option<Target>,
    pub(super) databases: Vec<DatabaseId>,
    pub(super) home: DatabaseId,
    pub(super) scripts: Vec<(String, Target)>,
    pub(super) flush: Vec<DatabaseId>,
    /// What happens to foreign writes, by the number of the route.
    pub(super) terms: Arc<[Terms]>,
}

/// What happens to a key that is written by a route without a lifetime.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Terms {
    pub(super) contract: FrontContract,
    pub(super) life: Option<Duration>,
}

/// The length of a script's SHA-1 in hexadecimal digits.
const SHA: usize = 40;

impl View {
    /// Where a key lives. `None` if no route takes it and there is no default: then requests for it are refused.
    #[must_use]
    pub fn route(&self, key: &[u8]) -> Option<Target> {
        let target = self.table.find(key).map(|(_, target)| *target).or(self.rest)?;
        Some(target.of_key(key))
    }

    /// Every database that a key of this view can be in, in the order of the map; a scan walks them. Databases that
    /// share one place stand there once.
    #[must_use]
    pub fn databases(&self) -> &[DatabaseId] {
        &self.databases
    }

    /// The target of all keys, if there is one for all. On a cluster each key has a slot.
    #[must_use]
    pub fn only(&self) -> Option<Target> {
        self.rest.filter(|rest| rest.slot.is_none() && self.table.is_empty())
    }

    /// The database of commands without keys: that of the keys that no pattern takes, or of the first route.
    #[must_use]
    pub fn home(&self) -> DatabaseId {
        self.home
    }

    /// Where a script or a function without keys runs, by the function's name or the script's SHA-1; `None` if no
    /// route names it.
    #[must_use]
    pub fn script(&self, name_or_sha: &[u8]) -> Option<Target> {
        // Servers take a SHA-1 in both cases, and a glob is written in one.
        let mut lower;
        let name = match <[u8; SHA]>::try_from(name_or_sha) {
            Ok(sha) if sha.iter().all(u8::is_ascii_hexdigit) => {
                lower = sha;
                lower.make_ascii_lowercase();
                lower.as_slice()
            }
            Ok(_) | Err(_) => name_or_sha,
        };
        let mut fitting = self.scripts.iter();
        fitting.find(|(glob, _)| glob_matches(glob.as_bytes(), name)).map(|(_, target)| *target)
    }

    /// As [`View::script`], by a script's text.
    #[must_use]
    pub fn script_text(&self, text: &[u8]) -> Option<Target> {
        if self.scripts.is_empty() {
            // Most views: then the text is not read.
            return None;
        }
        self.script(sha1_smol::Sha1::from(text).digest().to_string().as_bytes())
    }

    /// The target of keys that scripts use together: if each of them goes to the same route by its `together`.
    /// `None` for no keys. On a cluster the slot is that of the first key.
    #[must_use]
    pub fn together(&self, keys: &mut dyn Iterator<Item = &[u8]>) -> Option<Target> {
        let mut all: Option<(Target, Target)> = None;
        for key in keys {
            let (_, target) = self.table.find(key).filter(|(at, _)| *at < self.together)?;
            match all {
                Some((known, _)) if known != *target => return None,
                Some(_) => {}
                None => all = Some((*target, target.of_key(key))),
            }
        }
        all.map(|(_, of_key)| of_key)
    }

    /// The databases that `FLUSHDB` empties; none means that it is refused.
    #[must_use]
    pub fn flush(&self) -> &[DatabaseId] {
        &self.flush
    }

    /// What happens to a key that is written by this route without the lifetime that its database requires. It is
    /// [`FrontContract::Repair`] only if there is a [lifetime](View::life) to give.
    #[must_use]
    pub fn contract(&self, route: RouteId) -> FrontContract {
        self.terms(route).contract
    }

    /// The lifetime that such a key gets: that of the rule of `[keys]` which takes it, or the default of its database.
    #[must_use]
    pub fn life(&self, route: RouteId) -> Option<Duration> {
        self.terms(route).life
    }

    fn terms(&self, route: RouteId) -> Terms {
        self.terms.get(route.position()).copied().unwrap_or_default()
    }
}
