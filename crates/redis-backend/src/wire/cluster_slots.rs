//! The answer of `CLUSTER SLOTS`.

use compartment_core::{Error, ErrorKind, Result};
use redis::Value;

/// Slots of one master.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SlotRange {
    /// The first slot.
    pub first: u16,
    /// The last slot.
    pub last: u16,
    /// The master, as `host:port`.
    pub master: String,
}

/// Reads the bytes of an answer to `CLUSTER SLOTS`, given by the node at `from`. Ranges without a master are left out.
///
/// # Errors
/// [`ErrorKind::Unavailable`] if it is an error, or no such answer.
pub fn read_slots(answer: &[u8], from: &str) -> Result<Vec<SlotRange>> {
    let failed = |what: String| {
        Error::new(ErrorKind::Unavailable, "read the cluster's slots", format!("{from}: {what}"))
    };
    let value = redis::parse_redis_value(answer).and_then(Value::extract_error);
    let value = value.map_err(|error| failed(error.to_string()))?;
    let ranges = redis::from_redis_value(value).map_err(|error| failed(error.to_string()))?;
    let ranges = slot_ranges(ranges, from).into_iter();
    Ok(ranges.map(|(first, last, master)| SlotRange { first, last, master }).collect())
}

/// First slot, last slot and the master's `host:port` of each range in the answer of `CLUSTER SLOTS` of the node at
/// `from`. An empty host is that of the node that was asked.
pub(crate) fn slot_ranges(ranges: Vec<Vec<Value>>, from: &str) -> Vec<(u16, u16, String)> {
    let own = from.rsplit_once(':').map_or(from, |(host, _)| host);
    let range = |range: Vec<Value>| {
        let mut parts = range.into_iter();
        let mut slot = || redis::from_redis_value::<u16>(parts.next()?).ok();
        let (first, last) = (slot()?, slot()?);
        let Some(Value::Array(master)) = parts.next() else { return None };
        let mut parts = master.into_iter();
        // Nil if the node prefers not to say it.
        let host: Option<String> = redis::from_redis_value(parts.next()?).ok()?;
        let host = host.filter(|host| !host.is_empty());
        let port: u16 = redis::from_redis_value(parts.next()?).ok()?;
        Some((first, last, format!("{}:{port}", host.as_deref().unwrap_or(own))))
    };
    ranges.into_iter().filter_map(range).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_master_without_a_host_is_at_that_of_the_node_that_was_asked() {
        let answer = b"*3\r\n*3\r\n:0\r\n:5\r\n*2\r\n$0\r\n\r\n:7001\r\n*3\r\n:6\r\n:9\r\n*2\r\n$-1\r\n:7002\r\n\
                       *3\r\n:10\r\n:10\r\n*2\r\n$2\r\nh3\r\n:7003\r\n";
        let read = read_slots(answer, "h1:7000").unwrap();
        let read: Vec<_> =
            read.iter().map(|range| (range.first, range.last, range.master.as_str())).collect();
        assert_eq!(read, [(0, 5, "h1:7001"), (6, 9, "h1:7002"), (10, 10, "h3:7003")]);
    }

    #[test]
    fn an_error_is_no_answer() {
        let error = read_slots(b"-ERR This instance has cluster support disabled\r\n", "h:1");
        assert!(error.unwrap_err().message().contains("cluster support disabled"));
    }
}
