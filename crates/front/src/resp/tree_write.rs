//! Writing a tree as a reply, in the version that a program speaks.

use bytes::{BufMut, BytesMut};

use super::tree::without_form;
use super::{Resp, Tree};

impl Tree {
    /// Appends the reply. RESP2 has fewer kinds: a map becomes a flat array, a set and a message an array, a
    /// double and a long number a string, a boolean an integer.
    pub fn write(&self, resp: Resp, out: &mut BytesMut) {
        let three = resp == Resp::Three;
        match self {
            Self::Simple(text) => line(b'+', text, out),
            Self::Error(text) => line(b'-', text, out),
            Self::Integer(number) => header(b':', *number, out),
            Self::Bulk(bytes) => blob(b'$', bytes, out),
            Self::Null | Self::NullArray if three => out.put_slice(b"_\r\n"),
            Self::Null => out.put_slice(b"$-1\r\n"),
            Self::NullArray => out.put_slice(b"*-1\r\n"),
            Self::Array(items) => values(b'*', items, resp, out),
            Self::Set(items) => values(if three { b'~' } else { b'*' }, items, resp, out),
            Self::Push(items) => values(if three { b'>' } else { b'*' }, items, resp, out),
            Self::Map(pairs) => {
                if three {
                    header(b'%', pairs.len(), out);
                } else {
                    header(b'*', pairs.len() * 2, out);
                }
                for (key, value) in pairs {
                    key.write(resp, out);
                    value.write(resp, out);
                }
            }
            Self::Double(number) if three => line(b',', number, out),
            Self::BigNumber(number) if three => line(b'(', number, out),
            Self::Double(number) | Self::BigNumber(number) => blob(b'$', number, out),
            Self::Boolean(yes) if three => out.put_slice(if *yes { b"#t\r\n" } else { b"#f\r\n" }),
            Self::Boolean(yes) => header(b':', u8::from(*yes), out),
            Self::Verbatim(text) if three => blob(b'=', text, out),
            Self::Verbatim(text) => blob(b'$', without_form(text), out),
            Self::BlobError(text) if three => blob(b'!', text, out),
            Self::BlobError(text) => line(b'-', text, out),
        }
    }
}

fn header(kind: u8, number: impl std::fmt::Display, out: &mut BytesMut) {
    use std::fmt::Write as _;
    out.put_u8(kind);
    // A buffer that grows takes every number.
    let _ = write!(out, "{number}");
    out.put_slice(b"\r\n");
}

fn blob(kind: u8, bytes: &[u8], out: &mut BytesMut) {
    header(kind, bytes.len(), out);
    out.put_slice(bytes);
    out.put_slice(b"\r\n");
}

/// A line. A line's end inside it would begin another reply, so that it becomes a space.
fn line(kind: u8, text: &[u8], out: &mut BytesMut) {
    out.put_u8(kind);
    out.extend(text.iter().map(|byte| if matches!(byte, b'\r' | b'\n') { b' ' } else { *byte }));
    out.put_slice(b"\r\n");
}

