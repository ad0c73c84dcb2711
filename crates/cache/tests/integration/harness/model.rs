//! A model of the source and its caches: key versions, and the version of each process's last invalidation.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use compartment_cache::{Cache, LoadError, Stored};
use compartment_core::{KeyTemplate, TypedKey};

const VERSION: KeyTemplate<u64> = KeyTemplate::new("version", "version:{id}", "cache");
const KEYS: usize = 12;
const DOCUMENTS: usize = 3;
/// Number of caches on the shared database.
pub(crate) const PROCESSES: usize = 3;

/// How long one probe may take: long, since a busy machine is not a failure.
const PATIENCE: Duration = Duration::from_secs(60);

fn key(id: usize) -> TypedKey<u64> {
    VERSION.key(&[&id.to_string()]).unwrap()
}

/// A generator that returns the same numbers for the same seed.
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn of(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) fn below(&mut self, bound: usize) -> usize {
        // SplitMix64 (Steele, Lea, Flood 2014).
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ (mixed >> 31)) % bound as u64) as usize
    }
}

struct Process {
    cache: Cache,
    /// For each key, the source's version when this process last invalidated it.
    floor: [u64; KEYS],
}

/// The processes and their source.
pub(crate) struct Model {
    source: Arc<[AtomicU64; KEYS]>,
    processes: Vec<Process>,
    pub(crate) random: Random,
    probes: u64,
}

impl Model {
    pub(crate) fn new(caches: Vec<Cache>, seed: u64) -> Self {
        let process = |cache| Process { cache, floor: [0; KEYS] };
        Self {
            source: Arc::new(std::array::from_fn(|_| AtomicU64::new(0))),
            processes: caches.into_iter().map(process).collect(),
            random: Random(seed),
            probes: 0,
        }
    }

    /// Reads through the cache, with a loader that fails at times if `may_fail`.
    async fn read(&mut self, process: usize, id: usize, may_fail: bool) -> Option<u64> {
        let fails = may_fail && self.random.below(10) == 0;
        let source = Arc::clone(&self.source);
        let load = move || async move {
            // Other tasks may run between the read of the source and its return.
            let version = source[id].load(Ordering::SeqCst);
            tokio::task::yield_now().await;
            if fails { Err(std::io::Error::other("staged")) } else { Ok(version) }
        };
        let document = self.processes[process].cache.of_document(&(id % DOCUMENTS).to_string());
        match document.get_or_load(&key(id), load).await {
            Ok(version) => Some(*version),
            // The failure of its own load, or of one it joined.
            Err(LoadError::Failed(_)) if may_fail => None,
            Err(error) => panic!("a read with a loader failed: {error}"),
        }
    }

    /// One random operation of a program on its cache.
    pub(crate) async fn step(&mut self) {
        let process = self.random.below(PROCESSES);
        let id = self.random.below(KEYS);
        match self.random.below(16) {
            0..10 => {
                if let Some(version) = self.read(process, id, true).await {
                    let floor = self.processes[process].floor[id];
                    assert!(
                        version >= floor,
                        "it serves {version}, and invalidated {floor} itself"
                    );
                }
            }
            10..12 => {
                self.change(id);
                let _ = self.processes[process].cache.remove(&key(id)).await.unwrap();
                self.invalidated(process, id);
            }
            12 => {
                let document = id % DOCUMENTS;
                for id in (0..KEYS).filter(|id| id % DOCUMENTS == document) {
                    self.change(id);
                }
                let name = document.to_string();
                let _ = self.processes[process].cache.invalidate_document(&name).await;
                for id in (0..KEYS).filter(|id| id % DOCUMENTS == document) {
                    self.invalidated(process, id);
                }
            }
            13 => {
                let version = self.change(id);
                let document = self.processes[process].cache.of_document(&(id % 3).to_string());
                match document.set(&key(id), version).await.unwrap() {
                    Stored::Superseded => {
                        // A concurrent write: a removal settles it.
                        let _ = self.processes[process].cache.remove(&key(id)).await.unwrap();
                    }
                    Stored::Stored | Stored::Pending | Stored::Refused => {}
                }
                self.invalidated(process, id);
            }
            14 => self.overlap(process, id).await,
            _ => {
                let ids: Vec<_> = (0..KEYS).map(key).collect();
                let source = Arc::clone(&self.source);
                let load = move |keys: Vec<TypedKey<u64>>| {
                    let version = |key: &TypedKey<u64>| {
                        let id: usize = key.as_str()["version:".len()..].parse().unwrap();
                        Some(source[id].load(Ordering::SeqCst))
                    };
                    let versions = keys.iter().map(version).collect();
                    async move { Ok::<_, std::io::Error>(versions) }
                };
                // Loaded without their documents, like a mistake in a program. Only invalidations by key apply to
                // them.
                let all = self.processes[process].cache.get_or_load_many(&ids, load).await.unwrap();
                for (id, version) in all.into_iter().enumerate() {
                    let floor = self.processes[process].floor[id];
                    assert!(*version.unwrap() >= floor);
                }
                // Removed again, since an invalidation of a document would not reach them.
                for id in ids {
                    let _ = self.processes[process].cache.remove(&id).await.unwrap();
                }
            }
        }
    }

