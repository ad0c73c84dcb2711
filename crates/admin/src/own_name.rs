//! The names of this crate's own connections, as `CLIENT LIST` shows them.

/// Prefix of the names of this crate's own connections. Programs that use the library have the
/// prefix `compartment:`, and are shown.
pub(crate) const OWN: &str = "compartment-admin:";

/// The name of a connection of this crate, for `purpose`.
pub(crate) fn own_name(purpose: &str) -> String {
    format!("{OWN}{purpose}")
}
