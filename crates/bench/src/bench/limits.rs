//! `bench limits`: the cost of an acquisition by its number of permits and the length of the log.

use std::time::Duration;

use compartment_core::backend::Backend;
use compartment_core::{Contract, Database, DatabaseKind, Instance, RateLimit, RateLimitStore};
use compartment_redis::{RedisBackend, RedisConfig};
use compartment_testkit::TestRedis;
use redis::aio::MultiplexedConnection;
use serde::Serialize;

use crate::measure::Failure;
use crate::measure::rounds::{Plan, Row, Slice, take_turns};
use crate::measure::slice::{Work, slice, unit};
use crate::measure::table::side_by_side;

/// A common limiter: one member per permit, counted and trimmed each time.
const MEMBER_A_PERMIT: &str = "
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now - ARGV[2])
if redis.call('ZCARD', KEYS[1]) >= tonumber(ARGV[1]) then return 0 end
redis.call('ZADD', KEYS[1], now, ARGV[3])
redis.call('PEXPIRE', KEYS[1], ARGV[2])
return 1";

const WINDOW: Duration = Duration::from_secs(3_600);
const TASKS: [usize; 2] = [1, 64];
const NAMES: [&str; 6] = ["1 permit", "1,000", "1,000,000", "refused", "bare zset", "INCR+EXPIRE"];
/// The index of the bare script, the reference.
const REFERENCE: usize = 4;

/// The rows, and the memory of one entry of a long log.
#[derive(Debug, Serialize)]
pub(super) struct Limits {
    rows: Vec<Row>,
    entries: usize,
    bytes_per_entry: f64,
    bytes_of_a_million_permits: f64,
}

#[derive(Clone)]
struct Acquire {
    database: Database,
    key: &'static str,
    limit: RateLimit,
    permits: u32,
    is_allowed: bool,
}

impl Work for Acquire {
    async fn perform(&self, _turn: usize) -> Result<(), Failure> {
        let store = self.database.rate_limit();
        let decision = store.acquire(self.key, self.limit, self.permits).await?;
        if decision.is_allowed == self.is_allowed {
            return Ok(());
        }
        Err(format!("{}: {decision:?}", self.key).into())
    }
}

#[derive(Clone)]
struct Bare {
    connection: MultiplexedConnection,
    script: redis::Script,
}

impl Work for Bare {
    async fn perform(&self, turn: usize) -> Result<(), Failure> {
        let mut connection = self.connection.clone();
        let mut script = self.script.key("bare");
        script.arg(u32::MAX).arg(WINDOW.as_millis() as u64).arg(format!("{turn}"));
        let allowed: i64 = script.invoke_async(&mut connection).await?;
        if allowed == 1 { Ok(()) } else { Err("the bare limiter refused".into()) }
    }
}

/// A fixed window: it lets twice the limit pass around its edge.
#[derive(Clone)]
struct FixedWindow(MultiplexedConnection);

impl Work for FixedWindow {
    async fn perform(&self, _turn: usize) -> Result<(), Failure> {
        let mut both = redis::pipe();
        both.cmd("INCR").arg("fixed").cmd("EXPIRE").arg("fixed").arg(WINDOW.as_secs()).arg("NX");
        let (count, _): (i64, i64) = both.query_async(&mut self.0.clone()).await?;
        if count > 0 { Ok(()) } else { Err("the fixed window refused".into()) }
    }
}

pub(super) async fn measure(quick: bool) -> Result<Limits, Failure> {
    let server = TestRedis::start().await;
    let mut config = RedisConfig::for_instance(&Instance::new(&server.url())?, 1);
    config.response_timeout = Duration::from_secs(10);
    let backend = RedisBackend::connect(config, &[0]).await?;
    let database = backend.open(Contract::new("limits", DatabaseKind::Coordination)).await?;
    let entries = if quick { 50_000 } else { 1_000_000 };
    let full = RateLimit::new(u32::try_from(entries)?, WINDOW);
    fill(&database, "full", full, entries).await?;

    let open = RateLimit::new(u32::MAX, WINDOW);
    // A million permits at a time soon reach the largest limit, so this window is short.
    let short = RateLimit::new(u32::MAX, Duration::from_millis(10));
    let ours = |key, limit, permits, is_allowed| Acquire {
        database: database.clone(),
        key,
        limit,
        permits,
        is_allowed,
    };
    let works = [
        ours("one", open, 1, true),
        ours("thousand", RateLimit::new(u32::MAX, Duration::from_secs(1)), 1_000, true),
        ours("million", short, 1_000_000, true),
        ours("full", full, 1, false),
    ];
    let client = redis::Client::open(server.url())?;
    let connection = client.get_multiplexed_async_connection().await?;
    let fixed = FixedWindow(connection.clone());
    let bare = Bare { connection, script: redis::Script::new(MEMBER_A_PERMIT) };
    let mut rows = Vec::new();
    for tasks in TASKS {
        let mut slices: Vec<(&'static str, Slice<'_>)> = Vec::new();
        for (name, work) in NAMES.into_iter().zip(works.clone()) {
            let run: Slice<'_> =
                Box::new(move |duration| Box::pin(slice(work.clone(), tasks, duration)));
            slices.push((name, run));
        }
        let bare = bare.clone();
        let run: Slice<'_> =
            Box::new(move |duration| Box::pin(slice(bare.clone(), tasks, duration)));
        slices.push((NAMES[REFERENCE], run));
        let fixed = fixed.clone();
        let run: Slice<'_> =
            Box::new(move |duration| Box::pin(slice(fixed.clone(), tasks, duration)));
        slices.push((NAMES[REFERENCE + 1], run));
        let (plan, unit) = (Plan::of(tasks, quick), unit(tasks));
        rows.push(take_turns("acquire", tasks, unit, plan, REFERENCE, slices).await?);
    }
    let bytes = async |key: &str| {
        let usage = server.command(&["MEMORY", "USAGE", key, "SAMPLES", "0"]).await;
        usage.integer().unwrap_or_default() as f64
    };
    let _ = database.rate_limit().acquire("single", open, 1_000_000).await?;
    Ok(Limits {
        rows,
        entries,
        bytes_per_entry: bytes("full").await / entries as f64,
        bytes_of_a_million_permits: bytes("single").await,
    })
}

/// Acquires single permits until the limit is reached.
async fn fill(
    database: &Database,
    key: &str,
    limit: RateLimit,
    entries: usize,
) -> Result<(), Failure> {
    const AT_ONCE: usize = 500;
    for from in (0..entries).step_by(AT_ONCE) {
        let some = (from..entries.min(from + AT_ONCE))
            .map(|_| RateLimitStore::acquire(&**database.rate_limit(), key, limit, 1));
        futures_util::future::try_join_all(some).await?;
    }
    Ok(())
}

impl Limits {
    pub(super) fn table(&self) -> String {
        let mut text = String::new();
        for row in &self.rows {
            let heading = if row.tasks == 1 {
                "Limits on Redis, 1 task: median latency in µs, × that of a bare sliding window"
            } else {
                "Limits on Redis, 64 tasks: acquisitions/s, × those of a bare sliding window"
            };
            text.push_str(&format!("{heading}\n{}\n", side_by_side(&NAMES, &[row])));
        }
        text.push_str(&format!(
            "A log of {} acquisitions: {:.0} bytes each. One acquisition of 1,000,000 permits: {:.0} bytes.\n\
             \"refused\" searches that log for when a permit comes back.\n",
            self.entries, self.bytes_per_entry, self.bytes_of_a_million_permits
        ));
        text
    }
}
