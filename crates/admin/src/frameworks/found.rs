//! The key groups of programs that were found in a database.

use super::{Framework, KeyGroup};
use crate::KeyType;

/// A group of keys of a recognised program.
#[derive(Clone, Debug)]
pub(crate) struct Found {
    pub(crate) framework: &'static Framework,
    pub(crate) group: &'static KeyGroup,
    /// This installation's prefix before the program's names.
    pub(crate) prefix: Vec<u8>,
    pub(crate) globs: Vec<Vec<u8>>,
    /// Whether only its names indicate it, which other programs may use too.
    pub(crate) perhaps: bool,
}

/// The type of a key, and whether it expires.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Signature {
    pub(crate) key_type: KeyType,
    pub(crate) expires: bool,
}
