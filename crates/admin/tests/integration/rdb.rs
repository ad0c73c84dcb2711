//! The format: every file of the development set, values against a real server, damaged bytes.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a failure here is a failed test")]

use std::collections::BTreeMap;
use std::path::Path;

use compartment_admin::rdb::{
    Item, Key, Payload, RdbError, RdbReader, RdbResult, RdbWriter, Value, WriterState, type_name,
};
use compartment_testkit::{Reply, RespConnection, TestRedis, run_test};
use proptest::prelude::*;

use crate::shared_files::{dumps, files, loaded_files, name};

fn keys(bytes: &[u8]) -> RdbResult<(u16, Vec<Key>)> {
    let mut reader = RdbReader::new(bytes)?;
    let mut keys = Vec::new();
    while let Some(item) = reader.next_item()? {
        if let Item::Key(key) = item {
            keys.push(key);
        }
    }
    assert_eq!(reader.next_item()?, None);
    Ok((reader.version(), keys))
}

/// What the set's README says of each file: keys of each database by type.
fn expected() -> BTreeMap<String, BTreeMap<(u64, String), usize>> {
    let Some(folder) = dumps("") else { return BTreeMap::new() };
    let readme = std::fs::read_to_string(folder.join("README.md")).unwrap();
    let mut files = BTreeMap::new();
    for row in readme.lines().filter(|line| line.starts_with("| `loads/")) {
        let cells: Vec<&str> = row.split('|').map(str::trim).collect();
        let mut counts = BTreeMap::new();
        for database in cells[6].split(';').filter(|text| text.trim().starts_with("db")) {
            let (index, rest) = database.trim()[2..].split_once(':').unwrap();
            for part in rest.split_once('—').unwrap().1.split(',') {
                let (kind, count) = part.trim().rsplit_once(' ').unwrap();
                let kind = kind.split_once('/').unwrap().0.to_owned();
                *counts.entry((index.parse().unwrap(), kind)).or_default() +=
                    count.parse::<usize>().unwrap();
            }
        }
        files.insert(cells[1].trim_matches('`')["loads/".len()..].to_owned(), counts);
    }
    files
}

#[test]
fn every_file_has_the_keys_that_it_is_known_to_have() {
    let expected = expected();
    for path in files("loads") {
        let bytes = std::fs::read(&path).unwrap();
        let (version, keys) = keys(&bytes).unwrap();
        let mut found: BTreeMap<(u64, String), usize> = BTreeMap::new();
        // All expiries of the set are past: a server drops those keys.
        for key in keys.iter().filter(|key| key.expires_at_ms.is_none()) {
            *found.entry((key.database, type_name(key.value_type).into())).or_default() += 1;
        }
        assert_eq!(found, expected[&name(&path)], "{}", name(&path));
        for key in &keys {
            let dump = key.dump(version);
            let value = Payload::parse(&dump).unwrap().value().unwrap();
            assert_eq!(value.type_name(), type_name(key.value_type));
        }
    }
}

#[test]
fn every_refused_file_says_why() {
    for path in files("refused") {
        let bytes = std::fs::read(&path).unwrap();
        let read = keys(&bytes);
        match name(&path).as_str() {
            "rdbtools-redis_40_with_module.rdb" => {
                let (_, keys) = read.unwrap();
                let modules: Vec<&str> = keys.iter().filter_map(|k| k.module.as_deref()).collect();
                assert_eq!(modules, ["ReJSON-RL"]);
                let key = keys.iter().find(|key| key.module.is_some()).unwrap();
                let error = Payload::parse(&key.dump(8)).unwrap().value().unwrap_err();
                assert!(error.to_string().contains("module type ReJSON-RL"), "{error}");
            }
            "librdb-invalid_chksum_v8.rdb" => {
                let error = read.unwrap_err();
                assert!(error.to_string().contains("checksum is wrong"), "{error}");
            }
            // Newer than the server, not than what is known here.
            _ => assert_eq!(read.unwrap().0, 11),
        }
    }
}

