//! What arrives is what was there: the development set of dumps, and random data of every type.

#![expect(clippy::unwrap_used, reason = "a failure here is a failed test")]

use std::path::Path;

use compartment_admin::Place;
use compartment_admin::migrate::{
    MigrateOptions, Migration, Routes, UndoOptions, Way, migrate, undo,
};
use compartment_admin::verify::{VerifyOptions, verify};
use compartment_testkit::{RespConnection, TestRedis, run_test};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use crate::data::{State, connection, names, place, server, silent, state};
use crate::shared_files;

fn migration(folder: &Path, from: &Place, to: &Place, way: Way, keep: bool) -> Migration {
    let mut options = MigrateOptions::new(folder.join("journal"));
    (options.way, options.keep, options.verify) = (Some(way), keep, true);
    Migration {
        source: from.clone(),
        targets: vec![to.clone()],
        routes: Routes::single("all", &[], None),
        options,
    }
}

/// Moves all there, compares, and takes it back.
async fn there_and_back(from: (&TestRedis, u32), to: (&TestRedis, u32), way: Way, keep: bool) {
    let original = state(from.0, from.1).await;
    let (source, target) = (place(from.0, from.1).await, place(to.0, to.1).await);
    let folder = tempfile::tempdir().unwrap();
    let report =
        migrate(migration(folder.path(), &source, &target, way, keep), silent()).await.unwrap();
    assert!(report.complete(), "{way}: {report:?}");
    assert_eq!(state(to.0, to.1).await, original, "by {way}");
    if keep {
        let mut options = VerifyOptions::default();
        options.both_ways = true;
        let same = verify(source.clone(), target.clone(), options, silent()).await.unwrap();
        assert!(same.all_same(), "{same:?}");
        assert_eq!(same.same, original.len() as u64);
    } else {
        assert_eq!(state(from.0, from.1).await, State::new(), "by {way}");
    }
    let journal = folder.path().join("journal");
    let report =
        undo(&journal, source, vec![target], UndoOptions::default(), silent()).await.unwrap();
    assert!(report.complete(), "back from {way}: {report:?}");
    assert_eq!(state(from.0, from.1).await, original, "back from {way}");
    assert_eq!(state(to.0, to.1).await, State::new(), "back from {way}");
}

const WITHIN: [(Way, bool); 4] =
    [(Way::Move, false), (Way::Copy, false), (Way::Copy, true), (Way::Dump, false)];
const BETWEEN: [(Way, bool); 3] = [(Way::Dump, false), (Way::Dump, true), (Way::Typed, false)];

#[test]
#[ignore = "needs redis-server"]
fn every_dump_of_the_set_is_migrated_within_a_server_and_between_two() {
    run_test(async {
        let other = server().await;
        for path in shared_files::loaded_files() {
            let from = TestRedis::builder().debug_command().rdb(&path).start().await;
            for index in [0, 1, 2] {
                let mut c = connection(&from, index).await;
                for name in names(&mut c).await.iter().step_by(3) {
                    let far = [b"PEXPIREAT".as_slice(), name, b"4102444800123"];
                    assert_eq!(c.send(&far).await.unwrap().integer(), Some(1));
                }
                if state(&from, index).await.is_empty() {
                    continue;
                }
                for (way, keep) in WITHIN {
                    there_and_back((&from, index), (&from, 11), way, keep).await;
                }
                for (way, keep) in BETWEEN {
                    there_and_back((&from, index), (&other, 3), way, keep).await;
                }
            }
        }
    });
}

/// A key and the commands that make it.
#[derive(Clone, Debug)]
struct RandomKey {
    name: Vec<u8>,
    commands: Vec<Vec<Vec<u8>>>,
    expires: bool,
}

fn bytes() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        4 => proptest::collection::vec(any::<u8>(), 0..12),
        2 => any::<i64>().prop_map(|number| number.to_string().into_bytes()),
        1 => proptest::collection::vec(any::<u8>(), 60..200),
    ]
}

fn elements(max: usize) -> impl Strategy<Value = Vec<Vec<u8>>> {
    // Above 128 and 512 the encodings change.
    prop_oneof![
        3 => proptest::collection::vec(bytes(), 1..8),
        1 => proptest::collection::vec(bytes(), 120..max),
        1 => proptest::collection::vec(any::<i16>().prop_map(|n| n.to_string().into_bytes()), 1..max),
    ]
}

fn words(line: &str) -> Vec<Vec<u8>> {
    line.split(' ').map(|word| word.as_bytes().to_vec()).collect()
}

/// The words of a command in front of the key's name, and those behind it.
type Around = (Vec<Vec<u8>>, Vec<Vec<u8>>);

