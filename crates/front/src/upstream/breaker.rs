//! Stops asking a server that is away, and tries it again after a pause.

use std::time::{Duration, Instant};

/// The first pause; each further one is twice as long.
const FIRST: Duration = Duration::from_millis(50);
/// The longest pause.
const LONGEST: Duration = Duration::from_secs(2);

/// Whether a server is asked.
#[derive(Debug, Default)]
pub(crate) struct Breaker {
    pause: Duration,
    until: Option<Instant>,
    reason: String,
}

impl Breaker {
    /// Why it is not asked now; `None`: it is.
    pub(crate) fn refuses(&self, now: Instant) -> Option<&str> {
        self.until.filter(|until| now < *until).map(|_| self.reason.as_str())
    }

    /// It could not be reached.
    pub(crate) fn failed(&mut self, now: Instant, reason: String) {
        self.pause = (self.pause * 2).clamp(FIRST, LONGEST);
        self.until = Some(now + self.pause);
        self.reason = reason;
    }

    /// It was reached.
    pub(crate) fn succeeded(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_that_is_away_is_tried_again_after_longer_and_longer_pauses() {
        let (mut breaker, start) = (Breaker::default(), Instant::now());
        assert_eq!(breaker.refuses(start), None);
        breaker.failed(start, "gone".to_owned());
        assert_eq!(breaker.refuses(start), Some("gone"));
        assert_eq!(breaker.refuses(start + FIRST), None);
        breaker.failed(start + FIRST, "gone".to_owned());
        assert_eq!(breaker.refuses(start + 2 * FIRST), Some("gone"));
        for _ in 0..20 {
            breaker.failed(start, "gone".to_owned());
        }
        assert_eq!(breaker.refuses(start + LONGEST), None);
        breaker.succeeded();
        assert_eq!(breaker.refuses(start), None);
    }
}
