//! What is allowed in `[front]` and has no effect, or not the expected one.

use super::foreign::FrontContract;
use super::route::FrontRoute;
use super::settings::FrontSettings;
use crate::{Contract, KeyPattern};

/// Comparisons of patterns: a configuration above it is not searched for routes that are never reached.
const MAX_COMPARISONS: usize = 1_000_000;

impl FrontSettings {
    /// Notes on settings that were checked.
    pub(in super::super) fn notes(&self, databases: &[Contract]) -> Vec<String> {
        let mut notes = Vec::new();
        let usual = self.default.as_deref().map(|name| (name, self.contract));
        let routes = self
            .routes
            .iter()
            .map(|route| (route.to.as_str(), route.contract.unwrap_or(self.contract)));
        for contract in databases {
            let repairs = |(name, terms): (&str, FrontContract)| {
                name == contract.name && terms == FrontContract::Repair
            };
            let has_nothing = contract.kind.requires_ttl() && contract.default_ttl.is_none();
            if has_nothing && routes.clone().chain(usual).any(repairs) {
                notes.push(format!(
                    "front: keys that programs write into {:?} without a lifetime are only counted, because it has no \
                     default_ttl to give them",
                    contract.name
                ));
            }
        }
        let patterns: usize =
            self.routes.iter().map(|route| route.keys.len() + route.together.len() + 1).sum();
        if patterns.saturating_mul(patterns) <= MAX_COMPARISONS {
            for (at, route) in self.routes.iter().enumerate() {
                notes.extend(self.unreached(at, route));
            }
        }
        notes
    }

    /// The first pattern of the route at this position that other routes leave no key.
    fn unreached(&self, at: usize, route: &FrontRoute) -> Option<String> {
        let before = || self.routes.iter().take(at).filter(|other| is_for_all_of(other, route));
        let note = |what: &str, text: &str, other: &FrontRoute, by: &str| {
            format!(
                "front.route {:?}: no key is left for {what} {text:?}, because {:?} takes {by} before",
                route.name, other.name
            )
        };
        for text in &route.together {
            let cover = |other: &&FrontRoute| other.together.iter().any(|one| covers(one, text));
            if let Some(other) = before().find(cover) {
                return Some(note("together", text, other, "its `together`"));
            }
        }
        let every = before().find(|other| other.takes_every_key());
        if let Some(other) = every.filter(|_| route.together.is_empty()) {
            return Some(format!(
                "front.route {:?} is never reached, because {:?} takes every key before",
                route.name, other.name
            ));
        }
        for text in &route.keys {
            let by_keys = before().find(|other| other.keys.iter().any(|one| covers(one, text)));
            let all = self.routes.iter().filter(|other| is_for_all_of(other, route));
            let mut others = all.filter(|other| other.name != route.name);
            let by_together =
                others.find(|other| other.together.iter().any(|one| covers(one, text)));
            if let Some(other) = by_keys.or(by_together) {
                return Some(note("keys", text, other, "them"));
            }
        }
        None
    }
}

/// Whether a route is for every program that `other` is for, as far as its conditions tell.
fn is_for_all_of(route: &FrontRoute, other: &FrontRoute) -> bool {
    let includes = |mine: &Vec<String>, its: &Vec<String>| mine.is_empty() || mine == its;
    let first_index = |select: &Vec<u32>| if select.is_empty() { vec![0] } else { select.clone() };
    let (mine, its) = (first_index(&route.select), first_index(&other.select));
    includes(&route.users, &other.users)
        && includes(&route.clients, &other.clients)
        && its.iter().all(|index| mine.contains(index))
}

/// Whether each key of the second pattern is one of the first, as far as their beginnings tell.
fn covers(one: &str, other: &str) -> bool {
    let (Ok(one), Ok(other)) = (KeyPattern::parse(one), KeyPattern::parse(other)) else {
        return false;
    };
    one.covers(&other)
}
