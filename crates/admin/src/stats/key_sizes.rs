//! What `INFO keysizes` (Redis 8) says about big keys: how many there are by type and size.

use std::collections::BTreeMap;

use crate::info::Info;

/// What an element of a collection takes, about, with its value.
const BYTES_OF_AN_ELEMENT: f64 = 64.0;

/// Big keys of one numbered database.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct BigKeys {
    /// How many.
    pub(super) count: u64,
    /// About how many bytes the strings among them take, whose lengths are known to a factor of two.
    pub(super) strings: f64,
    /// About how many bytes the collections take, if their elements are as long as most.
    pub(super) collections: f64,
}

impl BigKeys {
    /// About how many bytes they take together.
    pub(super) fn bytes(&self) -> f64 {
        self.strings + self.collections
    }

    /// A share of them.
    pub(super) fn share(&self, share: f64) -> Self {
        Self {
            count: (self.count as f64 * share).round() as u64,
            strings: self.strings * share,
            collections: self.collections * share,
        }
    }
}

/// The keys of at least `from` bytes in each database; `None` where the server does not tell.
pub(super) fn big_keys(info: &Info, from: u64) -> Option<BTreeMap<u32, BigKeys>> {
    let mut found: BTreeMap<u32, BigKeys> = BTreeMap::new();
    let mut tells = false;
    for (field, bins) in info.beginning("db") {
        let Some((index, what)) = field[2..].split_once("_distrib_") else { continue };
        let Ok(index) = index.parse() else { continue };
        tells = true;
        let is_string = what.starts_with("strings_");
        let unit = if is_string { 1.0 } else { BYTES_OF_AN_ELEMENT };
        let big = found.entry(index).or_default();
        for (least, count) in bins.split(',').filter_map(bin) {
            if least as f64 * unit >= from as f64 {
                big.count += count;
                // Evenly spread in its bin, a size is one and a half times the least.
                let bytes = 1.5 * least as f64 * unit * count as f64;
                let sum = if is_string { &mut big.strings } else { &mut big.collections };
                *sum += bytes;
            }
        }
    }
    tells.then_some(found)
}

/// `8M=7`: seven keys of at least 8 Mi and less than 16 Mi.
fn bin(text: &str) -> Option<(u64, u64)> {
    let (least, count) = text.split_once('=')?;
    let digits = least.trim_end_matches(|letter: char| letter.is_ascii_alphabetic());
    let shift = match &least[digits.len()..] {
        "" => 0,
        "K" => 10,
        "M" => 20,
        "G" => 30,
        "T" => 40,
        _ => return None,
    };
    Some((digits.parse::<u64>().ok()?.checked_mul(1 << shift)?, count.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bins_of_big_keys_are_counted_by_database() {
        let info = Info::read(
            "# Keysizes\r\ndb0_distrib_strings_sizes:1=12,64K=2,128K=1,8M=7\r\n\
             db0_distrib_lists_items:1=2692,2K=3\r\ndb3_distrib_hashes_items:512=9,x=1\r\n\
             db3:keys=9,expires=0,avg_ttl=0\r\n",
        );
        let found = big_keys(&info, 128 << 10).unwrap();
        assert_eq!(found[&0].count, 11);
        assert_eq!(found[&0].strings, 1.5 * f64::from((128 << 10) + 7 * (8 << 20)));
        assert_eq!(found[&0].collections, 1.5 * 2_048.0 * 64.0 * 3.0);
        assert_eq!(found[&0].share(0.5).bytes(), found[&0].bytes() / 2.0);
        assert_eq!(found[&3], BigKeys::default());
        assert_eq!(big_keys(&Info::read("db0:keys=3,expires=0\r\n"), 1), None);
    }
}
