//! Random keys of one numbered database on one node, each with its bytes.
//!
//! The order in which `SCAN` gives keys is that of their hashes, and a server draws the seed of its hash
//! function when it starts. So the keys behind a random cursor are a random sample, whatever wrote them, and
//! cost a fifth of as many calls of `RANDOMKEY`. A node of a cluster has a table for each slot (Redis 7.4,
//! Valkey 8), and keys with a common hash tag stand in one slot: there `RANDOMKEY` is asked, which takes each
//! slot as often as it has keys.
//!
//! No command of this file changes when a key was last used.

use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Instant;

use compartment_core::backend::random;
use compartment_core::{ErrorKind, Result};
use compartment_redis::{Connection, answer_error};
use redis::{Pipeline, Value};

/// Keys of one request of `SCAN`.
const PAGE: usize = 128;
/// Commands in one round trip: under a millisecond of the server's time.
const BATCH: usize = 512;
/// Keys that are asked how long they still live.
const ASKED_FOR_TTL: usize = 2_000;
/// Requests that may bring no new key before the sample is taken to be complete.
const FRUITLESS: usize = 64;

/// A key of a sample.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct SampledKey {
    /// Its name on the server.
    pub(super) name: Vec<u8>,
    /// Its bytes, as `MEMORY USAGE` says.
    pub(super) bytes: u64,
    /// What is left of its life, where it was asked.
    pub(super) ttl: Option<Ttl>,
}

/// How long a key still lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ttl {
    Never,
    Milliseconds(u64),
}

/// A sample without repetition.
#[derive(Clone, Debug, Default)]
pub(super) struct Sample {
    /// How many keys there are.
    pub(super) population: u64,
    pub(super) keys: Vec<SampledKey>,
    /// Commands that it took.
    pub(super) commands: u64,
    /// Whether the server refuses `MEMORY USAGE`: then the keys have no bytes.
    pub(super) is_refused: bool,
}

impl Sample {
    /// Whether every key is in it, but for those that came or went meanwhile.
    pub(super) fn is_census(&self) -> bool {
        self.keys.len() as u64 >= self.population
    }
}

/// Draws `size` random keys of the connection's database, or all where there are not many more.
///
/// # Errors
/// The server's, where it lists no keys, and the connection's.
pub(super) async fn draw(
    node: &mut Connection,
    population: u64,
    size: usize,
    is_cluster: bool,
) -> Result<Sample> {
    let mut sample = Sample { population, ..Sample::default() };
    if population == 0 || size == 0 {
        return Ok(sample);
    }
    let names = match population <= size as u64 + size as u64 / 4 {
        true => all_names(node, &mut sample.commands).await?,
        false if is_cluster => by_random_key(node, size, &mut sample.commands).await?,
        false => by_cursor(node, size, &mut sample.commands).await?,
    };
    if names.len() as u64 > sample.population {
        sample.population = names.len() as u64;
    }
    measure(node, names, &mut sample).await?;
    Ok(sample)
}

async fn all_names(node: &mut Connection, commands: &mut u64) -> Result<Vec<Vec<u8>>> {
    let mut names = Names::default();
    let mut cursor = 0;
    loop {
        cursor = scan(node, cursor, BATCH, &mut names).await?;
        *commands += 1;
        if cursor == 0 {
            return Ok(names.list);
        }
    }
}

/// Keys behind random cursors.
async fn by_cursor(node: &mut Connection, size: usize, commands: &mut u64) -> Result<Vec<Vec<u8>>> {
    let mut names = Names::default();
    let mut fruitless = 0;
    while names.list.len() < size && fruitless < FRUITLESS {
        let before = names.list.len();
        let asked = scan(node, random(), PAGE, &mut names).await;
        *commands += 1;
        match asked {
            Ok(_) => {}
            // A proxy or another program's server that takes its own cursors only.
            Err(error) if before == 0 && is_refusal(error.kind()) => {
                return by_random_key(node, size, commands).await;
            }
            Err(error) => return Err(error),
        }
        fruitless = if names.list.len() == before { fruitless + 1 } else { 0 };
    }
    Ok(names.list)
}

fn is_refusal(kind: ErrorKind) -> bool {
    !matches!(kind, ErrorKind::Unavailable | ErrorKind::Timeout | ErrorKind::Interrupted)
}

async fn by_random_key(
    node: &mut Connection,
    size: usize,
    commands: &mut u64,
) -> Result<Vec<Vec<u8>>> {
    let mut names = Names::default();
    let mut fruitless = 0;
    while names.list.len() < size && fruitless < FRUITLESS {
        let before = names.list.len();
        let mut pipeline = Pipeline::with_capacity(BATCH);
        for _ in 0..BATCH.min(size - before) {
            pipeline.cmd("RANDOMKEY");
        }
        *commands += pipeline.len() as u64;
        for answer in node.ask_each("draw keys", &pipeline).await? {
            match answer {
                Value::BulkString(name) => names.add(name),
                other => answer_error("draw keys", &other).map_or(Ok(()), Err)?,
            }
        }
        fruitless = if names.list.len() == before { fruitless + 1 } else { 0 };
    }
    Ok(names.list)
}

