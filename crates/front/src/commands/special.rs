//! Commands whose specifications leave something out: options decide which arguments are keys, or what happens to
//! them.

use super::keys::{Access, KeyAt, NoKeys};
use crate::resp::Arguments;

/// A command that the front knows better than its specification.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Special {
    /// `SET` with `GET` reads too.
    Set,
    /// `BITFIELD` with nothing but `GET` reads.
    BitField,
    /// `GEORADIUS`: the last `STORE` or `STOREDIST` counts, among the options from an argument on.
    GeoRadius(usize),
    /// `SORT`: the last `STORE` counts.
    Sort,
    /// `SORT_RO`: it cannot store.
    SortReadOnly,
    /// `MSET` and `MSETNX`: a key without a value makes the request wrong, and none of it is executed.
    Pairs,
    /// `DEBUG` with a subcommand that looks at keys. No server describes them.
    Debug,
    /// `MIGRATE`: one key, or those after `KEYS`.
    Migrate,
}

impl Special {
    pub(super) fn of(name: &str) -> Option<Self> {
        Some(match name {
            "set" => Self::Set,
            "bitfield" => Self::BitField,
            "georadius" => Self::GeoRadius(6),
            "georadiusbymember" => Self::GeoRadius(5),
            "sort" => Self::Sort,
            "sort_ro" => Self::SortReadOnly,
            "mset" | "msetnx" => Self::Pairs,
            "debug" => Self::Debug,
            "migrate" => Self::Migrate,
            _ => return None,
        })
    }

    /// Appends the keys of the request.
    pub(super) fn find(
        self,
        arguments: &Arguments<'_>,
        keys: &mut Vec<KeyAt>,
    ) -> Result<(), NoKeys> {
        if arguments.len() < 2 {
            return Err(NoKeys::Missing);
        }
        match self {
            Self::Set => {
                let reads = (3..arguments.len()).any(|at| is_any(arguments.get(at), &[b"get"]));
                let access = if reads { Access::Change } else { Access::Overwrite };
                keys.push(KeyAt { at: 1, access, may_insert: true });
            }
            Self::BitField => {
                let access = if reads_bits(arguments) { Access::Read } else { Access::Change };
                keys.push(KeyAt { at: 1, access, may_insert: access.writes() });
            }
            Self::GeoRadius(options) => {
                keys.push(READ);
                stored(arguments, options, &[b"store", b"storedist"], &[], keys);
            }
            Self::SortReadOnly => keys.push(READ),
            Self::Sort => {
                keys.push(READ);
                stored(arguments, 2, &[b"store"], &[(b"limit", 2), (b"get", 1), (b"by", 1)], keys);
            }
            Self::Pairs => {
                if arguments.len().is_multiple_of(2) {
                    return Err(NoKeys::Missing);
                }
                let places =
                    (1..arguments.len()).step_by(2).filter_map(|at| u32::try_from(at).ok());
                keys.extend(places.map(|at| KeyAt {
                    at,
                    access: Access::Overwrite,
                    may_insert: true,
                }));
            }
            Self::Debug => debugged(arguments, keys),
            Self::Migrate => migrated(arguments, keys)?,
        }
        Ok(())
    }
}

/// The first argument, which is only read.
const READ: KeyAt = KeyAt { at: 1, access: Access::Read, may_insert: false };

/// The subcommands of `DEBUG` that look at keys.
const LOOKING: &[&[u8]] =
    &[b"object", b"digest-value", b"listpack", b"ziplist", b"quicklist", b"sdslen", b"htstats-key"];

fn is_any(argument: &[u8], words: &[&[u8]]) -> bool {
    words.iter().any(|word| argument.eq_ignore_ascii_case(word))
}

fn debugged(arguments: &Arguments<'_>, keys: &mut Vec<KeyAt>) {
    let name = arguments.get(1);
    if is_any(name, LOOKING) {
        // Digests are of several keys.
        let most = if name.eq_ignore_ascii_case(b"digest-value") { arguments.len() } else { 3 };
        let places = (2..arguments.len().min(most)).filter_map(|at| u32::try_from(at).ok());
        keys.extend(places.map(|at| KeyAt { at, ..READ }));
    }
}

