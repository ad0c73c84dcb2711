//! Reads values and expiries of many keys in one round trip.

use std::sync::atomic::{AtomicUsize, Ordering};

use compartment_core::{Error, Result};
use compartment_redis::{Connection, answer_error, read_answer};
use redis::{Pipeline, Value};

use super::output::{Entry, Page};
use crate::expiry::{ExpiryBy, MISSING};
use crate::{Place, escape};

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
        let (mut again, mut bytes) = (Vec::new(), 0);
        for name in left {
            let (Some(expiry), Some(dump)) = (answers.next(), answers.next()) else { break };
            let expiry: i64 = read_answer("read the expiry of", expiry)
                .map_err(|error| at(place, &name, error))?;
            match dump {
                Value::BulkString(_) if expiry == MISSING => again.push(name),
                Value::BulkString(dump) => {
                    bytes += dump.len();
                    let expires_at_ms = u64::try_from(expiry).ok();
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

fn commands(place: &Place, by: ExpiryBy, names: &[Vec<u8>]) -> Pipeline {
    let mut pipeline = Pipeline::with_capacity(names.len() * 2);
    // The expiry comes first: if a key is replaced in between, an expiry that is too early (the
    // next backup corrects it) is better than none.
    for name in names {
        let key = place.on_server(name);
        by.ask(&mut pipeline, &key);
        pipeline.cmd("DUMP").arg(&*key);
    }
    pipeline
}

fn at(place: &Place, name: &[u8], error: Error) -> Error {
    error.at_key(escape(name)).in_database(place.label())
}
