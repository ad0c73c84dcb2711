//! A million mixed keys, like a busy database 0.

use compartment_testkit::TestRedis;
use redis::Pipeline;

use super::Failure;

/// Of each hundred keys: 45 strings, 15 hashes, 10 each of lists, sets, sorted sets and streams;
/// three in ten expire, a day from now.
pub(crate) async fn fill(server: &TestRedis, count: u64) -> Result<(), Failure> {
    let client = redis::Client::open(server.url())?;
    let mut connection = client.get_multiplexed_async_connection().await?;
    let mut at = 0;
    while at < count {
        let mut pipeline = Pipeline::new();
        for i in at..count.min(at + 1_000) {
            let name = add(&mut pipeline, i);
            if i * 7 % 10 < 3 {
                pipeline.cmd("EXPIRE").arg(&name).arg(86_400).ignore();
            }
        }
        pipeline.exec_async(&mut connection).await?;
        at += 1_000;
    }
    Ok(())
}

fn add(pipeline: &mut Pipeline, i: u64) -> String {
    let value = format!("value-{i}-{}", "x".repeat((i % 80) as usize));
    match i % 100 {
        0..45 => {
            let name = format!("page:{i}:html");
            pipeline.cmd("SET").arg(&name).arg(value).ignore();
            name
        }
        45..60 => {
            let name = format!("user:{i}");
            let fields = pipeline.cmd("HSET").arg(&name).arg("name").arg(value);
            fields.arg("age").arg(i % 90).arg("mail").arg(format!("u{i}@example.com")).ignore();
            name
        }
        60..70 => {
            let name = format!("queue:{i}");
            pipeline.cmd("RPUSH").arg(&name).arg(&[i, i + 1, i + 2][..]).ignore();
            name
        }
        70..80 => {
            let name = format!("tags:{i}");
            pipeline.cmd("SADD").arg(&name).arg(&["red", "green", "blue"][..]).ignore();
            name
        }
        80..90 => {
            let name = format!("scores:{i}");
            pipeline.cmd("ZADD").arg(&name).arg(1).arg("a").arg(i).arg("b").ignore();
            name
        }
        _ => {
            let name = format!("events:{i}");
            pipeline.cmd("XADD").arg(&name).arg("*").arg("kind").arg(value).ignore();
            name
        }
    }
}
