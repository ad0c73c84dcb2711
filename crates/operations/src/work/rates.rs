//! Documents a second of a batch, and how long it will still take.

use std::collections::VecDeque;
use std::time::Duration;

/// A rate is an average over this time.
const OVER: Duration = Duration::from_secs(20);

/// How many stages of documents were done at earlier looks.
#[derive(Clone, Debug, Default)]
pub(crate) struct Rates {
    /// Milliseconds since 1970, and stages of documents that were done then.
    looks: VecDeque<(u64, u64)>,
}

impl Rates {
    /// Notes a look; stages a second since the look about [`OVER`] before it. `None` before there are two.
    pub(crate) fn note(&mut self, at_ms: u64, done: u64) -> Option<f64> {
        // A batch that was made anew under the name begins again, and so does a clock that was set back.
        if self.looks.back().is_some_and(|(at, before)| *before > done || *at >= at_ms) {
            self.looks.clear();
        }
        let oldest = at_ms.saturating_sub(OVER.as_millis() as u64);
        while self.looks.len() > 1 && self.looks[1].0 <= oldest {
            self.looks.pop_front();
        }
        self.looks.push_back((at_ms, done));
        let (from, before) = *self.looks.front()?;
        let seconds = at_ms.saturating_sub(from) as f64 / 1_000.0;
        (seconds > 0.0).then(|| (done - before) as f64 / seconds)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_of_the_last_twenty_seconds() {
        let mut rates = Rates::default();
        assert_eq!(rates.note(1_000, 0), None);
        assert_eq!(rates.note(11_000, 100), Some(10.0));
        assert_eq!(rates.note(21_000, 500), Some(25.0));
        assert_eq!(rates.note(31_000, 500), Some(20.0));
        assert_eq!(rates.note(61_000, 500), Some(0.0));
        // Made anew under the name.
        assert_eq!(rates.note(62_000, 3), None);
        assert_eq!(rates.note(63_000, 4), Some(1.0));
        // The clock was set back.
        assert_eq!(rates.note(5_000, 9), None);
    }
}
