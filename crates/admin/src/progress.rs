//! Progress reports of long work; the caller decides how to show them.

/// Receives progress reports. Its methods are called often and have to be fast.
pub trait Progress: Send + Sync {
    /// A new part of the work begins. `what` describes it, `keys` is its number of keys if known.
    fn begin(&self, what: &str, keys: Option<u64>);
    /// `keys` more keys are done.
    fn advance(&self, keys: u64);
    /// A remark that does not stop the work.
    fn note(&self, text: &str);
}

/// Shows nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct Silent;

impl Progress for Silent {
    fn begin(&self, _what: &str, _keys: Option<u64>) {}
    fn advance(&self, _keys: u64) {}
    fn note(&self, _text: &str) {}
}
