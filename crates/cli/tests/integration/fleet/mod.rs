//! Workers as separate processes with a real server, and checks on a finished batch.

#![expect(clippy::unwrap_used, reason = "test support: a failure here is a failed test")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use compartment::batch::{
    BatchEvent, BatchEventKind, BatchProgress, BatchStatus, MAX_AT_ONCE, OutboxFact,
};
use compartment::pipeline::{TaskNote, TaskStatus};
use compartment::{Database, DatabaseMap, Databases, Preset};
use compartment_testkit::{TestCluster, TestRedis};
use futures_util::TryStreamExt;

use crate::program::{command, paper, run};

/// Documents of a worker that is silent for this long are taken over.
pub(crate) const LEASE: Duration = Duration::from_secs(1);
/// In every hundred documents, the one at this position is unreadable.
const BROKEN: usize = 37;

/// A server, or several that are used as one.
pub(crate) trait Servers {
    /// The URL for programs.
    fn url(&self) -> String;
}

impl Servers for TestRedis {
    fn url(&self) -> String {
        self.url()
    }
}

impl Servers for TestCluster {
    fn url(&self) -> String {
        self.url()
    }
}

/// A folder of papers, and a server.
pub(crate) struct Fleet<S = TestRedis> {
    pub(crate) folder: tempfile::TempDir,
    pub(crate) server: S,
    /// The URL for programs, perhaps of a proxy.
    pub(crate) url: String,
    papers: usize,
}

/// A worker's process; killed when dropped.
pub(crate) struct WorkerProcess(Child);

impl WorkerProcess {
    /// Kills the process, like `kill -9`.
    pub(crate) fn kill(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }

    pub(crate) fn signal(&self, signal: &str) {
        let id = self.0.id().to_string();
        let sent = std::process::Command::new("kill").args(["-s", signal, &id]).status();
        assert!(sent.unwrap().success());
    }

    pub(crate) fn id(&self) -> u32 {
        self.0.id()
    }

    /// The exit code, if the process has ended.
    pub(crate) fn ended(&mut self) -> Option<i32> {
        self.0.try_wait().unwrap().map(|status| status.code().unwrap_or(-1))
    }
}

impl Drop for WorkerProcess {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl<S: Servers> Fleet<S> {
    pub(crate) fn new(server: S, papers: usize) -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(folder.path().join("papers")).unwrap();
        for number in 0..papers {
            let text = if number % 100 == BROKEN {
                // Claims to be a PDF but is not.
                format!("%PDF-1.7\nnot one, number {number}")
            } else {
                paper(number)
            };
            std::fs::write(folder.path().join(format!("papers/{number:05}.txt")), text).unwrap();
        }
        let url = server.url();
        Self { folder, server, url, papers }
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Runs a command to its end.
    pub(crate) fn run(&self, arguments: &[&str]) -> crate::program::Run {
        let all: Vec<&str> = arguments.iter().copied().chain(["--backend", &self.url]).collect();
        run(self.path(), &all)
    }

    pub(crate) fn submit(&self) {
        let submitted = self.run(&["batch", "submit", "b", "papers"]);
        assert_eq!(submitted.code, 0, "{}{}", submitted.out, submitted.err);
    }

    /// Starts a worker without a ledger: its rows stay in the outbox.
    pub(crate) fn worker(&self, more: &[&str]) -> WorkerProcess {
        let lease = format!("{}ms", LEASE.as_millis());
        let mut all = vec!["worker", "--backend", &self.url];
        if !more.contains(&"--lease") {
            all.extend(["--lease", &lease]);
        }
        if !more.contains(&"--ledger") {
            all.extend(["--ledger", "none"]);
        }
        all.extend(more);
        let log = std::fs::File::create(self.path().join(format!("worker-{}", unique()))).unwrap();
        let mut worker = command(self.path(), &all);
        WorkerProcess(worker.stdout(Stdio::null()).stderr(log).spawn().unwrap())
    }

