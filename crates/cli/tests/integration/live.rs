//! Separates database 0 into five while eight processes read and write, and merges them again.

#![expect(clippy::unwrap_used, reason = "a failure here is a failed test")]

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use compartment::key_value::{KeyValueStoreExt, SetOptions};
use compartment::{DatabaseMapBuilder, Expiry};
use compartment_testkit::{Reply, TestRedis, eventually, run_test};

use crate::program;

const NAMES: [&str; 5] = ["broker", "results", "sessions", "limits", "batch"];
const WRITERS: usize = 4;
const READERS: usize = 4;
/// Keys of each database written by each writer.
const KEYS: u64 = 40;
/// Environment variable with the role of a worker process.
const ROLE: &str = "TEST_ROLE";
/// Expiry of the keys that are not written again, in milliseconds since 1970.
const EXPIRES: &str = "4102444800123";

/// Which of the two places of each database is the new one.
#[derive(Clone, Copy)]
enum Phase {
    Together,
    Apart,
}

fn configuration(url: &str, phase: Phase) -> String {
    let mut text = format!("[instances.primary]\nurl = \"{url}\"\n\n[databases]\n");
    for (at, name) in NAMES.iter().enumerate() {
        let own = at + 1;
        let place = match phase {
            Phase::Together => {
                format!(
                    "index = 0, shared = true, previous = {{ index = {own}, patterns = [\"{name}:*\"] }}"
                )
            }
            Phase::Apart => {
                format!("index = {own}, previous = {{ index = 0, patterns = [\"{name}:*\"] }}")
            }
        };
        text += &format!("{name} = {{ {place}, kind = \"durable\" }}\n");
    }
    text
}

struct Fleet {
    folder: PathBuf,
    witness: String,
    workers: Vec<Option<Child>>,
}

impl Fleet {
    fn start(&mut self, at: usize, phase: Phase) {
        let file = match phase {
            Phase::Together => "together.toml",
            Phase::Apart => "apart.toml",
        };
        let role = if at < WRITERS { "writer" } else { "reader" };
        let child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "live::worker", "--ignored", "--nocapture", "--test-threads=1"])
            .env(ROLE, role)
            .env("TEST_NUMBER", at.to_string())
            .env("TEST_CONFIG", self.folder.join(file))
            .env("TEST_WITNESS", &self.witness)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        self.workers[at] = Some(child);
    }

    fn stop(&mut self, at: usize) {
        if let Some(mut child) = self.workers[at].take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    /// Kills each process in turn and starts it with the other configuration.
    async fn change_over(&mut self, phase: Phase, witness: &TestRedis) {
        for at in 0..self.workers.len() {
            self.stop(at);
            self.start(at, phase);
            let before = operations(witness, at).await;
            eventually("the worker works", || async {
                operations(witness, at).await > before + 50
            })
            .await;
        }
    }
}

impl Drop for Fleet {
    fn drop(&mut self) {
        for at in 0..self.workers.len() {
            self.stop(at);
        }
    }
}

async fn operations(witness: &TestRedis, worker: usize) -> i64 {
    let count = witness.command(&["HGET", "operations", &worker.to_string()]).await;
    count.text().parse().unwrap_or(0)
}

async fn all_operations(witness: &TestRedis) -> i64 {
    let all = witness.command(&["HVALS", "operations"]).await;
    all.array().iter().map(|count| count.text().parse::<i64>().unwrap_or(0)).sum()
}

/// The body of a worker process, not a test.
#[test]
#[ignore = "started by the test below as a process of its own"]
fn worker() {
    let Ok(role) = std::env::var(ROLE) else { return };
    run_test(async { work(&role).await });
}