#[test]
fn what_is_no_such_file_says_so() {
    for (bytes, says) in [
        (&b""[..], "not an RDB file"),
        (b"PK\x03\x04 and so on, a zip", "not an RDB file"),
        (b"REDIS00x1\xff", "not an RDB file"),
        (b"REDIS0099\xff", "version 99"),
        (b"REDIS0010", "ends early, after 9 bytes"),
        (b"REDIS0003\xf3", "type 243"),
        (b"REDIS0003\x1a\x01k", "type 26"),
        (b"REDIS0015\x1e\x01k\x01x", "type 30, which Redis 8.10 wrote"),
        (b"REDIS0015\xf2", "type 242, which Redis 8.10 wrote"),
        (b"VALKEY081\x17\x01k", "type 23, which Valkey 9.2 or later wrote"),
        (b"REDIS0003\x00\x81\xff\xff\xff\xff\xff\xff\xff\xffk", "ends early"),
        (b"REDIS0003\x00\xc3\x01\x81\xff\xff\xff\xff\xff\xff\xff\xffk", "damaged"),
    ] {
        let error = keys(bytes).unwrap_err().to_string();
        assert!(error.contains(says), "{error}");
    }
}

fn id(ms: u8) -> Vec<u8> {
    [&[0; 7][..], &[ms], &[0; 8]].concat()
}

/// The entry 5-0 with the field `a` and the value `1`, and the last id, in the forms since 7.0.
fn one_entry() -> Vec<u8> {
    let elements: &[u8] = &[1, 1, 0, 1, 1, 1, 0x81, b'a', 2, 0, 1, 2, 1, 0, 1, 0, 1, 1, 1, 4, 1];
    let listpack = [&[28, 0, 0, 0, 11, 0][..], elements, &[0xff]].concat();
    [&[1, 16][..], &id(5), &[28], &listpack, &[1, 5, 0, 5, 0, 0, 0, 1]].concat()
}

/// A group `g` that has read one entry, and has it pending.
fn one_pending() -> Vec<u8> {
    [&[1, 1, b'g', 5, 0, 1, 1][..], &id(5), &[9, 0, 0, 0, 0, 0, 0, 0], &[1]].concat()
}

/// What is remembered of producers: for 10 s, 20 each; `p` has added `id` as 5-0; counters.
const PRODUCERS: &[u8] = &[10, 20, 1, 1, b'p', 1, 2, b'i', b'd', 5, 0, 3, 4];

fn file(version: u16, parts: &[&[u8]]) -> Vec<u8> {
    let head = format!("REDIS{version:04}").into_bytes();
    [&head[..], &parts.concat(), b"\xff\0\0\0\0\0\0\0\0"].concat()
}

/// A file of Redis 8.8 by its description: the stream `k`, whose group has given an entry back.
pub(crate) fn stream_with_an_entry_given_back() -> Vec<u8> {
    let given_back = [&[0][..], &[1], &id(5)].concat();
    file(14, &[&[27, 1, b'k'], &one_entry(), &one_pending(), &given_back, PRODUCERS])
}

/// Written by their description: key metadata, a stream that knows its producers, one with an entry that no consumer
/// has, and an array.
#[test]
fn the_forms_of_86_and_88_are_read() {
    let meta: &[u8] = &[0xf3, 1, 1, 2, 3, 4, 2, 7, 0];
    let owned = [&[1, 1, b'c'][..], &[8; 16], &[1], &id(5)].concat();
    let fourth = file(13, &[meta, &[26, 1, b'k'], &one_entry(), &one_pending(), &owned, PRODUCERS]);
    let fifth = stream_with_an_entry_given_back();
    for (file, consumer) in [(&fourth, &b"c"[..]), (&fifth, b"(given back)")] {
        let (version, keys) = keys(file).unwrap();
        let value = Payload::parse(&keys[0].dump(version)).unwrap().value().unwrap();
        let Value::Stream(stream) = value else { panic!("{value:?}") };
        assert_eq!(stream.entries[0].fields, [(b"a"[..].into(), b"1"[..].into())]);
        assert_eq!(stream.groups[0].pending[0].consumer, consumer);
    }

    let numbers = [&[5, 1][..], &[0; 8], &[6, 2], &[0; 8]].concat();
    let array = file(14, &[&[28, 1, b'k', 4, 1, 9, 0, 0, 1, b'x', 3, 3, 1, b'y'], &numbers]);
    let (version, keys) = keys(&array).unwrap();
    let error = Payload::parse(&keys[0].dump(version)).unwrap().value().unwrap_err();
    assert!(error.to_string().contains("type array"), "{error}");
}

