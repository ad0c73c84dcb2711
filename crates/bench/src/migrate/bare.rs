//! Minimal loops for comparison: list a page of names, send a command for each, count.

use std::time::Instant;

use compartment_testkit::TestRedis;
use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Pipeline, Value};

use super::Failure;

pub(crate) async fn connect(
    server: &TestRedis,
    index: u32,
) -> Result<MultiplexedConnection, Failure> {
    let client = redis::Client::open(format!("{}/{index}", server.url()))?;
    let patient =
        AsyncConnectionConfig::new().set_response_timeout(Some(std::time::Duration::from_secs(60)));
    Ok(client.get_multiplexed_async_connection_with_config(&patient).await?)
}

pub(crate) async fn page(
    connection: &mut MultiplexedConnection,
    cursor: u64,
) -> Result<(u64, Vec<Vec<u8>>), Failure> {
    let mut scan = redis::cmd("SCAN");
    Ok(scan.arg(cursor).arg("COUNT").arg(1_000).query_async(connection).await?)
}

/// `SCAN` and pipelined `MOVE`; returns seconds.
pub(super) async fn relocate(server: &TestRedis, from: u32, to: u32) -> Result<f64, Failure> {
    let mut connection = connect(server, from).await?;
    let started = Instant::now();
    let (mut cursor, mut moved) = (0, 0_u64);
    loop {
        let (next, names) = page(&mut connection, cursor).await?;
        let mut pipeline = Pipeline::with_capacity(names.len());
        for name in &names {
            pipeline.cmd("MOVE").arg(name).arg(to);
        }
        moved += count(&mut connection, &pipeline).await?;
        if next == 0 {
            break;
        }
        cursor = next;
    }
    std::hint::black_box(moved);
    Ok(started.elapsed().as_secs_f64())
}

/// `SCAN` and pipelined `COPY`; returns seconds.
pub(crate) async fn copy(server: &TestRedis, from: u32, to: u32) -> Result<f64, Failure> {
    let mut connection = connect(server, from).await?;
    let started = Instant::now();
    let (mut cursor, mut copied) = (0, 0_u64);
    loop {
        let (next, names) = page(&mut connection, cursor).await?;
        let mut pipeline = Pipeline::with_capacity(names.len());
        for name in &names {
            pipeline.cmd("COPY").arg(name).arg(name).arg("DB").arg(to);
        }
        copied += count(&mut connection, &pipeline).await?;
        if next == 0 {
            break;
        }
        cursor = next;
    }
    std::hint::black_box(copied);
    Ok(started.elapsed().as_secs_f64())
}

async fn count(
    connection: &mut MultiplexedConnection,
    pipeline: &Pipeline,
) -> Result<u64, Failure> {
    let answers = connection.send_packed_commands(pipeline, 0, pipeline.len()).await?;
    Ok(answers.iter().filter(|answer| matches!(answer, Value::Int(1))).count() as u64)
}

/// `SCAN` and `MIGRATE … COPY KEYS` in hundreds, as scripts with `redis-cli` do; returns seconds.
pub(super) async fn between(from: &TestRedis, to: &TestRedis) -> Result<f64, Failure> {
    let mut connection = connect(from, 0).await?;
    let started = Instant::now();
    let mut cursor = 0;
    loop {
        let (next, names) = page(&mut connection, cursor).await?;
        for some in names.chunks(100) {
            let mut command = redis::cmd("MIGRATE");
            command.arg("127.0.0.1").arg(to.port()).arg("").arg(0).arg(60_000);
            command.arg("COPY").arg("KEYS").arg(some);
            command.query_async::<Value>(&mut connection).await?;
        }
        if next == 0 {
            break;
        }
        cursor = next;
    }
    Ok(started.elapsed().as_secs_f64())
}