async fn work(role: &str) {
    let config = std::fs::read_to_string(std::env::var("TEST_CONFIG").unwrap()).unwrap();
    let map = DatabaseMapBuilder::toml(&config).unwrap().build().unwrap();
    let databases = compartment::open(map).await.unwrap();
    let number = std::env::var("TEST_NUMBER").unwrap();
    let witness = compartment::DatabaseMap::builder()
        .instance(
            "primary",
            compartment::database_map::Instance::new(&std::env::var("TEST_WITNESS").unwrap())
                .unwrap(),
        )
        .database(compartment::Contract::new("witness", compartment::DatabaseKind::Durable))
        .build()
        .unwrap();
    let witness = compartment::open(witness).await.unwrap();
    let witness = witness.get("witness").unwrap();
    let (acknowledged, log) = (witness.key_value(), witness.hash());
    let mut turn = 0_u64;
    let mut generator = turn_of(&number);
    loop {
        turn += 1;
        generator = generator
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        let name = NAMES[(generator >> 33) as usize % NAMES.len()];
        let store = databases.get(name).unwrap();
        let writer = if role == "writer" {
            number.parse().unwrap()
        } else {
            (generator >> 40) % WRITERS as u64
        };
        let key = format!("{name}:{writer}:{}", (generator >> 45) % KEYS);
        if role == "writer" {
            // Sometimes a key is deleted and written again.
            let last: u64 = match acknowledged.get(&key).await.unwrap() {
                Some(value) => std::str::from_utf8(&value).unwrap().parse().unwrap(),
                None => 0,
            };
            let value = (last + 1).to_string();
            let options = SetOptions::expiring(Expiry::After(Duration::from_secs(3_600)));
            store.key_value().set(&key, value.clone().into(), options).await.unwrap();
            acknowledged.put(&key, value).await.unwrap();
        } else {
            let wanted = acknowledged.get(&key).await.unwrap();
            let found = store.key_value().get(&key).await.unwrap();
            let number = |value: &[u8]| std::str::from_utf8(value).unwrap().parse::<u64>().unwrap();
            if let Some(wanted) = wanted.as_deref().map(number) {
                let seen = found.as_deref().map(number);
                if seen.is_none_or(|seen| seen < wanted) {
                    let what = format!("{key}: {wanted} was acknowledged, {seen:?} read");
                    let field = format!("violation {what}");
                    log.set_fields("violations", vec![(field, "1".into())], Expiry::Keep)
                        .await
                        .unwrap();
                }
            }
        }
        if turn.is_multiple_of(25) {
            log.increment_field("operations", &number_of(), 25, Expiry::Keep).await.unwrap();
        }
    }
}

fn number_of() -> String {
    std::env::var("TEST_NUMBER").unwrap()
}

fn turn_of(number: &str) -> u64 {
    number.parse::<u64>().unwrap() * 7_919 + u64::from(std::process::id())
}

fn migrate(folder: &Path, arguments: &[&str]) -> program::Run {
    let mut all = vec!["migrate", "--live", "--quiet", "500ms", "--at-most", "40s"];
    all.extend(arguments);
    let run = program::run(folder, &all);
    assert_eq!(run.code, 0, "{arguments:?}: {} {}", run.out, run.err);
    run
}

#[test]
#[ignore = "needs redis-server"]
fn nothing_acknowledged_is_missed_while_database_0_is_separated_and_put_together_again() {
    run_test(async {
        let server = TestRedis::start().await;
        let witness = TestRedis::start().await;
        let folder = tempfile::tempdir().unwrap();
        let write =
            |name: &str, text: String| std::fs::write(folder.path().join(name), text).unwrap();
        write("together.toml", configuration(&server.url(), Phase::Together));
        write("apart.toml", configuration(&server.url(), Phase::Apart));
        // Keys that are not written during the test: their expiry must not change.
        let mut c = server.connect().await;
        for name in NAMES {
            for i in 0..500 {
                let key = format!("{name}:still:{i}");
                c.send(&["SET", &key, "x", "PXAT", EXPIRES]).await.unwrap();
            }
        }
        c.send(&["SET", "of-nobody", "stays"]).await.unwrap();
        let mut fleet = Fleet {
            folder: folder.path().to_owned(),
            witness: witness.url(),
            workers: (0..WRITERS + READERS).map(|_| None).collect(),
        };
        for at in 0..WRITERS + READERS {
            fleet.start(at, Phase::Together);
        }
        eventually("all workers work", || async {
            for at in 0..WRITERS + READERS {
                if operations(&witness, at).await < 50 {
                    return false;
                }
            }
            true
        })
        .await;
        let began = Instant::now();
        let before = all_operations(&witness).await;

        // Separated: first each process, then the keys that nobody has requested.
        fleet.change_over(Phase::Apart, &witness).await;
        let folder = folder.path();
        for name in NAMES {
            let pattern = format!("{name}:*");
            migrate(
                folder,
                &["--config", "apart.toml", "--from", "0", "--to", name, "--pattern", &pattern],
            );
        }
        assert_eq!(server.command(&["KEYS", "*"]).await.text(), "of-nobody");

        // Merged again.
        fleet.change_over(Phase::Together, &witness).await;
        for (at, name) in NAMES.iter().enumerate() {
            let from = (at + 1).to_string();
            migrate(folder, &["--config", "together.toml", "--from", &from, "--to", "0"]);
            assert_eq!(
                server.command_in(at as u32 + 1, &["DBSIZE"]).await,
                Reply::Integer(0),
                "{name}"
            );
        }
        let rate = (all_operations(&witness).await - before) as f64 / began.elapsed().as_secs_f64();
        drop(fleet);

        let violations = witness.command(&["HKEYS", "violations"]).await;
        assert_eq!(violations.text(), "", "reads that missed a write");
        // The rate depends on the machine, which may be busy with other tests; see docs/benchmarks.md.
        assert!(rate > 200.0, "the workers did {rate:.0} operations a second");
        println!("{rate:.0} operations/s while it went on");
        for name in NAMES {
            for i in 0..500 {
                let key = format!("{name}:still:{i}");
                let expires = server.command(&["PEXPIRETIME", &key]).await;
                assert_eq!(expires.text(), EXPIRES, "{key}");
            }
        }
    });
}
