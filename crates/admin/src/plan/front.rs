//! The configuration of a front that keeps the keys of each group of a plan in their database.

use std::collections::BTreeSet;
use std::fmt::Write;

use compartment_core::{
    Contract, DatabaseKind, DatabaseMap, DatabaseMapBuilder, FrontRoute, FrontSettings, KeyPattern,
    Placement, Previous,
};

use super::near::on_source_server;
use super::places::PlanPlaces;
use super::{Group, Plan, Verdict};
use crate::frameworks::{clears_by_flush, has_scripts, key_pattern, program_patterns};
use crate::{AdminError, Result, read_glob};

/// A configuration with a front.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct FrontDraft {
    /// The text of a `compartment.toml`. Passwords of URLs are `***`.
    pub text: String,
    /// What has to be known before the front serves by it.
    pub notes: Vec<String>,
}

/// The names of a database for the keys that stay.
const HOMES: [&str; 3] = ["main", "rest", "database-0"];

const HEADER: &str = "\
# A configuration with a front, by `compartment plan --front`. Read it, change it, then:
#   compartment front --config THIS-FILE --explain KEY
#
# Routes are tried from the top; the first that takes a key says its database. Keys that no route takes
# are in front.default.
# `previous` says where the keys of a database came from: a request brings its keys first. Remove it when
# they have all moved.
";

/// The configuration of a front for the groups of a plan: a route for each group that moves, and the source's database
/// as the default. Databases on the source's server get a `previous` place, so that keys which have not moved yet are
/// found. Routes that the map has already stay before the new ones.
///
/// # Errors
/// [`AdminError::Invalid`] if the front cannot tell keys apart as the plan does: the source is a part of an index, or a
/// group has `except`; the server's.
pub async fn front_for(plan: &Plan, map: &DatabaseMap, places: &PlanPlaces) -> Result<FrontDraft> {
    let near = on_source_server(places).await?;
    draft(plan, map, &near)
}

/// `near` has the databases on the source's server.
fn draft(plan: &Plan, map: &DatabaseMap, near: &BTreeSet<String>) -> Result<FrontDraft> {
    if !plan.source.prefix.is_empty() {
        return Err(AdminError::Invalid(format!(
            "the source is the keys of a prefix, {:?}: a front routes whole indexes",
            plan.source.prefix
        )));
    }
    let home = home(plan, map, near)?;
    let mut draft = Draft {
        map,
        near,
        front: map.front().clone(),
        changed: Vec::new(),
        notes: Vec::new(),
        home: &home,
    };
    let mut groups = Vec::new();
    for group in &plan.groups {
        groups.push(draft.keys(group)?);
    }
    for (at, one) in groups.iter().enumerate() {
        let later = groups.get(at + 1..).unwrap_or_default();
        // Keys that stay are the default's anyway, unless a later group would take them.
        if one.moves() || later.iter().any(|other| other.moves() && one.overlaps(other)) {
            draft.add(one);
        }
    }
    draft.finish()
}

/// The database of the source's place, which need not be in the map yet.
fn home(plan: &Plan, map: &DatabaseMap, near: &BTreeSet<String>) -> Result<Contract> {
    let is_whole = |contract: &&Contract| contract.placement.prefix().is_empty();
    let at_source = |contract: &&Contract| contract.placement.index() == plan.source.index;
    let mut on_server = map.databases().iter().filter(|contract| near.contains(&contract.name));
    if let Some(home) = on_server.clone().filter(is_whole).find(at_source) {
        return Ok(home.clone());
    }
    let near = on_server.next().map(|contract| contract.placement.instance().to_owned());
    let by_address = || {
        let is_source = |url: String| plan.source.server == url;
        let mut instances = map.instances().iter();
        let found = instances.find(|(_, instance)| is_source(instance.url.to_string()));
        found.map(|(name, _)| name.clone())
    };
    let Some(instance) = near.or_else(by_address) else {
        return Err(AdminError::Invalid(format!(
            "{} is no instance of the configuration: add it as [instances.NAME], so that keys which stay there have a \
             database",
            plan.source.server
        )));
    };
    let mut names = HOMES.iter().filter(|name| map.database(name).is_none());
    let Some(name) = names.next() else {
        return Err(AdminError::Invalid(format!(
            "index {} of {instance} has no name: add it to [databases], so that keys which stay there have a database",
            plan.source.index
        )));
    };
    let placement = Placement::Index { instance, index: plan.source.index };
    Ok(Contract::new(*name, DatabaseKind::Durable).placement(placement))
}

