//! How long work tells how far it is; what shows it is the caller's.

/// Told about the work as it goes on. Called often, so it has to be quick.
pub trait Progress: Send + Sync {
    /// A new part of the work begins: what it does, and how many keys it has, as far as is known.
    fn begin(&self, what: &str, keys: Option<u64>);
    /// So many more keys are done.
    fn advance(&self, keys: u64);
    /// Something to know that does not stop the work.
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
