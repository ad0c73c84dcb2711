//! Keys of the first tier: the text with its hash, so that nothing is hashed twice.

use std::hash::Hasher;

/// A key of an entry.
#[derive(Debug)]
pub(crate) struct Name {
    hash: u64,
    text: Text,
}

impl Name {
    pub(crate) fn hash(&self) -> u64 {
        self.hash
    }
}

/// The bytes of a key. Most keys are stored inline, beside the entry.
#[derive(Debug)]
enum Text {
    Short(u8, [u8; Text::SHORT]),
    Long(Box<[u8]>),
}

impl Text {
    /// Enough for a prefix and a number or two; the whole takes 32 bytes. A larger limit would cost short keys a
    /// cache line.
    const SHORT: usize = 30;

    fn of(text: &str) -> Self {
        let mut bytes = [0; Self::SHORT];
        match bytes.get_mut(..text.len()) {
            Some(short) => {
                short.copy_from_slice(text.as_bytes());
                Self::Short(text.len() as u8, bytes)
            }
            None => Self::Long(text.as_bytes().into()),
        }
    }

    fn bytes(&self) -> &[u8] {
        match self {
            // The length is at most `SHORT`.
            Self::Short(length, bytes) => &bytes[..usize::from(*length)],
            Self::Long(bytes) => bytes,
        }
    }
}

/// A key to look up.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wanted<'a> {
    hash: u64,
    text: &'a str,
}

impl<'a> Wanted<'a> {
    pub(crate) fn new(hash: u64, text: &'a str) -> Self {
        Self { hash, text }
    }

    pub(crate) fn hash(self) -> u64 {
        self.hash
    }

    /// The key's index among `places`.
    pub(crate) fn place(self, places: usize) -> usize {
        // The remainder is below the number of places.
        (self.hash % places as u64) as usize
    }

    /// Whether this is the key.
    pub(crate) fn is(self, name: &Name) -> bool {
        self.hash == name.hash && self.text.as_bytes() == name.text.bytes()
    }

    pub(crate) fn name(self) -> Name {
        Name { hash: self.hash, text: Text::of(self.text) }
    }
}

/// A hasher for values that are already hashes.
#[derive(Debug, Default)]
pub(crate) struct AsItIs(u64);

impl Hasher for AsItIs {
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }

    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }

    fn finish(&self) -> u64 {
        self.0
    }
}
