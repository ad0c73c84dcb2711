//! A server's own description of where the keys of a command are.

use super::keys::{Access, KeyAt, NoKeys};
use crate::resp::{Arguments, Tree};

/// One group of keys of a command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Specification {
    pub(super) begin: Begin,
    pub(super) find: Find,
    pub(super) access: Access,
    pub(super) may_insert: bool,
}

/// Where a group begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Begin {
    /// At this argument.
    At(usize),
    /// After a word; the search begins at an argument, counted from the end if negative.
    After(Box<[u8]>, i64),
    Unknown,
}

/// Which arguments are keys, from where the group begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Find {
    /// All to the last: counted from the first, or from the end of the request if negative, or from the end of
    /// the part that remains if it is divided by a limit.
    To {
        last: i64,
        step: usize,
        limit: i64,
    },
    /// As many as a number says.
    Counted {
        number: usize,
        first: usize,
        step: usize,
    },
    Unknown,
}

impl Specification {
    /// One key, or all to `last`, from a fixed place.
    pub(super) fn range(
        at: usize,
        last: i64,
        step: usize,
        access: Access,
        may_insert: bool,
    ) -> Self {
        Self {
            begin: Begin::At(at),
            find: Find::To { last, step: step.max(1), limit: 0 },
            access,
            may_insert,
        }
    }

    /// Reads one from the answer of `COMMAND`. Nothing if it describes what is no key, such as a channel.
    pub(super) fn read(tree: &Tree, creates: bool) -> Option<Self> {
        let flags = tree.value("flags").and_then(Tree::items).unwrap_or_default();
        let has = |word: &[u8]| flags.iter().any(|flag| flag.text() == Some(word));
        if has(b"not_key") {
            return None;
        }
        let access = match () {
            () if has(b"OW") => Access::Overwrite,
            () if has(b"RM") => Access::Remove,
            () if has(b"RW") => Access::Change,
            () => Access::Read,
        };
        // A server calls `insert` what adds to a value, and `update` what changes one: both may create the key,
        // if the command may take memory.
        let may_insert = match access {
            Access::Overwrite => true,
            Access::Change => has(b"insert") || (creates && has(b"update") && !has(b"delete")),
            Access::Read | Access::Remove => false,
        };
        let begin = read_begin(tree.value("begin_search"));
        let find = read_find(tree.value("find_keys"));
        Some(Self { begin, find, access, may_insert })
    }

    /// Whether it is exactly the first argument.
    pub(super) fn is_first_argument(&self) -> bool {
        self.begin == Begin::At(1) && matches!(self.find, Find::To { last: 0, limit: 0, .. })
    }

    /// Appends the keys of a request that the group has.
    pub(super) fn find(
        &self,
        arguments: &Arguments<'_>,
        keys: &mut Vec<KeyAt>,
    ) -> Result<(), NoKeys> {
        let count = arguments.len();
        let begin = match &self.begin {
            Begin::At(at) => *at,
            Begin::After(word, from) => match after(arguments, word, *from) {
                Some(at) => at,
                None => return Ok(()),
            },
            Begin::Unknown => return Err(NoKeys::AskServer),
        };
        let (first, last, step) = match self.find {
            Find::To { last, step, limit } => {
                let end = if last >= 0 {
                    signed(begin).saturating_add(last)
                } else if limit > 1 {
                    signed(begin) + signed(count.saturating_sub(begin)) / limit + last
                } else {
                    signed(count) + last
                };
                let end = usize::try_from(end).map_err(|_| NoKeys::Missing)?;
                (begin, end, step)
            }
            Find::Counted { number, first, step } => {
                let number = number_of_keys(arguments.get(begin.saturating_add(number)))
                    .ok_or(NoKeys::Number)?;
                if number == 0 {
                    return Ok(());
                }
                let first = begin.saturating_add(first);
                let last = (number - 1).checked_mul(step).and_then(|more| more.checked_add(first));
                let last = last.filter(|last| *last < count).ok_or(NoKeys::Number)?;
                (first, last, step)
            }
            Find::Unknown => return Err(NoKeys::AskServer),
        };
        if first >= count || last >= count || last < first {
            return Err(NoKeys::Missing);
        }
        let (access, may_insert) = (self.access, self.may_insert);
        // A request has fewer than 2^32 arguments.
        let at =
            (first..=last).step_by(step.max(1)).map(|at| u32::try_from(at).unwrap_or(u32::MAX));
        keys.extend(at.map(|at| KeyAt { at, access, may_insert }));
        Ok(())
    }
}

/// The argument after a word, searched from a place forwards, or from one counted from the end backwards.
fn after(arguments: &Arguments<'_>, word: &[u8], from: i64) -> Option<usize> {
    let is = |at: &usize| arguments.get(*at).eq_ignore_ascii_case(word);
    let count = arguments.len();
    let found = if from >= 0 {
        (usize::try_from(from).ok()?..count.saturating_sub(1)).find(is)
    } else {
        let start = usize::try_from(signed(count).checked_add(from)?).ok()?;
        (2..=start).rev().find(is)
    };
    found.map(|at| at + 1)
}

/// A number of keys as servers read it: digits without a sign, a space or a zero before them.
fn number_of_keys(text: &[u8]) -> Option<usize> {
    let valid = text.first().is_some_and(u8::is_ascii_digit)
        && (text.len() == 1 || text.first() != Some(&b'0'));
    std::str::from_utf8(text).ok().filter(|_| valid)?.parse().ok()
}

fn signed(number: usize) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn read_begin(tree: Option<&Tree>) -> Begin {
    let spec = tree.and_then(|tree| tree.value("spec"));
    match kind_of(tree) {
        b"index" => whole(spec, "index").map_or(Begin::Unknown, Begin::At),
        b"keyword" => {
            let word = spec.and_then(|spec| spec.value("keyword")).and_then(Tree::text);
            let from = spec.and_then(|spec| spec.value("startfrom")).and_then(Tree::integer);
            word.zip(from).map_or(Begin::Unknown, |(word, from)| Begin::After(word.into(), from))
        }
        _ => Begin::Unknown,
    }
}

fn read_find(tree: Option<&Tree>) -> Find {
    let spec = tree.and_then(|tree| tree.value("spec"));
    let step = whole(spec, "keystep").unwrap_or(1).max(1);
    let number = |name| spec.and_then(|spec| spec.value(name)).and_then(Tree::integer);
    let find = match kind_of(tree) {
        b"range" => number("lastkey").map(|last| Find::To {
            last,
            step,
            limit: number("limit").unwrap_or_default(),
        }),
        b"keynum" => whole(spec, "keynumidx")
            .zip(whole(spec, "firstkey"))
            .map(|(number, first)| Find::Counted { number, first, step }),
        _ => None,
    };
    find.unwrap_or(Find::Unknown)
}

fn kind_of(tree: Option<&Tree>) -> &[u8] {
    tree.and_then(|tree| tree.value("type")).and_then(Tree::text).unwrap_or_default()
}

fn whole(spec: Option<&Tree>, name: &str) -> Option<usize> {
    usize::try_from(spec?.value(name)?.integer()?).ok()
}
