//! Adds up the results reported by the test programs.

use std::fmt;

/// The results of all test programs together.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    passed: u64,
    pub(crate) failed: u64,
    skipped: u64,
    /// Skipped tests that need a redis-server.
    pub(crate) without_redis: u64,
}

/// The reason in the `ignore` attribute of such tests.
const NEEDS_REDIS: &str = "needs redis-server";

impl Tally {
    /// Counts a line of a test program's output, if it has a result.
    pub(crate) fn read(&mut self, line: &str) {
        let line = line.trim();
        if line.starts_with("test ") && line.contains("ignored") && line.contains(NEEDS_REDIS) {
            self.without_redis += 1;
        }
        let Some(result) = line.strip_prefix("test result: ") else { return };
        // ok. 12 passed; 0 failed; 3 ignored; 0 measured; 0 filtered out; finished in 0.10s
        for part in result.split(['.', ';']) {
            let mut words = part.split_whitespace();
            let (Some(number), Some(what), None) = (words.next(), words.next(), words.next())
            else {
                continue;
            };
            let Ok(number) = number.parse::<u64>() else { continue };
            match what {
                "passed" => self.passed += number,
                "failed" => self.failed += number,
                "ignored" => self.skipped += number,
                _ => {}
            }
        }
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} passed, {} failed, {} skipped", self.passed, self.failed, self.skipped)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_of_several_programs_add_up() {
        let mut tally = Tally::default();
        for line in [
            "running 4 tests",
            "test a ... ok",
            "test b ... ignored, needs redis-server",
            "test c ... ignored, slow",
            "test d ... FAILED",
            "test result: FAILED. 1 passed; 1 failed; 2 ignored; 0 measured; 0 filtered out; \
             finished in 1.05s",
            "   Doc-tests compartment_core",
            "test result: ok. 12 passed; 0 failed; 0 ignored; 0 measured; 3 filtered out; \
             finished in 0.10s\n",
        ] {
            tally.read(line);
        }
        assert_eq!(tally.to_string(), "13 passed, 1 failed, 2 skipped");
        assert_eq!(tally.without_redis, 1);
    }

    #[test]
    fn what_a_test_prints_is_not_a_result() {
        let mut tally = Tally::default();
        tally.read("3 passed; 4 failed");
        tally.read("the server said: needs redis-server, ignored");
        tally.read("test result: nonsense");
        assert_eq!(tally, Tally::default());
    }
}
