//! Routes of a map, and the views of programs.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use compartment_core::{
    Contract, DatabaseMap, Error, ErrorKind, FrontContract, FrontRoute, KeyPattern, KeyRule,
    Placement, Result, Scheme,
};

use super::clients::Program;
use super::fitting::Fitting;
use super::rule::{Keys, Rule};
use super::table::Table;
use super::target::{ANY_SLOT, DatabaseId, RouteId, Target};
use super::view::{Terms, View};

/// The name under which keys are counted that no route takes.
const DEFAULT: &str = "default";
/// The most views that are kept. Programs choose their names, and so which routes fit; more are made anew each time.
const MAX_VIEWS: usize = 1_024;

/// The routes of a map. Immutable but for the views that it keeps, so that threads share it.
#[derive(Debug)]
pub struct Router {
    pub(super) databases: Vec<Contract>,
    pub(super) rules: Vec<Rule>,
    /// The rules of `[keys]`: they are routes behind those of `[[front.route]]`.
    pub(super) templates: Vec<(KeyPattern, Target)>,
    pub(super) default: Option<Target>,
    /// The names of the routes by number.
    names: Vec<String>,
    terms: Arc<[Terms]>,
    flush: Vec<DatabaseId>,
    views: Mutex<HashMap<Fitting, Arc<View>>>,
}

impl Router {
    /// The router of a map. `programs` gives the patterns of a known program's keys, as
    /// [`compartment_core::KeyPattern`] reads them.
    ///
    /// # Errors
    /// [`ErrorKind::Configuration`] if there is neither a route nor a default, if a route names an unknown program, or
    /// if its keys do not begin with the prefix of its database.
    pub fn new(map: &DatabaseMap, programs: &dyn Fn(&str) -> Option<Vec<String>>) -> Result<Self> {
        let front = map.front();
        let databases = map.databases().to_vec();
        let ids = Ids::new(&databases, map);
        let mut names: Vec<String> = Vec::new();
        let mut terms = Vec::new();
        let mut rules = Vec::new();
        for route in &front.routes {
            let target = ids.target(ids.of(&route.to)?, number(names.len())?);
            rules.push(rule(route, target, &ids, programs)?);
            names.push(route.name.clone());
            let contract = route.contract.unwrap_or(front.contract);
            terms.push(ids.terms(target.database, contract, None));
        }
        let mut templates = Vec::new();
        for (name, one) in by_detail(map) {
            let database = ids.of(&one.database)?;
            let target = ids.target(database, number(names.len())?);
            let prefix = ids.prefix(database);
            templates.push((KeyPattern::of_template(prefix, &one.template)?, target));
            names.push(format!("keys.{name}"));
            terms.push(ids.terms(database, front.contract, map.ttl_of(name)));
        }
        let route = number(names.len())?;
        let default = front.default.as_deref().map(|name| ids.of(name)).transpose()?;
        let default = default.map(|database| ids.target(database, route));
        names.push(DEFAULT.to_owned());
        terms.extend(default.map(|target| ids.terms(target.database, front.contract, None)));
        if rules.is_empty() && templates.is_empty() && default.is_none() {
            return Err(wrong(
                "no key has a database here: set front.default, or add [[front.route]]; `compartment plan` writes \
                 routes",
            ));
        }
        let flush = ids.all(&front.flush)?;
        let views = Mutex::default();
        let terms = terms.into();
        Ok(Self { databases, rules, templates, default, names, terms, flush, views })
    }

    /// The databases; a [`DatabaseId`] is a position here.
    #[must_use]
    pub fn databases(&self) -> &[Contract] {
        &self.databases
    }

    /// How many routes there are, with the rules of `[keys]` and the default.
    #[must_use]
    pub fn routes(&self) -> usize {
        self.names.len()
    }

    /// The name of a route in figures and messages: its own, `keys.` and the name of a rule of `[keys]`, or `default`.
    #[must_use]
    pub fn route_name(&self, route: RouteId) -> &str {
        self.names.get(route.position()).map_or(DEFAULT, String::as_str)
    }