#[test]
fn the_forms_of_72_74_and_valkey_are_read() {
    let hash = |version: u16, value_type: u8, value: &[u8]| {
        let file = [
            if version < 80 { format!("REDIS{version:04}") } else { format!("VALKEY{version:03}") }
                .as_bytes(),
            &[value_type, 1, b'k'],
            value,
            b"\xff\0\0\0\0\0\0\0\0",
        ]
        .concat();
        let (version, keys) = keys(&file).unwrap();
        assert_eq!(keys[0].payload, value);
        Payload::parse(&keys[0].dump(version)).unwrap().value().unwrap()
    };
    let first = 1_000_u64.to_le_bytes();
    // Fields a (never) and b (at 1500), in all the ways there are to say so.
    let listpack = b"\x0f\x14\0\0\0\x06\0\x81a\x02\x81x\x02\0\x01\x81b";
    let listpack = [&listpack[..], b"\x02\x81y\x02\xc5\xdc\x02\xff"].concat();
    let length = u32::try_from(listpack.len() - 1).unwrap();
    let mut listpack = listpack;
    listpack[0] = u8::try_from(length).unwrap();
    listpack[1..5].copy_from_slice(&length.to_le_bytes());
    let table = b"\x02\0\x01a\x01x\x41\xf5\x01b\x01y";
    let old_table = b"\x02\0\x01a\x01x\x45\xdc\x01b\x01y";
    let never = (-1_i64).to_le_bytes();
    let at = 1_500_i64.to_le_bytes();
    let valkey = [&b"\x02\x01a\x01x"[..], &never, b"\x01b\x01y", &at].concat();
    let all = [
        hash(12, 25, &[&first[..], &listpack].concat()),
        hash(12, 23, &listpack),
        hash(12, 24, &[&first[..], table].concat()),
        hash(12, 22, old_table),
        hash(80, 22, &valkey),
    ];
    for value in &all {
        assert_eq!(value, &all[0]);
        assert_eq!(value.digest(), all[0].digest());
    }
    let text = format!("{:?}", all[0]);
    assert!(text.contains("Some(1500)") && text.contains("None"), "{text}");
}

fn write(bytes: &[u8]) -> Vec<u8> {
    let mut reader = RdbReader::new(bytes).unwrap();
    let mut writer = RdbWriter::new(Vec::new(), reader.version()).unwrap();
    while let Some(item) = reader.next_item().unwrap() {
        match item {
            Item::SelectDb(index) => writer.select_db(index).unwrap(),
            Item::Function(code) => writer.function(&code).unwrap(),
            Item::Key(key) => {
                writer.key(&key.name, key.expires_at_ms, key.value_type, &key.payload).unwrap();
            }
            _ => {}
        }
        // As if it were left and gone on with after every record.
        let state = writer.flush().unwrap();
        let bytes = std::mem::take(writer.get_mut());
        let has_checksum = reader.version() >= 5;
        if has_checksum {
            writer = RdbWriter::resume(bytes, WriterState::new(state.offset, state.checksum));
        } else {
            *writer.get_mut() = bytes;
        }
    }
    writer.finish().unwrap()
}

#[test]
fn what_is_written_is_read_again() {
    for path in files("loads") {
        let bytes = std::fs::read(&path).unwrap();
        let written = write(&bytes);
        let (version, mut wanted) = keys(&bytes).unwrap();
        // How often a key is used is not written: it is no part of a DUMP either.
        wanted.iter_mut().for_each(|key| (key.frequency, key.idle_seconds) = (None, None));
        assert_eq!(keys(&written).unwrap(), (version, wanted), "{}", name(&path));
    }
}

