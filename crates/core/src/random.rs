//! Random numbers that no other process draws.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;

/// A number of 64 random bits, for names and tokens that must differ among all processes of a fleet, and
/// for jitter.
///
/// The standard library seeds its hashers from the system's randomness. A generator seeded by the time,
/// as `fastrand`'s is, could draw the same numbers in two processes.
#[must_use]
pub fn random() -> u64 {
    RandomState::new().hash_one(0_u8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_number_comes_twice() {
        let numbers: std::collections::HashSet<u64> = (0..10_000).map(|_| random()).collect();
        assert_eq!(numbers.len(), 10_000);
    }
}
