//! The order of batches and queues, by their class and by when they were last served.

use std::collections::HashMap;

use compartment_core::{MonotonicInstant, TaskClass};

/// When this worker last served each source.
///
/// The turn of a source is due at the time it was last served plus the slack of its class, and the earliest turn is
/// next. A source with work therefore waits at most its slack behind more urgent ones, plus one claim of each other
/// source of its class. Nothing starves, however much work other sources have.
#[derive(Debug, Default)]
pub(crate) struct Turns {
    served: HashMap<String, MonotonicInstant>,
}

impl Turns {
    /// Sorts sources by their turns. `of` returns a source's name, its class and since when it waits.
    pub(crate) fn in_order<T>(
        &self,
        mut sources: Vec<T>,
        of: impl Fn(&T) -> (&str, TaskClass, MonotonicInstant),
    ) -> Vec<T> {
        sources.sort_by_cached_key(|source| {
            let (name, class, since) = of(source);
            let served = self.served.get(name).copied().unwrap_or(since);
            (served.after(class.slack()), name.to_owned())
        });
        sources
    }

    /// Records that a source was served.
    pub(crate) fn served(&mut self, name: &str, now: MonotonicInstant) {
        match self.served.get_mut(name) {
            Some(served) => *served = now,
            None => {
                self.served.insert(name.to_owned(), now);
            }
        }
    }

    /// Forgets sources that no longer exist.
    pub(crate) fn retain(&mut self, is_there: impl Fn(&str) -> bool) {
        self.served.retain(|name, _| is_there(name));
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    /// Serves the first source for one claim of 250 ms, and returns its name.
    fn serve(
        turns: &mut Turns,
        now: &mut MonotonicInstant,
        sources: &[(&'static str, TaskClass)],
    ) -> &'static str {
        let order = turns.in_order(sources.to_vec(), |(name, class)| {
            (name, *class, MonotonicInstant::default())
        });
        turns.served(order[0].0, *now);
        *now = now.after(Duration::from_millis(250));
        order[0].0
    }

    #[test]
    fn sources_of_one_class_take_turns() {
        let (mut turns, mut now) =
            (Turns::default(), MonotonicInstant::since_beginning(Duration::from_secs(1_000)));
        let sources =
            [("a", TaskClass::Normal), ("b", TaskClass::Normal), ("c", TaskClass::Normal)];
        let served: Vec<&str> = (0..6).map(|_| serve(&mut turns, &mut now, &sources)).collect();
        assert_eq!(served, ["a", "b", "c", "a", "b", "c"]);
    }

    #[test]
    fn what_is_urgent_goes_first_and_nothing_waits_longer_than_its_slack() {
        let (mut turns, mut now) =
            (Turns::default(), MonotonicInstant::since_beginning(Duration::from_secs(1_000)));
        let sources =
            [("low", TaskClass::Low), ("normal", TaskClass::Normal), ("high", TaskClass::High)];
        for (name, _) in sources {
            turns.served(name, now);
        }
        let mut last = HashMap::from([("low", now), ("normal", now), ("high", now)]);
        let mut longest: HashMap<&str, Duration> = HashMap::new();
        let mut counts: HashMap<&str, u32> = HashMap::new();
        // An hour of claims.
        for _ in 0..14_400 {
            let name = serve(&mut turns, &mut now, &sources);
            let waited = now.since(last.insert(name, now).unwrap());
            let longest = longest.entry(name).or_default();
            *longest = waited.max(*longest);
            *counts.entry(name).or_default() += 1;
        }
        let claim = Duration::from_millis(250);
        for (name, class) in sources {
            let bound = class.slack() + claim * 3;
            assert!(longest[name] <= bound, "{name} waited {:?}, bound {bound:?}", longest[name]);
        }
        assert!(counts["high"] > 14_000 && counts["low"] >= 5, "{counts:?}");
    }
}
