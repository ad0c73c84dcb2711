//! Every pair of server versions: keys at rest and under writers, each with its value, life, groups and pending entries.

mod at_rest;
mod cluster;
mod content;
mod field_lives;
mod files;
mod live;

use compartment_testkit::{ServerProgram, TestRedis};

/// A server of this version on which nothing waits.
async fn start(program: &ServerProgram) -> TestRedis {
    let server = TestRedis::builder().program(program);
    server.config("repl-diskless-sync-delay", "0").start().await
}

/// Whether fields of hashes can expire: since Redis 7.4 and Valkey 9.0.
fn has_field_lives(program: &ServerProgram) -> bool {
    let version = program.version();
    let mut numbers = version.split('.').map(|number| number.parse::<u32>().unwrap_or(0));
    let version = (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0));
    if program.is_valkey() { version >= (9, 0) } else { version >= (7, 4) }
}

/// How a version is shown: `redis 7.0.15`.
fn shown(program: &ServerProgram) -> String {
    let kind = if program.is_valkey() { "valkey" } else { "redis" };
    format!("{kind} {}", program.version())
}

/// Shows how fast a pair was, with `--nocapture`: a row of docs/servers.md.
#[expect(clippy::print_stdout, reason = "it is asked for by --nocapture")]
fn show_rate(row: &str) {
    println!("{row}");
}