    pub(crate) async fn databases(&self) -> Databases {
        let give_up = Instant::now() + Duration::from_secs(20);
        loop {
            let map = DatabaseMap::preset(Preset::Pipeline, &self.server.url()).unwrap();
            match compartment::open(map).await {
                Ok(databases) => return databases,
                // The server may still be loading its data.
                Err(error) => assert!(Instant::now() < give_up, "{error}"),
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Waits until the batch is completed, and returns its progress.
    pub(crate) async fn completed(&self, batch: &Database, within: Duration) -> BatchProgress {
        let give_up = Instant::now() + within;
        loop {
            // The server may be unavailable at this moment.
            if let Ok(Some(progress)) = batch.batch().progress("b").await {
                if progress.status == BatchStatus::Completed {
                    return progress;
                }
                assert!(Instant::now() < give_up, "not completed within {within:?}: {progress:?}");
            }
            assert!(Instant::now() < give_up, "the server is away");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// Checks that every document ended once: counts agree with bits, dead documents have a reason, the completion
    /// was reported once, and each fact is in the outbox once.
    pub(crate) async fn assert_exact(&self, batch: &Database) {
        let progress = batch.batch().progress("b").await.unwrap().unwrap();
        assert_eq!(progress.status, BatchStatus::Completed);
        assert_eq!(progress.total, self.papers as u64);
        assert_eq!(progress.done + progress.dead, progress.total, "{progress:?}");
        let audit = batch.batch_upkeep().audit("b").await.unwrap();
        assert!(audit.is_clean(), "{:?} {:?}", audit.drift, audit.stranded);

        let failures = batch.batch().failures("b");
        let failed: BTreeMap<u32, String> = failures
            .map_ok(|failure| (failure.ordinal, failure.error))
            .try_collect()
            .await
            .unwrap();
        let broken = (0..self.papers).filter(|number| number % 100 == BROKEN);
        let broken: BTreeSet<u32> = broken.map(|number| u32::try_from(number).unwrap()).collect();
        assert_eq!(failed.keys().copied().collect::<BTreeSet<u32>>(), broken, "{failed:?}");
        assert_eq!(progress.dead, broken.len() as u64);

        let (mut completed, mut after) = (0, None);
        loop {
            let events = batch.batch_events().events("b", after, MAX_AT_ONCE).await.unwrap();
            let Some(last) = events.last() else { break };
            after = Some(last.id.clone());
            let of_kind = |event: &&BatchEvent| event.kind == BatchEventKind::Completed;
            completed += events.iter().filter(of_kind).count();
        }
        assert_eq!(completed, 1, "the completion is told once");
        self.assert_rows(batch, &progress).await;
    }

    /// Checks that each document has exactly one row for each stage it finished or died at.
    async fn assert_rows(&self, batch: &Database, progress: &BatchProgress) {
        let store = batch.batch_upkeep();
        let (mut done, mut dead) = (BTreeSet::new(), BTreeSet::new());
        loop {
            let entries = store.outbox("b", MAX_AT_ONCE).await.unwrap();
            if entries.is_empty() {
                break;
            }
            let mut ids = Vec::new();
            for entry in entries {
                ids.push(entry.id);
                match entry.fact {
                    OutboxFact::Settled { stage, refused, note, .. } => {
                        for row in TaskNote::from_bytes(&note).unwrap().rows {
                            if refused.contains(&row.ordinal) {
                                continue;
                            }
                            let fact = (stage, row.ordinal);
                            match row.status {
                                TaskStatus::Done => assert!(done.insert(fact), "{fact:?} twice"),
                                TaskStatus::Dead => assert!(dead.insert(fact), "{fact:?} twice"),
                                _ => {}
                            }
                        }
                    }
                    OutboxFact::Lost { stage, ordinals, .. } => {
                        dead.extend(ordinals.into_iter().map(|ordinal| (stage, ordinal)));
                    }
                    _ => {}
                }
            }
            store.clear_outbox("b", &ids).await.unwrap();
        }
        for (stage, figures) in progress.stages.iter().enumerate() {
            let of_stage = |facts: &BTreeSet<(usize, u32)>| {
                facts.iter().filter(|(of, _)| *of == stage).count() as u64
            };
            assert_eq!(of_stage(&done), figures.done, "rows of what stage {stage} is done with");
            assert_eq!(of_stage(&dead), figures.dead, "rows of what died at stage {stage}");
        }
    }
}

/// A number that is returned only once.
fn unique() -> usize {
    use std::sync::atomic::{AtomicUsize, Ordering};
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

/// A random number below `max`.
pub(crate) fn random(max: u64) -> u64 {
    use std::hash::{BuildHasher, Hasher};
    std::collections::hash_map::RandomState::new().build_hasher().finish() % max
}
