//! What a look has met of one numbered database on one node, sorted by the prefixes of the map.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use compartment_core::Result;
use compartment_redis::Connection;

use super::content::Met;
use super::key_sizes::BigKeys;
use super::part::{BIG, Part};
use super::sample::{Sample, walk};

/// What a node has of a numbered database, by prefix.
pub(super) struct Found {
    pub(super) index: u32,
    pub(super) node: usize,
    /// The big keys that former looks met, with their bytes.
    pub(super) known: BTreeMap<Vec<u8>, u64>,
    /// Keys of the numbered database without these.
    pub(super) population: u64,
    /// The last is of the keys that have no prefix of the map.
    pub(super) parts: Vec<Part>,
    pub(super) met: Vec<Vec<Met>>,
}

impl Found {
    /// Whether some of its keys were not measured.
    pub(super) fn is_open(&self) -> bool {
        self.parts.iter().any(|part| !part.is_census())
    }

    /// Measures every key from the cursor `from` on while there is time, and says where to go on; 0 at the end.
    /// The keys up to there are a sample too, and a large one, unless the node is one of a cluster.
    ///
    /// # Errors
    /// The server's, and the connection's.
    pub(super) async fn walk(
        &mut self,
        node: &mut Connection,
        prefixes: &[Vec<u8>],
        from: u64,
        deadline: Instant,
        is_cluster: bool,
    ) -> Result<u64> {
        let known: BTreeSet<Vec<u8>> = self.known.keys().cloned().collect();
        let mut walked = vec![Vec::new(); self.parts.len()];
        let mut big: Vec<Vec<Met>> = vec![Vec::new(); self.parts.len()];
        let mut drawn = 0_u64;
        let end = walk(node, from, deadline, |name, bytes| {
            if bytes >= BIG && known.contains(&name) {
                return;
            }
            let at = part_of(&name, prefixes);
            drawn += 1;
            walked[at].push(bytes);
            if bytes >= BIG {
                big[at].push(Met { name, bytes, stands_for: 1.0, ttl: None });
            }
        })
        .await?;
        let is_whole = from == 0 && end == 0;
        let population: f64 = self.population.max(drawn) as f64;
        for (at, (sizes, big)) in walked.into_iter().zip(big).enumerate() {
            let part = &mut self.parts[at];
            self.met[at].retain(|key| key.bytes < BIG || known.contains(&key.name));
            self.met[at].extend(big);
            if is_whole {
                let known = self.known.iter().filter(|(name, _)| part_of(name, prefixes) == at);
                let (keys, bytes) =
                    known.fold((0, 0), |(keys, sum), (_, bytes)| (keys + 1, sum + bytes));
                part.walk(sizes.len() as u64 + keys, sizes.iter().sum::<u64>() + bytes);
            } else if !is_cluster && drawn as f64 > part.drawn() {
                part.draw_anew(population, drawn as f64);
                sizes.iter().for_each(|bytes| part.add(*bytes));
            }
        }
        Ok(end)
    }
}

/// The number of the part that a key is in: that of its prefix, or the last.
fn part_of(name: &[u8], prefixes: &[Vec<u8>]) -> usize {
    prefixes.iter().position(|prefix| name.starts_with(prefix)).unwrap_or(prefixes.len())
}

/// Sorts the keys of a sample, and the known big ones, by prefix.
pub(super) fn split(
    index: u32,
    node: usize,
    sample: Sample,
    known: BTreeMap<Vec<u8>, u64>,
    counted: Option<BigKeys>,
    prefixes: &[Vec<u8>],
) -> Found {
    let is_census = sample.is_census();
    let drawn: Vec<_> =
        sample.keys.into_iter().filter(|key| !known.contains_key(&key.name)).collect();
    let population = sample.population.saturating_sub(known.len() as u64) as f64;
    let drawn_count = drawn.len() as f64;
    let population = if is_census { drawn_count } else { population };
    let mut parts = vec![Part::new(population, drawn_count); prefixes.len() + 1];
    let mut met = vec![Vec::new(); prefixes.len() + 1];
    let stands_for = if drawn.is_empty() { 0.0 } else { population / drawn_count };
    for key in drawn {
        let at = part_of(&key.name, prefixes);
        parts[at].add(key.bytes);
        met[at].push(Met { name: key.name, bytes: key.bytes, stands_for, ttl: key.ttl });
    }
    if let Some(counted) = counted.filter(|_| !is_census) {
        let left = counted.count.saturating_sub(known.len() as u64);
        let share_left = left as f64 / counted.count.max(1) as f64;
        for part in &mut parts {
            part.counted = Some(counted.share(share_left * part.share()));
        }
    }
    for (name, bytes) in &known {
        let at = part_of(name, prefixes);
        parts[at].add_known(*bytes);
        met[at].push(Met { name: name.clone(), bytes: *bytes, stands_for: 1.0, ttl: None });
    }
    Found { index, node, known, population: population as u64, parts, met }
}
