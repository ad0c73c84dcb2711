//! Random values of every type, with any names: backed up, restored, and the same again.

#![expect(clippy::unwrap_used, reason = "a failure here is a failed test")]

use compartment_admin::Silent;
use compartment_admin::backup::{BackupOptions, Via, backup};
use compartment_admin::rdb::Payload;
use compartment_admin::restore::{RestoreOptions, restore};
use compartment_testkit::{Reply, RespConnection, TestRedis, run_test};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

use crate::data::{self, place, state};

type Words = Vec<Vec<u8>>;

/// Texts, numbers of every width, long and short bytes, and what compresses well.
fn bytes() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        4 => vec(any::<u8>(), 0..20),
        2 => any::<i64>().prop_map(|n| n.to_string().into_bytes()),
        2 => (-200_i64..200).prop_map(|n| n.to_string().into_bytes()),
        1 => any::<i32>().prop_map(|n| n.to_string().into_bytes()),
        1 => vec(any::<u8>(), 60..5_000),
        1 => (any::<u8>(), 20_usize..20_000).prop_map(|(byte, count)| vec![byte; count]),
        1 => Just(b"-0".to_vec()),
    ]
}

fn score() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        (-1_000..1_000_i32).prop_map(|n| n.to_string()),
        any::<f64>().prop_filter("a number", |n| !n.is_nan()).prop_map(|n| format!("{n:e}")),
        prop_oneof![Just("inf"), Just("-inf"), Just("-0")].prop_map(str::to_owned),
    ]
    .prop_map(String::into_bytes)
}

/// A few or a great many, so that both forms of each type come up.
fn some<S: Strategy>(each: fn() -> S) -> impl Strategy<Value = Vec<S::Value>> {
    prop_oneof![3 => vec(each(), 1..12), 1 => vec(each(), 130..700)]
}

fn words(command: &str, name: &[u8], rest: impl IntoIterator<Item = Vec<u8>>) -> Words {
    [command.as_bytes().to_vec(), name.to_vec()].into_iter().chain(rest).collect()
}

fn number() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![-100_i64..100, any::<i16>().prop_map(i64::from), any::<i64>()]
        .prop_map(|n| n.to_string().into_bytes())
}

/// Commands that make a value under a name.
fn value(name: Vec<u8>) -> impl Strategy<Value = Vec<Words>> {
    let with = move |command: &'static str| {
        let name = name.clone();
        move |rest: Vec<Vec<u8>>| vec![words(command, &name, rest)]
    };
    let pairs =
        |pairs: Vec<(Vec<u8>, Vec<u8>)>| pairs.into_iter().flat_map(|(a, b)| [a, b]).collect();
    let stream = with("");
    prop_oneof![
        bytes().prop_map(|value| vec![value]).prop_map(with("SET")),
        some(bytes).prop_map(with("RPUSH")),
        some(bytes).prop_map(with("SADD")),
        some(number).prop_map(with("SADD")),
        some(|| (bytes(), bytes())).prop_map(pairs).prop_map(with("HSET")),
        some(|| (score(), bytes())).prop_map(pairs).prop_map(with("ZADD")),
        some(|| vec((bytes(), bytes()), 1..4)).prop_map(move |entries| {
            let name = stream(Vec::new())[0][1].clone();
            stream_commands(&name, entries)
        }),
    ]
}

