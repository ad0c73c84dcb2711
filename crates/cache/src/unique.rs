//! Random numbers that are unique across processes and time.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};

/// A number of 64 random bits; a repetition is as unlikely as guessing it.
pub(crate) fn unique() -> u64 {
    // The standard library seeds `RandomState` with the system's randomness and hashes with SipHash: this hashes a
    // counter with a random key.
    static KEY: LazyLock<RandomState> = LazyLock::new(RandomState::new);
    static NEXT: AtomicU64 = AtomicU64::new(0);
    // Zero means "none" in some places.
    KEY.hash_one(NEXT.fetch_add(1, Ordering::Relaxed)).max(1)
}
