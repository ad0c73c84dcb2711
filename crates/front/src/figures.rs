//! The figures of a front: what passed through since it began, of all its threads together.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use serde::Serialize;

use crate::accounting::{Accounts, BUCKETS, Tally, limit};
use crate::commands::Flags;
use crate::front::Config;
use crate::observer::Observed;
use crate::programs::ProgramFigures;

/// What passed through.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Passed {
    /// Requests that were answered.
    pub operations: u64,
    /// Answers that are errors.
    pub errors: u64,
    /// Requests without an answer: the connection to the server was lost.
    pub lost: u64,
    /// Reads that found something.
    pub hits: u64,
    /// Reads that found nothing.
    pub misses: u64,
    /// Commands that write.
    pub writes: u64,
    /// Bytes of requests.
    pub bytes_in: u64,
    /// Bytes of answers.
    pub bytes_out: u64,
    /// The time from a request to its answer, of all together, in microseconds.
    pub micros: u64,
    /// How many answers were within 16 µs, 32 µs, and so on up to 8.4 s, and how many took longer.
    pub latencies: [u64; BUCKETS],
}

impl Passed {
    fn add(&mut self, tally: &Tally, flags: Flags) {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let (operations, errors, nothing) =
            (read(&tally.operations), read(&tally.errors), read(&tally.nothing));
        self.operations += operations;
        self.errors += errors;
        self.lost += read(&tally.lost);
        if flags.has(Flags::READONLY) {
            self.misses += nothing;
            self.hits += operations.saturating_sub(nothing + errors);
        }
        if flags.has(Flags::WRITE) {
            self.writes += operations;
        }
        self.bytes_in += read(&tally.bytes_in);
        self.bytes_out += read(&tally.bytes_out);
        self.micros += read(&tally.micros);
        for (sum, counter) in self.latencies.iter_mut().zip(&tally.latencies) {
            *sum += read(counter);
        }
    }

    /// The upper limits of `latencies`; the last one has none.
    pub fn limits() -> impl Iterator<Item = Option<Duration>> {
        (0..BUCKETS).map(limit)
    }

    /// The limit of the bucket that the given share of answers does not exceed; `None` without answers, or above the
    /// last limit.
    #[must_use]
    pub fn percentile(&self, share: f64) -> Option<Duration> {
        let total: u64 = self.latencies.iter().sum();
        // Counts stay far below 2^52.
        let wanted = (total as f64 * share).ceil() as u64;
        let mut sum = 0;
        for (count, limit) in self.latencies.iter().zip(Self::limits()) {
            sum += count;
            if total > 0 && sum >= wanted {
                return limit;
            }
        }
        None
    }
}

/// One database.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct DatabaseFigures {
    /// What passed through to it.
    #[serde(flatten)]
    pub passed: Passed,
    /// Keys that were written without the life that its contract wants; with `contract = "repair"` they have got it.
    pub without_life: u64,
    /// Requests that gave a key of a durable database a life.
    pub with_life: u64,
    /// By command.
    pub commands: BTreeMap<String, Passed>,
}

/// A server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct ServerFigures {
    /// The instance's name.
    pub name: String,
    /// Whether it could not be reached when it was last tried.
    pub is_away: bool,
}

/// A request that took long.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct SlowRequest {
    /// Milliseconds since 1970.
    pub at_ms: u64,
    /// How long it took, in microseconds.
    pub micros: u64,
    /// Its database.
    pub database: String,
    /// Its command.
    pub command: String,
}

/// Everything that is counted.
#[derive(Clone, Debug, Default, Serialize)]
#[non_exhaustive]
pub struct FrontFigures {
    /// Programs that are connected.
    pub clients: u64,
    /// By the database's name.
    pub databases: BTreeMap<String, DatabaseFigures>,
    /// By the route's name.
    pub routes: BTreeMap<String, Passed>,
    /// By the programs' login and name, those with the most requests first.
    pub programs: Vec<ProgramFigures>,
    /// The latest slow requests.
    pub slow: Vec<SlowRequest>,
    /// The servers.
    pub servers: Vec<ServerFigures>,
    /// What the routes would have done, in the dry mode.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub observed: Option<Observed>,
}

impl FrontFigures {
    pub(crate) fn read(config: &Config, accounts: &Accounts, figures: &mut Self) {
        let name = |at: usize| match config.router.databases().get(at) {
            Some(contract) => contract.name.clone(),
            None => "(none)".to_owned(),
        };
        for (at, row) in accounts.rows().enumerate() {
            for (command, tally) in row {
                let command = config.table.get(command);
                let flags = command.map(|command| command.flags).unwrap_or_default();
                let command =
                    command.map_or("(unknown)", |command| &command.name).replace('|', " ");
                let database = figures.databases.entry(name(at)).or_default();
                database.passed.add(tally, flags);
                database.commands.entry(command).or_default().add(tally, flags);
            }
            let (without, with) = accounts.lives(at);
            if without + with > 0 {
                let database = figures.databases.entry(name(at)).or_default();
                database.without_life += without;
                database.with_life += with;
            }
        }
        for (at, tally) in accounts.routes() {
            if tally.operations.load(Ordering::Relaxed) > 0 {
                let name = match at < config.router.routes() {
                    true => config.router.route_name(crate::route::RouteId::new(
                        u16::try_from(at).unwrap_or(u16::MAX),
                    )),
                    false => "(no key)",
                };
                figures.routes.entry(name.to_owned()).or_default().add(tally, Flags::default());
            }
        }
        figures.slow.extend(accounts.slow().into_iter().map(|slow| {
            SlowRequest {
                at_ms: slow.at_ms,
                micros: slow.micros,
                database: name(slow.subject.database.position()),
                command: config
                    .table
                    .get(slow.subject.command)
                    .map_or_else(String::new, |one| one.name.replace('|', " ")),
            }
        }));
        figures.slow.sort_by_key(|slow| std::cmp::Reverse(slow.at_ms));
        figures.slow.truncate(100);
    }

