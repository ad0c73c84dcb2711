//! Globs match like the server's own `KEYS`, for any pattern and name.

use compartment_core::backend::glob_matches;
use compartment_testkit::{TestRedis, run_test};
use redis::Commands;

/// A generator of numbers that are the same in each run.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, limit: usize) -> usize {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap_or(0) % limit
    }

    fn text(&mut self, letters: &[&[u8]], longest: usize) -> Vec<u8> {
        (0..self.below(longest + 1))
            .flat_map(|_| letters[self.below(letters.len())].to_vec())
            .collect()
    }
}

const LETTERS: [&[u8]; 14] = [
    b"a",
    b"b",
    b"x",
    b"*",
    b"?",
    b"[",
    b"]",
    b"^",
    b"-",
    b"\\",
    b"!",
    "\u{e9}".as_bytes(),
    b"\xff",
    b"\n",
];

const PATTERNS: [&[u8]; 24] = [
    b"",
    b"*",
    b"**",
    b"***a",
    b"a*",
    b"*\\",
    b"\\",
    b"a\\",
    b"[",
    b"[]",
    b"[^]",
    b"[\\",
    b"[\\]",
    b"[a-",
    b"[a-]",
    b"[]-a]",
    b"[^a",
    b"[!a]",
    b"[a-\xff]",
    b"[\xe9-\xff]",
    b"App\\\\Models\\\\User",
    b"App\\Models\\User",
    b"\\x61",
    b"*[*]*",
];

const NAMES: [&[u8]; 10] = [
    b"",
    b"App\\Models\\User",
    b"AppModelsUser",
    b"x61",
    b"a b",
    b"{a}",
    b"*",
    b"[a]",
    b"a*b",
    b"\\x61",
];

#[test]
fn globs_match_as_keys_does() {
    run_test(async {
        let redis = TestRedis::start().await;
        let mut numbers = Numbers(7);
        let mut names: Vec<Vec<u8>> = NAMES.iter().map(|name| name.to_vec()).collect();
        names.extend((0..200).map(|_| numbers.text(&LETTERS, 5)));
        names.sort();
        names.dedup();
        let mut patterns: Vec<Vec<u8>> = PATTERNS.iter().map(|pattern| pattern.to_vec()).collect();
        patterns.extend((0..6_000).map(|_| numbers.text(&LETTERS, 7)));
        let client = redis::Client::open(redis.url()).unwrap();
        let mut connection = client.get_connection().unwrap();
        for name in &names {
            let () = connection.set(name, 1).unwrap();
        }
        for pattern in &patterns {
            let mut wanted: Vec<Vec<u8>> = connection.keys(pattern).unwrap();
            wanted.sort();
            let found: Vec<Vec<u8>> =
                names.iter().filter(|name| glob_matches(pattern, name)).cloned().collect();
            assert_eq!(found, wanted, "{}", pattern.escape_ascii());
        }
    });
}
