//! Recognizes the program that wrote a value by its first bytes or the fields of a hash.

use super::{Purpose, caches, sessions};

/// The producer and purpose that a value indicates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ValueSign {
    /// The producer: a framework's name, or a language's serialisation format.
    pub(crate) producer: &'static str,
    /// The purpose, if certain.
    pub(crate) purpose: Purpose,
}

const fn sign(producer: &'static str, purpose: Purpose) -> Option<ValueSign> {
    Some(ValueSign { producer, purpose })
}

/// Whether values of this kind confirm the guessed program.
pub(crate) fn confirms(producer: &str, sign: ValueSign) -> bool {
    let pickles = [caches::DJANGO, "Flask-Session"];
    sign.producer == producer || sign.producer == PICKLE && pickles.contains(&producer)
}

/// The sign of a value whose name has a version as its second part: a pickle there means Django.
pub(crate) fn behind_version(sign: ValueSign) -> ValueSign {
    match sign.producer {
        PICKLE => ValueSign { producer: caches::DJANGO, purpose: Purpose::Cache },
        _ => sign,
    }
}

const PICKLE: &str = "Python (pickle)";

/// Recognises a string, or a list's first element, by its first bytes.
pub(crate) fn sign_of_bytes(start: &[u8]) -> Option<ValueSign> {
    let text = |needle: &[u8]| start.windows(needle.len()).any(|window| window == needle);
    match start {
        // The second byte of a pickle is its protocol, 2 to 5.
        [0x80, 2..=5, ..] => sign(PICKLE, Purpose::Unknown),
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
        [b'{', ..] if text(b"\"jid\"") && (text(b"\"class\"") || text(b"\"queue\"")) => {
            sign("Sidekiq", Purpose::Broker)
        }
        [b'{', ..] if text(b"\"__t\"") && text(b"dramatiq.results.Result") => {
            sign("Dramatiq", Purpose::Results)
        }
        [b'{', ..] if text(b"\"cookie\"") && text(b"\"originalMaxAge\"") => {
            sign("connect-redis", Purpose::Sessions)
        }
        token if is_time_uuid(token) => sign(sessions::PYTHON_LOCK, Purpose::Locks),
        [b'{', ..] if text(b"\"body\"") && (text(b"\"headers\"") || text(b"\"content-")) => {
            sign("Celery", Purpose::Broker)
        }
        _ => None,
    }
}

/// A time-based UUID without hyphens, the value of redis-py's locks.
fn is_time_uuid(value: &[u8]) -> bool {
    let is_digit = |byte: &u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(byte);
    value.len() == 32
        && value.iter().all(is_digit)
        && value[12] == b'1'
        && matches!(value[16], b'8' | b'9' | b'a' | b'b')
}

/// Recognises a hash by its fields.
pub(crate) fn sign_of_fields(fields: &[Vec<u8>]) -> Option<ValueSign> {
    let has = |name: &[u8]| fields.iter().any(|field| field == name);
    if has(b"absexp") && has(b"sldexp") && has(b"data") {
        return sign(caches::ASP_NET, Purpose::Cache);
    }
    // Redisson's locks: a client's UUID and its thread number. Read-write locks also have a field
    // for the mode.
    let is_holder = |field: &Vec<u8>| {
        let field = field.strip_suffix(b":write").unwrap_or(field);
        field.len() > 37
            && field[36] == b':'
            && field[37..].iter().all(u8::is_ascii_digit)
            && [8, 13, 18, 23].iter().all(|at| field[*at] == b'-')
    };
    let (modes, holders): (Vec<_>, Vec<_>) =
        fields.iter().partition(|field| field.as_slice() == b"mode");
    let is_lock = !holders.is_empty() && holders.into_iter().all(is_holder);
    if is_lock && (fields.len() == 1 || modes.len() == 1) {
        return sign(sessions::REDISSON, Purpose::Locks);
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
            (b"5d3a1c2e8f0b11ee9a5d0242ac120002", "redis-py lock"),
            (br#"{"retry":true,"queue":"default","class":"Job","args":[],"jid":"a1"}"#, "Sidekiq"),
            (br#"{"__t":"dramatiq.results.Result","exn":{"type":"E"}}"#, "Dramatiq"),
            (br#"{"cookie":{"originalMaxAge":null,"path":"/"}}"#, "connect-redis"),
            (br#"{"body": "W1s", "content-encoding": "utf-8", "headers"#, "Celery"),
        ] {
            assert_eq!(sign_of_bytes(bytes).map(|sign| sign.producer), Some(producer));
        }
        assert_eq!(sign_of_bytes(b"17"), None);
        // A checksum and a random UUID are not tokens of a lock.
        assert_eq!(sign_of_bytes(b"9e107d9d372bb6826bd81d3542a419d6"), None);
        assert_eq!(sign_of_bytes(b"5d3a1c2e8f0b41ee9a5d0242ac120002"), None);
        assert_eq!(sign_of_bytes(b"{\"title\": 1}"), None);
        let fields = |list: &[&str]| list.iter().map(|f| f.as_bytes().to_vec()).collect::<Vec<_>>();
        let asp = sign_of_fields(&fields(&["data", "sldexp", "absexp"]));
        assert_eq!(asp.map(|sign| sign.producer), Some("ASP.NET distributed cache"));
        let lock = sign_of_fields(&fields(&["7f3a5c1e-98ab-4c5d-8e6f-0123456789ab:41"]));
        assert_eq!(lock.map(|sign| sign.purpose), Some(Purpose::Locks));
        assert_eq!(sign_of_fields(&fields(&["name"])), None);
    }
}
