//! What is read beside the looks, as the screens show it.

/// An answer, or why there is none.
pub(crate) type Answered<T> = Result<T, String>;

/// The parts of a batch that are read only while its page is open.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct BatchFigures {
    pub(crate) failures: Vec<FailureLine>,
    pub(crate) running: Vec<RunningLine>,
    pub(crate) slowest: Vec<SlowLine>,
}

/// Documents that failed at one stage with one code.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct FailureLine {
    pub(crate) stage: String,
    pub(crate) documents: u64,
    pub(crate) example: String,
}

/// A document in progress.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct RunningLine {
    pub(crate) document: String,
    pub(crate) stage: String,
    pub(crate) worker: String,
    pub(crate) for_ms: u64,
    pub(crate) is_stuck: bool,
}

/// A document that took long.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct SlowLine {
    pub(crate) document: String,
    pub(crate) stage: String,
    pub(crate) took_ms: u64,
}

/// A dead letter.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Letter {
    pub(crate) stage: String,
    pub(crate) number: u64,
    pub(crate) class: String,
    pub(crate) attempts: u32,
    pub(crate) lost: u32,
    pub(crate) submitted_ms: u64,
    pub(crate) died_ms: u64,
    pub(crate) error: String,
    pub(crate) data: String,
}

impl Letter {
    /// Its stage and its number: numbers are those of a queue.
    pub(crate) fn id(&self) -> String {
        format!("{} {}", self.number, self.stage)
    }
}

/// A change that was made, or refused.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct ChangeLine {
    pub(crate) at_ms: u64,
    pub(crate) actor: String,
    /// One word: `done`, `refused`, `failed`.
    pub(crate) outcome: String,
    pub(crate) summary: String,
    /// The whole entry, as JSON.
    pub(crate) entry: String,
}

impl ChangeLine {
    /// Two entries of one moment differ in what they changed.
    pub(crate) fn id(&self) -> String {
        format!("{} {} {}", self.at_ms, self.actor, self.summary)
    }
}
