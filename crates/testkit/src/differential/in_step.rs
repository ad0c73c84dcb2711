//! Runs a program on two backends step by step, until an answer differs.

use std::fmt::Debug;

use compartment_core::Clock;

use crate::Harness;

/// A backend on which a program runs, with the answers seen so far.
pub(super) trait Side<'a, Step> {
    async fn open(harness: &'a dyn Harness) -> Self;

    /// Runs a step and returns the answer as comparable text.
    async fn run(&mut self, step: &Step) -> String;
}

/// Runs `program` on both backends, which must be empty.
///
/// # Panics
/// If an answer differs, with the program up to that step.
pub(super) async fn in_step<'a, Step: Debug, S: Side<'a, Step>>(
    model: &'a dyn Harness,
    subject: &'a dyn Harness,
    program: &[Step],
) {
    // Ids and tokens contain the clock's time, so both clocks must agree.
    let now = model.clock().now().max(subject.clock().now());
    for clock in [model.clock(), subject.clock()] {
        clock.advance(now.since(clock.now()));
    }
    let (mut model, mut subject) = (S::open(model).await, S::open(subject).await);
    for (at, step) in program.iter().enumerate() {
        let (wanted, found) = (model.run(step).await, subject.run(step).await);
        let so_far = || {
            let steps: Vec<String> = program[..=at].iter().map(|s| format!("  {s:?}")).collect();
            steps.join("\n")
        };
        assert_eq!(found, wanted, "subject and model differ after\n{}", so_far());
    }
}
