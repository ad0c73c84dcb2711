//! `bench locks`: taking a lock and giving it back, beside the usual bare commands.

use std::time::Duration;

use compartment_core::backend::Backend;
use compartment_core::{Contract, Database, DatabaseKind, Instance, LockAttempt};
use compartment_redis::{RedisBackend, RedisConfig};
use compartment_testkit::TestRedis;
use redis::aio::MultiplexedConnection;
use serde::Serialize;

use crate::measure::Failure;
use crate::measure::rounds::{Plan, Row, Slice, take_turns};
use crate::measure::slice::{Work, slice, unit};
use crate::measure::table::side_by_side;

/// The usual release: only the holder deletes.
const RELEASE: &str = "
if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end
return 0";

const LEASE: Duration = Duration::from_secs(30);
const TASKS: [usize; 2] = [1, 64];
const NAMES: [&str; 2] = ["compartment", "SET NX PX"];
const REFERENCE: usize = 1;
/// Locks that tasks take in turn: nobody waits for another one.
const LOCKS: usize = 100_000;

#[derive(Debug, Serialize)]
pub(super) struct Locks {
    rows: Vec<Row>,
}

#[derive(Clone)]
struct Ours(Database);

impl Work for Ours {
    async fn perform(&self, turn: usize) -> Result<(), Failure> {
        let (locks, key) = (self.0.lock(), format!("lock:{}", turn % LOCKS));
        let LockAttempt::Acquired(token) = locks.try_acquire(&key, "bench", LEASE).await? else {
            return Err(format!("{key} is held").into());
        };
        if locks.release(&key, token).await? {
            Ok(())
        } else {
            Err(format!("{key} is lost").into())
        }
    }
}

/// Without a fencing token.
#[derive(Clone)]
struct Bare {
    connection: MultiplexedConnection,
    release: redis::Script,
}

impl Work for Bare {
    async fn perform(&self, turn: usize) -> Result<(), Failure> {
        let mut connection = self.connection.clone();
        let (key, owner) = (format!("bare:{}", turn % LOCKS), format!("owner {turn}"));
        let mut set = redis::cmd("SET");
        set.arg(&key).arg(&owner).arg("NX").arg("PX").arg(LEASE.as_millis() as u64);
        let taken: Option<String> = set.query_async(&mut connection).await?;
        let released: i64 =
            self.release.key(&key).arg(&owner).invoke_async(&mut connection).await?;
        if taken.is_some() && released == 1 { Ok(()) } else { Err(format!("{key} is lost").into()) }
    }
}

pub(super) async fn measure(quick: bool) -> Result<Locks, Failure> {
    let server = TestRedis::start().await;
    let mut config = RedisConfig::for_instance(&Instance::new(&server.url())?, 1);
    config.response_timeout = Duration::from_secs(10);
    let backend = RedisBackend::connect(config, &[0]).await?;
    let ours = Ours(backend.open(Contract::new("locks", DatabaseKind::Coordination)).await?);
    let client = redis::Client::open(server.url())?;
    let connection = client.get_multiplexed_async_connection().await?;
    let bare = Bare { connection, release: redis::Script::new(RELEASE) };
    let mut rows = Vec::new();
    for tasks in TASKS {
        let (ours, bare) = (ours.clone(), bare.clone());
        let ours: Slice<'_> =
            Box::new(move |duration| Box::pin(slice(ours.clone(), tasks, duration)));
        let bare: Slice<'_> =
            Box::new(move |duration| Box::pin(slice(bare.clone(), tasks, duration)));
        let slices = vec![(NAMES[0], ours), (NAMES[REFERENCE], bare)];
        let (plan, unit) = (Plan::of(tasks, quick), unit(tasks));
        rows.push(take_turns("lock and release", tasks, unit, plan, REFERENCE, slices).await?);
    }
    Ok(Locks { rows })
}

impl Locks {
    pub(super) fn table(&self) -> String {
        let mut text = String::new();
        for row in &self.rows {
            let heading = match row.tasks {
                1 => "Locks on Redis, 1 task: median latency in µs, × that of the bare commands",
                _ => "Locks on Redis, 64 tasks: locks/s, × those of the bare commands",
            };
            text.push_str(&format!("{heading}\n{}\n", side_by_side(&NAMES, &[row])));
        }
        text
    }
}
