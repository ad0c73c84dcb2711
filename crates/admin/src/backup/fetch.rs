//! Reads values and expiries of many keys in one round trip.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use compartment_core::{Error, Result};
use compartment_redis::{Connection, answer_error, read_answer};
use redis::{Pipeline, Value};

use super::output::{Entry, Page};
use crate::{Place, escape};

/// How a key's expiry is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ExpiryBy {
    /// `PEXPIRETIME`, since Redis 7.0.
    Instant,
    /// `PTTL` and the server's clock.
    TimeLeft,
}

impl ExpiryBy {
    pub(crate) fn of(place: &Place) -> Self {
        let info = place.server().info();
        let major: u32 =
            info.version.split('.').next().and_then(|part| part.parse().ok()).unwrap_or(0);
        if major >= 7 { Self::Instant } else { Self::TimeLeft }
    }

    /// Whether both are the same instant, within the accuracy of this way.
    pub(crate) fn is_same(self, one: Option<u64>, two: Option<u64>) -> bool {
        /// Time passes between the server's two answers.
        const MOMENT_MS: u64 = 1_000;
        match (self, one, two) {
            (Self::TimeLeft, Some(one), Some(two)) => one.abs_diff(two) <= MOMENT_MS,
            _ => one == two,
        }
    }
}

/// Target size of a round trip's values in bytes, and the first guess for one value.
const TOGETHER: usize = 4 * 1024 * 1024;
const FIRST_GUESS: usize = 64 * 1024;

/// Learns from the values so far how many keys make a round trip of the right size. A server scans
/// in hash order, so future keys resemble past ones.
#[derive(Debug)]
pub(crate) struct Sizes(AtomicUsize);

impl Sizes {
    pub(crate) fn new() -> Self {
        Self(AtomicUsize::new(FIRST_GUESS))
    }

    pub(super) fn keys(&self, max: usize) -> usize {
        (TOGETHER / self.0.load(Ordering::Relaxed).max(1)).clamp(1, max.max(1))
    }

    fn learn(&self, keys: usize, bytes: usize) {
        let mean = bytes / keys.max(1) + 1;
        let known = self.0.load(Ordering::Relaxed);
        // The estimate grows at once and shrinks slowly, to avoid round trips that are too large.
        let next = if mean > known { mean } else { (known + mean) / 2 };
        self.0.store(next, Ordering::Relaxed);
    }
}

/// Reads the keys and counts the vanished ones.
pub(crate) async fn fetch(
    connection: &mut Connection,
    place: &Place,
    by: ExpiryBy,
    sizes: &Sizes,
    names: Vec<Vec<u8>>,
) -> Result<Page> {
    let mut page = Page { entries: Vec::with_capacity(names.len()), ..Page::default() };
    let mut left = names;
    while !left.is_empty() {
        let asked = left.len();
        let answers = connection.ask_each("back up", &commands(place, by, &left)).await;
        let mut answers = answers.map_err(|error| error.in_database(place.label()))?.into_iter();
        let now = match by {
            ExpiryBy::Instant => 0,
            ExpiryBy::TimeLeft => milliseconds(answers.next()),
        };
        let (mut again, mut bytes) = (Vec::new(), 0);
        for name in left {
            let (Some(expiry), Some(dump)) = (answers.next(), answers.next()) else { break };
            let expiry: i64 = read_answer("read the expiry of", expiry)
                .map_err(|error| at(place, &name, error))?;
            match dump {
                Value::BulkString(_) if expiry == MISSING => again.push(name),
                Value::BulkString(dump) => {
                    bytes += dump.len();
                    let expires_at_ms = u64::try_from(expiry).ok().map(|expiry| expiry + now);
                    page.entries.push(Entry { name, expires_at_ms, dump });
                }
                Value::Nil => page.vanished += 1,
                other => match answer_error("dump", &other) {
                    Some(error) => return Err(at(place, &name, error)),
                    None => page.vanished += 1,
                },
            }
        }
        sizes.learn(asked, bytes);
        // Keys that were created between both questions are asked again.
        left = again;
    }
    Ok(page)
}

const MISSING: i64 = -2;

fn commands(place: &Place, by: ExpiryBy, names: &[Vec<u8>]) -> Pipeline {
    let mut pipeline = Pipeline::with_capacity(names.len() * 2 + 1);
    if by == ExpiryBy::TimeLeft {
        pipeline.cmd("TIME");
    }
    // The expiry comes first: if a key is replaced in between, an expiry that is too early (the
    // next backup corrects it) is better than none.
    let expiry = if by == ExpiryBy::Instant { "PEXPIRETIME" } else { "PTTL" };
    for name in names {
        let key = place.on_server(name);
        pipeline.cmd(expiry).arg(&*key).cmd("DUMP").arg(&*key);
    }
    pipeline
}

/// The server's time, or this machine's if it is not reported.
fn milliseconds(answer: Option<Value>) -> u64 {
    let time = answer.and_then(|answer| redis::from_redis_value::<(u64, u64)>(answer).ok());
    time.map_or_else(
        || SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis() as u64,
        |(seconds, micros)| seconds * 1_000 + micros / 1_000,
    )
}

fn at(place: &Place, name: &[u8], error: Error) -> Error {
    error.at_key(escape(name)).in_database(place.label())
}

#[cfg(test)]
mod tests {
    use compartment_core::Instance;
    use compartment_redis::{RedisConfig, Server};
    use compartment_testkit::{TestRedis, run_test};

    use super::*;

    #[test]
    #[ignore = "needs redis-server"]
    fn servers_without_pexpiretime_give_the_same_instants() {
        run_test(async {
            let redis = TestRedis::start().await;
            redis.command(&["SET", "never", "1"]).await;
            redis.command(&["SET", "later", "1", "PXAT", "4102444800123"]).await;
            let instance = Instance::new(&redis.url()).unwrap();
            let server = Server::connect(RedisConfig::for_instance(&instance, 1)).await.unwrap();
            let place = Place::new("zero", server, 0);
            let mut connection = place.open("test").await.unwrap();
            let names = ["never", "later", "gone"].map(|name| name.as_bytes().to_vec()).to_vec();
            let by = ExpiryBy::TimeLeft;
            let page = fetch(&mut connection, &place, by, &Sizes::new(), names).await.unwrap();
            assert_eq!(page.vanished, 1);
            assert_eq!(page.entries[0].expires_at_ms, None);
            let later = page.entries[1].expires_at_ms.unwrap();
            // The server's clock advances between both questions.
            assert!(later.abs_diff(4_102_444_800_123) < 1_000, "{later}");
        });
    }
}
