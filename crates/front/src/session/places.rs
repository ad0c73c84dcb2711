//! Where the keys of a request are.

use super::state::Session;
use crate::commands::{Command, Kind, sort_patterns};
use crate::resp::Arguments;
use crate::route::Target;

/// Where the keys of a request are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Places {
    /// It has none.
    NoKeys,
    /// In one database, and on a cluster in one slot.
    One(Target),
    /// In several: each key's, in the order of the session's `keys`.
    Several(Vec<Target>),
    /// No route takes this key, and there is no default.
    Nowhere(Vec<u8>),
    /// The request needs keys of several databases that it does not name; why it is refused.
    Refused(String),
    /// They cannot be told: the server says what is wrong with the request.
    Unclear,
}

impl Session {
    /// Finds the keys of a request, which `self.keys` holds then, and their places.
    pub(super) fn places(&mut self, command: &Command, arguments: &Arguments<'_>) -> Places {
        let mut keys = std::mem::take(&mut self.keys);
        let found = command.keys(arguments, &mut keys);
        let places = if found.is_err() {
            Places::Unclear
        } else {
            self.places_of(command, arguments, &keys)
        };
        self.keys = keys;
        places
    }

    fn places_of(
        &self,
        command: &Command,
        arguments: &Arguments<'_>,
        keys: &[crate::commands::KeyAt],
    ) -> Places {
        let name = |at: u32| arguments.get(at as usize);
        let Some((first, others)) = keys.split_first() else {
            let target = match (command.kind, &*command.name) {
                (Kind::Script, "eval" | "eval_ro") => self.view.script_text(arguments.get(1)),
                (Kind::Script, _) => self.view.script(arguments.get(1)),
                _ => None,
            };
            if let Some(target) = target {
                return Places::One(target);
            }
            return Places::NoKeys;
        };
        let Some(target) = self.view.route(name(first.at)) else {
            return Places::Nowhere(name(first.at).to_vec());
        };
        if let Some(only) = self.view.only() {
            return Places::One(only);
        }
        if let Some(error) = self.sorts_elsewhere(command, arguments, target) {
            return Places::Refused(error);
        }
        let is_same = |key: &crate::commands::KeyAt| {
            self.view.route(name(key.at)).is_some_and(|other| other.is_beside(&target))
        };
        if others.iter().all(is_same) {
            return Places::One(target);
        }
        let mut targets = Vec::with_capacity(keys.len());
        for key in keys {
            match self.view.route(name(key.at)) {
                Some(target) => targets.push(target),
                None => return Places::Nowhere(name(key.at).to_vec()),
            }
        }
        if command.kind == Kind::Script
            && let Some(target) = self.view.together(&mut keys.iter().map(|key| name(key.at)))
        {
            return Places::One(target);
        }
        Places::Several(targets)
    }

    /// Why SORT cannot be executed: a pattern after BY or GET is of keys in another database, which would be read as
    /// if they were not there.
    fn sorts_elsewhere(
        &self,
        command: &Command,
        arguments: &Arguments<'_>,
        target: Target,
    ) -> Option<String> {
        if !matches!(&*command.name, "sort" | "sort_ro") {
            return None;
        }
        let database = |target: Target| self.config.placed(target.database);
        // Elements are numbers or words: both stand in for what the pattern's `*` will be.
        let elsewhere = |pattern: &[u8]| {
            let (head, tail) = pattern.split_at(pattern.iter().position(|byte| *byte == b'*')?);
            let end = tail.windows(2).position(|pair| pair == b"->").unwrap_or(tail.len());
            [b"0".as_slice(), b"a"].into_iter().find_map(|element| {
                let name = [head, element, tail.get(1..end).unwrap_or_default()].concat();
                let other = self.view.route(&name)?;
                (other.database != target.database).then(|| database(other).name.clone())
            })
        };
        sort_patterns(arguments).find_map(|pattern| {
            let other = elsewhere(pattern)?;
            Some(format!(
                "CROSSSLOT the keys of {} are in several databases: \"{}\" is in \"{}\", those of the pattern \
                 \"{}\" are in \"{other}\"; a route that takes both keeps them in one",
                command.name.to_uppercase(),
                arguments.get(1).escape_ascii(),
                database(target).name,
                pattern.escape_ascii(),
            ))
        })
    }
}