/// Names, each once.
#[derive(Default)]
struct Names {
    seen: HashSet<Vec<u8>>,
    list: Vec<Vec<u8>>,
}

impl Names {
    fn add(&mut self, name: Vec<u8>) {
        if self.seen.insert(name.clone()) {
            self.list.push(name);
        }
    }
}

async fn scan(node: &mut Connection, cursor: u64, page: usize, names: &mut Names) -> Result<u64> {
    let mut command = redis::cmd("SCAN");
    command.arg(cursor).arg("COUNT").arg(page);
    let (cursor, found): (u64, Vec<Vec<u8>>) = node.ask("draw keys", &command).await?;
    found.into_iter().for_each(|name| names.add(name));
    Ok(cursor)
}

/// Measures every key from `cursor` on, and gives each name with its bytes to `each`. Where to go on after
/// `deadline`; 0 when there is no more.
///
/// # Errors
/// The server's, and the connection's.
pub(super) async fn walk(
    node: &mut Connection,
    cursor: u64,
    deadline: Instant,
    mut each: impl FnMut(Vec<u8>, u64),
) -> Result<u64> {
    let mut seen = HashSet::new();
    let mut scanner = node.clone();
    let (mut cursor, mut page) = scan_page(&mut scanner, cursor).await?;
    loop {
        // The hashes of names: a name may be given twice while the server's table grows.
        page.retain(|name| seen.insert(hash(name)));
        let measured = sizes(node, &page);
        let is_last = cursor == 0;
        // The server looks for the next names while these are taken in.
        let (next, measured) = match is_last {
            true => (None, measured.await?),
            false => {
                let (next, measured) = tokio::join!(scan_page(&mut scanner, cursor), measured);
                (Some(next?), measured?)
            }
        };
        for (name, bytes) in page.into_iter().zip(measured) {
            if let Some(bytes) = bytes {
                each(name, bytes);
            }
        }
        match next {
            None => return Ok(0),
            Some((next, _)) if Instant::now() > deadline && next != 0 => return Ok(cursor),
            Some(next) => (cursor, page) = next,
        }
    }
}

fn hash(name: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    name.hash(&mut hasher);
    hasher.finish()
}

async fn scan_page(node: &mut Connection, cursor: u64) -> Result<(u64, Vec<Vec<u8>>)> {
    let mut command = redis::cmd("SCAN");
    command.arg(cursor).arg("COUNT").arg(BATCH);
    node.ask("read the names", &command).await
}

async fn measure(node: &mut Connection, names: Vec<Vec<u8>>, sample: &mut Sample) -> Result<()> {
    let mut refused = Vec::new();
    for (page, names) in names.chunks(BATCH).enumerate() {
        let asks_for_ttl = page * BATCH < ASKED_FOR_TTL;
        let mut pipeline = Pipeline::with_capacity(names.len() * 2);
        for name in names {
            add_usage(&mut pipeline, name);
            if asks_for_ttl {
                pipeline.cmd("PTTL").arg(name.as_slice());
            }
        }
        sample.commands += pipeline.len() as u64;
        let mut answers = node.ask_each("measure keys", &pipeline).await?.into_iter();
        for name in names {
            let usage = answers.next();
            let ttl = asks_for_ttl.then(|| answers.next()).flatten();
            match usage {
                Some(Value::Int(bytes)) => sample.keys.push(SampledKey {
                    name: name.clone(),
                    bytes: u64::try_from(bytes).unwrap_or(0),
                    ttl: ttl.as_ref().and_then(read_ttl),
                }),
                Some(Value::ServerError(_)) => refused.push(SampledKey {
                    name: name.clone(),
                    bytes: 0,
                    ttl: ttl.as_ref().and_then(read_ttl),
                }),
                // Gone since it was drawn.
                _ => {}
            }
        }
    }
    // A user who may not see some keys is told the rest; one who may measure none still counts them.
    if sample.keys.is_empty() && !refused.is_empty() {
        sample.is_refused = true;
        sample.keys = refused;
    }
    Ok(())
}

fn read_ttl(answer: &Value) -> Option<Ttl> {
    match answer {
        Value::Int(-1) => Some(Ttl::Never),
        Value::Int(left) => u64::try_from(*left).ok().map(Ttl::Milliseconds),
        _ => None,
    }
}

fn add_usage(pipeline: &mut Pipeline, name: &[u8]) {
    pipeline.cmd("MEMORY").arg("USAGE").arg(name);
}

/// The bytes of keys whose names are known; `None` for one that is gone.
///
/// # Errors
/// The connection's.
pub(super) async fn sizes(node: &mut Connection, names: &[Vec<u8>]) -> Result<Vec<Option<u64>>> {
    let mut sizes = Vec::with_capacity(names.len());
    for names in names.chunks(BATCH) {
        let mut pipeline = Pipeline::with_capacity(names.len());
        names.iter().for_each(|name| add_usage(&mut pipeline, name));
        let answers = node.ask_each("measure keys", &pipeline).await?;
        let number = |answer: &Value| match answer {
            Value::Int(bytes) => u64::try_from(*bytes).ok(),
            _ => None,
        };
        sizes.extend(answers.iter().map(number));
    }
    Ok(sizes)
}