/// How many arguments belong to an option of the list.
fn skipped(argument: &[u8], options: &[(&[u8], usize)]) -> Option<usize> {
    options.iter().find(|(word, _)| argument.eq_ignore_ascii_case(word)).map(|(_, skip)| *skip)
}

fn reads_bits(arguments: &Arguments<'_>) -> bool {
    let mut at = 2;
    while at < arguments.len() {
        let Some(skip) = skipped(arguments.get(at), &[(b"get", 2), (b"overflow", 1)]) else {
            return false;
        };
        if at + skip >= arguments.len() {
            return false;
        }
        at += skip + 1;
    }
    true
}

fn stored(
    arguments: &Arguments<'_>,
    from: usize,
    words: &[&[u8]],
    options: &[(&[u8], usize)],
    keys: &mut Vec<KeyAt>,
) {
    let mut target = None;
    let mut at = from;
    while at < arguments.len() {
        if is_any(arguments.get(at), words) && at + 1 < arguments.len() {
            target = u32::try_from(at + 1).ok();
            at += 1;
        } else if let Some(skip) = skipped(arguments.get(at), options) {
            at += skip;
        }
        at += 1;
    }
    keys.extend(target.map(|at| KeyAt { at, access: Access::Overwrite, may_insert: true }));
}

fn migrated(arguments: &Arguments<'_>, keys: &mut Vec<KeyAt>) -> Result<(), NoKeys> {
    let key = |at| {
        u32::try_from(at).ok().map(|at| KeyAt { at, access: Access::Change, may_insert: false })
    };
    let mut at = 6;
    while at < arguments.len() {
        let option = arguments.get(at);
        if option.eq_ignore_ascii_case(b"keys") && at + 1 < arguments.len() {
            if !arguments.get(3).is_empty() {
                return Err(NoKeys::Missing);
            }
            keys.extend((at + 1..arguments.len()).filter_map(key));
            return Ok(());
        }
        at += 1 + skipped(option, &[(b"auth", 1), (b"auth2", 2)]).unwrap_or_default();
    }
    keys.extend(key(3));
    Ok(())
}

/// The patterns with which `SORT` and `SORT_RO` find further keys: after `BY` and `GET`. `GET #` is the element
/// itself, and a `BY` without `*` says only not to sort.
pub fn sort_patterns<'a>(arguments: &Arguments<'a>) -> impl Iterator<Item = &'a [u8]> {
    let arguments = *arguments;
    let mut at = 2;
    std::iter::from_fn(move || {
        while at < arguments.len() {
            let option = arguments.get(at);
            at += 1 + skipped(option, &[(b"limit", 2), (b"store", 1), (b"get", 1), (b"by", 1)])
                .unwrap_or_default();
            if is_any(option, &[b"get", b"by"]) {
                let pattern = arguments.get(at - 1);
                let by = option.eq_ignore_ascii_case(b"by");
                if at <= arguments.len() && pattern != b"#" && (!by || pattern.contains(&b'*')) {
                    return Some(pattern);
                }
            }
        }
        None
    })
}

/// Whether `XREAD` or `XREADGROUP` asks to wait: `BLOCK` among the options before `STREAMS`.
pub(super) fn reading_blocks(arguments: &Arguments<'_>) -> bool {
    let mut at = 1;
    while at < arguments.len() {
        let option = arguments.get(at);
        if option.eq_ignore_ascii_case(b"block") {
            return true;
        }
        let options: &[(&[u8], usize)] =
            &[(b"count", 1), (b"group", 2), (b"noack", 0), (b"claim", 1)];
        let Some(skip) = skipped(option, options) else { return false };
        at += skip + 1;
    }
    false
}

/// Which argument of `COPY` is the index of another database: after `DB`.
#[must_use]
pub fn copy_database(arguments: &Arguments<'_>) -> Option<usize> {
    let mut at = 3;
    while at + 1 < arguments.len() {
        if arguments.get(at).eq_ignore_ascii_case(b"db") {
            return Some(at + 1);
        }
        at += 1;
    }
    None
}
