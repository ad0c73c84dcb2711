//! A bare consumer group of a stream: entries are read and acknowledged, without other bookkeeping.

use compartment_testkit::TestRedis;
use redis::aio::MultiplexedConnection;
use redis::{AsyncCommands, Value};

use super::ours::{LANES, id};
use super::server::{Spent, spent};
use crate::measure::Failure;

/// Entries per read; more are not faster.
const AT_ONCE: usize = 100;
const KEY: &str = "stream";

/// Processes a stream over a connection that its readers share.
pub(super) async fn turn(
    server: &TestRedis,
    connection: &MultiplexedConnection,
    documents: usize,
) -> Result<Spent, Failure> {
    let mut prepared = connection.clone();
    let documents = u32::try_from(documents)?;
    for from in (0..documents).step_by(1_000) {
        let mut page = redis::pipe();
        for document in from..documents.min(from + 1_000) {
            page.xadd(KEY, "*", &[("id", id(document))]).ignore();
        }
        page.exec_async(&mut prepared).await?;
    }
    let () = prepared.xgroup_create(KEY, "group", "0").await?;
    let spent = spent(server, work(connection)).await?;
    let () = prepared.del(KEY).await?;
    Ok(spent)
}

async fn work(connection: &MultiplexedConnection) -> Result<(), Failure> {
    let lanes: Vec<_> = (0..LANES)
        .map(|lane| {
            let connection = connection.clone();
            tokio::spawn(async move { self::lane(connection, lane).await })
        })
        .collect();
    for lane in lanes {
        lane.await??;
    }
    Ok(())
}

async fn lane(mut connection: MultiplexedConnection, lane: usize) -> Result<(), Failure> {
    let mut read = redis::cmd("XREADGROUP");
    read.arg("GROUP").arg("group").arg(lane).arg("COUNT").arg(AT_ONCE);
    read.arg("STREAMS").arg(KEY).arg(">");
    loop {
        let found: Value = read.query_async(&mut connection).await?;
        let ids = ids(&found);
        if ids.is_empty() {
            return Ok(());
        }
        let mut acknowledge = redis::cmd("XACK");
        acknowledge.arg(KEY).arg("group").arg(ids);
        let _: u64 = acknowledge.query_async(&mut connection).await?;
    }
}

/// The ids of the entries read from one stream.
fn ids(found: &Value) -> Vec<&[u8]> {
    let Value::Array(streams) = found else { return Vec::new() };
    let Some(Value::Array(stream)) = streams.first() else { return Vec::new() };
    let Some(Value::Array(entries)) = stream.get(1) else { return Vec::new() };
    entries.iter().filter_map(first).collect()
}

fn first(entry: &Value) -> Option<&[u8]> {
    let Value::Array(parts) = entry else { return None };
    match parts.first() {
        Some(Value::BulkString(id)) => Some(id),
        _ => None,
    }
}
