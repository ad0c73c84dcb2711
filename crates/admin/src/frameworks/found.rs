//! The programs' groups that are found in a database.

use super::{Framework, KeyGroup};
use crate::KeyType;

/// A group of keys of a program that is there.
#[derive(Clone, Debug)]
pub(crate) struct Found {
    pub(crate) framework: &'static Framework,
    pub(crate) group: &'static KeyGroup,
    /// What this installation put in front of the program's names.
    pub(crate) prefix: Vec<u8>,
    pub(crate) globs: Vec<Vec<u8>>,
    /// Whether its names alone speak for it, which others may choose too.
    pub(crate) perhaps: bool,
}

/// What is known of a key besides its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Signature {
    pub(crate) key_type: KeyType,
    pub(crate) expires: bool,
}
