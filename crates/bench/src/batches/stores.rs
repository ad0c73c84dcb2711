//! `stores`: one process handles documents without work, beside bare loops and other queues.

use std::time::Duration;

use compartment_core::Database;
use compartment_testkit::{FaultProxy, TestRedis};
use futures_util::FutureExt;
use redis::aio::MultiplexedConnection;
use serde::Serialize;

use super::server::{Line, Turn, open, table, take_turns};
use super::{ours, stream};
use crate::measure::Failure;
use crate::measure::section::Measured;

/// Documents of one turn, and of one turn of slower contenders.
const DOCUMENTS: usize = 100_000;
#[cfg(feature = "peers")]
const FEWER: usize = 20_000;
/// With 20,000 waiting tasks, apalis-redis hands out none.
#[cfg(feature = "peers")]
const FEWEST: usize = 4_000;
/// Documents of one turn over a slow network.
const FAR: usize = 50_000;
const ROUNDS: usize = 5;
/// Delay of the network, each way.
const DELAY: Duration = Duration::from_millis(1);

#[derive(Debug, Serialize)]
struct Stores {
    without_persistence: Vec<Line>,
    appending_every_second: Vec<Line>,
    a_millisecond_away: Vec<Line>,
}

pub(super) async fn measure(quick: bool) -> Result<Measured, Failure> {
    let share = if quick { 5 } else { 1 };
    let plain = TestRedis::start().await;
    let without_persistence = compare(&plain, &plain.url(), DOCUMENTS / share, share).await?;
    drop(plain);
    let durable =
        TestRedis::builder().config("appendonly", "yes").config("appendfsync", "everysec");
    let durable = durable.start().await;
    let appending_every_second =
        compare(&durable, &durable.url(), DOCUMENTS / share, share).await?;
    drop(durable);
    let far = TestRedis::start().await;
    let proxy = FaultProxy::start(far.port()).await;
    proxy.delay(DELAY);
    let a_millisecond_away = compare(&far, &proxy.url(), FAR / share, share * 4).await?;
    let text = [
        table("One process, one stage that does nothing", &without_persistence),
        table("The same, the server appending to its file each second", &appending_every_second),
        table("The same, a millisecond away, each way", &a_millisecond_away),
    ];
    let found = Stores { without_persistence, appending_every_second, a_millisecond_away };
    Measured::new(text.join("\n"), &found)
}

/// Lets all contenders take turns over the server at `url`; ratios are relative to the bare stream.
async fn compare(
    server: &TestRedis,
    url: &str,
    documents: usize,
    share: usize,
) -> Result<Vec<Line>, Failure> {
    let batch = open(url).await?;
    let connection = redis::Client::open(url)?.get_multiplexed_async_connection().await?;
    let contenders = contenders(server, url, &batch, &connection, documents, share);
    take_turns(ROUNDS, 2, contenders).await
}

fn contenders<'a>(
    server: &'a TestRedis,
    url: &'a str,
    batch: &'a Database,
    connection: &'a MultiplexedConnection,
    documents: usize,
    share: usize,
) -> Vec<(&'static str, usize, Turn<'a>)> {
    let ours = |with_news: bool| -> Turn<'a> {
        Box::new(move |count| ours::turn(server, batch, with_news, count).boxed_local())
    };
    let stream: Turn<'a> =
        Box::new(move |count| stream::turn(server, connection, count).boxed_local());
    let mut all = vec![
        ("batch", documents, ours(false)),
        ("batch, outbox and events", documents, ours(true)),
        ("XREADGROUP, XACK", documents, stream),
    ];
    #[cfg(feature = "peers")]
    {
        use super::peers;
        let fewer = FEWER / share;
        let apalis: Turn<'a> =
            Box::new(move |count| peers::apalis(server, url, count).boxed_local());
        all.push(("apalis-redis", FEWEST.min(fewer), apalis));
        let bullmq: Turn<'a> =
            Box::new(move |count| peers::bullmq(server, url, count).boxed_local());
        all.push(("bullmq-official", fewer, bullmq));
    }
    let _ = (url, share, &mut all);
    all
}
