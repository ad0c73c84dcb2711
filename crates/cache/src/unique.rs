//! Random numbers that are unique across processes and time.

use compartment_core::backend::random;

/// A number of 64 random bits, never zero: zero means "none" in an entry.
pub(crate) fn unique() -> u64 {
    random().max(1)
}
