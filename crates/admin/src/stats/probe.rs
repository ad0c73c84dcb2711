//! The keys that processes of this library write for a moment, told from the keys of programs.

use super::report::Probe;

/// What such a name begins with, or has behind the prefix of its database.
const BEGINNING: &[u8] = b"compartment:";

/// Reads `compartment:PURPOSE:PROCESS:TIME`; `None` for any other name.
pub(super) fn probe_of(index: u32, name: &[u8]) -> Option<Probe> {
    let at = name.windows(BEGINNING.len()).rposition(|part| part == BEGINNING)?;
    let text = std::str::from_utf8(&name[at + BEGINNING.len()..]).ok()?;
    let mut parts = text.split(':');
    let (purpose, process, time) = (parts.next()?, parts.next()?, parts.next()?);
    // Nanoseconds since 1970 in hex.
    let is_time = time.len() >= 15 && time.bytes().all(|digit| digit.is_ascii_hexdigit());
    let is_word = !purpose.is_empty()
        && purpose.bytes().all(|letter| letter.is_ascii_lowercase() || letter == b'-');
    if parts.next().is_some() || !is_time || !is_word {
        return None;
    }
    Some(Probe { index, process: process.parse().ok()?, purpose: purpose.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn canaries_of_two_processes_are_told_apart_and_from_other_keys() {
        let name = compartment_redis::mark("canary");
        let own = probe_of(5, name.as_bytes()).unwrap();
        assert_eq!(
            (own.index, own.process, own.purpose.as_str()),
            (5, std::process::id(), "canary")
        );
        let other = probe_of(5, b"shop:compartment:canary:7:18a2b3c4d5e6f708").unwrap();
        assert_eq!(other.process, 7);
        for name in ["compartment:stage:7:18a2b3c4d5e6f708:x", "compartment:workers", "a:b", ""] {
            assert_eq!(probe_of(0, name.as_bytes()), None, "{name}");
        }
    }
}
