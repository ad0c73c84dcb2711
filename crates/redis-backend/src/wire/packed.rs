//! Commands that are written as they are sent: thousands that differ in a key cost no allocation each.

use super::answers::is_without_values;

/// Commands of one round trip.
#[derive(Debug, Default)]
pub(crate) struct Packed {
    pub(super) bytes: Vec<u8>,
    pub(super) count: usize,
    pub(super) carries_values: bool,
}

impl Packed {
    /// Adds a command of these words, in capital letters, with `key` behind them.
    pub(crate) fn push(&mut self, words: &[&str], key: Option<&[u8]>) {
        let is_safe = words.first().is_some_and(|verb| is_without_values(verb.as_bytes()));
        self.carries_values |= !is_safe;
        self.count += 1;
        write_number(&mut self.bytes, b'*', words.len() + usize::from(key.is_some()));
        for part in words.iter().map(|word| word.as_bytes()).chain(key) {
            write_word(&mut self.bytes, part);
        }
    }

    /// Each of the questions, commands without their last argument, about each of the keys.
    pub(crate) fn about<K: AsRef<[u8]>>(questions: &[&[&str]], keys: &[K]) -> Self {
        let mut packed = Self::default();
        for key in keys {
            for words in questions {
                packed.push(words, Some(key.as_ref()));
            }
        }
        packed
    }

    /// Adds the commands of another.
    pub(crate) fn append(&mut self, other: Self) {
        self.bytes.extend_from_slice(&other.bytes);
        self.count += other.count;
        self.carries_values |= other.carries_values;
    }
}

/// Writes a word of a command.
pub(super) fn write_word(into: &mut Vec<u8>, word: &[u8]) {
    write_number(into, b'$', word.len());
    into.extend_from_slice(word);
    into.extend_from_slice(b"\r\n");
}

/// Writes how many words, or bytes of a word, follow.
pub(super) fn write_number(into: &mut Vec<u8>, kind: u8, number: usize) {
    into.push(kind);
    into.extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
    into.extend_from_slice(b"\r\n");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_written_as_the_client_writes_commands() {
        let mut packed = Packed::default();
        let long = vec![b'x'; 12_345];
        packed.push(&["OBJECT", "ENCODING"], Some(b"a\r\n"));
        packed.push(&["PTTL"], Some(&long));
        packed.push(&["TIME"], None);
        let mut expected = redis::cmd("OBJECT").arg("ENCODING").arg(b"a\r\n").get_packed_command();
        redis::cmd("PTTL").arg(&long).write_packed_command(&mut expected);
        redis::cmd("TIME").write_packed_command(&mut expected);
        assert_eq!(packed.bytes, expected);
        assert_eq!((packed.count, packed.carries_values), (3, false));
        packed.push(&["DUMP"], Some(b""));
        assert!(packed.carries_values);
    }
}
