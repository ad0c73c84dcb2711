//! Switches of existing deployments: environment variables whose names other programs gave.

use std::time::Duration;

use super::environment::{number, switch};
use super::problem::wrong;
use super::warming::WITHIN;
use super::worker::{LEASE, check_attempts};
use super::{DatabaseMapBuilder, Role};
use crate::{Placement, Result};

const HOUR: u64 = 3_600;

impl DatabaseMapBuilder {
    /// Applies the switches; `get` returns a variable that is set.
    pub(super) fn apply_deployed<'a>(
        &mut self,
        get: &impl Fn(&str) -> Option<&'a str>,
    ) -> Result<()> {
        if let Some(value) = get("REDIS_ENABLE_OPTIMIZATION") {
            self.apply_optimization(switch("REDIS_ENABLE_OPTIMIZATION", value)?);
        }
        self.apply_warming(get)?;
        self.apply_streams(get)?;
        if let Some(value) = get("REDIS_MONITOR_PORT") {
            // `compartment serve` listens on it.
            number::<u16>("REDIS_MONITOR_PORT", value)?;
        }
        if let Some(value) = get("REDIS_MONITOR_ENABLED")
            && switch("REDIS_MONITOR_ENABLED", value)?
        {
            let what = "REDIS_MONITOR_ENABLED starts nothing by itself: `compartment serve` serves the page";
            self.notes.push(what.to_owned());
        }
        Ok(())
    }

    /// Everything that Compartment does beside reading and writing: caching, warming and keeping house.
    fn apply_optimization(&mut self, is_on: bool) {
        const BY: &str = "REDIS_ENABLE_OPTIMIZATION";
        if is_on {
            // The settings of the file, which are on unless it says otherwise.
            return;
        }
        self.sections.cache.enabled = Some(false);
        self.note_override("cache.enabled", false, BY);
        self.sections.warming.enabled = false;
        self.note_override("warming.enabled", false, BY);
        self.sections.housekeeping.enabled = false;
        self.note_override("housekeeping.enabled", false, BY);
    }

    fn apply_warming<'a>(&mut self, get: &impl Fn(&str) -> Option<&'a str>) -> Result<()> {
        const ENABLED: &str = "REDIS_CACHE_WARMING_ENABLED";
        const HOURS: &str = "REDIS_CACHE_WARMING_HOURS";
        const LIMIT: &str = "REDIS_CACHE_WARMING_LIMIT";
        if let Some(value) = get(ENABLED) {
            self.sections.warming.enabled = switch(ENABLED, value)?;
            self.note_override("warming.enabled", self.sections.warming.enabled, ENABLED);
        }
        if let Some(value) = get(HOURS) {
            let hours: u64 = number(HOURS, value)?;
            let within = Duration::from_secs(hours.saturating_mul(HOUR));
            WITHIN.check(within).map_err(|why| wrong(format!("{HOURS}: {why}")))?;
            self.sections.warming.within = within;
            self.note_override("warming.within", format_args!("{hours}h"), HOURS);
        }
        if let Some(value) = get(LIMIT) {
            self.sections.warming.limit = number(LIMIT, value)?;
            self.note_override("warming.limit", self.sections.warming.limit, LIMIT);
        }
        Ok(())
    }

    /// Streams of those deployments are our batches: their prefix, the retries of a message, and the time after
    /// which a message that was delivered, and never acknowledged, goes to another consumer.
    fn apply_streams<'a>(&mut self, get: &impl Fn(&str) -> Option<&'a str>) -> Result<()> {
        const PREFIX: &str = "STREAM_PREFIX";
        const RETRIES: &str = "MAX_STREAM_RETRIES";
        const IDLE: &str = "STREAM_MSG_IDLE_TIMEOUT_MS";
        if let Some(value) = get(PREFIX) {
            self.apply_prefix(PREFIX, value)?;
        }
        if let Some(value) = get(RETRIES) {
            let retries: u64 = number(RETRIES, value)?;
            let attempts = check_attempts(retries.saturating_add(1));
            let attempts =
                attempts.map_err(|why| wrong(format!("{RETRIES} is {value:?}, so that {why}")))?;
            self.sections.worker.max_attempts = Some(attempts);
            self.note_override("worker.max_attempts", attempts, RETRIES);
        }
        if let Some(value) = get(IDLE) {
            let lease = Duration::from_millis(number(IDLE, value)?);
            LEASE.check(lease).map_err(|why| wrong(format!("{IDLE}: {why}")))?;
            self.sections.worker.lease = Some(lease);
            self.note_override("worker.lease", humantime::format_duration(lease), IDLE);
        }
        Ok(())
    }

    /// The keys of batches and queues begin with the prefix.
    fn apply_prefix(&mut self, variable: &str, value: &str) -> Result<()> {
        let value = value.trim();
        let is_plain = |letter: char| letter.is_ascii_graphic() && !"*?[]{}\\^".contains(letter);
        if value.is_empty() || !value.chars().all(is_plain) {
            return Err(wrong(format!(
                "{variable} is {value:?}; it must be letters, digits and signs other than * ? [ ] {{ }} \\ ^"
            )));
        }
        let prefix = if value.ends_with(':') { value.to_owned() } else { format!("{value}:") };
        let name = self.sections.roles.database(Role::Batch).to_owned();
        let Some(contract) = self.databases.get_mut(&name) else {
            self.notes
                .push(format!("{variable} is not used: there is no database {name:?} for batches"));
            return Ok(());
        };
        let (instance, index) =
            (contract.placement.instance().to_owned(), contract.placement.index());
        contract.placement = Placement::Prefix { instance, index, prefix: prefix.clone() };
        self.note_override(format!("databases.{name}.prefix"), prefix, variable);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{DatabaseMap, Instance, Preset};

    fn with(variables: &[(&str, &str)]) -> Result<DatabaseMap> {
        let variables = variables.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned()));
        DatabaseMapBuilder::preset(Preset::Pipeline)
            .instance("primary", Instance::new("memory://").unwrap())
            .environment_variables(variables)?
            .build()
    }

    fn told(map: &DatabaseMap) -> Vec<String> {
        map.overridden().iter().map(ToString::to_string).collect()
    }

    #[test]
    fn every_switch_sets_its_setting_and_is_named_as_its_source() {
        let map = with(&[
            ("REDIS_CACHE_WARMING_ENABLED", "no"),
            ("REDIS_CACHE_WARMING_HOURS", "48"),
            ("REDIS_CACHE_WARMING_LIMIT", "7"),
            ("STREAM_PREFIX", "docpipe"),
            ("MAX_STREAM_RETRIES", "3"),
            ("STREAM_MSG_IDLE_TIMEOUT_MS", "300000"),
        ])
        .unwrap();
        let warming = map.warming();
        assert_eq!((warming.enabled, warming.limit), (false, 7));
        assert_eq!(warming.within, Duration::from_secs(48 * HOUR));
        assert_eq!(map.database("batch").unwrap().placement.prefix(), "docpipe:");
        assert_eq!(map.database("batch").unwrap().placement.index(), 4);
        assert_eq!(map.worker().max_attempts, Some(4));
        assert_eq!(map.worker().lease, Some(Duration::from_secs(300)));
        assert_eq!(
            told(&map),
            [
                "warming.enabled = false by REDIS_CACHE_WARMING_ENABLED",
                "warming.within = 48h by REDIS_CACHE_WARMING_HOURS",
                "warming.limit = 7 by REDIS_CACHE_WARMING_LIMIT",
                "databases.batch.prefix = docpipe: by STREAM_PREFIX",
                "worker.max_attempts = 4 by MAX_STREAM_RETRIES",
                "worker.lease = 5m by STREAM_MSG_IDLE_TIMEOUT_MS",
            ]
        );
        let written = map.to_toml();
        let read = DatabaseMapBuilder::toml(&written).unwrap().build().unwrap();
        assert_eq!(read.warming(), map.warming(), "{written}");
        assert_eq!(read.worker(), map.worker(), "{written}");
        assert_eq!(read.databases(), map.databases(), "{written}");
    }

    #[test]
    fn without_optimisation_nothing_is_cached_or_warmed_unless_told() {
        let off = with(&[("REDIS_ENABLE_OPTIMIZATION", "0")]).unwrap();
        assert_eq!((off.cache().enabled, off.warming().enabled), (Some(false), false));
        assert!(!off.housekeeping().enabled);
        let both = with(&[
            ("REDIS_ENABLE_OPTIMIZATION", "false"),
            ("CACHE_ENABLED", "true"),
            ("REDIS_CACHE_WARMING_ENABLED", "true"),
        ])
        .unwrap();
        assert_eq!((both.cache().enabled, both.warming().enabled), (Some(true), true));
        assert_eq!(
            told(&both),
            [
                "housekeeping.enabled = false by REDIS_ENABLE_OPTIMIZATION",
                "warming.enabled = true by REDIS_CACHE_WARMING_ENABLED",
                "cache.enabled = true by CACHE_ENABLED",
            ]
        );
        let on = with(&[("REDIS_ENABLE_OPTIMIZATION", "yes")]).unwrap();
        assert_eq!((on.cache().enabled, on.overridden().len()), (None, 0));
    }

    #[test]
    fn a_switch_without_an_effect_is_noted() {
        let map = with(&[("REDIS_MONITOR_ENABLED", "true"), ("REDIS_MONITOR_PORT", "8090")]);
        assert_eq!(map.unwrap().notes().len(), 1);
        assert!(with(&[("REDIS_MONITOR_PORT", "8090")]).unwrap().notes().is_empty());
        let off = with(&[("REDIS_MONITOR_ENABLED", "false")]).unwrap();
        assert!(off.notes().is_empty());
    }

    #[test]
    fn a_wrong_value_names_its_variable_and_what_would_be_right() {
        for (name, value, says) in [
            ("REDIS_ENABLE_OPTIMIZATION", "maybe", "true or false"),
            ("REDIS_CACHE_WARMING_HOURS", "a day", "whole number"),
            ("REDIS_CACHE_WARMING_HOURS", "0", "between"),
            ("REDIS_CACHE_WARMING_HOURS", "18446744073709551615", "between"),
            ("REDIS_CACHE_WARMING_LIMIT", "-1", "whole number"),
            ("MAX_STREAM_RETRIES", "15", "between 1 and 15"),
            ("MAX_STREAM_RETRIES", "18446744073709551615", "between 1 and 15"),
            ("STREAM_MSG_IDLE_TIMEOUT_MS", "5", "between"),
            ("STREAM_PREFIX", "a*b", "letters"),
            ("STREAM_PREFIX", "a b", "letters"),
            ("REDIS_MONITOR_PORT", "70000", "whole number"),
        ] {
            let error = with(&[(name, value)]).unwrap_err().to_string();
            assert!(error.contains(name) && error.contains(says), "{name}={value}: {error}");
        }
    }
}
