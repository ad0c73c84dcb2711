//! What a request says about the life of the key that it writes.

use crate::commands::Command;
use crate::resp::Arguments;

/// What a request says about the life of the key that it writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Life {
    /// It gives one.
    Given,
    /// It keeps what there is, or there may be none.
    Open,
    /// It is a SET that takes any life away.
    Without,
}

pub(super) fn life(command: &Command, arguments: &Arguments<'_>) -> Life {
    match &*command.name {
        "setex" | "psetex" | "expire" | "pexpire" | "expireat" | "pexpireat" => Life::Given,
        "set" => {
            for at in 3..arguments.len() {
                let word = arguments.get(at);
                if [&b"EX"[..], b"PX", b"EXAT", b"PXAT"]
                    .iter()
                    .any(|known| word.eq_ignore_ascii_case(known))
                {
                    return Life::Given;
                }
                if word.eq_ignore_ascii_case(b"KEEPTTL") {
                    return Life::Open;
                }
            }
            Life::Without
        }
        _ => Life::Open,
    }
}

/// Whether a request gives a key a life.
pub(super) fn gives_life(command: &Command, arguments: &Arguments<'_>) -> bool {
    match &*command.name {
        "getex" => arguments.len() > 2 && !arguments.get(2).eq_ignore_ascii_case(b"PERSIST"),
        _ => life(command, arguments) == Life::Given,
    }
}
