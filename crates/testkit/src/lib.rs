//! One conformance suite for every backend and wrapper; starts real Redis servers for tests.
