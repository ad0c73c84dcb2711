//! Numbers that no other process, and no other moment, has.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};

/// A number of 64 random bits; the same twice is as likely as guessing it.
pub(crate) fn unique() -> u64 {
    // The standard library seeds each of these with the system's randomness, once a thread, and
    // hashes with SipHash: a counter under a random key.
    static KEY: LazyLock<RandomState> = LazyLock::new(RandomState::new);
    static NEXT: AtomicU64 = AtomicU64::new(0);
    // Zero stands for "none" here and there.
    KEY.hash_one(NEXT.fetch_add(1, Ordering::Relaxed)).max(1)
}