fn values(kind: u8, items: &[Tree], resp: Resp, out: &mut BytesMut) {
    header(kind, items.len(), out);
    for item in items {
        item.write(resp, out);
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use proptest::prelude::*;

    use super::*;
    use crate::resp::Malformed;

    fn text() -> impl Strategy<Value = Bytes> {
        "[ -~]{0,12}".prop_map(Bytes::from)
    }

    fn tree() -> impl Strategy<Value = Tree> {
        let leaf = prop_oneof![
            text().prop_map(Tree::Simple),
            text().prop_map(Tree::Error),
            any::<i64>().prop_map(Tree::Integer),
            proptest::collection::vec(any::<u8>(), 0..40)
                .prop_map(|bytes| Tree::Bulk(bytes.into())),
            Just(Tree::Null),
            text().prop_map(Tree::Double),
            any::<bool>().prop_map(Tree::Boolean),
            text().prop_map(Tree::BigNumber),
            text().prop_map(|text| Tree::Verbatim([b"txt:".as_slice(), &text].concat().into())),
            proptest::collection::vec(any::<u8>(), 0..40)
                .prop_map(|bytes| Tree::BlobError(bytes.into())),
        ];
        leaf.prop_recursive(4, 64, 8, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..8).prop_map(Tree::Array),
                proptest::collection::vec(inner.clone(), 0..8).prop_map(Tree::Set),
                proptest::collection::vec(inner.clone(), 0..8).prop_map(Tree::Push),
                proptest::collection::vec((inner.clone(), inner), 0..8).prop_map(Tree::Map),
            ]
        })
    }

    fn written(tree: &Tree, resp: Resp) -> BytesMut {
        let mut out = BytesMut::new();
        tree.write(resp, &mut out);
        out
    }

    proptest! {
        #[test]
        fn a_tree_is_read_as_it_was_written(tree in tree(), rest in proptest::collection::vec(any::<u8>(), 0..4)) {
            let out = written(&tree, Resp::Three);
            let longer = [&out[..], &rest].concat();
            prop_assert_eq!(Tree::parse(&longer), Ok(Some((tree, out.len()))));
        }

        #[test]
        fn a_part_of_a_reply_is_incomplete(tree in tree(), cut in any::<proptest::sample::Index>()) {
            let out = written(&tree, Resp::Three);
            prop_assert_eq!(Tree::parse(&out[..cut.index(out.len())]), Ok(None));
        }

        #[test]
        fn resp2_has_only_its_own_kinds(tree in tree()) {
            fn old(tree: &Tree) -> bool {
                match tree {
                    Tree::Simple(_) | Tree::Error(_) | Tree::Integer(_) | Tree::Bulk(_) => true,
                    Tree::Null | Tree::NullArray => true,
                    Tree::Array(items) => items.iter().all(old),
                    _ => false,
                }
            }
            let out = written(&tree, Resp::Two);
            let (read, taken) = Tree::parse(&out).unwrap().unwrap();
            prop_assert_eq!(taken, out.len());
            prop_assert!(old(&read), "{:?}", read);
            prop_assert!(!out.starts_with(b"_"));
        }

        #[test]
        fn any_bytes_are_read_without_harm(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            if let Ok(Some((_, taken))) = Tree::parse(&bytes) {
                prop_assert!(taken <= bytes.len());
            }
        }
    }

    #[test]
    fn a_length_that_is_not_there_takes_no_room() {
        assert_eq!(Tree::parse(b"*9223372036854775807\r\n"), Ok(None));
        assert_eq!(Tree::parse(b"%9223372036854775807\r\n:1\r\n"), Ok(None));
        assert_eq!(Tree::parse(b"$9223372036854775807\r\nabc"), Ok(None));
        assert_eq!(Tree::parse(b"$-2\r\n"), Err(Malformed::Number));
    }

    #[test]
    fn depth_has_a_bound() {
        assert_eq!(Tree::parse(&b"*1\r\n".repeat(100_000)), Err(Malformed::Depth));
        let deep = [b"*1\r\n".repeat(128).as_slice(), b":1\r\n"].concat();
        assert!(matches!(Tree::parse(&deep), Ok(Some(_))));
    }

    #[test]
    fn attributes_are_skipped() {
        let bytes = b"|1\r\n+ttl\r\n:3600\r\n*2\r\n|1\r\n+a\r\n+b\r\n$1\r\nx\r\n_\r\n";
        let (tree, taken) = Tree::parse(bytes).unwrap().unwrap();
        assert_eq!((tree, taken), (Tree::Array(vec![Tree::bulk("x"), Tree::Null]), bytes.len()));
    }

    #[test]
    fn an_error_stays_one_line() {
        let error = Tree::BlobError("ERR a\r\n+OK".into());
        assert_eq!(&written(&error, Resp::Two)[..], b"-ERR a  +OK\r\n");
    }

    #[test]
    fn nothing_and_booleans_have_forms_in_both_versions() {
        assert_eq!(&written(&Tree::Null, Resp::Two)[..], b"$-1\r\n");
        assert_eq!(&written(&Tree::NullArray, Resp::Two)[..], b"*-1\r\n");
        assert_eq!(&written(&Tree::NullArray, Resp::Three)[..], b"_\r\n");
        assert_eq!(&written(&Tree::Boolean(true), Resp::Two)[..], b":1\r\n");
        assert_eq!(&written(&Tree::Verbatim("txt:a".into()), Resp::Two)[..], b"$1\r\na\r\n");
    }

    #[test]
    fn pairs_are_those_of_a_map_or_of_a_flat_array() {
        let map = Tree::Map(vec![
            (Tree::bulk("a"), Tree::Integer(1)),
            (Tree::bulk("b"), Tree::Integer(2)),
        ]);
        let flat =
            Tree::Array(vec![Tree::bulk("a"), Tree::Integer(1), Tree::bulk("b"), Tree::Integer(2)]);
        assert_eq!(map.value("b").and_then(Tree::integer), Some(2));
        assert_eq!(flat.value("b").and_then(Tree::integer), Some(2));
        assert_eq!(flat.value("c"), None);
    }
}
