//! Writes a plan as a commented file.

use std::fmt::Write;

use serde::Serialize;

use super::{Group, Plan, PlanSource, PlanTarget, Verdict};
use crate::size::size;
use crate::{AdminError, Result};

const HEADER: &str = "\
# A plan of `compartment plan`. Read it, change it, then:
#   compartment migrate --plan THIS-FILE --dry-run
#
# Each key belongs to the first group from the top with a pattern, but no `except`, that matches its
# name. Patterns are Redis globs; \\xNN is a byte. If you delete a group, its keys belong to the groups
# below it: to leave keys where they are, set verdict = \"stay\" instead.
#
#   verdict   \"move\": at any time, once the programs read the new database
#             \"drain\": first stop their writers and readers, then move with --drained GROUP
#             \"stay\": never
#   database  where the group goes: the name of one of the targets
#   together  groups with the same word move in one run or not at all
#   perhaps   the producer is a guess from the names: find out who writes them
#
# keys, bytes, collisions and longest_block_ms were measured; changing them has no effect.
";

#[derive(Serialize)]
struct Head<'a> {
    version: u32,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    notes: &'a [String],
    source: &'a PlanSource,
}

#[derive(Serialize)]
struct OneTarget<'a> {
    targets: [&'a PlanTarget; 1],
}

#[derive(Serialize)]
struct OneGroup<'a> {
    groups: [&'a Group; 1],
}

impl Plan {
    /// The plan as text for [`Plan::parse`], with comments on how to change it.
    ///
    /// # Errors
    /// Never for a plan that was read or made here.
    pub fn to_toml(&self) -> Result<String> {
        let mut text = HEADER.to_owned();
        text.push('\n');
        let head = Head { version: self.version, notes: &self.notes, source: &self.source };
        text.push_str(&toml(&head)?);
        for target in &self.targets {
            text.push('\n');
            text.push_str(&toml(&OneTarget { targets: [target] })?);
        }
        for group in &self.groups {
            let _ = write!(text, "\n{}", comment(group));
            text.push_str(&toml(&OneGroup { groups: [group] })?);
        }
        Ok(text)
    }
}

fn toml(value: &impl Serialize) -> Result<String> {
    toml::to_string(value).map_err(|error| AdminError::Invalid(error.to_string()))
}

/// A comment line about a group.
fn comment(group: &Group) -> String {
    let of = match group.producer.as_str() {
        "" => String::new(),
        // A producer's name may contain a line break and is escaped; names from a map cannot.
        producer => {
            let perhaps = if group.perhaps { "perhaps " } else { "" };
            format!(" of {perhaps}{}", producer.escape_default())
        }
    };
    let what = match group.verdict {
        Verdict::Move => format!("move to {} at any time", group.database),
        Verdict::Drain => format!("drain, then move to {}", group.database),
        Verdict::Stay => "stay".to_owned(),
    };
    let size = size(group.bytes);
    let keys = if group.keys == 1 { "key" } else { "keys" };
    format!("# {} {keys}{of}, about {size}: {what}\n", group.keys)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn group() -> impl Strategy<Value = Group> {
        let verdict = prop::sample::select(vec![Verdict::Move, Verdict::Drain, Verdict::Stay]);
        let texts = || prop::collection::vec(any::<String>(), 1..3);
        (any::<[String; 3]>(), verdict, texts(), texts(), any::<u32>(), any::<bool>()).prop_map(
            |([name, producer, purpose], verdict, patterns, notes, keys, more)| Group {
                producer,
                purpose,
                database: "cache".into(),
                notes: if more { notes.clone() } else { Vec::new() },
                except: if more { notes } else { Vec::new() },
                keys: keys.into(),
                bytes: u64::from(keys) * 1_000,
                longest_block_ms: 0.1,
                ..Group::new(name, verdict, patterns)
            },
        )
    }

    proptest! {
        #[test]
        fn a_plan_comes_back(
            groups in prop::collection::vec(group(), 0..4),
            notes in prop::collection::vec(any::<String>(), 0..3),
        ) {
            let plan = Plan {
                version: 1,
                notes,
                source: PlanSource {
                    server: "redis://h".into(),
                    index: 0,
                    prefix: String::new(),
                    keys: 7,
                    made: "2026-11-21T11:30:00Z".into(),
                },
                targets: vec![PlanTarget {
                    database: "cache".into(),
                    server: "redis://h".into(),
                    index: 2,
                    prefix: String::new(),
                }],
                groups,
            };
            let text = plan.to_toml().unwrap();
            prop_assert_eq!(Plan::parse(&text).unwrap(), plan);
        }
    }
}
