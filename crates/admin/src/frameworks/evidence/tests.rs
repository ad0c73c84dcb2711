//! Programs recognised from a few names and types.

use super::*;
use crate::patterns::Selector;

/// The group of each name, given the keys' types.
fn groups(keys: &[(&str, KeyType)]) -> Vec<String> {
    let mut evidence = Evidence::default();
    for (name, _) in keys {
        evidence.add(name.as_bytes());
    }
    let known = keys
        .iter()
        .map(|(name, key_type)| {
            (name.as_bytes().to_vec(), Signature { key_type: *key_type, expires: true })
        })
        .collect();
    let found = evidence.decide(&known);
    let selections: Vec<Selection> = found
        .iter()
        .map(|one| Selection { globs: one.globs.clone(), except: Vec::new() })
        .collect();
    let selector = Selector::new(&selections);
    let group = |name: &str| {
        selector.first_match(name.as_bytes()).map_or("-", |at| found[at].group.name).to_owned()
    };
    keys.iter().map(|(name, _)| group(name)).collect()
}

use KeyType::{Hash, List, Set, Stream, String as Text, Zset};

#[test]
fn sidekiq_is_known_by_several_of_its_names_only() {
    assert_eq!(groups(&[("queues", Set), ("retry", Zset)]), ["-", "-"]);
    assert_eq!(groups(&[("queues", Text), ("retry", Zset), ("dead", Zset)]), ["-"; 3]);
    let several = [
        ("queues", Set),
        ("retry", Zset),
        ("queue:mail", List),
        ("stat:processed", Text),
        ("web1:17:0123456789ab", Hash),
        (":1:0123456789ab", Text),
    ];
    let expected = ["sidekiq", "sidekiq", "sidekiq", "sidekiq-stats", "sidekiq", "django-cache"];
    assert_eq!(groups(&several), expected);
}

#[test]
fn queues_of_celery_are_known_by_their_bindings() {
    let keys = [
        ("_kombu.binding.mail", Set),
        ("mail", List),
        ("mail\u{6}\u{16}3", List),
        ("mailbox", List),
        ("celery", List),
    ];
    let expected = ["celery-broker", "celery-broker", "celery-broker", "-", "celery-broker"];
    assert_eq!(groups(&keys), expected);
}

/// The group of each name, with a question mark where it is a guess.
fn guesses(keys: &[(&str, KeyType)]) -> Vec<String> {
    let mut evidence = Evidence::default();
    for (name, _) in keys {
        evidence.add(name.as_bytes());
    }
    let signature = |(name, key_type): &(&str, KeyType)| {
        (name.as_bytes().to_vec(), Signature { key_type: *key_type, expires: true })
    };
    let found = evidence.decide(&keys.iter().map(signature).collect());
    let group = |(name, _): &(&str, KeyType)| {
        let takes = |one: &&Found| {
            let globs = one.globs.clone();
            let selector = Selector::new(&[Selection { globs, except: Vec::new() }]);
            selector.first_match(name.as_bytes()).is_some()
        };
        let mark = |one: &Found| if one.perhaps { "?" } else { "" };
        let found = found.iter().find(takes);
        found.map_or("-".to_owned(), |one| format!("{}{}", one.group.name, mark(one)))
    };
    keys.iter().map(group).collect()
}

#[test]
fn a_name_alone_is_a_guess() {
    for (keys, expected) in [
        (&[(":1:product:7", Text)][..], &["django-cache?"][..]),
        (
            &[(":1:product:7", Text), (":1:views.decorators.cache.x", Text)],
            &["django-cache", "django-cache"],
        ),
        (&[("checkpoint:7", Hash)], &["langgraph?"]),
        (&[("checkpoint:7", Hash), ("checkpoint_write:7", Hash)], &["langgraph", "langgraph"]),
        (&[("session:17", Text)], &["flask-sessions?"]),
        (&[("sess:17", Text)], &["express-sessions?"]),
        (&[("session:gitlab:2::ab", Text)], &["gitlab-sessions"]),
        (&[("queues", Set), ("queue:mail", List)], &["sidekiq?", "sidekiq?"]),
        (&[("queue:mail", List), ("schedule", Zset)], &["-", "-"]),
        (&[("messages", Stream)], &["symfony-messenger?"]),
        (&[("9e107d9d372bb6826bd81d3542a419d6", List)], &["dramatiq-results?"]),
        (
            &[("9e107d9d372bb6826bd81d3542a419d6", List), ("dramatiq:__heartbeats__", Zset)],
            &["dramatiq-results", "dramatiq"],
        ),
        (
            &[
                ("9e107d9d372bb6826bd81d3542a419d6", List),
                ("e4d909c290d0fb1ca068ffaddf22cbd0", Text),
            ],
            &["-", "-"],
        ),
    ] {
        assert_eq!(guesses(keys), expected, "{keys:?}");
    }
}