    /// Changes the source.
    fn change(&self, id: usize) -> u64 {
        self.source[id].fetch_add(1, Ordering::SeqCst) + 1
    }

    fn invalidated(&mut self, process: usize, id: usize) {
        self.processes[process].floor[id] = self.source[id].load(Ordering::SeqCst);
    }

    /// A load, with a change and its removal during the load.
    async fn overlap(&mut self, process: usize, id: usize) {
        let other = self.random.below(PROCESSES);
        let source = Arc::clone(&self.source);
        let reader = self.processes[process].cache.of_document(&(id % DOCUMENTS).to_string());
        let reading = tokio::spawn(async move {
            let load = move || async move {
                let version = source[id].load(Ordering::SeqCst);
                for _ in 0..8 {
                    tokio::task::yield_now().await;
                }
                Ok::<_, std::io::Error>(version)
            };
            reader.get_or_load(&key(id), load).await
        });
        for _ in 0..self.random.below(8) {
            tokio::task::yield_now().await;
        }
        self.change(id);
        let _ = self.processes[other].cache.remove(&key(id)).await.unwrap();
        self.invalidated(other, id);
        assert!(reading.await.unwrap().is_ok());
    }

    /// Whether this process receives messages and has delivered its pending removals.
    pub(crate) async fn has_recovered(&self, process: usize) -> bool {
        let cache = &self.processes[process].cache;
        let _ = cache.get(&key(0)).await.unwrap();
        tokio::task::yield_now().await;
        let metrics = cache.metrics();
        metrics.trusted && metrics.pending_removals == 0
    }

    /// Messages arrive in order, so a process that got a probe has got all earlier ones. Each sender sends two in a
    /// row: the first may be read from the database, which puts it into the first tier, so the second is seen only
    /// after its message.
    pub(crate) async fn all_hear_all(&mut self) {
        for sender in 0..PROCESSES {
            let give_up = Instant::now() + PATIENCE;
            while !(self.probe_reaches_all(sender).await && self.probe_reaches_all(sender).await) {
                assert!(
                    Instant::now() < give_up,
                    "for a minute, probes of process {sender} are lost"
                );
            }
        }
    }

    /// Sets a probe in one process and waits until all have it. Returns `false` if it is lost: a cache may lose a
    /// value, for example one whose stamps ended with the server, and then nobody would ever get this probe. A process
    /// that keeps to an older probe has not got the message, and fails the test.
    async fn probe_reaches_all(&mut self, sender: usize) -> bool {
        self.probes += 1;
        let (probe, number) = (VERSION.key(&["probe"]).unwrap(), self.probes);
        if self.processes[sender].cache.set(&probe, number).await.unwrap() != Stored::Stored {
            tokio::time::sleep(Duration::from_millis(1)).await;
            return false;
        }
        for process in 0..PROCESSES {
            let give_up = Instant::now() + PATIENCE;
            loop {
                tokio::task::yield_now().await;
                match self.processes[process].cache.get(&probe).await.unwrap() {
                    Some(found) if *found == number => break,
                    Some(found) => assert!(
                        Instant::now() < give_up,
                        "for a minute, process {process} has probe {found} instead of {number}"
                    ),
                    None => return false,
                }
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        }
        true
    }

    /// Checks after recovery that no value is older than its last invalidation, and every read returns a value.
    pub(crate) async fn check(&mut self) {
        for process in 0..PROCESSES {
            for id in 0..KEYS {
                let wanted = self.source[id].load(Ordering::SeqCst);
                let cached = self.processes[process].cache.get(&key(id)).await.unwrap();
                assert!(
                    cached.as_ref().is_none_or(|found| **found == wanted),
                    "process {process}, key {id}: {cached:?} instead of {wanted}; the versions that \
                     each process invalidated: {:?}",
                    self.processes.iter().map(|process| process.floor[id]).collect::<Vec<_>>()
                );
                assert_eq!(self.read(process, id, false).await, Some(wanted));
            }
        }
    }
}

/// Runs a program for each seed, or for `COMPARTMENT_SEED`, and reports the seed that failed.
pub(crate) fn for_seeds<F: Future<Output = ()>>(
    seeds: std::ops::Range<u64>,
    program: impl Fn(u64) -> F,
) {
    let seeds = match std::env::var("COMPARTMENT_SEED") {
        Ok(seed) => vec![seed.parse().unwrap()],
        Err(_) => seeds.collect(),
    };
    for seed in seeds {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let run = std::panic::AssertUnwindSafe(|| runtime.block_on(program(seed)));
        if let Err(panic) = std::panic::catch_unwind(run) {
            println!("COMPARTMENT_SEED={seed} repeats this");
            std::panic::resume_unwind(panic);
        }
    }
}