async fn ask(connection: &mut RespConnection, command: &[&[u8]]) -> Reply {
    let reply = connection.send(command).await.unwrap();
    assert!(!reply.is_error(), "{command:?}: {reply:?}");
    reply
}

/// Each key of the file is on the server with an equal value, in the server's own form.
async fn compare(path: &Path, server: &TestRedis) {
    let bytes = std::fs::read(path).unwrap();
    let (version, keys) = keys(&bytes).unwrap();
    let mut connection = server.connect().await;
    for key in keys.iter().filter(|key| key.expires_at_ms.is_none()) {
        ask(&mut connection, &[b"SELECT", key.database.to_string().as_bytes()]).await;
        let Reply::Bytes(dump) = ask(&mut connection, &[b"DUMP", &key.name]).await else {
            panic!("{} has lost {:?}", name(path), key.name);
        };
        let file_dump = key.dump(version);
        let (ours, theirs) = (Payload::parse(&file_dump).unwrap(), Payload::parse(&dump).unwrap());
        assert_eq!(ours.value().unwrap().type_name(), theirs.type_name());
        assert!(
            ours.same_value(&theirs),
            "{} {:?}:\n{:?}\n{:?}",
            name(path),
            key.name,
            ours.value(),
            theirs.value()
        );
    }
}

#[test]
#[ignore = "needs redis-server"]
fn every_value_is_what_a_server_makes_of_it() {
    run_test(async {
        for path in loaded_files() {
            let server = TestRedis::builder().rdb(&path).start().await;
            compare(&path, &server).await;
        }
    });
}

#[test]
#[ignore = "needs redis-server"]
fn a_server_loads_what_is_written() {
    run_test(async {
        let folder = tempfile::tempdir().unwrap();
        for path in loaded_files() {
            let bytes = std::fs::read(&path).unwrap();
            let file = folder.path().join(name(&path));
            std::fs::write(&file, write(&bytes)).unwrap();
            let check = std::process::Command::new("redis-check-rdb").arg(&file).output().unwrap();
            assert!(check.status.success(), "{}", String::from_utf8_lossy(&check.stdout));
            let digest = async |path: &Path| {
                let builder = TestRedis::builder().debug_command().rdb(path);
                builder.start().await.command(&["DEBUG", "DIGEST"]).await.text()
            };
            assert_eq!(digest(&file).await, digest(&path).await, "{}", name(&path));
        }
    });
}

/// Reads everything that there is to read; whatever is wrong has to come out as an error.
fn read_all(bytes: &[u8]) -> Result<(), RdbError> {
    let mut reader = RdbReader::new(bytes)?;
    let version = reader.version();
    while let Some(item) = reader.next_item()? {
        if let Item::Key(key) = item {
            let dump = key.dump(version);
            let _ = Payload::parse(&dump)?.digest();
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, ..ProptestConfig::default() })]

    #[test]
    fn damaged_files_are_errors_and_never_worse(
        pick in any::<prop::sample::Index>(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        cut in prop::option::of(any::<prop::sample::Index>()),
    ) {
        let files = files("loads");
        if files.is_empty() {
            return Ok(());
        }
        let mut bytes = std::fs::read(pick.get(&files)).unwrap();
        for (at, byte) in changes {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        if let Some(cut) = cut {
            bytes.truncate(cut.index(bytes.len()));
        }
        let _ = read_all(&bytes);
    }

    #[test]
    fn damaged_values_are_errors_and_never_worse(
        value_type in 0_u8..26,
        value in prop::collection::vec(any::<u8>(), 0..200),
    ) {
        let file = [b"REDIS0012", &[value_type, 1, b'k'][..], &value].concat();
        let _ = read_all(&file);
        // Inside a string, where the reader does not look, the value's own decoder has to.
        let length = [0x40 | (value.len() >> 8) as u8, value.len() as u8];
        let file = [b"REDIS0003", &[value_type, 1, b'k'][..], &length, &value, b"\xff"].concat();
        let _ = read_all(&file);
    }
}
