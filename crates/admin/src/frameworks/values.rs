//! What the first bytes of a value, or the fields of a hash, say about who wrote it.

use super::{Purpose, caches};

/// What a value tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ValueSign {
    /// Who wrote it: a framework's name, or a language's way to write objects.
    pub(crate) producer: &'static str,
    /// What for, where that is certain.
    pub(crate) purpose: Purpose,
}

const fn sign(producer: &'static str, purpose: Purpose) -> Option<ValueSign> {
    Some(ValueSign { producer, purpose })
}

/// By the first bytes of a string, or of a list's first element.
pub(crate) fn sign_of_bytes(start: &[u8]) -> Option<ValueSign> {
    let text = |needle: &[u8]| start.windows(needle.len()).any(|window| window == needle);
    match start {
        // A pickle says its protocol, 2 to 5, in its second byte.
        [0x80, 2..=5, ..] => sign("Python (pickle)", Purpose::Unknown),
        [0x04, 0x08, b'o' | b'[' | b'{' | b'I' | b'"' | b':', ..] => {
            if text(b"ActiveSupport::Cache::Entry") {
                sign(caches::RAILS, Purpose::Cache)
            } else {
                sign("Ruby (Marshal)", Purpose::Unknown)
            }
        }
        // Rails 7.1 and later: a signature, then the entry.
        [0x00, 0x11, ..] => sign(caches::RAILS, Purpose::Cache),
        [b'a' | b'O' | b's', b':', b'0'..=b'9', ..] => sign("PHP (serialize)", Purpose::Unknown),
        [b'{', ..] if text(b"\"body\"") && (text(b"\"headers\"") || text(b"\"content-")) => {
            sign("Celery", Purpose::Broker)
        }
        _ => None,
    }
}

/// By the fields of a hash.
pub(crate) fn sign_of_fields(fields: &[Vec<u8>]) -> Option<ValueSign> {
    let has = |name: &[u8]| fields.iter().any(|field| field == name);
    if has(b"absexp") && has(b"sldexp") && has(b"data") {
        return sign(caches::ASP_NET, Purpose::Cache);
    }
    // Redisson's locks: a client's UUID and the number of its thread.
    let is_holder = |field: &Vec<u8>| {
        field.len() > 37
            && field[36] == b':'
            && field[37..].iter().all(u8::is_ascii_digit)
            && [8, 13, 18, 23].iter().all(|at| field[*at] == b'-')
    };
    if fields.len() == 1 && is_holder(&fields[0]) {
        return sign("Redisson", Purpose::Locks);
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writers_are_known_by_their_values() {
        for (bytes, producer) in [
            (&b"\x80\x04\x95\x10"[..], "Python (pickle)"),
            (b"\x04\x08o: ActiveSupport::Cache::Entry", "Rails cache"),
            (b"\x04\x08{\x06", "Ruby (Marshal)"),
            (b"a:2:{s:1", "PHP (serialize)"),
            (br#"{"body": "W1s", "content-encoding": "utf-8", "headers"#, "Celery"),
        ] {
            assert_eq!(sign_of_bytes(bytes).map(|sign| sign.producer), Some(producer));
        }
        assert_eq!(sign_of_bytes(b"17"), None);
        assert_eq!(sign_of_bytes(b"{\"title\": 1}"), None);
        let fields = |list: &[&str]| list.iter().map(|f| f.as_bytes().to_vec()).collect::<Vec<_>>();
        let asp = sign_of_fields(&fields(&["data", "sldexp", "absexp"]));
        assert_eq!(asp.map(|sign| sign.producer), Some("ASP.NET distributed cache"));
        let lock = sign_of_fields(&fields(&["7f3a5c1e-98ab-4c5d-8e6f-0123456789ab:41"]));
        assert_eq!(lock.map(|sign| sign.purpose), Some(Purpose::Locks));
        assert_eq!(sign_of_fields(&fields(&["name"])), None);
    }
}
