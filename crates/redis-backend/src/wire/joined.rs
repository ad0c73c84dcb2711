//! Script calls that come together leave as one: one call with the keys and arguments of all.
//!
//! Such a script handles any number of keys, with as many arguments for each, and returns a list with an answer for
//! each. The server then finds and starts it once for all of them, and reads its clock once.

use redis::{Arg, Cmd};

use super::packed::{write_number, write_word};

/// The most calls in one: the server does nothing else meanwhile. A call takes it two to four microseconds; up to forty
/// if it is refused by a log of a million permits.
const MOST: usize = 32;
/// So many take the server longer than it takes its users to wake up and ask again.
const LONG: usize = 16;

/// Calls of one script that have not left yet.
#[derive(Debug)]
pub(super) struct Joined {
    /// Their place among the bytes of other requests.
    pub(super) at: usize,
    /// The number of the request that they are.
    pub(super) request: u64,
    script: Vec<u8>,
    arguments_each: usize,
    count: usize,
    keys: Vec<u8>,
    arguments: Vec<u8>,
}

/// A call of a script with one key: `EVALSHA hash 1 key argument…`.
#[derive(Debug)]
pub(super) struct Call<'a> {
    script: &'a [u8],
    key: &'a [u8],
    command: &'a Cmd,
}

/// The words before a call's arguments.
const BEFORE_ARGUMENTS: usize = 4;

impl<'a> Call<'a> {
    /// The call that a command is; `None` for another command.
    pub(super) fn of(command: &'a Cmd) -> Option<Self> {
        let mut words = command.args_iter();
        let mut next = || match words.next() {
            Some(Arg::Simple(word)) => Some(word),
            _ => None,
        };
        let (verb, script, keys, key) = (next()?, next()?, next()?, next()?);
        (verb == b"EVALSHA" && keys == b"1").then_some(Self { script, key, command })
    }

    fn arguments(&self) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        let words = self.command.args_iter().skip(BEFORE_ARGUMENTS);
        words.map(|word| if let Arg::Simple(word) = word { word } else { &[][..] })
    }
}

impl Joined {
    /// A call that others may join.
    pub(super) fn new(call: &Call<'_>, at: usize, request: u64) -> Self {
        let (script, arguments_each) = (call.script.to_vec(), call.arguments().count());
        let (keys, arguments) = (Vec::new(), Vec::new());
        let mut joined = Self { at, request, script, arguments_each, count: 0, keys, arguments };
        joined.add(call);
        joined
    }

    /// Whether the call may leave with these.
    pub(super) fn takes(&self, call: &Call<'_>) -> bool {
        !self.is_full()
            && self.script == call.script
            && self.arguments_each == call.arguments().count()
    }

    pub(super) fn add(&mut self, call: &Call<'_>) {
        self.count += 1;
        write_word(&mut self.keys, call.key);
        for argument in call.arguments() {
            write_word(&mut self.arguments, argument);
        }
    }

    /// Whether there is more than one.
    pub(super) fn is_shared(&self) -> bool {
        self.count > 1
    }

    /// Whether no other call may join.
    pub(super) fn is_full(&self) -> bool {
        self.count >= MOST
    }

    /// Whether the server works on them so long that the requests after them should not wait for the answers to these.
    pub(super) fn takes_long(&self) -> bool {
        self.count >= LONG
    }

    /// Writes the calls as one request.
    pub(super) fn write(&self, into: &mut Vec<u8>) {
        let words = 3 + self.count * (1 + self.arguments_each);
        write_number(into, b'*', words);
        write_word(into, b"EVALSHA");
        write_word(into, &self.script);
        write_word(into, self.count.to_string().as_bytes());
        into.extend_from_slice(&self.keys);
        into.extend_from_slice(&self.arguments);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(key: &str, arguments: &[&str]) -> Cmd {
        let mut command = redis::cmd("EVALSHA");
        command.arg("abc").arg(1).arg(key).arg(arguments);
        command
    }

    #[test]
    fn one_call_is_the_command_itself() {
        let command = call("lock:1", &["owner", ""]);
        let mut written = Vec::new();
        Joined::new(&Call::of(&command).unwrap(), 0, 0).write(&mut written);
        assert_eq!(written, command.get_packed_command());
    }

    #[test]
    fn two_calls_are_one_command_with_both_keys_before_all_arguments() {
        let (first, second) = (call("a", &["1", "2"]), call("b", &["3", "4"]));
        let mut joined = Joined::new(&Call::of(&first).unwrap(), 0, 0);
        assert!(!joined.is_shared() && joined.takes(&Call::of(&second).unwrap()));
        joined.add(&Call::of(&second).unwrap());
        let mut both = redis::cmd("EVALSHA");
        both.arg("abc").arg(2).arg(&["a", "b", "1", "2", "3", "4"]);
        let mut written = Vec::new();
        joined.write(&mut written);
        assert_eq!(written, both.get_packed_command());
        assert!(joined.is_shared());
    }

    #[test]
    fn only_calls_of_one_form_are_joined_and_not_too_many() {
        let first = call("a", &["1"]);
        let mut joined = Joined::new(&Call::of(&first).unwrap(), 0, 0);
        assert!(!joined.takes(&Call::of(&call("a", &["1", "2"])).unwrap()));
        let mut other = redis::cmd("EVALSHA");
        other.arg("abd").arg(1).arg("a").arg("1");
        assert!(!joined.takes(&Call::of(&other).unwrap()));
        for _ in 1..MOST {
            joined.add(&Call::of(&first).unwrap());
        }
        assert!(!joined.takes(&Call::of(&first).unwrap()));
        let mut two_keys = redis::cmd("EVALSHA");
        two_keys.arg("abc").arg(2).arg("a").arg("b");
        assert!(Call::of(&two_keys).is_none() && Call::of(&redis::cmd("PING")).is_none());
    }
}