    /// The figures in the text format of Prometheus.
    #[must_use]
    pub fn prometheus(&self) -> String {
        let mut out = String::new();
        let mut metric = |name: &str, kind: &str, help: &str, lines: Vec<(String, u64)>| {
            // Writing to a String does not fail.
            let _ = writeln!(
                out,
                "# HELP compartment_front_{name} {help}\n# TYPE compartment_front_{name} {kind}"
            );
            for (labels, value) in lines {
                let _ = writeln!(out, "compartment_front_{name}{labels} {value}");
            }
        };
        metric(
            "clients",
            "gauge",
            "Programs that are connected.",
            vec![(String::new(), self.clients)],
        );
        let servers = self.servers.iter();
        metric(
            "server_up",
            "gauge",
            "Whether a server could be reached when it was last tried.",
            servers
                .map(|one| (format!("{{server=\"{}\"}}", one.name), u64::from(!one.is_away)))
                .collect(),
        );
        let each = |value: &dyn Fn(&Passed) -> u64| -> Vec<(String, u64)> {
            let of_commands = self.databases.iter().flat_map(|(database, figures)| {
                figures.commands.iter().map(move |(command, passed)| (database, command, passed))
            });
            of_commands
                .map(|(database, command, passed)| {
                    (format!("{{database=\"{database}\",command=\"{command}\"}}"), value(passed))
                })
                .collect()
        };
        metric(
            "operations_total",
            "counter",
            "Requests that were answered.",
            each(&|one| one.operations),
        );
        metric("errors_total", "counter", "Answers that are errors.", each(&|one| one.errors));
        metric("lost_total", "counter", "Requests without an answer.", each(&|one| one.lost));
        metric("hits_total", "counter", "Reads that found something.", each(&|one| one.hits));
        metric("misses_total", "counter", "Reads that found nothing.", each(&|one| one.misses));
        metric("request_bytes_total", "counter", "Bytes of requests.", each(&|one| one.bytes_in));
        metric("reply_bytes_total", "counter", "Bytes of answers.", each(&|one| one.bytes_out));
        let lives = |value: &dyn Fn(&DatabaseFigures) -> u64| -> Vec<(String, u64)> {
            let all = self.databases.iter();
            all.map(|(name, one)| (format!("{{database=\"{name}\"}}"), value(one))).collect()
        };
        metric(
            "without_life_total",
            "counter",
            "Keys written without the lifetime that the contract wants.",
            lives(&|one| one.without_life),
        );
        metric(
            "with_life_total",
            "counter",
            "Requests that gave a key of a durable database a lifetime.",
            lives(&|one| one.with_life),
        );
        let by_route = self.routes.iter();
        metric(
            "route_operations_total",
            "counter",
            "Requests by the route that took them.",
            by_route.map(|(name, one)| (format!("{{route=\"{name}\"}}"), one.operations)).collect(),
        );
        let programs = self.programs.iter();
        metric(
            "program_requests_total",
            "counter",
            "Requests by the program's login and name.",
            programs
                .map(|one| {
                    let (user, name) = (escaped(&one.user), escaped(&one.name));
                    (format!("{{user=\"{user}\",name=\"{name}\"}}"), one.requests)
                })
                .collect(),
        );
        let name = "compartment_front_latency_seconds";
        let _ = writeln!(
            out,
            "# HELP {name} Time from a request to its answer.\n# TYPE {name} histogram"
        );
        for (database, figures) in &self.databases {
            let mut sum = 0;
            for (count, limit) in figures.passed.latencies.iter().zip(Passed::limits()) {
                sum += count;
                let limit = limit
                    .map_or_else(|| "+Inf".to_owned(), |limit| limit.as_secs_f64().to_string());
                let _ =
                    writeln!(out, "{name}_bucket{{database=\"{database}\",le=\"{limit}\"}} {sum}");
            }
            let seconds = Duration::from_micros(figures.passed.micros).as_secs_f64();
            let _ = writeln!(out, "{name}_sum{{database=\"{database}\"}} {seconds}");
            let _ = writeln!(out, "{name}_count{{database=\"{database}\"}} {sum}");
        }
        out
    }
}

/// A label's value. Other names are of the configuration, which has letters and digits only.
fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}