    /// What a program sees. `None` if it may not select its index: index 0 is there always, another one if a route
    /// names it in `select` and is not for other logins. The name of the client does not count for that, because
    /// clients set it before or after they select an index.
    #[must_use]
    pub fn view(&self, program: &Program<'_>) -> Option<Arc<View>> {
        let fitting = self.fitting(program)?;
        let mut views = self.views.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(view) = views.get(&fitting) {
            return Some(Arc::clone(view));
        }
        let view = Arc::new(self.make(&fitting));
        if views.len() >= MAX_VIEWS {
            views.retain(|_, view| Arc::strong_count(view) > 1);
        }
        if views.len() < MAX_VIEWS {
            views.insert(fitting, Arc::clone(&view));
        }
        Some(view)
    }

    fn fitting(&self, program: &Program<'_>) -> Option<Fitting> {
        let is_first_index = program.select == 0;
        let mut rules = Vec::new();
        let mut named = None;
        for (at, rule) in self.rules.iter().enumerate() {
            if rule.misfit(program).is_none() {
                rules.push(at);
            }
            if rule.is_for_index(program.select) && rule.is_for_user(program.user) {
                named = named.or(Some(rule.target.database));
            }
        }
        let first = self.rules.first().map(|rule| rule.target.database);
        let template = self.templates.first().map(|(_, target)| target.database);
        let home = match is_first_index {
            true => named.or(template).or(first).unwrap_or(DatabaseId::new(0)),
            false => named?,
        };
        Some(Fitting { rules, is_first_index, home })
    }

    fn make(&self, fitting: &Fitting) -> View {
        let rules: Vec<&Rule> = fitting.rules.iter().filter_map(|at| self.rules.get(*at)).collect();
        let mut entries: Vec<(KeyPattern, Target)> = Vec::new();
        for rule in &rules {
            entries.extend(rule.together.iter().map(|pattern| (pattern.clone(), rule.target)));
        }
        let together = entries.len();
        let every = rules.iter().position(|rule| rule.takes_every_key);
        // What stands behind a route that takes every key is not reached.
        for rule in rules.iter().take(every.unwrap_or(rules.len())) {
            entries.extend(rule.keys.iter().map(|keys| (keys.pattern.clone(), rule.target)));
        }
        let rest = match every.and_then(|at| rules.get(at)) {
            Some(rule) => Some(rule.target),
            None if fitting.is_first_index => {
                entries.extend(self.templates.iter().cloned());
                self.default
            }
            None => None,
        };
        let reached = entries.iter().map(|(_, target)| target.database);
        let databases = self.places(reached.chain(rest.map(|target| target.database)).collect());
        let told = rules.iter().find_map(|rule| rule.flush.as_ref());
        let flush = match told {
            Some(flush) => flush.clone(),
            None if fitting.is_first_index => self.flush.clone(),
            // The databases of `[front]` hold keys of index 0.
            None => Vec::new(),
        };
        let of = |rule: &&Rule| {
            let target = rule.target;
            rule.scripts.iter().map(move |glob| (glob.clone(), target)).collect::<Vec<_>>()
        };
        View {
            table: Table::new(entries),
            together,
            rest,
            databases,
            home: rest.map_or(fitting.home, |target| target.database),
            scripts: rules.iter().flat_map(of).collect(),
            flush,
            terms: Arc::clone(&self.terms),
        }
    }

    /// The databases in order, without those whose keys another one of them holds too.
    fn places(&self, mut databases: Vec<DatabaseId>) -> Vec<DatabaseId> {
        databases.sort_unstable();
        databases.dedup();
        let place = |id: DatabaseId| self.databases.get(id.position()).map(|one| &one.placement);
        let is_within = |one: DatabaseId, other: DatabaseId| match (place(one), place(other)) {
            (Some(mine), Some(its)) if one != other => {
                contains(its, mine) && (!contains(mine, its) || other < one)
            }
            _ => false,
        };
        let all = databases.clone();
        databases.retain(|one| !all.iter().any(|other| is_within(*one, *other)));
        databases
    }
}

/// Whether a database is on a cluster.
pub(crate) fn is_clustered(map: &DatabaseMap, contract: &Contract) -> bool {
    let instance = map.instances().get(contract.placement.instance());
    instance.is_some_and(|instance| instance.url.scheme() == Scheme::Cluster)
}