struct Draft<'a> {
    map: &'a DatabaseMap,
    near: &'a BTreeSet<String>,
    home: &'a Contract,
    front: FrontSettings,
    /// Databases that get a previous place.
    changed: Vec<Contract>,
    notes: Vec<String>,
}

/// A group with its patterns.
struct Keys<'a> {
    group: &'a Group,
    globs: Vec<Vec<u8>>,
    patterns: Vec<KeyPattern>,
    /// `None` for keys that stay.
    database: Option<&'a Contract>,
}

impl Keys<'_> {
    fn moves(&self) -> bool {
        self.database.is_some()
    }

    /// Whether a key of both is possible, as far as the beginnings of their patterns tell.
    fn overlaps(&self, other: &Self) -> bool {
        let contains = |one: &[u8], other: &[u8]| one.starts_with(other) || other.starts_with(one);
        let with = |one: &KeyPattern| {
            other.patterns.iter().any(|other| contains(one.literal(), other.literal()))
        };
        self.patterns.iter().any(with)
    }
}

impl<'a> Draft<'a> {
    fn keys(&mut self, group: &'a Group) -> Result<Keys<'a>> {
        let wrong = |what: String| AdminError::Invalid(format!("group {:?}: {what}", group.name));
        if !group.except.is_empty() {
            return Err(wrong(
                "routes have no `except`: put a group with these patterns and verdict = \"stay\" before it".to_owned(),
            ));
        }
        let globs: Vec<Vec<u8>> = group.patterns.iter().map(|text| read_glob(text)).collect();
        let parse = |glob: &Vec<u8>| KeyPattern::parse(&key_pattern(glob));
        let patterns: compartment_core::Result<Vec<KeyPattern>> = globs.iter().map(parse).collect();
        let patterns = patterns.map_err(|error| wrong(error.message().to_owned()))?;
        let mut database = match group.verdict {
            Verdict::Stay => None,
            Verdict::Move | Verdict::Drain => self.map.database(&group.database),
        };
        if let Some(contract) = database
            && !contract.placement.prefix().is_empty()
        {
            self.notes.push(format!(
                "{} has no route: {} is placed by a prefix, which a front does not put before keys",
                group.name, contract.name
            ));
            database = None;
        }
        Ok(Keys { group, globs, patterns, database })
    }

    fn add(&mut self, keys: &Keys<'a>) {
        let Keys { group, globs, patterns, database } = keys;
        let mut texts: Vec<String> = patterns.iter().map(ToString::to_string).collect();
        let known = |text: &String| {
            self.front.routes.iter().any(|route| {
                route.users.is_empty()
                    && route.clients.is_empty()
                    && route.keys.iter().chain(&route.together).any(|one| one == text)
            })
        };
        texts.retain(|text| !known(text));
        if texts.is_empty() {
            return;
        }
        let mut route = FrontRoute::new(&database.unwrap_or(self.home).name);
        route.name = self.name(&group.name);
        let program = program_patterns(&group.name)
            .filter(|all| !group.perhaps && all.iter().all(|one| texts.contains(one)));
        match program {
            _ if database.is_some() && has_scripts(&group.producer) => route.together = texts,
            Some(all) => {
                route.programs.push(group.name.clone());
                texts.retain(|text| !all.contains(text));
                route.keys = texts;
            }
            None => route.keys = texts,
        }
        self.front.routes.push(route);
        let Some(contract) = database else { return };
        if clears_by_flush(&group.producer) {
            self.allow_flush(contract);
        }
        if self.near.contains(&contract.name) {
            self.bring(contract, globs);
            if has_scripts(&group.producer) && contract.placement != self.home.placement {
                self.notes.push(format!(
                    "{}: its scripts use keys that they do not name, and a request brings only those that it names: \
                     stop its programs, move its keys with `compartment migrate`, and start them on the front",
                    group.name
                ));
            }
        } else {
            self.notes.push(format!(
                "{} is on another server, where the front finds no key of {} that has not moved: move them with \
                 `compartment migrate` before it serves",
                contract.name, group.name
            ));
        }
    }

    /// A name for a route that no other has.
    fn name(&self, group: &str) -> String {
        let letter = |c: char| match c.to_ascii_lowercase() {
            c if c.is_ascii_lowercase() || c.is_ascii_digit() || "_-".contains(c) => c,
            _ => '-',
        };
        let name: String = group.chars().take(48).map(letter).collect();
        let name = match name.trim_matches('-') {
            "" => "keys",
            name => name,
        };
        let is_free = |name: &String| {
            name != "default" && !self.front.routes.iter().any(|route| route.name == *name)
        };
        let mut numbered = (2..).map(|number: u32| format!("{name}-{number}"));
        let first = Some(name.to_owned()).filter(is_free);
        first.or_else(|| numbered.find(is_free)).unwrap_or_default()
    }

    /// Lets `FLUSHDB` empty a database for a program that clears its cache so.
    fn allow_flush(&mut self, contract: &Contract) {
        let place = &contract.placement;
        let is_beside = |other: &Contract| {
            other.name != contract.name
                && other.placement.instance() == place.instance()
                && other.placement.index() == place.index()
        };
        let is_alone = !self.map.databases().iter().any(is_beside) && !is_beside(self.home);
        if is_alone && !self.front.flush.contains(&contract.name) {
            self.front.flush.push(contract.name.clone());
            self.notes.push(format!(
                "FLUSHDB empties {0} and nothing else, because a program clears its cache so",
                contract.name
            ));
        }
    }

    /// Lets the database bring keys that are still in the source.
    fn bring(&mut self, contract: &Contract, globs: &[Vec<u8>]) {
        if contract.previous.is_some() || contract.placement == self.home.placement {
            return;
        }
        let at = self.changed.iter().position(|one| one.name == contract.name);
        let at = at.unwrap_or_else(|| {
            let previous = Previous::all(self.home.placement.clone());
            self.changed.push(contract.clone().previous(previous));
            self.changed.len() - 1
        });
        if let Some(previous) = self.changed.get_mut(at).and_then(|one| one.previous.as_mut()) {
            previous.patterns.extend(globs.iter().map(|glob| text(glob)));
        }
    }

    fn finish(mut self) -> Result<FrontDraft> {
        if self.front.default.is_none() {
            self.front.default = Some(self.home.name.clone());
        }
        let mut builder = DatabaseMapBuilder::toml(&self.map.to_toml())?;
        if self.map.database(&self.home.name).is_none() {
            builder = builder.database(self.home.clone());
        }
        for contract in self.changed {
            builder = builder.database(contract);
        }
        let map = builder.front(self.front).build()?;
        let mut text = HEADER.to_owned();
        for note in &self.notes {
            let _ = writeln!(text, "#\n# {}", note.escape_debug());
        }
        let _ = write!(text, "\n{}", map.to_toml());
        Ok(FrontDraft { text, notes: self.notes })
    }
}

/// A glob as the text of a configuration. A byte that is not UTF-8 is any byte.
fn text(glob: &[u8]) -> String {
    let mut text = String::new();
    for chunk in glob.utf8_chunks() {
        text.push_str(chunk.valid());
        text.extend(chunk.invalid().iter().map(|_| '?'));
    }
    text
}

#[cfg(test)]
mod tests;
