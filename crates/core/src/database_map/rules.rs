//! The rules of a map: valid names, and placements that do not overlap.

use super::instance::Instance;
use super::problem::wrong;
use crate::{Contract, Placement, Result};

pub(super) fn check_name(name: &str) -> Result<()> {
    let good = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_' || c == '-';
    if name.is_empty() || name.len() > 64 || !name.chars().all(good) {
        return Err(wrong(format!(
            "database name {name:?}: a name is 1 to 64 of a-z, 0-9, _ and -"
        )));
    }
    Ok(())
}

/// An instance is a whole server, so its URL must not have an index. (Index 0 is allowed, because programs that use
/// one database often write it.)
pub(super) fn check_whole(name: &str, instance: &Instance) -> Result<()> {
    let Some(index) = instance.url.index().filter(|index| *index > 0) else { return Ok(()) };
    Err(wrong(format!(
        "instances.{name}: its URL {} has index {index}, but an instance is a whole server and each \
         database has its own index: remove the index from the URL (also from --backend), and select \
         a database with --database, --from or --to",
        instance.url
    )))
}

/// A database can only move within one instance.
pub(super) fn check_previous(contract: &Contract) -> Result<()> {
    let Some(previous) = &contract.previous else { return Ok(()) };
    let name = &contract.name;
    if previous.placement == contract.placement {
        return Err(wrong(format!(
            "{name:?} is the same as its previous place: remove `previous`"
        )));
    }
    if previous.placement.instance() != contract.placement.instance() {
        return Err(wrong(format!(
            "{name:?}: the previous place is on another instance, where no request can look in the \
             same step; move the keys with `compartment migrate --live`"
        )));
    }
    Ok(())
}

/// The shared-index rule: two databases may have one placement only if both declare it, and prefixes on one index
/// must not contain each other.
pub(super) fn check_apart(first: &Contract, second: &Contract) -> Result<()> {
    let (a, b) = (&first.placement, &second.placement);
    if a.instance() != b.instance() || a.index() != b.index() {
        return Ok(());
    }
    let both = format!("{:?} and {:?}", first.name, second.name);
    let place = format!("index {} of instance {:?}", a.index(), a.instance());
    if !overlap(first, second) {
        return Ok(());
    }
    Err(wrong(if a.prefix() == b.prefix() {
        format!(
            "{both} are both at {place}: give each its own index, or set shared = true for both \
             (then neither can be flushed alone)"
        )
    } else {
        format!(
            "{both} overlap at {place}, so each would see keys of the other; give each a prefix that \
             does not begin with the other's"
        )
    }))
}

/// Whether the two would share keys on one server, without both declaring it.
pub(super) fn overlap(first: &Contract, second: &Contract) -> bool {
    let (a, b) = (&first.placement, &second.placement);
    if a.index() != b.index() || first.is_shared && second.is_shared {
        return false;
    }
    match (a, b) {
        (Placement::Prefix { prefix: p, .. }, Placement::Prefix { prefix: q, .. }) => {
            p.starts_with(q.as_str()) || q.starts_with(p.as_str())
        }
        // A database with a whole index sees the keys of a prefix in it.
        _ => true,
    }
}
