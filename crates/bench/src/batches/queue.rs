//! `queue`: single tasks, claimed and completed a hundred at a time and one at a time.

use std::time::Duration;

use compartment_core::{Claim, ClaimOptions, Database, NewTask};
use compartment_testkit::TestRedis;
use futures_util::FutureExt;

use super::ours::id;
use super::server::{Spent, Turn, open, spent, table, take_turns};
use crate::measure::Failure;
use crate::measure::section::Measured;

const TASKS: usize = 50_000;
/// Number of tasks when each is claimed separately, in its own round trip.
const FEWER: usize = 5_000;
const ROUNDS: usize = 5;
const QUEUE: &str = "papers";
const LEASE: Duration = Duration::from_secs(60);

pub(super) async fn measure(quick: bool) -> Result<Measured, Failure> {
    let share = if quick { 5 } else { 1 };
    let server = TestRedis::start().await;
    let queue = open(&server.url()).await?;
    let of = |max: u32| -> Turn<'_> {
        let (server, queue) = (&server, &queue);
        Box::new(move |count| turn(server, queue, max, count).boxed_local())
    };
    let contenders = vec![
        ("a hundred at a time", TASKS / share, of(100)),
        ("one at a time", FEWER / share, of(1)),
    ];
    let lines = take_turns(ROUNDS, 0, contenders).await?;
    Measured::new(table("Tasks of a queue, claimed and completed", &lines), &lines)
}

async fn turn(
    server: &TestRedis,
    queue: &Database,
    max: u32,
    tasks: usize,
) -> Result<Spent, Failure> {
    let tasks = u32::try_from(tasks)?;
    for from in (0..tasks).step_by(500) {
        let page = (from..tasks.min(from + 500)).map(|task| NewTask::new(id(task)));
        queue.queue().submit(QUEUE, page.collect()).await?;
    }
    spent(server, async {
        loop {
            let claimed = queue.queue().claim(QUEUE, ClaimOptions::new(max, LEASE)).await?;
            if claimed.is_empty() {
                return Ok(());
            }
            let claims: Vec<Claim> = claimed.iter().map(|task| task.claim).collect();
            queue.queue().complete(QUEUE, &claims).await?;
        }
    })
    .await
}
