//! Keys of commands of servers before 7.0, which say only the first, the last and the step.

use super::flags::Flags;
use super::keys::Access;
use super::specification::{Begin, Find, Specification};

/// The specifications of a command that the server describes with three numbers.
pub(super) fn specifications(
    name: &str,
    flags: Flags,
    first: i64,
    last: i64,
    step: i64,
) -> Vec<Specification> {
    let access = if flags.has(Flags::WRITE) { Access::Change } else { Access::Read };
    let inserts = flags.has(Flags::WRITE.and(Flags::DENYOOM));
    let at = |begin, find, access| Specification { begin, find, access, may_insert: inserts };
    let counted = |number| Find::Counted { number: 0, first: 1, step: number };
    let streams = |from| Begin::After((*b"STREAMS").into(), from);
    match name {
        "eval" | "evalsha" => return vec![at(Begin::At(2), counted(1), Access::Change)],
        "zunion" | "zinter" | "zdiff" => return vec![at(Begin::At(1), counted(1), access)],
        "zunionstore" | "zinterstore" | "zdiffstore" => {
            let target = Specification::range(1, 0, 1, Access::Overwrite, true);
            return vec![target, at(Begin::At(2), counted(1), Access::Read)];
        }
        "xread" | "xreadgroup" => {
            let from = if name == "xread" { 1 } else { 4 };
            return vec![at(streams(from), Find::To { last: -1, step: 1, limit: 2 }, access)];
        }
        "memory" => return vec![Specification::range(2, 0, 1, access, false)],
        "stralgo" => {
            return vec![at(
                Begin::After((*b"KEYS").into(), 1),
                Find::To { last: 1, step: 1, limit: 0 },
                access,
            )];
        }
        _ => {}
    }
    let begin = usize::try_from(first).unwrap_or_default();
    if begin == 0 {
        return vec![];
    }
    // The last is counted from the name, a specification's from its first key.
    let last = if last >= first { last - first } else { last };
    let step = usize::try_from(step).unwrap_or(1);
    vec![Specification::range(begin, last, step, access, inserts)]
}
