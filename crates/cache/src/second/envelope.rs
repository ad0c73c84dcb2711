//! The stored form of an entry: a header of times, stamps and lease, then the value.
//!
//! Two marker bytes, a kind, the times and the lease as little-endian microseconds, the stamps as names and numbers,
//! then the bytes of the codec. Bytes in another form were written by another program or version and count as
//! missing.

use std::sync::Arc;

use bytes::{BufMut, Bytes, BytesMut};
use compartment_core::{Codec, Timestamp};

use crate::life::Times;

/// No JSON, MessagePack or compressed value of the codec begins with this byte.
const MARK: u8 = 0xC1;
/// The version of the layout; every change of the layout takes the next.
const VERSION: u8 = Codec::CACHE_ENTRY;
/// Above the number of stamps that any entry has.
pub(crate) const MAX_STAMPS: usize = 255;
/// The maximum length of a stamp's name, in bytes.
pub(crate) const LONGEST_NAME: usize = 1_024;

/// Whether a label is too long for an entry. Names of stamps are kept in memory, also those that others sent.
pub(crate) fn is_too_long(label: &str) -> bool {
    label.len() > LONGEST_NAME
}

const VALUE: u8 = 0;
const ABSENT: u8 = 1;
const NOTHING: u8 = 2;

/// Whether no version of the cache wrote these bytes, so that they are another program's value.
pub(crate) fn is_foreign(bytes: &[u8]) -> bool {
    !matches!(bytes, [MARK, form, ..] if form >> 4 == VERSION >> 4)
}

/// A document or tag of an entry, with the number of its stamp: the entry is valid while the number is current.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct StampSeen {
    pub(crate) name: Arc<str>,
    pub(crate) token: u64,
}

/// The content of an entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Payload {
    /// The codec's bytes.
    Value(Bytes),
    /// A known absence.
    Absent,
    /// Nothing yet: a load is in progress.
    Nothing,
}

/// A lease: the right to store the next value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct LeaseMark {
    /// Unique to this lease.
    pub(crate) token: u64,
    pub(crate) until: Timestamp,
}

/// One entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Envelope {
    pub(crate) payload: Payload,
    pub(crate) times: Times,
    /// The lease of the loader of the next value, with that load's stamps.
    pub(crate) lease: Option<(LeaseMark, Vec<StampSeen>)>,
    pub(crate) stamps: Vec<StampSeen>,
}

impl Envelope {
    /// A lease entry. It keeps the old value, which may be served stale.
    pub(crate) fn held(before: Option<&Self>, lease: LeaseMark, stamps: &[StampSeen]) -> Self {
        let lease = Some((lease, stamps.to_vec()));
        match before {
            Some(before) => Self { lease, ..before.clone() },
            None => {
                let until = Timestamp::default();
                let times = Times { created: until, fresh_until: until, stale_until: until };
                Self { payload: Payload::Nothing, times, lease, stamps: Vec::new() }
            }
        }
    }

    /// The bytes to store.
    pub(crate) fn to_bytes(&self) -> Bytes {
        let (kind, value) = match &self.payload {
            Payload::Value(value) => (VALUE, &value[..]),
            Payload::Absent => (ABSENT, &[][..]),
            Payload::Nothing => (NOTHING, &[][..]),
        };
        let mut bytes = BytesMut::with_capacity(64 + 40 * self.stamps.len() + value.len());
        bytes.put_slice(&[MARK, VERSION, kind, u8::from(self.lease.is_some())]);
        for moment in [self.times.created, self.times.fresh_until, self.times.stale_until] {
            bytes.put_u64_le(moment.as_micros());
        }
        if let Some((lease, stamps)) = &self.lease {
            bytes.put_u64_le(lease.token);
            bytes.put_u64_le(lease.until.as_micros());
            put_stamps(&mut bytes, stamps);
        }
        put_stamps(&mut bytes, &self.stamps);
        bytes.put_slice(value);
        bytes.freeze()
    }

    /// Decodes an entry; `None` if this version cannot read it.
    pub(crate) fn read(bytes: &Bytes) -> Option<Self> {
        View::read(bytes).map(|view| view.to_envelope(bytes))
    }
}

/// An entry in its encoded bytes: enough for a hit, without copying.
#[derive(Clone, Copy, Debug)]
pub(crate) struct View<'a> {
    kind: u8,
    pub(crate) times: Times,
    lease: Option<(LeaseMark, StampsView<'a>)>,
    stamps: StampsView<'a>,
    value: &'a [u8],
}

/// The content of a view.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PayloadView<'a> {
    Value(&'a [u8]),
    Absent,
    Nothing,
}

impl<'a> View<'a> {
    pub(crate) fn read(bytes: &'a [u8]) -> Option<Self> {
        let mut rest = Rest(bytes);
        let [MARK, VERSION, kind, has_lease @ (0 | 1)] = rest.take::<4>()? else { return None };
        let times = Times {
            created: rest.moment()?,
            fresh_until: rest.moment()?,
            stale_until: rest.moment()?,
        };
        let lease = if has_lease == 1 {
            let mark = LeaseMark { token: rest.number()?, until: rest.moment()? };
            Some((mark, rest.stamps()?))
        } else {
            None
        };
        let stamps = rest.stamps()?;
        let is_known = match kind {
            VALUE => true,
            ABSENT | NOTHING => rest.0.is_empty(),
            _ => false,
        };
        is_known.then_some(Self { kind, times, lease, stamps, value: rest.0 })
    }