#[test]
fn bull_and_bullmq_are_told_apart_queue_by_queue() {
    let bull = [("bull:mail:id", Text), ("bull:mail:wait", List), ("bull:mail:7", Hash)];
    assert_eq!(groups(&bull), ["bull"; 3]);
    let new = [("bull:pdf:meta", Hash), ("bull:pdf:id", Text), ("bull:pdf:7", Hash)];
    assert_eq!(groups(&new), ["bullmq"; 3]);
    let both = [&bull[..], &new].concat();
    assert_eq!(groups(&both), ["bull", "bull", "bull", "bullmq", "bullmq", "bullmq"]);
    let other = [("bull:x", Text), ("bull:y:id", Hash)];
    assert_eq!(groups(&other), ["-", "-"]);
}

#[test]
fn programs_of_the_same_kinds_are_known() {
    let keys = [
        ("bq:mail:jobs", Hash),
        ("bq:mail:id", Text),
        ("rlflx:login:7", Text),
        ("redisson_lock_queue:{a}", List),
        ("{a}:redisson_rwlock", Hash),
        ("redisson__timeout__set:{m}", Zset),
        ("redisson_delay_queue_timeout:{q}", Zset),
        ("redisson_delay_queue:{q}", List),
        ("{m}:redisson_options", Hash),
        ("shop/data", Hash),
        ("shop/ref_doc_info", Hash),
        ("shop/metadata", Hash),
        ("other/data", Hash),
        ("arq:result:1", Text),
    ];
    let expected = [
        "bee-queue",
        "bee-queue",
        "rate-limiter-flexible",
        "redisson",
        "redisson",
        "redisson-data",
        "redisson-data",
        "redisson-data",
        "redisson-data",
        "llama-index-documents",
        "llama-index-documents",
        "llama-index-documents",
        "-",
        "arq-results",
    ];
    assert_eq!(groups(&keys), expected);
}

#[test]
fn a_cache_behind_a_prefix_is_guessed_by_its_version() {
    let names: Vec<String> = (0..12).map(|n| format!("shop:1:product:{n}")).collect();
    let mut keys: Vec<(&str, KeyType)> = names.iter().map(|name| (name.as_str(), Text)).collect();
    assert_eq!(guesses(&keys), ["django-cache?"; 12]);
    // Ids are not versions, and a prefix with other names is not a cache.
    keys.push(("shop:name", Text));
    assert_eq!(guesses(&keys), ["-"; 13]);
    let names: Vec<String> = (0..12).map(|n| format!("user:{n}:cart")).collect();
    let keys: Vec<(&str, KeyType)> = names.iter().map(|name| (name.as_str(), Text)).collect();
    assert_eq!(guesses(&keys), ["-"; 12]);
}

#[test]
fn prefixes_of_an_installation_are_found() {
    let keys = [
        ("shop._kombu.binding.mail", Set),
        ("shop.mail", List),
        ("shop.unacked", Hash),
        ("shop.celery-task-meta-1", Text),
        ("site:1:views.decorators.cache.cache_page.x", Text),
        ("site:1:product:7", Text),
        ("jobs:pdf:meta", Hash),
        ("jobs:pdf:id", Text),
        ("jobs:pdf:events", Stream),
        ("jobs:pdf:17", Hash),
        ("other:pdf:meta", Hash),
    ];
    let expected = [
        "celery-broker",
        "celery-broker",
        "celery-broker",
        "celery-results",
        "django-cache",
        "django-cache",
        "bullmq",
        "bullmq",
        "bullmq",
        "bullmq",
        "-",
    ];
    assert_eq!(groups(&keys), expected);
}
