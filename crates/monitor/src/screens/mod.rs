//! The screens: each makes a table of a look, and some a page about one row.

mod alerts;
mod batch;
mod batches;
mod changes;
mod checks;
mod database;
mod databases;
mod dead_letters;
mod findings;
mod queues;
mod workers;

pub(crate) use databases::servers;

use crate::facts::Facts;
use crate::page::Page;
use crate::table::Table;

/// What can be looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Screen {
    Databases,
    Batches,
    Workers,
    Queues,
    DeadLetters,
    Doctor,
    Health,
    Alerts,
    Changes,
}

impl Screen {
    /// In the order of the keys 1 to 9.
    pub(crate) const ALL: [Self; 9] = [
        Self::Databases,
        Self::Batches,
        Self::Workers,
        Self::Queues,
        Self::DeadLetters,
        Self::Doctor,
        Self::Health,
        Self::Alerts,
        Self::Changes,
    ];

    /// Its place, from 0.
    pub(crate) fn place(self) -> usize {
        self as usize
    }

    pub(crate) const fn title(self) -> &'static str {
        match self {
            Self::Databases => "databases",
            Self::Batches => "batches",
            Self::Workers => "workers",
            Self::Queues => "queues",
            Self::DeadLetters => "dead letters",
            Self::Doctor => "doctor",
            Self::Health => "health",
            Self::Alerts => "alerts",
            Self::Changes => "changes",
        }
    }

    /// The title where there is little room.
    pub(crate) const fn short(self) -> &'static str {
        match self {
            Self::Databases => "data",
            Self::DeadLetters => "dead",
            other => other.title(),
        }
    }

    /// The table of it.
    pub(crate) fn table(self, facts: &Facts) -> Table {
        match self {
            Self::Databases => databases::table(facts),
            Self::Batches => batches::table(facts),
            Self::Workers => workers::table(facts),
            Self::Queues => queues::table(facts),
            Self::DeadLetters => dead_letters::table(facts),
            Self::Doctor => findings::table(facts),
            Self::Health => checks::table(facts),
            Self::Alerts => alerts::table(facts),
            Self::Changes => changes::table(facts),
        }
    }

    /// The page about one row of the table; `None` if the row has gone.
    pub(crate) fn page(self, facts: &Facts, id: &str) -> Option<Page> {
        match self {
            Self::Databases => database::page(facts, id),
            Self::Batches => batch::page(facts, id),
            Self::Workers => workers::page(facts, id),
            Self::Queues => None,
            Self::DeadLetters => dead_letters::page(facts, id),
            Self::Doctor => findings::page(facts, id),
            Self::Health => checks::page(facts, id),
            Self::Alerts => alerts::page(facts, id),
            Self::Changes => changes::page(facts, id),
        }
    }
}