/// The rules of `[keys]`: those whose templates say most about a key first, as `analyze` asks them.
fn by_detail(map: &DatabaseMap) -> Vec<(&String, &KeyRule)> {
    let given = |rule: &KeyRule| rule.template.glob().bytes().filter(|byte| *byte != b'*').count();
    let mut rules: Vec<(&String, &KeyRule)> = map.keys().iter().collect();
    rules.sort_by_key(|(_, rule)| std::cmp::Reverse(given(rule)));
    rules
}

/// Whether a place holds all keys of another one.
fn contains(place: &Placement, other: &Placement) -> bool {
    place.instance() == other.instance()
        && place.index() == other.index()
        && other.prefix().starts_with(place.prefix())
}

fn rule(
    route: &FrontRoute,
    target: Target,
    ids: &Ids<'_>,
    programs: &dyn Fn(&str) -> Option<Vec<String>>,
) -> Result<Rule> {
    let refused = |what: String| wrong(format!("front.route {:?}: {what}", route.name));
    let parse = |text: &String| KeyPattern::parse(text);
    let mut keys = Vec::new();
    for text in &route.keys {
        keys.push(Keys { pattern: parse(text)?, program: None });
    }
    let prefix = ids.prefix(target.database);
    for program in &route.programs {
        let Some(patterns) = programs(program) else {
            return Err(refused(format!(
                "no program {program:?} is known; docs/front.md lists their names, and `keys` takes patterns of any \
                 program"
            )));
        };
        for text in &patterns {
            let pattern = parse(text)?;
            if !pattern.literal().starts_with(prefix.as_bytes()) {
                return Err(refused(format!(
                    "{:?} is placed by the prefix {prefix:?}, and keys of {program} such as {text} do not begin with \
                     it; give the database an index of its own",
                    route.to
                )));
            }
            keys.push(Keys { pattern, program: Some(program.clone()) });
        }
    }
    Ok(Rule {
        name: route.name.clone(),
        target,
        together: route.together.iter().map(parse).collect::<Result<_>>()?,
        keys,
        takes_every_key: route.takes_every_key(),
        users: route.users.clone(),
        clients: route.clients.clone(),
        select: route.select.clone(),
        scripts: route.scripts.clone(),
        flush: route.flush.as_deref().map(|names| ids.all(names)).transpose()?,
    })
}

/// The numbers of databases by name.
struct Ids<'a> {
    databases: &'a [Contract],
    map: &'a DatabaseMap,
}

impl<'a> Ids<'a> {
    fn new(databases: &'a [Contract], map: &'a DatabaseMap) -> Self {
        Self { databases, map }
    }

    /// A target before a key gives it its slot.
    fn target(&self, database: DatabaseId, route: RouteId) -> Target {
        let contract = self.databases.get(database.position());
        let is_clustered = contract.is_some_and(|contract| is_clustered(self.map, contract));
        Target { database, route, slot: is_clustered.then_some(ANY_SLOT) }
    }

    /// The map was checked, so that a name without a database is a fault of the caller's map.
    fn of(&self, name: &str) -> Result<DatabaseId> {
        let position = self.databases.iter().position(|database| database.name == name);
        let position = position.and_then(|position| u16::try_from(position).ok());
        position
            .map(DatabaseId::new)
            .ok_or_else(|| wrong(format!("there is no database {name:?} among the first 65,536")))
    }

    fn all(&self, names: &[String]) -> Result<Vec<DatabaseId>> {
        names.iter().map(|name| self.of(name)).collect()
    }

    /// Without a lifetime to give, keys without one are only counted: a refusal would stop programs that set it by a
    /// second command.
    fn terms(&self, id: DatabaseId, contract: FrontContract, life: Option<Duration>) -> Terms {
        let default = || self.databases.get(id.position()).and_then(|one| one.default_ttl);
        let life = life.or_else(default);
        let contract = match contract {
            FrontContract::Repair if life.is_none() => FrontContract::Observe,
            contract => contract,
        };
        Terms { contract, life }
    }

    fn prefix(&self, id: DatabaseId) -> &'a str {
        self.databases.get(id.position()).map_or("", |database| database.placement.prefix())
    }
}

fn number(position: usize) -> Result<RouteId> {
    u16::try_from(position)
        .map(RouteId::new)
        .map_err(|_| wrong("[keys] and [[front.route]] have more than 65,535 rules together"))
}

fn wrong(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::Configuration, "read routes", message)
}
