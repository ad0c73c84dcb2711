//! Finds out why a key goes where it goes, by asking every rule in turn.

use super::clients::Program;
use super::explanation::{Explanation, Passed, Placed, Taken, Why};
use super::router::Router;
use super::rule::{Misfit, Rule};
use super::shown::Shown;
use super::target::Target;

impl Router {
    /// Where a key of a program lives, and why.
    #[must_use]
    pub fn explain(&self, program: &Program<'_>, key: &[u8]) -> Explanation {
        let mut before = Vec::new();
        let (target, by) = match self.view(program) {
            None => (None, Taken::NoSuchIndex),
            Some(_) => self.take(program, key, &mut before),
        };
        Explanation {
            key: Shown(key).to_string(),
            user: Shown(program.user.as_bytes()).to_string(),
            client: Shown(program.client).to_string(),
            select: program.select,
            place: target.and_then(|target| self.placed(target.of_key(key))),
            by,
            before,
        }
    }

    /// What takes the key; adds the routes that were asked before.
    fn take(
        &self,
        program: &Program<'_>,
        key: &[u8],
        before: &mut Vec<Passed>,
    ) -> (Option<Target>, Taken) {
        let together = self.rules.iter().enumerate().find_map(|(at, rule)| {
            let mut patterns = rule.together.iter().filter(|_| rule.misfit(program).is_none());
            patterns.find(|pattern| pattern.matches(key)).map(|pattern| (at, rule, pattern))
        });
        if let Some((at, rule, pattern)) = together {
            for rule in self.rules.iter().take(at) {
                let why = match by_keys(rule, program, key) {
                    Ok(_) => Why::TogetherFirst,
                    Err(why) => why,
                };
                before.push(Passed { route: rule.name.clone(), why });
            }
            let (route, pattern) = (rule.name.clone(), pattern.to_string());
            return (Some(rule.target), Taken::Together { route, pattern });
        }
        for rule in &self.rules {
            match by_keys(rule, program, key) {
                Ok(by) => return (Some(rule.target), by),
                Err(why) => before.push(Passed { route: rule.name.clone(), why }),
            }
        }
        if program.select != 0 {
            return (None, Taken::Nothing);
        }
        for (pattern, target) in &self.templates {
            let (route, text) = (self.route_name(target.route).to_owned(), pattern.to_string());
            if pattern.matches(key) {
                return (Some(*target), Taken::Template { route, pattern: text });
            }
            before.push(Passed { route, why: Why::Patterns { patterns: vec![text] } });
        }
        match self.default {
            Some(target) => (Some(target), Taken::Default),
            None => (None, Taken::Nothing),
        }
    }

    fn placed(&self, target: Target) -> Option<Placed> {
        let contract = self.databases.get(target.database.position())?;
        let previous = contract.previous.as_ref();
        let millis = |ttl: std::time::Duration| u64::try_from(ttl.as_millis()).unwrap_or(u64::MAX);
        Some(Placed {
            database: contract.name.clone(),
            instance: contract.placement.instance().to_owned(),
            index: contract.placement.index(),
            prefix: contract.placement.prefix().to_owned(),
            kind: contract.kind.to_string(),
            default_ttl_ms: contract.default_ttl.map(millis),
            previous_index: previous.map(|previous| previous.placement.index()),
            slot: target.slot,
        })
    }
}

/// How a route takes a key by its patterns, those of `together` aside, or why it does not.
fn by_keys(rule: &Rule, program: &Program<'_>, key: &[u8]) -> Result<Taken, Why> {
    match rule.misfit(program) {
        Some(Misfit::Index) => return Err(Why::Index { select: rule.select.clone() }),
        Some(Misfit::User) => return Err(Why::User { users: rule.users.clone() }),
        Some(Misfit::Client) => return Err(Why::Client { clients: rule.clients.clone() }),
        None => {}
    }
    let route = rule.name.clone();
    if rule.takes_every_key {
        return Ok(Taken::EveryKey { route });
    }
    match rule.keys.iter().find(|keys| keys.pattern.matches(key)) {
        Some(keys) => {
            let pattern = keys.pattern.to_string();
            Ok(match keys.program.clone() {
                None => Taken::Keys { route, pattern },
                Some(program) => Taken::Program { route, program, pattern },
            })
        }
        None => {
            let patterns = rule.together.iter().chain(rule.keys.iter().map(|keys| &keys.pattern));
            Err(Why::Patterns { patterns: patterns.map(ToString::to_string).collect() })
        }
    }
}
