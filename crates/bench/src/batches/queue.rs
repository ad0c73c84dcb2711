//! `queue`: single tasks, claimed and completed a hundred at a time and one at a time, beside bare requests.

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
    let server = &TestRedis::start().await;
    let queue = &open(&server.url()).await?;
    let of = |max: u32| -> Turn<'_> {
        Box::new(move |count| turn(server, queue, max, count).boxed_local())
    };
    let contenders: Vec<(_, _, Turn<'_>)> = vec![
        ("a hundred at a time", TASKS / share, of(100)),
        ("one at a time", FEWER / share, of(1)),
        (
            "one at a time, completed with the next claim",
            FEWER / share,
            Box::new(|count| together(server, queue, count).boxed_local()),
        ),
        (
            "two bare requests, one by one",
            FEWER / share,
            Box::new(|count| floor(server, queue, count).boxed_local()),
        ),
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
    submit(queue, tasks).await?;
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

/// Each task is completed in the round trip that claims the next one.
async fn together(server: &TestRedis, queue: &Database, tasks: usize) -> Result<Spent, Failure> {
    submit(queue, tasks).await?;
    spent(server, async {
        let mut done: Vec<Claim> = Vec::new();
        loop {
            let (completed, claimed) = tokio::join!(
                queue.queue().complete(QUEUE, &done),
                queue.queue().claim(QUEUE, ClaimOptions::new(1, LEASE)),
            );
            completed?;
            done = claimed?.iter().map(|task| task.claim).collect();
            if done.is_empty() {
                return Ok(());
            }
        }
    })
    .await
}

/// The least that two requests cost.
async fn floor(server: &TestRedis, queue: &Database, tasks: usize) -> Result<Spent, Failure> {
    spent(server, async {
        for _ in 0..tasks * 2 {
            queue.key_value().get("missing").await?;
        }
        Ok(())
    })
    .await
}

async fn submit(queue: &Database, tasks: usize) -> Result<(), Failure> {
    let tasks = u32::try_from(tasks)?;
    for from in (0..tasks).step_by(500) {
        let page = (from..tasks.min(from + 500)).map(|task| NewTask::new(id(task)));
        queue.queue().submit(QUEUE, page.collect()).await?;
    }
    Ok(())
}
