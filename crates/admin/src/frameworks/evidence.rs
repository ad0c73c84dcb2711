//! Finds out which programs write into a database, from its key names and a few types.

use std::collections::{BTreeMap, BTreeSet};

use super::bindings::{self, Bindings, queue_globs};
use super::bull::Queues;
use super::forms::Forms;
use super::found::{Found, Signature};
use super::{Framework, KeyGroup, Row, all};
use crate::KeyType;
use crate::name::escape_glob_into;
use crate::patterns::{Selection, Selector};

#[derive(Debug)]
struct SeenRow {
    framework: &'static Framework,
    group: &'static KeyGroup,
    row: &'static Row,
    samples: Vec<Vec<u8>>,
}

/// Collects evidence from the names of a database.
#[derive(Debug)]
pub(crate) struct Evidence {
    rows: Vec<SeenRow>,
    selector: Selector,
    /// Anchors found after other text: keyed by the framework's index in [`all`] and that text.
    prefixes: BTreeMap<(usize, Vec<u8>), Vec<Vec<u8>>>,
    bull: Queues,
    forms: Forms,
    bindings: Bindings,
}

/// Keys per row whose types are queried.
const SAMPLES: usize = 3;
/// Keys per row whose names contain the name of a queue.
const BINDING_SAMPLES: usize = 4_096;
const MAX_PREFIXES: usize = 32;
const LONGEST_PREFIX: usize = 64;
/// Keys of a strict row, all of which have to match.
const STRICT_SAMPLES: usize = 64;

const BINDING: &str = bindings::TABLE;
impl Default for Evidence {
    fn default() -> Self {
        let mut rows = Vec::new();
        for framework in all() {
            for group in framework.groups {
                for row in group.rows {
                    rows.push(SeenRow { framework, group, row, samples: Vec::new() });
                }
            }
        }
        let selections: Vec<Selection> = rows
            .iter()
            .map(|seen| {
                let globs = seen.row.globs.iter().map(|glob| glob.as_bytes().to_vec()).collect();
                Selection { globs, except: Vec::new() }
            })
            .collect();
        let selector = Selector::new(&selections);
        Self {
            rows,
            selector,
            prefixes: BTreeMap::new(),
            bull: Queues::default(),
            forms: Forms::default(),
            bindings: Bindings::default(),
        }
    }
}

impl Evidence {
    /// Adds a name; `true` if it certainly belongs to a known program.
    pub(crate) fn add(&mut self, name: &[u8]) -> bool {
        let (mut any, mut certain) = (false, false);
        let rows = &mut self.rows;
        self.selector.all_matches(name, |at| {
            let seen = &mut rows[at];
            any = true;
            certain |= seen.row.telling && !seen.row.expires;
            let is_binding = seen.row.globs.iter().any(|glob| glob.starts_with(BINDING));
            let max = if is_binding { BINDING_SAMPLES } else { seen.row.samples() };
            if seen.samples.len() < max {
                seen.samples.push(name.to_vec());
            }
        });
        certain |= self.bull.add(name);
        if !any || !certain {
            self.look_for_prefix(name);
            self.forms.add(name);
        }
        certain
    }

    fn look_for_prefix(&mut self, name: &[u8]) {
        for (at, framework) in all().enumerate() {
            for anchor in framework.anchors {
                let Some(start) = find(name, anchor.as_bytes()) else { continue };
                if start == 0 || start > LONGEST_PREFIX {
                    continue;
                }
                let key = (at, name[..start].to_vec());
                if self.prefixes.len() < MAX_PREFIXES || self.prefixes.contains_key(&key) {
                    let samples = self.prefixes.entry(key).or_default();
                    if samples.len() < BINDING_SAMPLES && anchor == &BINDING {
                        samples.push(name[start..].to_vec());
                    }
                }
            }
        }
    }

    /// The sets whose members name queues, which are added by [`Evidence::bound`]: a queue need not
    /// have its table's name.
    pub(crate) fn binding_tables(&self) -> Vec<Vec<u8>> {
        let plain = self.rows.iter().flat_map(|seen| &seen.samples);
        let plain = plain.filter(|name| bindings::exchange(name).is_some()).cloned();
        let prefixed = self.prefixes.iter().flat_map(|((_, prefix), tables)| {
            let tables = tables.iter().filter(|table| bindings::exchange(table).is_some());
            tables.map(move |table| [prefix.as_slice(), table].concat())
        });
        plain.chain(prefixed).collect()
    }

    /// Adds a member of such a set.
    pub(crate) fn bound(&mut self, table: &[u8], member: &[u8]) {
        self.bindings.add(table, member);
    }

    /// The keys whose type and TTL [`Evidence::decide`] needs.
    pub(crate) fn questions(&self) -> Vec<Vec<u8>> {
        let mut names: Vec<Vec<u8>> = Vec::new();
        for seen in &self.rows {
            let asked = seen.samples.len().min(seen.row.samples());
            names.extend_from_slice(&seen.samples[..asked]);
            names.extend(seen.samples.iter().flat_map(|name| self.bindings.queues(b"", name)));
        }
        names.extend(self.bull.questions());
        names.extend(self.forms.questions());
        names.sort();
        names.dedup();
        names
    }

