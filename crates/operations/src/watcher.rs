//! Looks again and again, in a task of its own, and keeps the newest look for whoever shows it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use compartment::clock::{Clock, SystemClock};
use compartment_admin::doctor::Examination;
use compartment_admin::health::Health;
use compartment_admin::stats::StatsOptions;
use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;

use crate::work::WorkReader;
use crate::{Fleet, Look, Operations, Result, StatsReader};

/// How long a check of health may take.
const HEALTH_TIMEOUT: Duration = Duration::from_secs(5);
/// Checks of health read the last hour of each database, so they are made at most this often.
const HEALTH_EVERY: Duration = Duration::from_secs(30);
/// The bytes of databases are estimated anew at most this often. An estimate may take 0.2 % of a server's time
/// otherwise, and a look a second together with it more than half a percent.
const ESTIMATES_EVERY: Duration = Duration::from_secs(180);
/// The fleet publishes its figures every 10 seconds, so they are read at most this often.
const FLEET_EVERY: Duration = Duration::from_secs(10);

/// How often to look.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct WatchOptions {
    /// The time from the start of a look to that of the next.
    pub interval: Duration,
    /// The time from one examination by the doctor to the next; it samples keys.
    pub examines_every: Duration,
}

impl Default for WatchOptions {
    /// A look every 5 seconds, an examination every 5 minutes.
    fn default() -> Self {
        Self { interval: Duration::from_secs(5), examines_every: Duration::from_secs(300) }
    }
}

impl WatchOptions {
    /// Another time between looks.
    #[must_use]
    pub fn interval(mut self, interval: Duration) -> Self {
        self.interval = interval;
        self
    }
}

/// Looks at a deployment until it is dropped.
#[derive(Debug)]
pub struct Watcher {
    looks: watch::Receiver<Option<Arc<Look>>>,
    wanted: Arc<Wanted>,
    tasks: [JoinHandle<()>; 2],
}

#[derive(Debug, Default)]
struct Wanted {
    look: Notify,
    examination: Notify,
}

/// The findings, and when they were made.
type Examined = Option<(Arc<Examination>, u64)>;

impl Watcher {
    /// Begins to look. Needs a tokio runtime.
    #[must_use]
    pub fn start(operations: Operations, options: WatchOptions) -> Self {
        let (newest, looks) = watch::channel(None);
        let (examined, findings) = watch::channel(None);
        let wanted = Arc::new(Wanted::default());
        let tasks = [
            tokio::spawn(look_on(
                operations.clone(),
                options,
                Arc::clone(&wanted),
                newest,
                findings,
            )),
            tokio::spawn(examine_on(operations, options, Arc::clone(&wanted), examined)),
        ];
        Self { looks, wanted, tasks }
    }

    /// The newest look; `None` before the first.
    #[must_use]
    pub fn looks(&self) -> watch::Receiver<Option<Arc<Look>>> {
        self.looks.clone()
    }

    /// Looks now, without waiting for the interval.
    pub fn look_now(&self) {
        self.wanted.look.notify_one();
    }

    /// Has the doctor examine the deployment now.
    pub fn examine_now(&self) {
        self.wanted.examination.notify_one();
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}

/// What goes on from look to look.
struct Looker {
    operations: Operations,
    stats: StatsReader,
    work: WorkReader,
    number: u64,
    /// When bytes could last be estimated.
    estimated: Option<Instant>,
    fleet: Option<(Instant, Fleet)>,
    health: Option<(Instant, Arc<Health>)>,
}

impl Looker {
    fn new(operations: Operations) -> Self {
        let stats = StatsReader::new(&operations);
        let work = WorkReader::default();
        Self { operations, stats, work, number: 0, estimated: None, fleet: None, health: None }
    }

    async fn look(&mut self, examined: Examined) -> Result<Look> {
        let began = Instant::now();
        let deployment = self.operations.deployment().await?;
        let mut options = StatsOptions::default();
        options.is_brief = self.estimated.is_some_and(|at| at.elapsed() < ESTIMATES_EVERY);
        if !options.is_brief {
            self.estimated = Some(Instant::now());
        }
        let stats = self.stats.servers(&deployment, options).await;
        if stats.databases.iter().any(|one| one.content.is_none()) {
            // A server that was away, or was started again, has no estimate.
            self.estimated = None;
        }
        let is_away = stats.instances.iter().any(|one| one.problem.is_some());
        let fleet = match self.fleet.take() {
            Some((at, fleet)) if at.elapsed() < FLEET_EVERY => (at, fleet),
            _ => (Instant::now(), Fleet::read(&self.operations).await),
        };
        // A change of the connection is told at once.
        let was_away = self.health.as_ref().is_some_and(|(_, health)| has_lost_connection(health));
        let health = match self.health.take() {
            Some((at, health)) if at.elapsed() < HEALTH_EVERY && was_away == is_away => {
                (at, health)
            }
            _ => {
                let found = self.operations.checks(&deployment, &stats, HEALTH_TIMEOUT).await;
                (Instant::now(), Arc::new(found))
            }
        };
        let work = self.work.read(&self.operations).await;
        self.number += 1;
        let look = Look {
            number: self.number,
            at_ms: SystemClock.now().as_millis(),
            took_ms: u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX),
            stats,
            fleet: fleet.1.clone(),
            health: Some(Arc::clone(&health.1)),
            doctor: examined.as_ref().map(|(found, _)| Arc::clone(found)),
            doctor_at_ms: examined.map(|(_, at)| at),
            work,
        };
        (self.fleet, self.health) = (Some(fleet), Some(health));
        Ok(look)
    }
}

fn has_lost_connection(health: &Health) -> bool {
    let lost = compartment_admin::health::HealthState::Critical;
    health.checks.iter().any(|check| check.name == "connection" && check.state == lost)
}

async fn look_on(
    operations: Operations,
    options: WatchOptions,
    wanted: Arc<Wanted>,
    newest: watch::Sender<Option<Arc<Look>>>,
    findings: watch::Receiver<Examined>,
) {
    let mut looker = Looker::new(operations);
    loop {
        let began = Instant::now();
        let examined = findings.borrow().clone();
        match looker.look(examined).await {
            Ok(look) => drop(newest.send_replace(Some(Arc::new(look)))),
            // Only a map without a server, which the caller has refused before.
            Err(error) => tracing::warn!(%error, "the deployment is not looked at"),
        }
        let pause = options.interval.saturating_sub(began.elapsed());
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = wanted.look.notified() => {}
        }
    }
}

async fn examine_on(
    operations: Operations,
    options: WatchOptions,
    wanted: Arc<Wanted>,
    examined: watch::Sender<Examined>,
) {
    loop {
        match operations.examine().await {
            Ok(found) => {
                let now = SystemClock.now().as_millis();
                examined.send_replace(Some((Arc::new(found), now)));
                wanted.look.notify_one();
            }
            Err(error) => tracing::debug!(%error, "the deployment is not examined"),
        }
        tokio::select! {
            () = tokio::time::sleep(options.examines_every) => {}
            () = wanted.examination.notified() => {}
        }
    }
}
