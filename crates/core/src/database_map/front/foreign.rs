//! What the front does with the writes of programs that do not know the contract.

use serde::Deserialize;

/// What the front does with a key that a program writes without a lifetime into a database whose keys need one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum FrontContract {
    /// The write is passed on as it is, and counted.
    Observe,
    /// The key gets the default lifetime of its database in the same step.
    #[default]
    Repair,
    /// The write is refused.
    Refuse,
}

impl FrontContract {
    /// The name in the file.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Observe => "observe",
            Self::Repair => "repair",
            Self::Refuse => "refuse",
        }
    }
}
