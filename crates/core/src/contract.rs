//! A database's contract: its kind, its placement, and the lifetime of its keys.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::placement::{Placement, Previous};
use crate::{Error, ErrorKind, Result};

/// The kind of a database, which determines how its keys may be lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DatabaseKind {
    /// Every key has a TTL; keys may be evicted within the budget; fails open if Redis is unavailable.
    Cache,
    /// No TTL needed; never evicted; fails closed.
    Durable,
    /// Locks, limits, leases: every key has a TTL; never evicted; locks fail closed.
    Coordination,
}

impl DatabaseKind {
    /// Whether every key of such a database must have a TTL.
    #[must_use]
    pub fn requires_ttl(self) -> bool {
        match self {
            Self::Cache | Self::Coordination => true,
            Self::Durable => false,
        }
    }

    /// Whether a key may be evicted before its TTL.
    #[must_use]
    pub fn may_evict(self) -> bool {
        match self {
            Self::Cache => true,
            Self::Durable | Self::Coordination => false,
        }
    }
}

impl fmt::Display for DatabaseKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // `pad`, so that tables can align it.
        f.pad(match self {
            Self::Cache => "cache",
            Self::Durable => "durable",
            Self::Coordination => "coordination",
        })
    }
}

/// The lifetime of a written key.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Expiry {
    /// The database's `default_ttl`. A write that updates an existing hash or counter keeps its TTL.
    #[default]
    DatabaseDefault,
    /// This long from now, in milliseconds, rounded up; zero is refused.
    After(Duration),
    /// No TTL. Refused by databases whose keys must have one.
    Never,
    /// The key's current TTL; a new key gets the database's default.
    Keep,
}

impl From<Duration> for Expiry {
    fn from(duration: Duration) -> Self {
        Self::After(duration)
    }
}

/// The effect of an [`Expiry`] on a key's TTL under a contract, for backends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TtlRule {
    /// Set the TTL, in milliseconds.
    Set(u64),
    /// Remove any TTL.
    Clear,
    /// Keep the TTL of an existing key, or its lack of one.
    Keep {
        /// The TTL of a new key in milliseconds; `None` for no TTL.
        new_key: Option<u64>,
    },
}

/// The longest accepted TTL: a hundred years. Redis's own limit overflows silently into "expired" with some commands
/// and into an error with others.
pub const MAX_TTL: Duration = Duration::from_secs(100 * 366 * 86_400);

/// Checks a configured TTL.
///
/// # Errors
/// [`ErrorKind::Configuration`], naming `what` and the bounds.
pub(crate) fn check_ttl(what: &str, ttl: Duration) -> Result<()> {
    if !ttl.is_zero() && ttl <= MAX_TTL {
        return Ok(());
    }
    let message =
        format!("{what} is {ttl:?}; it must be more than zero and at most a hundred years");
    Err(Error::new(ErrorKind::Configuration, "read configuration", message))
}

/// The maximum number of fields of a hash that are set atomically.
pub const MAX_FIELDS_AT_ONCE: usize = 100_000;

/// A database's contract.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Contract {
    /// The database's name.
    pub name: String,
    /// The database's kind.
    pub kind: DatabaseKind,
    /// The database's placement.
    pub placement: Placement,
    /// The TTL of a key that is written without one.
    pub default_ttl: Option<Duration>,
    /// The maximum memory of its keys in bytes, if the backend can enforce it.
    pub memory_budget: Option<u64>,
    /// Whether it declares that it shares its placement with another database.
    pub is_shared: bool,
    /// The previous place of its keys, while a fleet moves.
    pub previous: Option<Previous>,
}

impl Contract {
    /// A contract with no default TTL and no budget, placed on `primary` at index 0.
    #[must_use]
    pub fn new(name: impl Into<String>, kind: DatabaseKind) -> Self {
        Self {
            name: name.into(),
            kind,
            placement: Placement::Index { instance: "primary".into(), index: 0 },
            default_ttl: None,
            memory_budget: None,
            is_shared: false,
            previous: None,
        }
    }

    /// Sets the placement.
    #[must_use]
    pub fn placement(mut self, placement: Placement) -> Self {
        self.placement = placement;
        self
    }

    /// Sets the number of the database on its instance.
    #[must_use]
    pub fn with_index(mut self, index: u32) -> Self {
        self.placement = Placement::Index { instance: self.placement.instance().into(), index };
        self
    }

    /// Sets the previous place that the database moves from.
    #[must_use]
    pub fn previous(mut self, previous: Previous) -> Self {
        self.previous = Some(previous);
        self
    }

    /// Sets the TTL of keys that are written without one.
    #[must_use]
    pub fn default_ttl(mut self, ttl: Duration) -> Self {
        self.default_ttl = Some(ttl);
        self
    }

    /// Sets the memory budget, in bytes.
    #[must_use]
    pub fn memory_budget(mut self, bytes: u64) -> Self {
        self.memory_budget = Some(bytes);
        self
    }

    /// The effect on the TTL of a write that replaces the whole value.
    ///
    /// # Errors
    /// [`ErrorKind::Contract`] if the kind requires a TTL and there is none; [`ErrorKind::InvalidArgument`] for a TTL
    /// of zero or above [`MAX_TTL`].
    pub fn on_replace(
        &self,
        operation: &'static str,
        key: &str,
        expiry: Expiry,
    ) -> Result<TtlRule> {
        match expiry {
            Expiry::DatabaseDefault => {
                Ok(self.default_millis(operation, key)?.map_or(TtlRule::Clear, TtlRule::Set))
            }
            _ => self.on_update(operation, key, expiry),
        }
    }

