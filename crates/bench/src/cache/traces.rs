//! `traces`: the first tier's hit rate on traces of several kinds, beside other policies. With `--trace FILE` on a
//! recorded one.

use std::collections::{HashMap, VecDeque};
use std::path::Path;

use serde::Serialize;

use super::Measured;
use super::policies::{s3_fifo, sieve, w_tiny_lfu};
use super::replacement::{least_recently_used, most_read, optimal};
use super::trace::{Random, zipf};
use super::zipf::rate_of_first_tier;
use crate::measure::Failure;
use crate::measure::table::{align, plain};

/// The rooms for a recorded trace, in percent of its documents.
const PERCENT: [usize; 4] = [1, 5, 10, 25];
/// The room for a generated trace.
const ROOM: usize = 1_000;
const SEED: u64 = 20_261_130;

#[derive(Debug, Serialize)]
struct Row {
    trace: String,
    reads: usize,
    documents: usize,
    room: usize,
    /// Hit rates, 0 to 1, in the order of [`POLICIES`].
    rates: Vec<f64>,
}

const POLICIES: [&str; 7] =
    ["compartment", "LRU", "S3-FIFO", "SIEVE", "W-TinyLFU", "most read", "optimal"];

/// Traces that differ in what they reward.
pub(super) async fn generated(quick: bool) -> Result<Measured, Failure> {
    let scale = if quick { 1 } else { 5 };
    let traces = [
        ("Zipf's law, 0.9, with scans", scans(scale)),
        ("a loop of 3,000", (0..20 * scale).flat_map(|_| 0..3_000).collect()),
        ("Zipf's law, 0.9, new each 50,000", shifts(scale)),
        ("read soon after written", recent(scale)),
        ("Zipf's law, 0.7, and a loop", mixed(scale)),
    ];
    let mut rows = Vec::new();
    for (name, trace) in traces {
        rows.push(row(name.to_owned(), &trace, ROOM).await?);
    }
    let title = format!("Hit rate in %, generated traces, room for {ROOM}");
    Measured::new(table(&title, &rows), &rows)
}

/// A recorded trace.
pub(super) async fn recorded(file: &Path) -> Result<Measured, Failure> {
    let trace = read(file)?;
    let documents = distinct(&trace);
    let mut rows = Vec::new();
    for percent in PERCENT {
        let room = documents * percent / 100;
        rows.push(row(format!("{percent} %"), &trace, room).await?);
    }
    let name = file.file_name().unwrap_or(file.as_os_str()).display();
    let title = format!(
        "Hit rate in %, {name}: {} reads of {documents} documents, by the share that has room",
        trace.len()
    );
    Measured::new(table(&title, &rows), &rows)
}

async fn row(name: String, trace: &[u32], room: usize) -> Result<Row, Failure> {
    let (ours, _) = rate_of_first_tier(trace, room).await?;
    let policies = [least_recently_used, s3_fifo, sieve, w_tiny_lfu, most_read, optimal];
    let share = |hits: usize| hits as f64 / trace.len() as f64;
    let others = policies.map(|policy| share(policy(trace, room)));
    let rates = [ours].into_iter().chain(others).collect();
    Ok(Row { trace: name, reads: trace.len(), documents: distinct(trace), room, rates })
}

fn table(title: &str, rows: &[Row]) -> String {
    let mut table = plain(["trace"].into_iter().chain(POLICIES));
    for row in rows {
        let rates = row.rates.iter().map(|rate| format!("{:.1}", rate * 100.0));
        table.add_row([row.trace.clone()].into_iter().chain(rates));
    }
    align(&mut table);
    format!("{title}\n{table}\n")
}

fn distinct(trace: &[u32]) -> usize {
    trace.iter().collect::<std::collections::HashSet<_>>().len()
}

/// Popular documents, and now and then thousands that are read once.
fn scans(scale: u32) -> Vec<u32> {
    let popular = zipf(20_000, 0.9, 60_000 * scale as usize, SEED);
    let chunks = popular.chunks(5_000).zip(0..);
    chunks
        .flat_map(|(chunk, turn)| {
            let scan = 100_000 + turn * 3_000..100_000 + (turn + 1) * 3_000;
            chunk.iter().copied().chain(scan)
        })
        .collect()
}

