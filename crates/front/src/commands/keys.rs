//! Where the keys of a request are, and what happens to them.

/// What a command does to a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Access {
    /// Reads the value.
    Read,
    /// Changes the value.
    Change,
    /// Puts another value in its place, whatever was there.
    Overwrite,
    /// Removes it.
    Remove,
}

impl Access {
    /// Whether the key may be another afterwards.
    #[must_use]
    pub fn writes(self) -> bool {
        self != Self::Read
    }
}

/// A key of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyAt {
    /// Which argument it is; the command's name is 0.
    pub at: u32,
    /// What happens to it.
    pub access: Access,
    /// Whether the command may create it.
    pub may_insert: bool,
}

/// Why the keys of a request are not known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum NoKeys {
    /// The number of keys is no number, is negative, or is higher than the arguments allow.
    Number,
    /// There are fewer arguments than the command needs.
    Missing,
    /// Only the server can tell where they are: `COMMAND GETKEYS`.
    AskServer,
}

impl std::fmt::Display for NoKeys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Number => "the number of keys in the request is not valid",
            Self::Missing => "the request has fewer arguments than its command needs",
            Self::AskServer => "only the server knows where the keys of this command are",
        })
    }
}

impl std::error::Error for NoKeys {}
