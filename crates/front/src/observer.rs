//! The dry mode: every request passes unchanged, and what the routes would have done with it is counted.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use serde::Serialize;

use crate::commands::{Command, KeyAt, Kind};
use crate::resp::Arguments;
use crate::route::{DatabaseId, Program, Router, Target, View};

/// Examples of each kind that are kept.
const EXAMPLES: usize = 20;

/// What would have become of the requests so far.
#[derive(Clone, Debug, Default, Serialize)]
#[non_exhaustive]
pub struct Observed {
    /// Requests whose keys are in one database, or that have none.
    pub whole: u64,
    /// Requests that would be taken apart by database.
    pub split: u64,
    /// Requests whose keys would be brought together in one step.
    pub together: u64,
    /// Requests that would be refused.
    pub refused: u64,
    /// Keys by the database that they would be in.
    pub keys: BTreeMap<String, u64>,
    /// Some of the requests that would be refused: the command, and why.
    pub refusals: Vec<String>,
}

/// Watches requests for a router that does not route yet.
#[derive(Debug)]
pub(crate) struct Observer {
    router: Router,
    servers: Vec<usize>,
    allowed: Vec<String>,
    whole: AtomicU64,
    split: AtomicU64,
    together: AtomicU64,
    refused: AtomicU64,
    keys: Vec<AtomicU64>,
    refusals: Mutex<Vec<String>>,
}

fn add(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

impl Observer {
    /// `servers` has the number of each database's server, `allowed` the commands that are refused otherwise.
    pub(crate) fn new(router: Router, servers: Vec<usize>, allowed: Vec<String>) -> Self {
        let keys = router.databases().iter().map(|_| AtomicU64::new(0)).collect();
        let zero = AtomicU64::default;
        let (whole, split, together, refused) = (zero(), zero(), zero(), zero());
        Self {
            router,
            servers,
            allowed,
            whole,
            split,
            together,
            refused,
            keys,
            refusals: Mutex::default(),
        }
    }

    pub(crate) fn view(&self, program: &Program<'_>) -> Option<Arc<View>> {
        self.router.view(program)
    }

    /// Counts a request; `keys` is room for its keys.
    pub(crate) fn note(
        &self,
        view: Option<&View>,
        command: &Command,
        arguments: &Arguments<'_>,
        keys: &mut Vec<KeyAt>,
    ) {
        let Some(view) = view else {
            self.refuse(command, "no route takes the index that the program selects");
            return;
        };
        let is_allowed = || {
            let name = command.name.replace('|', " ");
            self.allowed.iter().any(|allowed| name.starts_with(&allowed.to_lowercase()))
        };
        match command.kind {
            Kind::Refused | Kind::Flush(_) if is_allowed() => {}
            Kind::Refused => {
                return self.refuse(command, "it could harm others and is not allowed");
            }
            Kind::Flush(_) if view.flush().is_empty() => {
                return self.refuse(command, "no route says what it may empty");
            }
            _ => {}
        }
        if command.keys(arguments, keys).is_err() || keys.is_empty() {
            return add(&self.whole);
        }
        let mut first: Option<Target> = None;
        let (mut is_apart, mut is_far, mut in_one) = (false, false, true);
        for key in keys.iter() {
            let name = arguments.get(key.at as usize);
            let Some(target) = view.route(name) else {
                let why = format!("no route takes the key \"{}\"", name.escape_ascii());
                return self.refuse(command, &why);
            };
            if let Some(count) = self.keys.get(target.database.position()) {
                add(count);
            }
            let first = first.get_or_insert(target);
            let is_beside = first.is_beside(&target);
            is_apart |= !is_beside;
            in_one &= first.database == target.database;
            is_far |= self.server(first.database) != self.server(target.database)
                || (target.slot.is_some() && !is_beside);
        }
        let together = || {
            let mut names = keys.iter().map(|key| arguments.get(key.at as usize));
            view.together(&mut names).is_some()
        };
        match command.kind {
            _ if !is_apart => add(&self.whole),
            Kind::Split(_) => add(&self.split),
            Kind::Across if !is_far => add(&self.together),
            Kind::Script if together() => add(&self.whole),
            Kind::Transaction(_) if !is_far => add(&self.whole),
            _ => {
                let names: Vec<String> = keys
                    .iter()
                    .map(|key| arguments.get(key.at as usize))
                    .map(|name| {
                        let at = view.route(name).map_or(0, |target| target.database.position());
                        let database =
                            self.router.databases().get(at).map_or("", |database| &database.name);
                        format!("\"{}\" in {database}", name.escape_ascii())
                    })
                    .take(4)
                    .collect();
                let what = if in_one { "slots of a cluster" } else { "databases" };
                self.refuse(
                    command,
                    &format!("its keys are in several {what}: {}", names.join(", ")),
                );
            }
        }
    }

    fn server(&self, database: DatabaseId) -> Option<&usize> {
        self.servers.get(database.position())
    }

    fn refuse(&self, command: &Command, why: &str) {
        add(&self.refused);
        let mut refusals = self.refusals.lock().unwrap_or_else(PoisonError::into_inner);
        if refusals.len() < EXAMPLES {
            let text = format!("{}: {why}", command.name.replace('|', " ").to_uppercase());
            if !refusals.contains(&text) {
                refusals.push(text);
            }
        }
    }

    pub(crate) fn observed(&self) -> Observed {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let names = self.router.databases().iter().map(|database| database.name.clone());
        Observed {
            whole: read(&self.whole),
            split: read(&self.split),
            together: read(&self.together),
            refused: read(&self.refused),
            keys: names.zip(&self.keys).map(|(name, count)| (name, read(count))).collect(),
            refusals: self.refusals.lock().unwrap_or_else(PoisonError::into_inner).clone(),
        }
    }
}
