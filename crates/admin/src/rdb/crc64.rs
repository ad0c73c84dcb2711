//! The checksum of files and payloads, which can be resumed from a value.

use crc::{CRC_64_REDIS, Crc, Digest, Table};

static TABLE: Crc<u64, Table<16>> = Crc::<u64, Table<16>>::new(&CRC_64_REDIS);

/// A running checksum.
#[derive(Clone)]
pub(crate) struct Crc64(Digest<'static, u64, Table<16>>);

impl std::fmt::Debug for Crc64 {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Crc64({:016x})", self.value())
    }
}

impl Crc64 {
    pub(crate) fn new() -> Self {
        Self(TABLE.digest())
    }

    /// Continues from the value of another checksum.
    pub(crate) fn resume(value: u64) -> Self {
        // The algorithm is reflected: its state is the value, but the initial value is passed
        // bit-reversed.
        Self(TABLE.digest_with_initial(value.reverse_bits()))
    }

    pub(crate) fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    pub(crate) fn value(&self) -> u64 {
        self.0.clone().finalize()
    }

    pub(crate) fn of(bytes: &[u8]) -> u64 {
        TABLE.checksum(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_known_checksum_is_given() {
        assert_eq!(Crc64::of(b"123456789"), 0xe9c6_d914_c4b8_d9ca);
    }

    proptest! {
        #[test]
        fn it_goes_on_where_it_was_left(a in any::<Vec<u8>>(), b in any::<Vec<u8>>()) {
            let mut second = Crc64::resume(Crc64::of(&a));
            second.update(&b);
            prop_assert_eq!(second.value(), Crc64::of(&[a, b].concat()));
        }
    }
}
