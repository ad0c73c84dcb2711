//! Which version of Redis's protocol a connection speaks.

/// A version of Redis's protocol. A connection begins with 2; `HELLO 3` changes it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Resp {
    /// Version 2: strings, integers, errors and arrays.
    #[default]
    Two,
    /// Version 3: maps, sets, doubles, booleans, and messages that nobody asked for.
    Three,
}
