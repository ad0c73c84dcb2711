//! Small dumps, written byte by byte as other programs write them.

#![expect(clippy::unwrap_used, reason = "test support: a failure here is a failed test")]

use std::path::{Path, PathBuf};

use compartment_admin::rdb::RdbWriter;

pub(crate) const END: &[u8] = b"\xff\0\0\0\0\0\0\0\0";
/// A key before and one behind what is odd.
pub(crate) const BEFORE: &[u8] = b"\x00\x01a\x011";
pub(crate) const BEHIND: &[u8] = b"\x00\x01z\x011";

/// A file of these records in database 0, without a checksum.
pub(crate) fn file(records: &[&[u8]]) -> Vec<u8> {
    [b"REDIS0010\xfe\x00", records.concat().as_slice(), END].concat()
}

/// A file with one key of this type and value between two others; with a right checksum or none.
pub(crate) fn with_value(value_type: u8, value: &[u8], has_checksum: bool) -> Vec<u8> {
    if !has_checksum {
        return file(&[BEFORE, &[value_type, 1, b'h'], value, BEHIND]);
    }
    let mut writer = RdbWriter::new(Vec::new(), 10).unwrap();
    writer.select_db(0).unwrap();
    writer.key(b"a", None, 0, b"\x011").unwrap();
    writer.key(b"h", None, value_type, value).unwrap();
    writer.key(b"z", None, 0, b"\x011").unwrap();
    writer.finish().unwrap()
}

pub(crate) fn string(bytes: &[u8]) -> Vec<u8> {
    let length = u8::try_from(bytes.len()).unwrap();
    assert!(length < 64);
    [&[length], bytes].concat()
}

/// A listpack of short strings.
pub(crate) fn listpack(elements: &[&str]) -> Vec<u8> {
    let mut body = Vec::new();
    for element in elements {
        let length = u8::try_from(element.len()).unwrap();
        body.push(0x80 | length);
        body.extend_from_slice(element.as_bytes());
        body.push(length + 1);
    }
    let length = u32::try_from(body.len() + 7).unwrap();
    let count = u16::try_from(elements.len()).unwrap();
    let whole = [&length.to_le_bytes()[..], &count.to_le_bytes(), &body, b"\xff"].concat();
    string(&whole)
}

pub(crate) fn ziplist(elements: &[&str]) -> Vec<u8> {
    let (mut body, mut last) = (Vec::new(), 0);
    let mut tail = 10;
    for element in elements {
        tail = 10 + u32::try_from(body.len()).unwrap();
        body.extend_from_slice(&[last, u8::try_from(element.len()).unwrap()]);
        body.extend_from_slice(element.as_bytes());
        last = u8::try_from(element.len() + 2).unwrap();
    }
    let length = u32::try_from(body.len() + 11).unwrap();
    let count = u16::try_from(elements.len()).unwrap();
    let head = [&length.to_le_bytes()[..], &tail.to_le_bytes(), &count.to_le_bytes()].concat();
    string(&[&head[..], &body, b"\xff"].concat())
}

pub(crate) fn written(folder: &Path, bytes: &[u8]) -> PathBuf {
    let path = folder.join("odd.rdb");
    std::fs::write(&path, bytes).unwrap();
    path
}
