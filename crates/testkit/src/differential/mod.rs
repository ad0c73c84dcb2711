//! Random programs, run on two backends whose answers are compared.
//!
//! [`operations`] generates programs over all five stores of three databases, on few keys, with awkward names, values
//! and numbers, TTLs, leases, windows, and time that advances.
//! [`run_differential`] runs one on a model (the memory backend) and a subject. It panics if an answer, the kind of
//! an error, or the remaining TTL of a key differs.
//!
//! ```text
//! #[test]
//! #[ignore = "needs redis-server"]
//! fn redis_answers_as_memory_does() {
//!     run_test(async {
//!         let subject = RedisHarness::start().await;
//!         let mut runner = TestRunner::new(ProptestConfig::with_cases(64));
//!         // `run` is not async: the program of a case runs on the runtime that is entered.
//!         tokio::task::block_in_place(|| {
//!             runner.run(&operations(), |program| {
//!                 tokio::runtime::Handle::current().block_on(async {
//!                     subject.server().command(&["FLUSHALL"]).await;
//!                     run_differential(&MemoryHarness::new(), &subject, program).await;
//!                 });
//!                 Ok(())
//!             })
//!         })
//!         .unwrap();
//!     });
//! }
//! ```
//!
//! # Time
//! Every TTL, lease, window and step is a multiple of [`GRID`], so that a key has either much time left or none. The
//! remaining TTL of a subject's key may be shorter than the model's by the real time since the program began, which
//! is at most half of [`GRID`]. It must never be longer.

mod answer;
mod batch;
mod batch_upkeep;
mod in_step;
mod op;
mod queue;
mod strategy;

use std::time::{Duration, Instant};

use compartment_core::{Clock, Contract, Database, DatabaseKind, Ttl};

pub use batch::{BatchOp, BatchStep, batch_operations, run_batch_differential};
pub use batch_upkeep::UpkeepOp;
pub use op::{CounterOp, HashOp, KeyValueOp, LockOp, Op, Step};
pub use queue::{QueueOp, QueueStep, queue_operations, run_queue_differential};
pub use strategy::operations;

use crate::Harness;

/// Every duration in a program is a multiple of this.
pub const GRID: Duration = Duration::from_secs(50);

/// The databases used by a program.
fn contracts() -> [Contract; 3] {
    [
        Contract::new("results", DatabaseKind::Durable).with_index(1),
        Contract::new("reports", DatabaseKind::Durable).with_index(2).default_ttl(GRID * 4),
        Contract::new("locks", DatabaseKind::Coordination).with_index(3),
    ]
}

/// Runs `program` on both backends, which must be empty, and compares each answer and each remaining TTL.
///
/// # Panics
/// If the two differ, with the program up to that step.
pub async fn run_differential(model: &dyn Harness, subject: &dyn Harness, program: Vec<Op>) {
    let began = Instant::now();
    // Tokens and lease ends contain the clock's time, so both clocks must agree.
    let now = model.clock().now().max(subject.clock().now());
    for clock in [model.clock(), subject.clock()] {
        clock.advance(now.since(clock.now()));
    }
    let mut sides = [Side::open(model).await, Side::open(subject).await];
    for (at, op) in program.iter().enumerate() {
        let mut answers = Vec::with_capacity(2);
        for side in &mut sides {
            answers.push(side.run(op).await);
        }
        let so_far = || {
            let steps: Vec<String> = program[..=at].iter().map(|op| format!("  {op:?}")).collect();
            format!("after\n{}\n", steps.join("\n"))
        };
        assert_eq!(answers[1], answers[0], "subject and model differ in their answer {}", so_far());
        for (database, key) in op.touches() {
            let model = sides[0].ttl(database, &key).await;
            let subject = sides[1].ttl(database, &key).await;
            assert!(
                agree(model, subject, began.elapsed()),
                "subject's {key:?} has {subject:?} left, the model's {model:?}, {}",
                so_far(),
            );
        }
    }
}

/// Whether the subject's TTL equals the model's, less the real time that has passed.
fn agree(model: Ttl, subject: Ttl, passed: Duration) -> bool {
    match (model, subject) {
        (Ttl::Remaining(model), Ttl::Remaining(subject)) => {
            assert!(passed < GRID / 2, "the program took {passed:?}: too long to compare TTLs");
            subject <= model && subject + passed + Duration::from_millis(2) >= model
        }
        (model, subject) => model == subject,
    }
}

/// One backend, with its databases.
struct Side<'a> {
    harness: &'a dyn Harness,
    databases: Vec<Database>,
}

impl<'a> Side<'a> {
    async fn open(harness: &'a dyn Harness) -> Self {
        let mut databases = Vec::new();
        for contract in contracts() {
            databases.push(harness.open(contract).await);
        }
        Self { harness, databases }
    }

    async fn run(&mut self, op: &Op) -> String {
        match op {
            Op::Advance(steps) => {
                self.harness.advance(GRID * *steps).await;
                String::new()
            }
            Op::In(database, step) => answer::of(&self.databases[*database], step).await,
        }
    }

    async fn ttl(&self, database: usize, key: &str) -> Ttl {
        self.databases[database].key_value().ttl(key).await.expect("a TTL can be asked for")
    }
}