    /// The effect on the TTL of a write that updates a value (a hash field, a counter).
    ///
    /// # Errors
    /// As [`Contract::on_replace`].
    pub fn on_update(&self, operation: &'static str, key: &str, expiry: Expiry) -> Result<TtlRule> {
        match expiry {
            Expiry::After(ttl) => Ok(TtlRule::Set(self.millis(operation, key, ttl)?)),
            Expiry::Never if self.kind.requires_ttl() => Err(self.without_ttl(operation, key)),
            Expiry::Never => Ok(TtlRule::Clear),
            Expiry::DatabaseDefault | Expiry::Keep => {
                Ok(TtlRule::Keep { new_key: self.default_millis(operation, key)? })
            }
        }
    }

    /// Checks the settings.
    ///
    /// # Errors
    /// [`ErrorKind::Configuration`] with the setting and its bounds.
    pub fn check(&self) -> Result<()> {
        if let Some(ttl) = self.default_ttl {
            check_ttl(&format!("databases.{}.default_ttl", self.name), ttl)?;
        }
        if self.memory_budget == Some(0) {
            let what = format!(
                "databases.{}.memory_budget is 0: set a size such as 64MiB, or leave it out",
                self.name
            );
            return Err(Error::new(ErrorKind::Configuration, "read configuration", what));
        }
        Ok(())
    }

    /// Converts a lease, window or TTL to milliseconds, rounded up.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`] for zero or above [`MAX_TTL`].
    pub fn millis(&self, operation: &'static str, key: &str, duration: Duration) -> Result<u64> {
        if duration.is_zero() || duration > MAX_TTL {
            return Err(self.error(
                ErrorKind::InvalidArgument,
                operation,
                key,
                format!("a duration of {duration:?} is not allowed: use more than zero and at most a hundred years"),
            ));
        }
        // MAX_TTL in milliseconds is far below the limit.
        Ok(u64::try_from(duration.as_nanos().div_ceil(1_000_000)).unwrap_or(u64::MAX))
    }

    /// Checks whether this many fields of a hash can be set atomically.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`] above [`MAX_FIELDS_AT_ONCE`], because the server could not answer other clients
    /// meanwhile.
    pub fn check_field_count(
        &self,
        operation: &'static str,
        key: &str,
        count: usize,
    ) -> Result<()> {
        if count <= MAX_FIELDS_AT_ONCE {
            return Ok(());
        }
        let what =
            format!("{count} fields in one call are too many: the limit is {MAX_FIELDS_AT_ONCE}");
        Err(self.error(ErrorKind::InvalidArgument, operation, key, what))
    }

    /// An error about a key of this database.
    #[must_use]
    pub fn error(
        &self,
        kind: ErrorKind,
        operation: &'static str,
        key: &str,
        message: impl Into<String>,
    ) -> Error {
        Error::new(kind, operation, message).in_database(&self.name).at_key(key)
    }

    fn default_millis(&self, operation: &'static str, key: &str) -> Result<Option<u64>> {
        match self.default_ttl {
            Some(ttl) => self.millis(operation, key, ttl).map(Some),
            None if self.kind.requires_ttl() => Err(self.without_ttl(operation, key)),
            None => Ok(None),
        }
    }

    fn without_ttl(&self, operation: &'static str, key: &str) -> Error {
        self.error(
            ErrorKind::Contract,
            operation,
            key,
            format!(
                "every key of a {} database needs a TTL: give one with the write, or set default_ttl for {:?}",
                self.kind, self.name
            ),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cache_key_without_a_ttl_is_refused_and_the_error_says_what_to_do() {
        let contract = Contract::new("cache", DatabaseKind::Cache);
        let error = contract.on_replace("set", "a", Expiry::DatabaseDefault).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Contract);
        assert!(error.to_string().contains("default_ttl"), "{error}");
        assert!(contract.on_update("set", "a", Expiry::Never).is_err());
        assert!(contract.on_replace("set", "a", Expiry::Keep).is_err());
        assert_eq!(
            contract.on_replace("set", "a", Duration::from_secs(1).into()).unwrap(),
            TtlRule::Set(1_000)
        );
    }

    #[test]
    fn the_default_ttl_replaces_on_a_whole_write_and_only_fills_in_on_an_update() {
        let contract =
            Contract::new("results", DatabaseKind::Durable).default_ttl(Duration::from_secs(60));
        let rule = contract.on_replace("set", "a", Expiry::DatabaseDefault).unwrap();
        assert_eq!(rule, TtlRule::Set(60_000));
        let rule = contract.on_update("increment", "a", Expiry::DatabaseDefault).unwrap();
        assert_eq!(rule, TtlRule::Keep { new_key: Some(60_000) });
    }

    #[test]
    fn times_are_rounded_up_and_zero_is_refused() {
        let contract = Contract::new("batch", DatabaseKind::Durable);
        assert_eq!(contract.millis("set", "a", Duration::from_nanos(1)).unwrap(), 1);
        assert_eq!(contract.millis("set", "a", Duration::from_micros(1_001)).unwrap(), 2);
        assert!(contract.millis("set", "a", Duration::ZERO).is_err());
        assert!(contract.millis("set", "a", Duration::MAX).is_err());
    }
}