    pub(crate) fn payload(&self) -> PayloadView<'a> {
        match self.kind {
            VALUE => PayloadView::Value(self.value),
            ABSENT => PayloadView::Absent,
            _ => PayloadView::Nothing,
        }
    }

    /// The stamps' names and numbers.
    pub(crate) fn stamps(&self) -> impl Iterator<Item = (&'a str, u64)> {
        self.stamps.iter()
    }

    /// The stamps' names and numbers, owned.
    pub(crate) fn stamps_seen(&self) -> Vec<StampSeen> {
        self.stamps.seen()
    }

    /// Converts the view to an entry. The value shares `bytes`, which must be the view's.
    pub(crate) fn to_envelope(self, bytes: &Bytes) -> Envelope {
        let payload = match self.payload() {
            PayloadView::Value(value) => Payload::Value(bytes.slice_ref(value)),
            PayloadView::Absent => Payload::Absent,
            PayloadView::Nothing => Payload::Nothing,
        };
        let lease = self.lease.map(|(mark, stamps)| (mark, stamps.seen()));
        Envelope { payload, times: self.times, lease, stamps: self.stamps.seen() }
    }
}

/// Stamps whose encoding was checked.
#[derive(Clone, Copy, Debug)]
struct StampsView<'a> {
    count: u8,
    bytes: &'a [u8],
}

impl<'a> StampsView<'a> {
    fn iter(self) -> impl Iterator<Item = (&'a str, u64)> {
        let mut rest = Rest(self.bytes);
        (0..self.count).map_while(move |_| rest.stamp())
    }

    fn seen(self) -> Vec<StampSeen> {
        self.iter().map(|(name, token)| StampSeen { name: name.into(), token }).collect()
    }
}

fn put_stamps(bytes: &mut BytesMut, stamps: &[StampSeen]) {
    let count = stamps.len().min(MAX_STAMPS);
    bytes.put_u8(count as u8);
    for stamp in stamps.iter().take(count) {
        // Names fit: labels are checked when a handle uses them.
        bytes.put_u16_le(stamp.name.len() as u16);
        bytes.put_slice(stamp.name.as_bytes());
        bytes.put_u64_le(stamp.token);
    }
}

/// The bytes that are not decoded yet.
struct Rest<'a>(&'a [u8]);

impl<'a> Rest<'a> {
    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (taken, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*taken)
    }

    fn number(&mut self) -> Option<u64> {
        self.take().map(u64::from_le_bytes)
    }

    fn moment(&mut self) -> Option<Timestamp> {
        self.number().map(Timestamp::from_micros)
    }

    fn stamps(&mut self) -> Option<StampsView<'a>> {
        let [count] = self.take()?;
        let bytes = self.0;
        for _ in 0..count {
            self.stamp()?;
        }
        Some(StampsView { count, bytes })
    }

    fn stamp(&mut self) -> Option<(&'a str, u64)> {
        let length = usize::from(u16::from_le_bytes(self.take()?));
        let (name, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        let name = std::str::from_utf8(name).ok()?;
        // The names are kept in memory.
        (!is_too_long(name)).then_some((name, self.number()?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn stamps() -> impl Strategy<Value = Vec<StampSeen>> {
        let stamp = (".{0,20}", any::<u64>())
            .prop_map(|(name, token)| StampSeen { name: name.into(), token });
        prop::collection::vec(stamp, 0..5)
    }

    fn envelope() -> impl Strategy<Value = Envelope> {
        let payload = prop_oneof![
            prop::collection::vec(any::<u8>(), 0..50).prop_map(|v| Payload::Value(v.into())),
            Just(Payload::Absent),
            Just(Payload::Nothing),
        ];
        let lease = prop::option::of((any::<[u64; 2]>(), stamps()));
        (payload, any::<[u64; 3]>(), lease, stamps()).prop_map(|(payload, times, lease, stamps)| {
            let [created, fresh_until, stale_until] = times.map(Timestamp::from_micros);
            let lease = lease.map(|([token, until], stamps)| {
                (LeaseMark { token, until: Timestamp::from_micros(until) }, stamps)
            });
            let times = Times { created, fresh_until, stale_until };
            Envelope { payload, times, lease, stamps }
        })
    }

    proptest! {
        #[test]
        fn every_entry_reads_back(envelope in envelope()) {
            prop_assert_eq!(Envelope::read(&envelope.to_bytes()), Some(envelope));
        }

        #[test]
        fn any_bytes_are_an_entry_or_nothing(mut bytes: Vec<u8>, marked: bool) {
            if marked {
                bytes.splice(0..0, [MARK, VERSION]);
            }
            let _ = Envelope::read(&bytes.into());
        }

        #[test]
        fn a_cut_header_is_nothing(envelope in envelope(), cut in 0usize..27) {
            let bytes = envelope.to_bytes();
            prop_assert_eq!(Envelope::read(&bytes.slice(..cut)), None);
        }
    }

    #[test]
    fn what_no_cache_wrote_is_somebodys_value() {
        let own = Envelope::held(None, LeaseMark { token: 1, until: Timestamp::default() }, &[]);
        assert!(!is_foreign(&own.to_bytes()) && !is_foreign(b"\xC1\xE0\x00\x00"));
        assert!(is_foreign(b"{}") && is_foreign(b"") && is_foreign(b"\xC1\x01\x81"));
    }

    #[test]
    fn old_formats_are_nothing() {
        for old in [&b"{\"a\":1}"[..], b"", b"\xC1\x01\x81", b"\xC1\xE0\x00\x00", b"text"] {
            assert_eq!(Envelope::read(&Bytes::copy_from_slice(old)), None);
        }
    }
}
