//! The floor: bare loops of `SCAN COUNT 1000`, one page after the other, with and without questions about each key.

use compartment_testkit::TestRedis;
use redis::{Pipeline, Value};

use crate::measure::Failure;
use crate::migrate::bare::{connect, page};

/// The names alone; returns how many there are.
pub(super) async fn names(server: &TestRedis) -> Result<u64, Failure> {
    let mut connection = connect(server, 0).await?;
    let (mut cursor, mut seen) = (0, 0);
    loop {
        let (next, names) = page(&mut connection, cursor).await?;
        seen += names.len() as u64;
        if next == 0 {
            return Ok(seen);
        }
        cursor = next;
    }
}

/// The names, and for each key `TYPE`, `PTTL` and `MEMORY USAGE` in a pipeline for each page.
pub(super) async fn facts(server: &TestRedis) -> Result<u64, Failure> {
    let mut connection = connect(server, 0).await?;
    let (mut cursor, mut seen) = (0, 0);
    loop {
        let (next, names) = page(&mut connection, cursor).await?;
        let mut pipeline = Pipeline::with_capacity(3 * names.len());
        for name in &names {
            pipeline.cmd("TYPE").arg(name);
            pipeline.cmd("PTTL").arg(name);
            pipeline.cmd("MEMORY").arg("USAGE").arg(name);
        }
        let answers = connection.send_packed_commands(&pipeline, 0, pipeline.len()).await?;
        seen += answers.iter().skip(2).step_by(3).filter(|one| **one != Value::Nil).count() as u64;
        if next == 0 {
            return Ok(seen);
        }
        cursor = next;
    }
}
