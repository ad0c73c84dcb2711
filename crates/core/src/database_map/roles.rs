//! Which database serves which role of the pipeline and the command line.

use std::collections::BTreeMap;
use std::fmt;

use serde::Deserialize;

/// A role of a database for the pipeline and the command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Role {
    /// Cached results of stages.
    Cache,
    /// Batches, queues of single tasks, workers and the states of documents.
    Batch,
    /// Metrics.
    Metrics,
    /// Rate limits of the fleet, and locks on documents.
    RateLimit,
    /// Permanent results.
    Results,
}

impl Role {
    /// Every role.
    pub const ALL: [Self; 5] =
        [Self::Cache, Self::Batch, Self::Metrics, Self::RateLimit, Self::Results];

    /// The role's name in `[roles]`, and by default the name of its database.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Cache => "cache",
            Self::Batch => "batch",
            Self::Metrics => "metrics",
            Self::RateLimit => "rate_limit",
            Self::Results => "results",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The database for each [`Role`]; by default the one with the role's name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Roles {
    told: BTreeMap<Role, String>,
}

impl Roles {
    /// Sets the database that serves `role`.
    #[must_use]
    pub fn serve(mut self, role: Role, database: impl Into<String>) -> Self {
        self.told.insert(role, database.into());
        self
    }

    /// The name of the database that serves a role.
    #[must_use]
    pub fn database(&self, role: Role) -> &str {
        self.told.get(&role).map_or(role.name(), String::as_str)
    }

    /// The database that a key template refers to with `name`: if `name` is a role, the database that serves it,
    /// otherwise the database of that name.
    #[must_use]
    pub fn resolve<'a>(&'a self, name: &'a str) -> &'a str {
        let role = Role::ALL.into_iter().find(|role| role.name() == name);
        role.map_or(name, |role| self.database(role))
    }

    /// The explicitly assigned roles, with their databases.
    pub(super) fn told(&self) -> impl Iterator<Item = (Role, &str)> {
        self.told.iter().map(|(role, database)| (*role, database.as_str()))
    }
}

impl From<BTreeMap<Role, String>> for Roles {
    fn from(told: BTreeMap<Role, String>) -> Self {
        Self { told }
    }
}

#[cfg(test)]
mod tests {
    use super::super::DatabaseMapBuilder;
    use super::*;

    const MAP: &str = "preset = \"pipeline\"\n[instances.primary]\nurl = \"memory://\"\n\
                       [databases]\njobs = { index = 9, kind = \"durable\" }\n[roles]\n";

    #[test]
    fn a_role_is_served_by_the_database_of_its_name_unless_told() {
        let roles = Roles::default().serve(Role::Batch, "jobs");
        assert_eq!((roles.database(Role::Batch), roles.database(Role::Cache)), ("jobs", "cache"));
        assert_eq!((roles.resolve("batch"), roles.resolve("other")), ("jobs", "other"));
    }

    #[test]
    fn a_file_tells_roles_and_is_written_with_them() {
        let map = DatabaseMapBuilder::toml(&format!("{MAP}batch = \"jobs\"")).unwrap();
        let map = map.build().unwrap();
        assert_eq!(map.roles().database(Role::Batch), "jobs");
        let text = map.to_toml();
        assert!(text.contains("[roles]\nbatch = \"jobs\""), "{text}");
        let again = DatabaseMapBuilder::toml(&text).unwrap().build().unwrap();
        assert_eq!(again.roles(), map.roles());
    }

    #[test]
    fn unknown_roles_and_databases_are_refused_by_name() {
        let error = DatabaseMapBuilder::toml(&format!("{MAP}jobs = \"jobs\"")).unwrap_err();
        assert!(error.message().contains("jobs"), "{error}");
        let map = DatabaseMapBuilder::toml(&format!("{MAP}batch = \"job\"")).unwrap();
        let error = map.build().unwrap_err();
        assert!(error.message().contains("did you mean \"jobs\""), "{error}");
    }
}
