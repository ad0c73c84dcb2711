//! Files that are made to harm: lengths that lie, cuts, flipped bits.

use compartment_admin::{AdminError, AnalyzeOptions, Silent, analyze_dump};

use crate::made::{BEFORE, BEHIND, file, listpack, with_value, written, ziplist};

/// `claimed` bytes out of five, as a string.
fn lie(claimed: u64) -> Vec<u8> {
    [&b"\xc3\x05\x81"[..], &claimed.to_be_bytes(), b"\x03aaaa"].concat()
}

#[test]
fn lengths_that_lie_are_refused_wherever_they_stand() {
    let folder = tempfile::tempdir().unwrap();
    for claimed in [5, 300, 10 << 30, u64::MAX] {
        let lie = lie(claimed);
        let nested: &[(u8, Vec<u8>)] = &[
            (0, lie.clone()),
            (1, [vec![1], lie.clone()].concat()),
            (4, [b"\x01\x01f".to_vec(), lie.clone()].concat()),
            (4, [vec![1], lie.clone(), b"\x01v".to_vec()].concat()),
            (5, [vec![1], lie.clone(), vec![0; 8]].concat()),
            (10, lie.clone()),
            (14, [vec![1], lie.clone()].concat()),
            (18, [vec![1, 1], lie.clone()].concat()),
            (18, [vec![1, 2], lie.clone()].concat()),
            (16, lie.clone()),
            (15, [vec![1], vec![16], vec![0; 16], lie.clone()].concat()),
            (7, [b"\x81abcdefgh\x05".to_vec(), lie.clone(), vec![0]].concat()),
        ];
        let mut files: Vec<Vec<u8>> =
            nested.iter().map(|(kind, value)| with_value(*kind, value, false)).collect();
        files.push(file(&[&[0], &lie, b"\x01v"]));
        files.push(file(&[b"\xfa\x01n", &lie]));
        files.push(file(&[&[0xf5], &lie]));
        for bytes in files {
            let path = written(folder.path(), &bytes);
            let analyzed = analyze_dump(&path, None, &AnalyzeOptions::default(), &Silent);
            let said = analyzed.unwrap_err().to_string();
            assert!(said.contains("a compressed string c"), "{claimed}: {said}");
        }
    }
    // Counts that more than the whole file would be needed for.
    for (value_type, rest) in
        [(1, &b"\x01a"[..]), (4, b"\x01a\x01b"), (14, b""), (18, b"\x02"), (5, b"")]
    {
        let count = [&b"\x81"[..], &(1_u64 << 40).to_be_bytes(), rest].concat();
        let path = written(folder.path(), &with_value(value_type, &count, false));
        let analyzed = analyze_dump(&path, None, &AnalyzeOptions::default(), &Silent);
        assert!(matches!(analyzed, Err(AdminError::BadFile { .. })), "{value_type}");
    }
}

#[test]
fn a_time_is_not_taken_for_a_length() {
    let folder = tempfile::tempdir().unwrap();
    // When the first field expires: bytes that would be a length of eight bytes, of all sizes.
    for first in [b"\x81\xff\xff\xff\xff\xff\xff\xff", b"\x80\xff\xff\xff\xff\0\0\0"] {
        let table = [&first[..], b"\x01\x01\x01f\x01v"].concat();
        let packed = [&first[..], &listpack(&["f", "v", "0"])].concat();
        for (value_type, value) in [(24, table), (25, packed)] {
            let record = [&[value_type, 1, b'h'], value.as_slice()].concat();
            let mut bytes = file(&[&record, BEHIND]);
            bytes[7..9].copy_from_slice(b"12");
            let path = written(folder.path(), &bytes);
            let found = analyze_dump(&path, None, &AnalyzeOptions::default(), &Silent).unwrap();
            assert_eq!(found[0].keys, 2);
            assert!(found[0].memory.bytes < 2_000, "{value_type}: {}", found[0].memory.bytes);
        }
    }
}

#[test]
fn every_cut_and_every_flip_of_a_small_dump_is_an_error_or_a_result() {
    let folder = tempfile::tempdir().unwrap();
    let compressed = b"\xc3\x06\x09\x02abc\x80\x02";
    let bytes = file(&[
        BEFORE,
        &[&b"\x00\x01c"[..], compressed].concat(),
        b"\x01\x01l\x02\x01x\x01y",
        &[&b"\x12\x01q\x01\x02"[..], &listpack(&["x", "y"])].concat(),
        &[&b"\x10\x01h"[..], &listpack(&["f", "v"])].concat(),
        &[&b"\x0d\x01i"[..], &ziplist(&["f", "v"])].concat(),
        b"\x05\x01s\x01\x01m\0\0\0\0\0\0\xf0\x3f",
        b"\x0b\x01n\x0a\x02\0\0\0\x01\0\0\0\x07\0",
        b"\xf6\x01f\x01L\0\x01c",
        BEHIND,
    ]);
    let analyze = |bytes: &[u8]| {
        let path = written(folder.path(), bytes);
        analyze_dump(&path, None, &AnalyzeOptions::default(), &Silent)
    };
    assert_eq!(analyze(&bytes).unwrap()[0].keys, 9);
    for cut in 0..bytes.len() {
        assert!(matches!(analyze(&bytes[..cut]), Err(AdminError::BadFile { .. })), "{cut}");
    }
    for at in 0..bytes.len() {
        for flip in [0x01, 0x40, 0x80, 0xff] {
            let mut bytes = bytes.clone();
            bytes[at] ^= flip;
            if let Ok(found) = analyze(&bytes) {
                let memory: u64 = found.iter().map(|one| one.memory.bytes).sum();
                assert!(memory < 1 << 20, "{at} {flip}: {memory}");
            }
        }
    }
}
