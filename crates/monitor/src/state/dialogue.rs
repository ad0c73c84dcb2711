//! What stands above a screen: help, a plan that waits for a yes, an outcome.

use compartment_operations::changes::Change;

use crate::answers::{Answered, BatchFigures, ChangeLine, Letter};

/// What keys mean at this moment.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) enum Mode {
    #[default]
    Browse,
    /// A filter is typed; it holds the one before.
    Filter(String),
    Help,
    /// A plan is made; it holds what for.
    Planning(String),
    /// A plan waits for a yes.
    Confirm(Plan),
    /// A plan is acted on.
    Acting(Plan),
    /// The outcome of a change, or why there is none.
    Told(Outcome),
}

/// A plan as the dialogue shows it.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Plan {
    pub(crate) id: String,
    pub(crate) summary: String,
    pub(crate) touches: Vec<String>,
    /// Reasons not to act on it.
    pub(crate) refusals: Vec<String>,
}

/// How a change ended.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Outcome {
    pub(crate) is_good: bool,
    pub(crate) text: String,
}

/// What the state wants done that needs the world outside.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Request {
    Look,
    Examine,
    Batch(String),
    Letters,
    Changes,
    Plan(Change),
    /// To act on the plan with this id.
    Act(String),
    /// To draw every cell anew.
    Redraw,
    /// To give the terminal back until the user returns.
    Suspend,
    Quit,
}

/// What came back.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Answer {
    Batch(String, Answered<BatchFigures>),
    Letters(Answered<Vec<Letter>>),
    Changes(Answered<Vec<ChangeLine>>),
    Planned(Answered<Plan>),
    Acted(Outcome),
}
