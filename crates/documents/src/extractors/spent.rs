//! The cost of what services were asked.

use serde::{Deserialize, Serialize};

/// The cost of requests to a service.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct Spent {
    /// Requests that were sent, those that failed included.
    pub requests: u64,
    /// Tokens that were sent, as the service counts them.
    pub tokens_in: u64,
    /// Tokens that were answered.
    pub tokens_out: u64,
    /// The price by the configured prices, in millionths of a US dollar.
    pub micro_usd: u64,
    /// Requests for which the service told no tokens: they may have cost something.
    pub unmetered: u64,
}

impl Spent {
    /// Adds the cost of other requests.
    pub fn add(&mut self, other: &Self) {
        let Self { requests, tokens_in, tokens_out, micro_usd, unmetered } = other;
        for (sum, more) in [
            (&mut self.requests, requests),
            (&mut self.tokens_in, tokens_in),
            (&mut self.tokens_out, tokens_out),
            (&mut self.micro_usd, micro_usd),
            (&mut self.unmetered, unmetered),
        ] {
            *sum = sum.saturating_add(*more);
        }
    }

    /// The cost since an earlier sum.
    #[must_use]
    pub fn since(&self, earlier: &Self) -> Self {
        Self {
            requests: self.requests.saturating_sub(earlier.requests),
            tokens_in: self.tokens_in.saturating_sub(earlier.tokens_in),
            tokens_out: self.tokens_out.saturating_sub(earlier.tokens_out),
            micro_usd: self.micro_usd.saturating_sub(earlier.micro_usd),
            unmetered: self.unmetered.saturating_sub(earlier.unmetered),
        }
    }

    /// Its figures with their names, for counters.
    pub(crate) fn figures(&self) -> [(&'static str, u64); 5] {
        [
            ("requests", self.requests),
            ("tokens_in", self.tokens_in),
            ("tokens_out", self.tokens_out),
            ("micro_usd", self.micro_usd),
            ("unmetered", self.unmetered),
        ]
    }
}
