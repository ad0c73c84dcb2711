//! Patterns that are learnt from names.

use super::*;

fn learn<N: AsRef<[u8]>>(names: impl IntoIterator<Item = N>) -> Vec<(String, u64)> {
    let mut learner = Learner::default();
    names.into_iter().for_each(|name| learner.add(name.as_ref()));
    assert!(learner.nodes() <= MAX_NODES);
    let shown = |learned: Learned| (learned.pattern.to_string(), learned.keys);
    learner.finish().into_iter().map(shown).collect()
}

fn uuid(n: u64) -> String {
    format!("{n:08x}-98ab-4c5d-8e6f-0123456789ab")
}

/// Numbers that look random and are the same in each run.
fn mixed(n: u64) -> u64 {
    let mut x = n.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    x ^= x >> 29;
    x.wrapping_mul(0xbf58_476d_1ce4_e5b9) >> 3
}

#[test]
fn what_varies_becomes_a_placeholder_and_words_stay() {
    let names = (0..500).flat_map(|n| {
        [
            format!("doc:{}:text", uuid(n)),
            format!("doc:{}:chunks", uuid(n)),
            format!("user:{n}"),
            format!(":1:page{n}"),
        ]
    });
    let expected = [
        ("doc:{uuid}:chunks", 500),
        ("doc:{uuid}:text", 500),
        (":1:page{int}", 500),
        ("user:{int}", 500),
    ];
    assert_eq!(learn(names), expected.map(|(name, keys)| (name.to_owned(), keys)));
}

#[test]
fn versions_of_one_template_are_one_pattern() {
    let names = (0..40).map(|n| format!("doc:{}:v{}", uuid(n), n % 2));
    assert_eq!(learn(names), [("doc:{uuid}:v{int}".to_owned(), 40)]);
    let names = (0..40).map(|n| format!("app:v{}:user:{n}", n % 3));
    assert_eq!(learn(names), [("app:v{int}:user:{int}".to_owned(), 40)]);
    let names = (0..40).map(|n| format!("app:v1:user:{n}"));
    assert_eq!(learn(names), [("app:v1:user:{int}".to_owned(), 40)]);
}

#[test]
fn words_that_are_many_are_values() {
    let names = (0..5_000).map(|n| format!("session:{}", base36(mixed(n))));
    assert_eq!(learn(names), [("session:{id}".to_owned(), 5_000)]);
}

fn base36(mut n: u64) -> String {
    let mut text = String::new();
    for _ in 0..10 {
        text.push(char::from(b"abcdefghijklmnopqrstuvwxyz0123456789"[(n % 36) as usize]));
        n /= 36;
    }
    text
}

#[test]
fn two_hundred_thousand_random_names_stay_within_bounds() {
    let names = (0..200_000_u64).map(|n| {
        let mut name = mixed(n).to_be_bytes().to_vec();
        name.extend_from_slice(&mixed(n + 7_000_000).to_le_bytes());
        name.truncate((n % 17) as usize);
        name
    });
    let learned = learn(names);
    assert!(learned.len() <= MAX_PATTERNS, "{}", learned.len());
}

#[test]
fn a_program_among_random_names_is_seen() {
    let names = (0..20_000).flat_map(|n| {
        let mut both = vec![base36(mixed(n))];
        if n % 4 == 0 {
            both.push(format!("orders:{n}:state"));
        }
        both
    });
    let learned = learn(names);
    assert!(learned.contains(&("orders:{int}:state".to_owned(), 5_000)), "{learned:?}");
}

#[test]
fn the_empty_name_has_a_pattern() {
    assert_eq!(learn([""]), [("(the empty name)".to_owned(), 1)]);
}