    /// The groups of the programs found. `known` has the answers to the questions, without vanished
    /// keys.
    pub(crate) fn decide(&self, known: &BTreeMap<Vec<u8>, Signature>) -> Vec<Found> {
        let mut found = Vec::new();
        for (at, framework) in all().enumerate() {
            let rows = || self.rows.iter().filter(|seen| std::ptr::eq(seen.framework, framework));
            let fits = |seen: &&SeenRow| seen.fits(known) == Some(true);
            let fitting: Vec<&Row> = rows().filter(fits).map(|seen| seen.row).collect();
            if let Some(perhaps) = judge(framework, &fitting) {
                found.extend(framework.groups.iter().map(|group| Found {
                    framework,
                    group,
                    prefix: Vec::new(),
                    globs: self.globs_of(group, known),
                    perhaps,
                }));
            }
            let prefixed = self.prefixes.iter().filter(|((of, _), _)| *of == at);
            for ((_, prefix), tables) in prefixed {
                found.extend(framework.groups.iter().map(|group| Found {
                    framework,
                    group,
                    prefix: prefix.clone(),
                    globs: self.prefixed_globs(group, prefix, tables),
                    perhaps: false,
                }));
            }
        }
        found.extend(self.bull.decide(known));
        found.extend(self.forms.decide(known));
        found
    }

    fn globs_of(&self, group: &KeyGroup, known: &BTreeMap<Vec<u8>, Signature>) -> Vec<Vec<u8>> {
        let mut globs = Vec::new();
        for seen in self.rows.iter().filter(|seen| std::ptr::eq(seen.group, group)) {
            // Matching names with another type belong to another program.
            if seen.row.is_covered || seen.fits(known) == Some(false) {
                continue;
            }
            globs.extend(seen.row.globs.iter().map(|glob| glob.as_bytes().to_vec()));
            // Sorted, since the order of a scan varies and one database must give one plan.
            let queues: BTreeSet<Vec<u8>> =
                seen.samples.iter().flat_map(|name| self.bindings.queues(b"", name)).collect();
            for queue in queues {
                let taken = known.get(&queue).is_some_and(|sign| sign.key_type != KeyType::List);
                if !taken {
                    globs.extend(queue_globs(&queue));
                }
            }
        }
        dedup(globs)
    }

    fn prefixed_globs(&self, group: &KeyGroup, prefix: &[u8], tables: &[Vec<u8>]) -> Vec<Vec<u8>> {
        let mut start = Vec::new();
        escape_glob_into(prefix, &mut start);
        let mut globs: Vec<Vec<u8>> = group
            .rows
            .iter()
            .filter(|row| !row.is_covered)
            .flat_map(|row| row.globs)
            .map(|glob| [start.as_slice(), glob.as_bytes()].concat())
            .collect();
        let has_bindings =
            group.rows.iter().any(|row| row.globs.iter().any(|g| g.starts_with(BINDING)));
        if has_bindings {
            let queues: BTreeSet<Vec<u8>> =
                tables.iter().flat_map(|table| self.bindings.queues(prefix, table)).collect();
            for queue in queues {
                globs.extend(queue_globs(&[prefix, queue.as_slice()].concat()));
            }
        }
        dedup(globs)
    }
}

impl SeenRow {
    /// Whether a sample has the row's type (names of another row may match its globs too); `None`
    /// without samples.
    fn fits(&self, known: &BTreeMap<Vec<u8>, Signature>) -> Option<bool> {
        let samples = self.samples.iter().take(self.row.samples());
        let signs: Vec<&Signature> = samples.filter_map(|name| known.get(name)).collect();
        let fits = |sign: &Signature| {
            (self.row.types.is_empty() || self.row.types.contains(&sign.key_type))
                && (sign.expires || !self.row.expires)
        };
        (!signs.is_empty()).then(|| match self.row.strict {
            true => signs.iter().all(|sign| fits(sign)),
            false => signs.iter().any(|sign| fits(sign)),
        })
    }
}

impl Row {
    /// Number of its keys whose types are queried.
    fn samples(&self) -> usize {
        if self.strict { STRICT_SAMPLES } else { SAMPLES }
    }
}

/// Judges a program by the rows that were found: `Some(false)` if certain, `Some(true)` if only
/// perhaps.
fn judge(framework: &Framework, rows: &[&Row]) -> Option<bool> {
    let several = rows.len() >= framework.needs;
    if several || rows.iter().any(|row| row.telling && !row.hints) {
        return Some(false);
    }
    let is_there = |glob: &&str| rows.iter().any(|row| row.globs.first() == Some(glob));
    let has_pair = !framework.pair.is_empty() && framework.pair.iter().all(is_there);
    (has_pair || rows.iter().any(|row| row.telling)).then_some(true)
}

fn dedup(globs: Vec<Vec<u8>>) -> Vec<Vec<u8>> {
    let mut seen = std::collections::HashSet::new();
    globs.into_iter().filter(|glob| seen.insert(glob.clone())).collect()
}

fn find(text: &[u8], needle: &[u8]) -> Option<usize> {
    text.windows(needle.len()).position(|window| window == needle)
}

#[cfg(test)]
mod tests;
