//! The names of this crate's own connections, as `CLIENT LIST` shows them.

/// What the names of this crate's own connections begin with. Those of programs that use the
/// library begin with `compartment:`, and are shown.
pub(crate) const OWN: &str = "compartment-admin:";

/// What a connection of this crate calls itself.
pub(crate) fn own_name(purpose: &str) -> String {
    format!("{OWN}{purpose}")
}
