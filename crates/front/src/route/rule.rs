//! One route, ready to be compared with programs and keys.

use compartment_core::KeyPattern;
use compartment_core::backend::glob_matches;

use super::clients::Program;
use super::target::{DatabaseId, Target};

/// A route.
#[derive(Clone, Debug)]
pub(super) struct Rule {
    pub(super) name: String,
    pub(super) target: Target,
    /// Patterns of keys that scripts use together.
    pub(super) together: Vec<KeyPattern>,
    /// Its other patterns.
    pub(super) keys: Vec<Keys>,
    /// Whether it takes every key.
    pub(super) takes_every_key: bool,
    pub(super) users: Vec<String>,
    pub(super) clients: Vec<String>,
    pub(super) select: Vec<u32>,
    pub(super) scripts: Vec<String>,
    pub(super) flush: Option<Vec<DatabaseId>>,
}

/// A pattern of a route.
#[derive(Clone, Debug)]
pub(super) struct Keys {
    pub(super) pattern: KeyPattern,
    /// The known program that it belongs to; `None` if the file has it.
    pub(super) program: Option<String>,
}

/// The first condition of a route that a program does not meet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Misfit {
    Index,
    User,
    Client,
}

impl Rule {
    /// Why the route is not for a program.
    pub(super) fn misfit(&self, program: &Program<'_>) -> Option<Misfit> {
        if !self.is_for_index(program.select) {
            return Some(Misfit::Index);
        }
        if !self.is_for_user(program.user) {
            return Some(Misfit::User);
        }
        (!any(&self.clients, program.client)).then_some(Misfit::Client)
    }

    /// A route without indexes is for index 0 alone: the other indexes of a program hold other keys, which must not
    /// become one with those of index 0 unless the file says so.
    pub(super) fn is_for_index(&self, index: u32) -> bool {
        if self.select.is_empty() { index == 0 } else { self.select.contains(&index) }
    }

    pub(super) fn is_for_user(&self, user: &str) -> bool {
        any(&self.users, user.as_bytes())
    }
}

/// Whether one of the globs matches; no globs mean no condition.
fn any(globs: &[String], text: &[u8]) -> bool {
    globs.is_empty() || globs.iter().any(|glob| glob_matches(glob.as_bytes(), text))
}
