//! The groups that keys are counted in: templates of the map, known programs, learnt patterns.

use std::collections::{BTreeMap, HashSet};

use compartment_core::KeyRule;

use crate::frameworks::{Evidence, Found, Purpose, Signature};
use crate::patterns::{Learner, Pattern, Selection};
use crate::plan::Verdict;

/// A group before its keys are counted. A key belongs to the first group with a glob that matches.
#[derive(Clone, Debug)]
pub(crate) struct Definition {
    pub(crate) name: String,
    pub(crate) producer: String,
    pub(crate) purpose: Purpose,
    pub(crate) verdict: Verdict,
    pub(crate) together: String,
    pub(crate) note: String,
    pub(crate) database: Option<String>,
    pub(crate) patterns: Vec<String>,
    pub(crate) selection: Selection,
    /// Whether only its pattern is known, but not its producer.
    pub(crate) learnt: bool,
    /// Whether the producer is a guess.
    pub(crate) perhaps: bool,
}

/// Name of the group for keys that match no other.
pub(crate) const OTHER: &str = "everything-else";

/// Learns from the names of a database in one pass.
#[derive(Debug, Default)]
pub(crate) struct Names {
    evidence: Evidence,
    learner: Learner,
}

impl Names {
    pub(crate) fn add(&mut self, name: &[u8]) {
        if !self.evidence.add(name) {
            self.learner.add(name);
        }
    }

    /// The sets whose members name queues.
    pub(crate) fn binding_tables(&self) -> Vec<Vec<u8>> {
        self.evidence.binding_tables()
    }

    /// Adds a member of such a set.
    pub(crate) fn bound(&mut self, table: &[u8], member: &[u8]) {
        self.evidence.bound(table, member);
    }

    /// The keys whose type and TTL identify their program.
    pub(crate) fn questions(&self) -> Vec<Vec<u8>> {
        self.evidence.questions()
    }

    /// The groups in order; the last one takes every key.
    pub(crate) fn define(
        self,
        rules: &BTreeMap<String, KeyRule>,
        known: &BTreeMap<Vec<u8>, Signature>,
    ) -> Vec<Definition> {
        let mut list = templates(rules);
        list.extend(self.evidence.decide(known).into_iter().map(of_program));
        // A pattern for every name would duplicate the last group.
        let learnt = self.learner.finish().into_iter().filter(|one| !one.pattern.takes_all());
        list.extend(learnt.map(|one| of_pattern(&one.pattern)));
        list.push(rest());
        drop_repeated_globs(&mut list);
        list
    }
}

/// The templates of the map, the most specific first.
fn templates(rules: &BTreeMap<String, KeyRule>) -> Vec<Definition> {
    let mut list: Vec<(&String, &KeyRule)> = rules.iter().collect();
    let given = |rule: &KeyRule| rule.template.glob().bytes().filter(|byte| *byte != b'*').count();
    list.sort_by_key(|(_, rule)| std::cmp::Reverse(given(rule)));
    let define = |(name, rule): (&String, &KeyRule)| Definition {
        name: name.clone(),
        producer: String::new(),
        purpose: Purpose::Unknown,
        verdict: Verdict::Move,
        together: String::new(),
        note: String::new(),
        database: Some(rule.database.clone()),
        patterns: vec![rule.template.as_str().to_owned()],
        selection: Selection { globs: vec![rule.template.glob().into_bytes()], except: Vec::new() },
        learnt: false,
        perhaps: false,
    };
    list.into_iter().map(define).collect()
}

fn of_program(found: Found) -> Definition {
    let (name, together) = if found.prefix.is_empty() {
        (found.group.name.to_owned(), found.group.together.to_owned())
    } else {
        let behind = |word: &str| match word {
            "" => String::new(),
            word => format!("{word}@{}", crate::escape(&found.prefix)),
        };
        (behind(found.group.name), behind(found.group.together))
    };
    Definition {
        name,
        producer: found.framework.name.to_owned(),
        purpose: found.group.purpose,
        verdict: found.group.verdict,
        together,
        note: found.group.note.to_owned(),
        database: None,
        patterns: found.globs.iter().map(|glob| crate::glob_text(glob)).collect(),
        selection: Selection { globs: found.globs, except: Vec::new() },
        learnt: false,
        perhaps: found.perhaps,
    }
}

fn of_pattern(pattern: &Pattern) -> Definition {
    Definition {
        name: pattern.to_string(),
        patterns: vec![pattern.to_string()],
        selection: Selection { globs: vec![pattern.glob()], except: Vec::new() },
        ..unknown()
    }
}

fn rest() -> Definition {
    Definition {
        name: OTHER.to_owned(),
        patterns: vec!["*".to_owned()],
        selection: Selection { globs: vec![b"*".to_vec()], except: Vec::new() },
        ..unknown()
    }
}

fn unknown() -> Definition {
    Definition {
        name: String::new(),
        producer: String::new(),
        purpose: Purpose::Unknown,
        verdict: Verdict::Stay,
        together: String::new(),
        note: String::new(),
        database: None,
        patterns: Vec::new(),
        selection: Selection::default(),
        learnt: true,
        perhaps: false,
    }
}

/// Drops globs that an earlier group has, since they can select nothing in a later one.
fn drop_repeated_globs(list: &mut Vec<Definition>) {
    let mut seen = HashSet::new();
    for one in list.iter_mut() {
        one.selection.globs.retain(|glob| seen.insert(glob.clone()));
    }
    list.retain(|one| !one.selection.globs.is_empty());
}
