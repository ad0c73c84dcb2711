//! How a stage of a pipeline is run: attempts, pauses, time-out, limits.

use std::time::Duration;

use compartment_core::{Backoff, MAX_ATTEMPTS, MAX_TTL, RateLimit};

/// How a stage runs. [`StageOptions::default`] has the defaults.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct StageOptions {
    /// The queue of the stage's single tasks; by default `pipeline.stage`.
    pub queue: Option<String>,
    /// The maximum number of documents that one worker processes in this stage at the same time; by
    /// default the worker's concurrency.
    pub concurrency: Option<usize>,
    /// The maximum number of attempts for a document, 1 to [`compartment_core::MAX_ATTEMPTS`].
    pub max_attempts: u8,
    /// How long a document waits after a failed attempt.
    pub backoff: Backoff,
    /// The time limit of an attempt. A longer one has failed.
    pub timeout: Duration,
    /// The maximum size of a result in bytes, as MessagePack. A larger one is the document's failure.
    pub max_result_bytes: u64,
    /// A key in the database `rate_limit`, and how often all workers together may compute a result. Stored results
    /// need no permit.
    pub rate_limit: Option<(String, RateLimit)>,
    /// Whether the document's lock is held while the stage runs, for stages that write to other systems.
    pub exclusive: bool,
    /// Whether the stage runs in the calling task and its result is not stored: for work that takes less than a
    /// millisecond and does not block.
    pub inline: bool,
}

impl Default for StageOptions {
    fn default() -> Self {
        Self {
            queue: None,
            concurrency: None,
            max_attempts: 3,
            backoff: Backoff::default(),
            timeout: Duration::from_secs(600),
            max_result_bytes: 64 * 1024 * 1024,
            rate_limit: None,
            exclusive: false,
            inline: false,
        }
    }
}

impl StageOptions {
    /// Sets the queue of single tasks.
    #[must_use]
    pub fn queue(mut self, name: impl Into<String>) -> Self {
        self.queue = Some(name.into());
        self
    }

    /// Sets the maximum number of documents at a time in one worker.
    #[must_use]
    pub fn concurrency(mut self, documents: usize) -> Self {
        self.concurrency = Some(documents.max(1));
        self
    }

    /// Sets the maximum number of attempts.
    #[must_use]
    pub fn max_attempts(mut self, attempts: u8) -> Self {
        self.max_attempts = attempts;
        self
    }

    /// Sets the pauses between attempts.
    #[must_use]
    pub fn backoff(mut self, backoff: Backoff) -> Self {
        self.backoff = backoff;
        self
    }

    /// Sets the time limit of an attempt.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Sets the maximum size of a result, in bytes.
    #[must_use]
    pub fn max_result_bytes(mut self, bytes: u64) -> Self {
        self.max_result_bytes = bytes;
        self
    }

    /// Requires a permit under `key`, for example `rate:openai:summarise`, before a result is computed.
    #[must_use]
    pub fn rate_limit(mut self, key: impl Into<String>, limit: RateLimit) -> Self {
        self.rate_limit = Some((key.into(), limit));
        self
    }

    /// Holds the document's lock while the stage runs, also where another stage needs its result.
    #[must_use]
    pub fn exclusive(mut self) -> Self {
        self.exclusive = true;
        self
    }

    /// Runs the stage in the calling task and stores no result.
    #[must_use]
    pub fn inline(mut self) -> Self {
        self.inline = true;
        self
    }

    /// Checks the options; the error names the allowed bounds.
    pub(crate) fn check(&self) -> Result<(), String> {
        let is_time = |time: Duration| !time.is_zero() && time <= MAX_TTL;
        if self.max_attempts == 0 || self.max_attempts > MAX_ATTEMPTS {
            return Err(format!("max_attempts must be 1 to {MAX_ATTEMPTS}"));
        }
        if self.concurrency == Some(0) {
            return Err("its concurrency must be at least 1".to_owned());
        }
        if !is_time(self.timeout) {
            return Err(
                "its time-out must be more than zero and at most a hundred years".to_owned()
            );
        }
        if self.max_result_bytes == 0 {
            return Err("max_result_bytes must be at least 1".to_owned());
        }
        if let Some((key, limit)) = &self.rate_limit {
            if key.is_empty() {
                return Err("the key of its rate limit is empty".to_owned());
            }
            if limit.permits == 0 || !is_time(limit.window) {
                return Err(
                    "its limit is of at least 1 permit in a window of more than zero and at most \
                            a hundred years"
                        .to_owned(),
                );
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_is_refused_with_its_bounds() {
        let limit = |permits, window| RateLimit::new(permits, window);
        let second = Duration::from_secs(1);
        let of = StageOptions::default;
        let none = StageOptions { concurrency: Some(0), ..of() };
        for (options, bounds) in [
            (of().max_attempts(0), "max_attempts must be 1 to 15"),
            (of().max_attempts(16), "max_attempts must be 1 to 15"),
            (none, "its concurrency must be at least 1"),
            (of().timeout(Duration::ZERO), "more than zero"),
            (of().timeout(Duration::MAX), "a hundred years"),
            (of().max_result_bytes(0), "max_result_bytes must be at least 1"),
            (of().rate_limit("", limit(1, second)), "is empty"),
            (of().rate_limit("rate:x", limit(0, second)), "at least 1 permit"),
            (of().rate_limit("rate:x", limit(1, Duration::ZERO)), "more than zero"),
            (of().rate_limit("rate:x", limit(1, Duration::MAX)), "a hundred years"),
        ] {
            assert!(options.check().unwrap_err().contains(bounds), "{options:?}");
        }
        let longest = Backoff::new(Duration::MAX, Duration::MAX);
        for options in [
            of(),
            of().max_attempts(15).timeout(MAX_TTL).backoff(longest).max_result_bytes(u64::MAX),
            of().rate_limit("rate:x", limit(u32::MAX, MAX_TTL)),
            StageOptions { concurrency: Some(usize::MAX), ..of() },
        ] {
            assert_eq!(options.check(), Ok(()));
        }
    }
}