/// The commands that make a value, for each type.
fn value() -> impl Strategy<Value = Vec<Around>> {
    let one = |verb: &'static str| move |rest: Vec<Vec<u8>>| vec![(words(verb), rest)];
    let pairs = |verb: &'static str| {
        move |rest: Vec<Vec<u8>>| {
            let both = rest.iter().enumerate();
            let fields = both.flat_map(|(i, v)| [format!("{i}-").into_bytes(), v.clone()]);
            vec![(words(verb), fields.collect())]
        }
    };
    let scored = |rest: Vec<Vec<u8>>| {
        let both = rest.iter().enumerate();
        let members = both.flat_map(|(i, v)| {
            let score = match i % 5 {
                0 => "-inf".to_owned(),
                1 => format!("{}", i as f64 / 3.0),
                2 => "1e300".to_owned(),
                _ => i.to_string(),
            };
            [score.into_bytes(), v.clone()]
        });
        vec![(words("ZADD"), members.collect())]
    };
    prop_oneof![
        bytes().prop_map(|value| vec![(words("SET"), vec![value])]),
        elements(300).prop_map(one("RPUSH")),
        elements(700).prop_map(one("SADD")),
        elements(700).prop_map(pairs("HSET")),
        elements(200).prop_map(scored),
        (elements(130), 0..40_usize, any::<bool>())
            .prop_map(|(entries, taken, empty)| { stream(&entries, taken, empty) }),
        bytes().prop_map(|value| vec![(words("PFADD"), vec![value])]),
    ]
}

/// A stream with groups, of whose entries some were handed out, acknowledged and deleted.
fn stream(entries: &[Vec<u8>], taken: usize, empty: bool) -> Vec<Around> {
    let mut commands = Vec::new();
    for (i, entry) in entries.iter().enumerate() {
        let id = format!("{}-{}", i / 3 + 1, i % 3 + 1);
        commands.push((words("XADD"), vec![id.into_bytes(), b"f".to_vec(), entry.clone()]));
    }
    commands.push((words("XGROUP CREATE"), words("workers 0")));
    commands.push((words("XGROUP CREATE"), words("idle $")));
    commands.push((words("XGROUP CREATECONSUMER"), words("workers lazy")));
    if taken > 0 {
        // The name stands at the end of this one.
        commands.push((
            words(&format!("XREADGROUP GROUP workers busy COUNT {taken} STREAMS")),
            words(">"),
        ));
        commands.push((words("XACK"), words("workers 1-1")));
    }
    commands.push((words("XDEL"), words("1-2")));
    if empty {
        commands.push((words("XTRIM"), words("MAXLEN 0")));
    }
    commands
}

fn random_key() -> impl Strategy<Value = RandomKey> {
    (bytes(), value(), any::<bool>()).prop_map(|(name, value, expires)| {
        let commands = value.into_iter().map(|(mut verb, rest)| {
            verb.push(name.clone());
            verb.extend(rest);
            verb
        });
        RandomKey { commands: commands.collect(), name, expires }
    })
}

async fn make(connection: &mut RespConnection, keys: &[RandomKey]) {
    for key in keys {
        connection.send(&[b"DEL".as_slice(), &key.name]).await.unwrap();
        for command in &key.commands {
            let reply = connection.send(command).await.unwrap();
            assert!(!reply.is_error(), "{reply:?}");
        }
        if key.expires {
            let far = [b"PEXPIREAT".as_slice(), &key.name, b"4102444800123"];
            connection.send(&far).await.unwrap();
        }
    }
}

#[test]
#[ignore = "needs redis-server"]
fn random_data_of_every_type_arrives_as_it_was_and_comes_back() {
    run_test(async {
        let (one, other) = (server().await, server().await);
        let mut config = Config::with_cases(24);
        config.failure_persistence = None;
        let keys = proptest::collection::vec(random_key(), 1..16);
        let outcome = tokio::task::block_in_place(|| {
            TestRunner::new(config).run(&keys, |keys| {
                tokio::runtime::Handle::current().block_on(async {
                    one.command(&["FLUSHALL"]).await;
                    other.command(&["FLUSHALL"]).await;
                    make(&mut connection(&one, 0).await, &keys).await;
                    for (way, keep) in WITHIN {
                        there_and_back((&one, 0), (&one, 5), way, keep).await;
                    }
                    for (way, keep) in BETWEEN {
                        there_and_back((&one, 0), (&other, 0), way, keep).await;
                    }
                });
                Ok(())
            })
        });
        assert_eq!(outcome.map_err(|failure| failure.to_string()), Ok(()));
    });
}