/// What is popular changes all at once.
fn shifts(scale: u32) -> Vec<u32> {
    let turns = 0..2 * scale;
    let turn = |turn: u32| {
        let trace = zipf(20_000, 0.9, 50_000, SEED + u64::from(turn));
        trace.into_iter().map(move |document| document + 20_000 * (turn % 5))
    };
    turns.flat_map(turn).collect()
}

/// New documents, each read a few times in the time after it appears.
fn recent(scale: u32) -> Vec<u32> {
    let (mut random, mut recent, mut next) = (Random::new(SEED), VecDeque::new(), 0);
    let mut read = || {
        if recent.is_empty() || random.next().is_multiple_of(3) {
            next += 1;
            recent.push_front(next);
            recent.truncate(1_500);
            return next;
        }
        let share = random.share();
        let at = (share * share * recent.len() as f64) as usize;
        recent.get(at).copied().unwrap_or(next)
    };
    (0..60_000 * scale).map(|_| read()).collect()
}

/// Half the reads go round in a loop that has no room.
fn mixed(scale: u32) -> Vec<u32> {
    let popular = zipf(20_000, 0.7, 40_000 * scale as usize, SEED);
    popular
        .into_iter()
        .zip((0..2_000).cycle())
        .flat_map(|(one, other)| [one, 50_000 + other])
        .collect()
}

/// Reads a trace: a text with an id in each line, a `.csv` with a column of ids, or a `.bin` in libCacheSim's format
/// oracleGeneral.
fn read(file: &Path) -> Result<Vec<u32>, Failure> {
    let bytes = std::fs::read(file).map_err(|error| format!("{}: {error}", file.display()))?;
    let ids: Vec<u64> = match file.extension().and_then(|ending| ending.to_str()) {
        Some("bin") => oracle_general(&bytes),
        Some("csv") => table_column(&String::from_utf8(bytes)?)?,
        _ => numbers(&String::from_utf8(bytes)?)?,
    };
    let mut known = HashMap::new();
    let number = |id| {
        let next = known.len() as u32;
        *known.entry(id).or_insert(next)
    };
    Ok(ids.into_iter().map(number).collect())
}

/// Records of 24 bytes: time, id in the bytes from 4 to 12, size, next read.
fn oracle_general(bytes: &[u8]) -> Vec<u64> {
    let ids = bytes.chunks_exact(24).filter_map(|record| record.get(4..12)?.try_into().ok());
    ids.map(u64::from_le_bytes).collect()
}

fn numbers(text: &str) -> Result<Vec<u64>, Failure> {
    text.lines().map(|line| Ok(line.trim().parse()?)).collect()
}

/// The column that the first line calls an id.
fn table_column(text: &str) -> Result<Vec<u64>, Failure> {
    let mut lines = text.lines();
    let header = lines.next().unwrap_or_default();
    let is_id = |name: &str| {
        matches!(name.trim().trim_start_matches('#').trim(), "id" | "obj_id" | "object" | "lbn")
    };
    let column = header.split(',').position(is_id).ok_or("no column id, obj_id, object or lbn")?;
    let id = |line: &str| -> Result<u64, Failure> {
        Ok(line.split(',').nth(column).ok_or("a line is too short")?.trim().parse()?)
    };
    lines.map(id).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_format_gives_the_ids() {
        assert_eq!(numbers("5\n70000000000\n5\n").unwrap(), [5, 70_000_000_000, 5]);
        let csv = "version,time,op,size,lbn\n1,2,2a,512,9\n1,3,2a,512,8\n";
        assert_eq!(table_column(csv).unwrap(), [9, 8]);
        assert_eq!(table_column("# time, object, size\n0, 7, 3\n").unwrap(), [7]);
        assert!(table_column("a,b\n1,2\n").is_err() && table_column("a,id\n1\n").is_err());
        let record = [&1_u32.to_le_bytes()[..], &6_u64.to_le_bytes(), &[0; 12]].concat();
        assert_eq!(oracle_general(&[&record[..], &record, &[1, 2]].concat()), [6, 6]);
    }

    #[test]
    fn generated_traces_are_the_same_in_every_run() {
        for make in [scans, shifts, recent, mixed] {
            let trace = make(1);
            assert!(trace.len() >= 50_000 && distinct(&trace) > ROOM);
            assert_eq!(trace, make(1));
        }
    }
}
