//! The age of a key: by the TTL that its template gave it, else by the time since its last use.

use std::time::Duration;

use compartment_core::{DatabaseMap, Template};
use compartment_redis::{Connection, read_answer};
use redis::{Pipeline, Value};
use serde::Serialize;

use crate::question::about;
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

    /// The most commands for a key.
    pub(super) const COMMANDS: usize = 2;

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
        let Some(older_than) = self.older_than else {
            let old = names.into_iter().map(|name| Old {
                name,
                by: AgeBy::Any,
                bound: 0,
                age_seconds: 0,
            });
            return Ok(old.map(Age::Old).collect());
        };
        // The TTL matters only where a template gave it.
        let by_ttl: Vec<bool> = names.iter().map(|name| self.ttl_of(name).is_some()).collect();
        let answers = if by_ttl.contains(&true) {
            let mut pipeline = Pipeline::with_capacity(2 * names.len());
            for (name, by_ttl) in names.iter().zip(&by_ttl) {
                let on_server = place.on_server(name);
                if *by_ttl {
                    about(&mut pipeline, &["PTTL"], on_server.as_ref());
                }
                about(&mut pipeline, &["OBJECT", "IDLETIME"], on_server.as_ref());
            }
            connection.ask_each(ASK, &pipeline).await?
        } else {
            let keys: Vec<_> = names.iter().map(|name| place.on_server(name)).collect();
            connection.ask_about(ASK, &[&["OBJECT", "IDLETIME"]], &keys).await?
        };
        let mut answers = answers.into_iter();
        let mut told = Vec::with_capacity(names.len());
        for by_ttl in by_ttl {
            let left = if by_ttl { Some(left(answers.next(), place)?) } else { None };
            // An LFU policy is an error here, and so is a server that hides the command.
            let idle = answers.next().and_then(|idle| read_answer::<Option<u64>>(ASK, idle).ok());
            told.push((left, idle));
        }
        self.tell_those_gone(connection, place, &names, &mut told).await?;
        let each = names.into_iter().zip(told);
        Ok(each
            .map(|(name, (left, idle))| {
                let gone = if idle == Some(None) { -2 } else { -1 };
                self.age(name, left.unwrap_or(gone), idle.flatten(), older_than)
            })
            .collect())
    }

    /// Asks for the TTL of keys of which nothing is known, so that those that are gone do not count.
    async fn tell_those_gone(
        &self,
        connection: &mut Connection,
        place: &Place,
        names: &[Vec<u8>],
        told: &mut [(Option<i64>, Option<Option<u64>>)],
    ) -> Result<()> {
        let mut pipeline = Pipeline::new();
        for (name, _) in names.iter().zip(told.iter()).filter(|(_, told)| **told == (None, None)) {
            about(&mut pipeline, &["PTTL"], place.on_server(name).as_ref());
        }
        let mut answers = connection.ask_each(ASK, &pipeline).await?.into_iter();
        for slot in told.iter_mut().filter(|told| **told == (None, None)) {
            slot.0 = Some(left(answers.next(), place)?);
        }
        Ok(())
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

const ASK: &str = "ask for the age of keys";

/// The milliseconds that a key has left, −1 for one that never expires, −2 for one that is gone.
fn left(answer: Option<Value>, place: &Place) -> Result<i64> {
    let left = read_answer(ASK, answer.unwrap_or(Value::Int(-2)));
    Ok(left.map_err(|error| error.in_database(place.label()))?)
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
