//! Damaged files, values and answers by the thousand: each is an error or a result, and none takes memory.

use std::time::Duration;

use compartment::key::{Codec, DecodeLimit};
use compartment_admin::{AnalyzeOptions, Silent, analyze_dump};
use compartment_redis::{RedisConfig, Server};
use compartment_testkit::{Attack, HostileServer, TestRedis, run_test};

use super::mutants::{Damage, MUTANTS};

/// The memory of this process at its highest, in bytes.
#[cfg(target_os = "linux")]
fn peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").trim().parse::<u64>().unwrap() * 1024
}

#[cfg(not(target_os = "linux"))]
fn peak() -> u64 {
    0
}

/// The memory that all parsers together may take in this process.
const MAX_PEAK: u64 = 300 * 1024 * 1024;

fn is_bounded() {
    let peak = peak();
    assert!(peak < MAX_PEAK, "{peak} bytes of memory");
}

/// A server's file with a key of each type, small and large.
async fn file() -> Vec<u8> {
    let server = TestRedis::start().await;
    let numbers: Vec<String> = (0..600).map(|number| format!("{number}")).collect();
    let many = |words: &[&str]| -> Vec<String> {
        words.iter().map(ToString::to_string).chain(numbers.iter().cloned()).collect()
    };
    for command in [
        vec!["SET", "text", &"the court finds that ".repeat(50)],
        vec!["SET", "number", "7", "EX", "100000"],
        vec!["RPUSH", "list", "a", "b", "7"],
        vec!["SADD", "numbers", "1", "2", "70000"],
        vec!["SADD", "words", "a", "b"],
        vec!["HSET", "hash", "f", "v", "g", "8"],
        vec!["ZADD", "scores", "1.5", "a", "-inf", "b"],
        vec!["XADD", "stream", "1-1", "field", "value"],
        vec!["XGROUP", "CREATE", "stream", "group", "0"],
        vec!["XREADGROUP", "GROUP", "group", "me", "STREAMS", "stream", ">"],
        vec!["PFADD", "sketch", "a", "b"],
        vec!["SETBIT", "bits", "7000", "1"],
    ] {
        assert!(!server.command(&command).await.is_error(), "{command:?}");
    }
    for words in [&["RPUSH", "long list"][..], &["SADD", "large set"], &["HSET", "large hash"]] {
        assert!(!server.command(&many(words)).await.is_error(), "{words:?}");
    }
    assert!(!server.command(&["SAVE"]).await.is_error());
    std::fs::read(server.folder().join("dump.rdb")).unwrap()
}

#[test]
#[ignore = "needs redis-server"]
fn no_damaged_file_takes_memory() {
    run_test(async {
        let (file, folder) = (file().await, tempfile::tempdir().unwrap());
        let path = folder.path().join("dump.rdb");
        let analyze = |bytes: &[u8]| {
            std::fs::write(&path, bytes).unwrap();
            analyze_dump(&path, None, &AnalyzeOptions::default(), &Silent)
        };
        assert_eq!(analyze(&file).unwrap()[0].keys, 13);
        let (mut damage, mut read) = (Damage::new(), 0);
        for _ in 0..MUTANTS {
            read += usize::from(analyze(&damage.copy_of(&file)).is_ok());
        }
        assert!(read < MUTANTS, "no copy is damaged");
        is_bounded();
    });
}

#[test]
fn no_damaged_value_takes_memory() {
    let value = serde_json::json!({
        "number": 7, "text": "the court finds that ".repeat(50), "none": null, "share": -1.5,
        "list": [1, 70_000, u64::MAX, true, false, [], {}, [[["deep"]]]],
        "maps": vec![serde_json::json!({"a": 1, "b": "c"}); 40],
    });
    let limit = DecodeLimit::of_entries(1 << 20);
    for codec in [Codec::MESSAGE_PACK, Codec::JSON] {
        for threshold in [None, Some(0)] {
            let bytes = codec.compress_from(threshold).encode(&value).unwrap();
            let decode = |bytes: &[u8]| Codec::decode_within::<serde_json::Value>(bytes, limit);
            assert_eq!(decode(&bytes).unwrap(), Some(value.clone()));
            let (mut damage, mut read) = (Damage::new(), 0);
            for _ in 0..MUTANTS {
                read +=
                    usize::from(decode(&damage.copy_of(&bytes)).is_ok_and(|value| value.is_some()));
            }
            assert!(read < MUTANTS, "no copy is damaged");
        }
    }
    is_bounded();
}

/// The answers to the commands of a new connection.
fn answers() -> Vec<u8> {
    let info =
        "# Server\r\nredis_version:7.2.4\r\nredis_mode:standalone\r\nrun_id:0123456789abcdef\r\n";
    let hello = "%7\r\n$6\r\nserver\r\n$5\r\nredis\r\n$7\r\nversion\r\n$5\r\n7.2.4\r\n$5\r\nproto\r\n:3\r\n$2\r\nid\r\n:5\r\n\
                 $4\r\nmode\r\n$10\r\nstandalone\r\n$4\r\nrole\r\n$6\r\nmaster\r\n$7\r\nmodules\r\n*0\r\n";
    let setting = |name: &str, value: &str| {
        format!("%1\r\n${}\r\n{name}\r\n${}\r\n{value}\r\n", name.len(), value.len())
    };
    let settings = [
        setting("databases", "16"),
        setting("maxmemory-policy", "noeviction"),
        setting("proto-max-bulk-len", "536870912"),
    ];
    let text = format!("${}\r\n{info}\r\n", info.len());
    [hello, "+OK\r\n+OK\r\n+OK\r\n", &text, &settings.concat(), "_\r\n,1.5\r\n#t\r\n(77\r\n"]
        .concat()
        .into_bytes()
}

#[test]
fn no_damaged_answer_takes_memory() {
    run_test(async {
        let answers = answers();
        let mut damage = Damage::new();
        for number in 0..MUTANTS {
            let server = HostileServer::start(0, "", Attack::Say(damage.copy_of(&answers))).await;
            let instance = compartment::database_map::Instance::new(&server.url()).unwrap();
            let mut config = RedisConfig::for_instance(&instance, 1);
            config.connect_timeout = Duration::from_secs(1);
            config.response_timeout = Duration::from_secs(1);
            let connected = Server::connect(config).await;
            // A copy whose damage is behind all that is read is as good as the original.
            if let Err(error) = connected {
                assert!(!error.to_string().is_empty(), "{number}");
            }
        }
        is_bounded();
    });
}
