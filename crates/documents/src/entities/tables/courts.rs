//! The table of courts, read from `data/courts.tsv`: which court a name in normal form is.

use std::collections::HashMap;
use std::sync::LazyLock;

/// Made by `cargo xtask tables` from the package `courts-db`; its licence is beside it.
const DATA: &str = include_str!("../../../data/courts.tsv");

/// The courts, and the forms of their names.
#[derive(Debug)]
pub(crate) struct Courts {
    /// Normal forms with the ids of the courts they name, sorted by form.
    forms: Vec<(&'static str, &'static str)>,
    open: Vec<Open>,
    by_id: HashMap<&'static str, Court>,
}

/// A court of the table.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Court {
    /// Its full name.
    pub(crate) name: &'static str,
    /// State, country or city.
    pub(crate) location: &'static str,
    /// Whether it is a court of the United States.
    pub(crate) federal: bool,
}

/// A name that has these words, any other words, and none of those.
#[derive(Debug)]
struct Open {
    with: Vec<&'static str>,
    without: Vec<Vec<&'static str>>,
    id: &'static str,
}

/// The table.
pub(crate) fn courts() -> &'static Courts {
    static COURTS: LazyLock<Courts> = LazyLock::new(|| Courts::read(DATA));
    &COURTS
}

impl Courts {
    fn read(data: &'static str) -> Self {
        let mut courts =
            Self { forms: Vec::with_capacity(10_000), open: Vec::new(), by_id: HashMap::new() };
        for line in data.lines() {
            let mut cells = line.split('\t');
            let kind = cells.next().unwrap_or_default();
            let mut cell = || cells.next().unwrap_or_default();
            match kind {
                "C" => {
                    let (id, name, _citation, federal) =
                        (cell(), cell(), cell(), cell() == "federal");
                    let (_level, _type, location) = (cell(), cell(), cell());
                    courts.by_id.insert(id, Court { name, location, federal });
                }
                "F" => courts.forms.push((cell(), cell())),
                "W" => {
                    let (with, without, id) = (cell(), cell(), cell());
                    let with = with.split(' ').collect();
                    let without = without.split(',').filter(|words| !words.is_empty());
                    let without = without.map(|words| words.split(' ').collect()).collect();
                    courts.open.push(Open { with, without, id });
                }
                _ => {}
            }
        }
        courts.forms.sort_unstable();
        courts
    }

    /// The ids of the courts that a form names; more than one if the form is of courts in several states.
    pub(crate) fn named(&self, form: &str) -> impl Iterator<Item = &'static str> + use<> {
        let at = self.forms.binary_search_by(|(known, _)| (*known).cmp(form));
        at.ok().map_or("", |at| self.forms[at].1).split_whitespace()
    }

    /// The one court that a form names.
    pub(crate) fn one(&self, form: &str) -> Option<&'static str> {
        let mut ids = self.named(form);
        let first = ids.next()?;
        ids.next().is_none().then_some(first)
    }

    /// The court whose name has the most of these words, among names that may have any others.
    pub(crate) fn open(&self, words: &[&str]) -> Option<(&'static str, &[&'static str])> {
        let has = |all: &[&str]| all.iter().all(|word| words.contains(word));
        self.open
            .iter()
            .filter(|open| has(&open.with) && !open.without.iter().any(|all| has(all)))
            .max_by_key(|open| open.with.len())
            .map(|open| (open.id, open.with.as_slice()))
    }

    /// The id, if the table has it.
    pub(crate) fn id(&self, id: &str) -> Option<&'static str> {
        self.by_id.get_key_value(id).map(|(id, _)| *id)
    }

    /// The court with this id.
    pub(crate) fn get(&self, id: &str) -> Option<Court> {
        self.by_id.get(id).copied()
    }

    /// Every court with its id.
    pub(crate) fn all(&self) -> impl Iterator<Item = (&'static str, Court)> + '_ {
        self.by_id.iter().map(|(id, court)| (*id, *court))
    }
}
