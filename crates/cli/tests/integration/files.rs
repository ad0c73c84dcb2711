//! Files given by users: pipes, folders, other formats, each with its exit code and one sentence.

#![expect(clippy::unwrap_used, reason = "a failure here is a failed test")]

use std::io::Write;
use std::path::Path;
use std::process::Stdio;

use compartment_testkit::{TestRedis, run_test};

use crate::program::{self, Run, command, run};

const DUMP: &[u8] = b"REDIS0009\xfe\x00\x00\x01a\x011\xff\0\0\0\0\0\0\0\0";

fn write(folder: &Path, name: &str, bytes: &[u8]) {
    std::fs::write(folder.join(name), bytes).unwrap();
}

/// Runs the three commands that read a dump on this one.
fn read_by_all(folder: &Path, server: &TestRedis, file: &str) -> [Run; 3] {
    let url = server.url();
    let backend = ["--backend", url.as_str()];
    [
        run(folder, &["analyze", "--rdb", file]),
        run(folder, &[&["restore", file, "--database", "0"][..], &backend].concat()),
        run(folder, &[&["verify", "--rdb", file, "--to", "0"][..], &backend].concat()),
    ]
}

#[test]
#[ignore = "needs redis-server"]
fn other_formats_are_refused_with_what_they_are_and_what_to_do() {
    run_test(async {
        let (server, folder) = (TestRedis::start().await, tempfile::tempdir().unwrap());
        let mut tar = vec![0; 1_024];
        tar[257..262].copy_from_slice(b"ustar");
        let made = std::process::Command::new("mkfifo").arg(folder.path().join("fifo")).status();
        assert!(made.unwrap().success());
        std::fs::create_dir(folder.path().join("folder")).unwrap();
        for (name, bytes, says) in [
            ("a.gz", &b"\x1f\x8b\x08\0\0\0"[..], "compressed with gzip; unpack it first: gzip -dk"),
            ("a.xz", b"\xfd7zXZ\0\0\x04", "compressed with xz; unpack it first"),
            ("a.bz2", b"BZh91AY", "compressed with bzip2; unpack it first"),
            ("a.lz4", b"\x04\x22\x4d\x18\x60", "compressed with lz4; unpack it first"),
            ("a.zip", b"PK\x03\x04\x14\0", "a zip archive; unpack it first"),
            ("a.tar", &tar, "a tar archive; unpack it first"),
            ("empty", b"", "it is empty"),
            ("a.aof", b"*2\r\n$6\r\nSELECT\r\n", "an append-only file of commands"),
            ("a.manifest", b"file a.base.rdb seq 1 type b\n", "an append-only file's parts"),
            ("text", b"hello, world", "does not begin with REDIS"),
            ("cut", &DUMP[..7], "it ends early, after 7 bytes"),
            ("cut2", &DUMP[..15], "it ends early, after 15 bytes"),
            ("folder", b"-", "it is a folder; give the name of a file"),
            ("fifo", b"-", "a pipe, which can be read only once: save it to a file"),
            ("/dev/null", b"-", "a device, which can be read only once"),
            ("-", b"-", "standard input, which can be read only once"),
        ] {
            if bytes != b"-" {
                write(folder.path(), name, bytes);
            }
            for run in read_by_all(folder.path(), &server, name) {
                assert_eq!(run.code, 9, "{name}: {run:?}");
                assert!(run.err.contains(says) && run.err.contains(name), "{run:?}");
                assert_eq!(run.err.lines().count(), 1, "{run:?}");
            }
        }
        let [analyzed, restored, verified] = read_by_all(folder.path(), &server, "none.rdb");
        for run in [analyzed, restored, verified] {
            assert!(run.code == 9 && run.err.contains("No such file"), "{run:?}");
        }
        assert_eq!(server.command(&["DBSIZE"]).await.integer(), Some(0));
    });
}

#[test]
#[ignore = "needs redis-server"]
fn standard_input_is_read_where_it_is_a_file_and_refused_where_it_is_a_pipe() {
    run_test(async {
        let (server, folder) = (TestRedis::start().await, tempfile::tempdir().unwrap());
        write(folder.path(), "dump.rdb", DUMP);
        let url = server.url();
        let restore = ["restore", "/dev/stdin", "--database", "0", "--backend", url.as_str()];
        let mut piped = command(folder.path(), &restore);
        let mut child = piped.stdin(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        // The program does not read rejected input, and may have ended already.
        let _ = child.stdin.take().unwrap().write_all(DUMP);
        let refused = program::finish(child);
        assert_eq!(refused.code, 9, "{refused:?}");
        assert!(refused.err.contains("/dev/stdin: it is a pipe"), "{refused:?}");
        assert_eq!(server.command(&["DBSIZE"]).await.integer(), Some(0));

        let file = std::fs::File::open(folder.path().join("dump.rdb")).unwrap();
        let read = command(folder.path(), &restore).stdin(file).output().unwrap();
        assert!(read.status.success(), "{read:?}");
        assert_eq!(server.command(&["DBSIZE"]).await.integer(), Some(1));
    });
}

#[test]
#[ignore = "needs redis-server"]
fn a_dump_packed_by_zstd_is_read_and_one_that_is_cut_off_is_not() {
    run_test(async {
        let (server, folder) = (TestRedis::start().await, tempfile::tempdir().unwrap());
        // A skippable frame, then an uncompressed block, as parallel compressors write them.
        let said = b"\x50\x2a\x4d\x18\x04\0\0\0abcd";
        let size = u8::try_from(DUMP.len()).unwrap();
        let block = [(size << 3) | 1, size >> 5, 0];
        let frame = [b"\x28\xb5\x2f\xfd\x20", &[size][..], &block, DUMP].concat();
        for (name, bytes) in [("plain", frame.clone()), ("said", [&said[..], &frame].concat())] {
            write(folder.path(), name, &bytes);
            let analyzed = run(folder.path(), &["analyze", "--rdb", name]);
            assert!(analyzed.code == 0 && analyzed.out.contains("1 key,"), "{analyzed:?}");
            write(folder.path(), "cut", &bytes[..bytes.len() - 3]);
            for run in read_by_all(folder.path(), &server, "cut") {
                assert!(run.code == 9 && run.err.contains("cut"), "{run:?}");
            }
        }
    });
}

#[test]
#[ignore = "needs redis-server"]
fn a_file_that_no_server_would_load_changes_nothing() {
    run_test(async {
        let (server, folder) = (TestRedis::start().await, tempfile::tempdir().unwrap());
        let twice = [&DUMP[..DUMP.len() - 9], b"\x00\x01a\x012\xff\0\0\0\0\0\0\0\0"].concat();
        write(folder.path(), "twice.rdb", &twice);
        let url = server.url();
        let restore = ["restore", "twice.rdb", "--database", "0", "--backend", url.as_str()];
        for arguments in [&restore[..], &[&restore[..], &["--dry-run"]].concat()] {
            let refused = run(folder.path(), arguments);
            assert_eq!(refused.code, 9, "{refused:?}");
            assert!(refused.err.contains("the key \"a\" twice; nothing was restored"));
        }
        assert_eq!(server.command(&["DBSIZE"]).await.integer(), Some(0));
        write(folder.path(), "dump.rdb", DUMP);
        let to =
            ["verify", "--rdb", "dump.rdb", "--from-index", "3", "--to", "0", "--backend", &url];
        let compared = run(folder.path(), &to);
        assert_eq!(compared.code, 9, "{compared:?}");
        assert!(compared.err.contains("it has no database 3: it has 0 (1 key)"), "{compared:?}");
        assert!(!compared.out.contains("same"));
    });
}
