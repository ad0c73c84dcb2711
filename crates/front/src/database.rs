//! A database of the map, as the front uses it.

use compartment_core::backend::glob_matches;
use compartment_core::{
    Contract, DatabaseKind, DatabaseMap, Error, ErrorKind, Placement, Previous, Result,
};

use crate::commands::{Command, Kind};
use crate::route::is_clustered;

/// A database, and where it is.
#[derive(Clone, Debug)]
pub(crate) struct Database {
    pub(crate) name: String,
    /// The number of its server.
    pub(crate) server: usize,
    pub(crate) index: u32,
    pub(crate) kind: DatabaseKind,
    pub(crate) previous: Option<Before>,
    /// Whether it is on a cluster: its server has no connections then, but its nodes have.
    pub(crate) is_clustered: bool,
    /// Whether no other database of the map has its index.
    pub(crate) is_alone: bool,
}

/// Where its keys were before.
#[derive(Clone, Debug)]
pub(crate) struct Before {
    pub(crate) index: u32,
    previous: Previous,
}

impl Before {
    /// Whether a key may be there.
    pub(crate) fn concerns(&self, key: &[u8]) -> bool {
        let matches = |pattern: &String| glob_matches(pattern.as_bytes(), key);
        self.previous.patterns.is_empty() || self.previous.patterns.iter().any(matches)
    }
}

impl Database {
    /// From its contract; `servers` are the names of the instances, by number.
    pub(crate) fn new(contract: &Contract, map: &DatabaseMap, servers: &[String]) -> Result<Self> {
        let placement = &contract.placement;
        let wrong = |what: &str| {
            Error::new(ErrorKind::Configuration, "open the front", what.to_owned())
                .in_database(&contract.name)
        };
        let server = servers.iter().position(|name| name == placement.instance());
        let server = server.ok_or_else(|| wrong("its instance is not in the map"))?;
        let is_clustered = is_clustered(map, contract);
        let previous = match &contract.previous {
            None => None,
            Some(_) if is_clustered => {
                return Err(wrong(
                    "it is on a cluster, where the front brings no keys from a previous place; move it with \
                     `compartment migrate --live` first",
                ));
            }
            Some(previous) => {
                let old = &previous.placement;
                let is_near =
                    old.instance() == placement.instance() && old.index() != placement.index();
                if !is_near || !old.prefix().is_empty() || !placement.prefix().is_empty() {
                    return Err(wrong(
                        "the front brings keys from another index of the same server only, and without a prefix; \
                         move this database with `compartment migrate --live` first",
                    ));
                }
                Some(Before { index: old.index(), previous: previous.clone() })
            }
        };
        let is_same = |other: &Placement| {
            other.instance() == placement.instance() && other.index() == placement.index()
        };
        Ok(Self {
            name: contract.name.clone(),
            server,
            index: placement.index(),
            kind: contract.kind,
            previous,
            is_clustered,
            is_alone: map.databases().iter().filter(|other| is_same(&other.placement)).count() == 1,
        })
    }

    /// The previous place of this one, as a place that requests can be sent to.
    pub(crate) fn old_place(&self) -> Option<Self> {
        let previous = self.previous.as_ref()?;
        Some(Self {
            name: format!("{}, before it moved", self.name),
            index: previous.index,
            kind: DatabaseKind::Durable,
            previous: None,
            ..self.clone()
        })
    }

    /// Whether keys that are written without a life need one.
    pub(crate) fn needs_life(&self) -> bool {
        self.kind.requires_ttl()
    }

    /// Whether nothing comes before or after a request of this command.
    pub(crate) fn is_plain(&self, command: &Command) -> bool {
        self.previous.is_none() && !self.asks_for_life(command)
    }

    /// Whether this command may write a key that needs a life.
    pub(crate) fn asks_for_life(&self, command: &Command) -> bool {
        self.needs_life() && (command.writes() || command.kind == Kind::Script)
    }
}
