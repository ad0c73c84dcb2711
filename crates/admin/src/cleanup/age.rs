//! The age of a key: by the TTL that its template gave it, else by the time since its last use.

use std::time::Duration;

use compartment_core::{DatabaseMap, Template};
use compartment_redis::{Connection, read_answer};
use redis::Pipeline;
use serde::Serialize;

use crate::{Place, Result};

/// How the age of a key is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum AgeBy {
    /// By the rest of its TTL: the template's TTL less what is left.
    Ttl,
    /// By the time since its last read or write. Servers with an LFU policy do not tell it.
    Idle,
    /// It was not asked for.
    Any,
}

impl AgeBy {
    /// The word that the script `remove_old` knows.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Ttl => "ttl",
            Self::Idle => "idle",
            Self::Any => "any",
        }
    }
}

/// An old key, and the bound by which the server checks again that it is old when it is removed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Old {
    pub(super) name: Vec<u8>,
    pub(super) by: AgeBy,
    /// For [`AgeBy::Ttl`] the milliseconds that it may have left at most, for [`AgeBy::Idle`] the seconds that it
    /// has been unused at least.
    pub(super) bound: u64,
    /// Its age in seconds; 0 where it was not asked for.
    pub(super) age_seconds: u64,
}

/// The age of one key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Age {
    Old(Old),
    Young,
    /// It has no TTL by a template, and its server does not tell when it was used.
    Unknown,
    /// It expired or was deleted since it was listed.
    Gone,
}

/// The TTLs that templates give to keys of one database.
pub(super) struct Ages {
    templates: Vec<(Template, Duration)>,
    older_than: Option<Duration>,
}

impl Ages {
    /// Keys of `place` are old after `older_than`; each is without it.
    pub(super) fn new(place: &Place, map: &DatabaseMap, older_than: Option<Duration>) -> Self {
        let rules = map.keys().iter().filter(|(_, rule)| rule.database == place.label());
        let templates = rules
            .filter_map(|(name, rule)| Some((rule.template.clone(), map.ttl_of(name)?)))
            .collect();
        Self { templates, older_than }
    }

    fn ttl_of(&self, name: &[u8]) -> Option<Duration> {
        let name = std::str::from_utf8(name).ok()?;
        self.templates.iter().find(|(template, _)| template.matches(name)).map(|(_, ttl)| *ttl)
    }

    /// The ages of keys, in their order. None of the questions counts as a use.
    ///
    /// # Errors
    /// The connection's.
    pub(super) async fn of(
        &self,
        connection: &mut Connection,
        place: &Place,
        names: Vec<Vec<u8>>,
    ) -> Result<Vec<Age>> {
        const ASK: &str = "ask for the age of keys";
        let Some(older_than) = self.older_than else {
            let old = names.into_iter().map(|name| Old {
                name,
                by: AgeBy::Any,
                bound: 0,
                age_seconds: 0,
            });
            return Ok(old.map(Age::Old).collect());
        };
        let mut pipeline = Pipeline::with_capacity(2 * names.len());
        for name in &names {
            let on_server = place.on_server(name);
            pipeline.cmd("PTTL").arg(on_server.as_ref());
            pipeline.cmd("OBJECT").arg("IDLETIME").arg(on_server.as_ref());
        }
        let mut answers = connection.ask_each(ASK, &pipeline).await?.into_iter();
        let mut ages = Vec::with_capacity(names.len());
        for name in names {
            let (left, idle) = (answers.next(), answers.next());
            let left: i64 = read_answer(ASK, left.unwrap_or(redis::Value::Int(-2)))
                .map_err(|error| error.in_database(place.label()))?;
            // An LFU policy is an error here, and so is a server that hides the command.
            let idle = idle.and_then(|idle| read_answer::<Option<u64>>(ASK, idle).ok().flatten());
            ages.push(self.age(name, left, idle, older_than));
        }
        Ok(ages)
    }

    fn age(&self, name: Vec<u8>, left: i64, idle: Option<u64>, older_than: Duration) -> Age {
        if left == -2 {
            return Age::Gone;
        }
        let given = u64::try_from(left).ok().zip(self.ttl_of(&name));
        if let Some((left, given)) = given
            && let Some(age) = millis(given).checked_sub(left)
        {
            let bound = millis(given).saturating_sub(millis(older_than));
            let is_old = millis(older_than) <= age;
            let old = Old { name, by: AgeBy::Ttl, bound, age_seconds: age / 1_000 };
            return if is_old { Age::Old(old) } else { Age::Young };
        }
        let Some(idle) = idle else { return Age::Unknown };
        // The server counts whole seconds.
        let bound = older_than.as_secs() + u64::from(older_than.subsec_nanos() > 0);
        let old = Old { name, by: AgeBy::Idle, bound, age_seconds: idle };
        if idle >= bound { Age::Old(old) } else { Age::Young }
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_secs(3_600);

    fn ages() -> Ages {
        let template = Template::parse("doc:text:{id}").unwrap();
        Ages { templates: vec![(template, HOUR * 24)], older_than: Some(HOUR) }
    }

    fn age(name: &str, left: i64, idle: Option<u64>) -> Age {
        ages().age(name.into(), left, idle, HOUR)
    }

    fn old(name: &str, by: AgeBy, bound: u64, age_seconds: u64) -> Age {
        Age::Old(Old { name: name.into(), by, bound, age_seconds })
    }

    #[test]
    fn a_templates_ttl_tells_when_a_key_was_written() {
        let day = 86_400_000;
        let bound = day - 3_600_000;
        let left = |age: i64| day as i64 - age;
        assert_eq!(
            age("doc:text:1", left(3_600_000), Some(0)),
            old("doc:text:1", AgeBy::Ttl, bound, 3_600)
        );
        assert_eq!(age("doc:text:1", left(3_599_999), Some(90_000)), Age::Young);
        // A longer TTL was given by somebody else: the last use decides.
        assert_eq!(age("doc:text:1", 2 * day as i64, Some(10)), Age::Young);
    }

    #[test]
    fn other_keys_are_as_old_as_their_last_use() {
        assert_eq!(age("page:1", 5, Some(3_600)), old("page:1", AgeBy::Idle, 3_600, 3_600));
        assert_eq!(age("page:1", -1, Some(3_599)), Age::Young);
        assert_eq!(age("page:1", -1, None), Age::Unknown);
        assert_eq!(age("page:1", -2, None), Age::Gone);
    }
}