/// A stream with deleted entries, two groups, and entries that wait to be acknowledged.
fn stream_commands(name: &[u8], entries: Vec<Vec<(Vec<u8>, Vec<u8>)>>) -> Vec<Words> {
    let text = |text: &str| text.as_bytes().to_vec();
    let mut commands = Vec::new();
    for (at, fields) in entries.iter().enumerate() {
        let id = format!("{}-{}", 5 + at / 3, at % 3);
        let fields = fields.iter().flat_map(|(name, value)| [name.clone(), value.clone()]);
        commands.push(words("XADD", name, [text(&id)].into_iter().chain(fields)));
    }
    let group = |rest: &[&str]| {
        let rest = rest.iter().map(|word| text(word));
        [text("XGROUP"), text("CREATE"), name.to_vec()].into_iter().chain(rest).collect::<Words>()
    };
    commands.push(group(&["g\u{e9}", "0", "ENTRIESREAD", "0"]));
    commands.push(group(&["idle", "$"]));
    for (consumer, count) in [("one", "7"), ("two", "2")] {
        let read = ["XREADGROUP", "GROUP", "g\u{e9}", consumer, "COUNT", count, "STREAMS"];
        let read = read.iter().map(|word| text(word));
        commands.push(read.chain([name.to_vec(), text(">")]).collect());
    }
    commands.push(words("XACK", name, [text("g\u{e9}"), text("5-1")]));
    commands.push(words("XDEL", name, [text("5-0"), text("7-2")]));
    commands
}

/// Everything of one run: names, their values, which of them expire.
fn database() -> impl Strategy<Value = Vec<(Vec<u8>, Vec<Words>, Option<u64>)>> {
    let name = prop_oneof![Just(Vec::new()), vec(any::<u8>(), 0..30)];
    let key = name.prop_flat_map(|name| {
        let expiry = prop::option::of(4_000_000_000_000..9_000_000_000_000_u64);
        (Just(name.clone()), value(name), expiry)
    });
    vec(key, 1..60)
}

async fn send(connection: &mut RespConnection, command: &Words) {
    let reply = connection.send(command).await.unwrap();
    assert!(!reply.is_error(), "{command:?}: {reply:?}");
}

async fn dump(connection: &mut RespConnection, index: &str, name: &[u8]) -> Vec<u8> {
    connection.send(&["SELECT", index]).await.unwrap();
    match connection.send(&[b"DUMP", name]).await.unwrap() {
        Reply::Bytes(bytes) => bytes,
        other => unreachable!("{name:?}: {other:?}"),
    }
}

#[test]
#[ignore = "needs redis-server"]
fn random_databases_come_back_the_same() {
    const RUNS: u8 = 30;
    run_test(async {
        let server = TestRedis::builder()
            .debug_command()
            .config("repl-diskless-sync-delay", "0")
            .start()
            .await;
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("out.rdb");
        for run in 0..RUNS {
            // The same every time, so that a failure can be looked into.
            let random = TestRng::from_seed(RngAlgorithm::ChaCha, &[run; 32]);
            let mut runner = TestRunner::new_with_rng(Config::default(), random);
            let keys = database().new_tree(&mut runner).unwrap().current();
            server.command(&["FLUSHALL"]).await;
            let mut connection = data::connection(&server, 3).await;
            for (name, commands, expiry) in &keys {
                send(&mut connection, &words("DEL", name, [])).await;
                for command in commands {
                    send(&mut connection, command).await;
                }
                if let Some(at) = expiry {
                    let at = at.to_string().into_bytes();
                    send(&mut connection, &words("PEXPIREAT", name, [at])).await;
                }
            }
            let wanted = state(&server, 3).await;
            let via = if run % 3 == 2 { Via::Replication } else { Via::Scan };
            let options = BackupOptions::default().via(via).zstd(run % 2 == 1);
            let from = place(&server, 3).await;
            backup(&from, None, &file, &options, &Silent).await.unwrap();
            let to = place(&server, 5).await;
            let options = RestoreOptions::default().verify(true);
            let report = restore(&file, &to, &options, &Silent).await.unwrap();
            assert_eq!(report.verified, Some(wanted.len() as u64));
            assert!(state(&server, 5).await == wanted, "run {run}");
            for name in wanted.keys() {
                let one = dump(&mut connection, "3", name).await;
                let two = dump(&mut connection, "5", name).await;
                let (one, two) = (Payload::parse(&one).unwrap(), Payload::parse(&two).unwrap());
                assert_eq!(one.digest().unwrap(), two.digest().unwrap(), "run {run}: {name:?}");
            }
        }
    });
}
