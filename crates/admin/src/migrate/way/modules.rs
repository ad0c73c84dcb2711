//! Handles keys of modules: keys of a search index stay, the others are counted.
//!
//! A search index covers only one database of its server.

use std::collections::BTreeMap;

use redis::Pipeline;

use super::Lane;
use crate::migrate::{Item, Outcome};
use crate::{KeyType, Place, Result};

/// The module keys of a source.
#[derive(Debug, Default)]
pub(super) struct Modules {
    are_loaded: bool,
    met: BTreeMap<String, u64>,
}

impl Modules {
    /// Asks for the modules of a server. If it refuses to list them, it may have some.
    pub(super) async fn of(source: &Place) -> Result<Self> {
        let mut connection = source.open("migrate").await?;
        let loaded = crate::modules::loaded(&mut connection).await;
        let are_loaded = loaded.map_or(true, |names| !names.is_empty());
        Ok(Self { are_loaded, met: BTreeMap::new() })
    }

    pub(super) fn are_loaded(&self) -> bool {
        self.are_loaded
    }

    pub(super) fn take(&mut self) -> BTreeMap<String, u64> {
        std::mem::take(&mut self.met)
    }
}

/// Types of a search module's indexes, besides those that begin with `ft_`.
const OF_INDEXES: &[&str] = &["numericdx", "trietype0", "geoidx"];

fn is_of_index(kind: &str) -> bool {
    kind.starts_with("ft_") || OF_INDEXES.iter().any(|known| kind.starts_with(known))
}

impl Lane {
    /// Moves all keys except those of search indexes.
    pub(super) async fn carry_by_type(&mut self, items: &[Item]) -> Result<Vec<Outcome>> {
        let mut pipeline = Pipeline::with_capacity(items.len());
        for item in items {
            pipeline.cmd("TYPE").arg(self.course.source_name(item));
        }
        let answers = self.source.ask_each("ask for a type", &pipeline).await?;
        let mut outcomes = vec![Outcome::Gone; items.len()];
        let mut going = Vec::with_capacity(items.len());
        for (at, answer) in answers.into_iter().enumerate() {
            let kind: String = compartment_redis::read_answer("ask for a type", answer)?;
            if is_of_index(&kind) {
                outcomes[at] = Outcome::OfIndex(kind);
                continue;
            }
            if KeyType::parse(&kind) == Some(KeyType::Module) {
                *self.modules.met.entry(kind).or_default() += 1;
            }
            going.push(at);
        }
        if going.len() == items.len() {
            return self.carry_any(items).await;
        }
        let some: Vec<Item> = going.iter().map(|at| items[*at].clone()).collect();
        for (at, outcome) in going.into_iter().zip(self.carry_any(&some).await?) {
            outcomes[at] = outcome;
        }
        Ok(outcomes)
    }
}

#[cfg(test)]
mod tests {
    use super::is_of_index;

    #[test]
    fn types_of_search_indexes_are_told_from_those_of_other_modules() {
        for kind in ["ft_index0", "ft_invidx", "ft_tagidx", "numericdx", "trietype0"] {
            assert!(is_of_index(kind), "{kind}");
        }
        for kind in ["string", "ReJSON-RL", "TSDB-TYPE", "MBbloom--"] {
            assert!(!is_of_index(kind), "{kind}");
        }
    }
}
