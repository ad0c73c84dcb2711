//! Maps for common installations.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use super::{DatabaseMapBuilder, wrong};
use crate::{Contract, DatabaseKind, Error, Result};

/// A named set of databases.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Preset {
    /// The broker, results, cache, rate limits, batches and metrics of a document pipeline: indexes 0 to 5.
    #[default]
    Pipeline,
    /// The conversations, knowledge, prompts and analytics of an assistant: indexes 0 to 3.
    Assistant,
}

impl FromStr for Preset {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self> {
        match name {
            "pipeline" => Ok(Self::Pipeline),
            "assistant" => Ok(Self::Assistant),
            _ => Err(wrong(format!("there is no preset {name:?}; known: pipeline, assistant"))),
        }
    }
}

impl fmt::Display for Preset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Pipeline => "pipeline",
            Self::Assistant => "assistant",
        })
    }
}

const DAY: Duration = Duration::from_secs(86_400);
const MIB: u64 = 1024 * 1024;

impl DatabaseMapBuilder {
    /// The databases of a preset on the instance `primary`, which must still be added.
    #[must_use]
    pub fn preset(preset: Preset) -> Self {
        use DatabaseKind::{Cache, Coordination, Durable};
        let contracts = match preset {
            Preset::Pipeline => vec![
                Contract::new("broker", Durable).with_index(0),
                Contract::new("results", Durable).with_index(1).default_ttl(DAY),
                Contract::new("cache", Cache)
                    .with_index(2)
                    .default_ttl(2 * DAY)
                    .memory_budget(512 * MIB),
                Contract::new("rate_limit", Coordination).with_index(3),
                Contract::new("batch", Durable).with_index(4),
                Contract::new("metrics", Durable).with_index(5).default_ttl(7 * DAY),
            ],
            Preset::Assistant => vec![
                Contract::new("main", Durable).with_index(0),
                Contract::new("knowledge", Durable).with_index(1),
                Contract::new("prompts", Durable).with_index(2),
                Contract::new("analytics", Durable).with_index(3).default_ttl(90 * DAY),
            ],
        };
        contracts.into_iter().fold(Self::default(), Self::database)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::DatabaseMap;

    #[test]
    fn the_presets_are_valid_and_numbered_as_documented() {
        let index = |map: &DatabaseMap, name: &str| map.database(name).unwrap().placement.index();
        let map = DatabaseMap::preset(Preset::Pipeline, "memory://").unwrap();
        for (expected, name) in
            ["broker", "results", "cache", "rate_limit", "batch", "metrics"].iter().enumerate()
        {
            assert_eq!(index(&map, name) as usize, expected, "{name}");
        }
        let map = DatabaseMap::preset(Preset::Assistant, "memory://").unwrap();
        for (expected, name) in ["main", "knowledge", "prompts", "analytics"].iter().enumerate() {
            assert_eq!(index(&map, name) as usize, expected, "{name}");
        }
    }

    #[test]
    fn names_read_back() {
        for preset in [Preset::Pipeline, Preset::Assistant] {
            assert_eq!(preset.to_string().parse::<Preset>().unwrap(), preset);
        }
        assert!("pipelines".parse::<Preset>().is_err());
    }
}
