//! The reasons to leave keys alone: their contract, a shared index, or that they are our own.

use compartment_core::backend::HOUSEKEEPING_PREFIX;
use compartment_core::{Contract, DatabaseKind, DatabaseMap};

use crate::neighbours::{Neighbours, neighbours};
use crate::{Place, Result};

/// Names under which batches and queues keep their parts. One part without the others is damage.
const PARTS: [&[u8]; 2] = [b"{batch:", b"{queue:"];

/// Whether Compartment keeps the key for itself: its records, batches and queues have an upkeep of their own.
pub(super) fn is_ours(name: &[u8]) -> bool {
    name.starts_with(HOUSEKEEPING_PREFIX.as_bytes())
        || PARTS.iter().any(|part| name.starts_with(part))
}

/// The contract of the place, if the map has it.
pub(super) fn contract_of<'a>(place: &Place, map: &'a DatabaseMap) -> Option<&'a Contract> {
    map.database(place.label())
}

/// The reasons to refuse a change of the keys of `place`, of which `patterns` choose some.
///
/// # Errors
/// The server's.
pub(super) async fn refusals(
    place: &Place,
    map: &DatabaseMap,
    patterns: &[String],
) -> Result<Vec<String>> {
    let mut refusals = Vec::new();
    let own = contract_of(place, map);
    if own.is_some_and(|contract| contract.kind == DatabaseKind::Coordination) {
        refusals.push(format!(
            "{} has locks and limits, which end with their TTL: nothing in it is old",
            place.label()
        ));
    }
    if !patterns.is_empty() {
        return Ok(refusals);
    }
    match own.map(|contract| contract.kind) {
        None => refusals.push(format!(
            "{} is not in the map, so nothing says that its keys may go: choose names with --pattern",
            place.label()
        )),
        Some(DatabaseKind::Durable) => refusals.push(format!(
            "{} is durable: its keys may be old and still be needed; choose names with --pattern",
            place.label()
        )),
        Some(_) => {}
    }
    refusals.extend(shared_index(place, map).await?);
    Ok(refusals)
}

/// The reasons to refuse that follow from other databases of the place's index.
///
/// # Errors
/// The server's.
pub(super) async fn shared_index(place: &Place, map: &DatabaseMap) -> Result<Vec<String>> {
    let mut refusals = Vec::new();
    let Neighbours { contracts, unknown } = neighbours(place, map).await?;
    let others: Vec<&str> = contracts
        .iter()
        .filter(|one| one.name != place.label() && place.prefix().is_empty())
        .map(|one| one.name.as_str())
        .collect();
    if !others.is_empty() {
        refusals.push(format!(
            "index {} is shared with {}, whose keys would be chosen too: choose names with --pattern",
            place.index(),
            others.join(", ")
        ));
    }
    refusals.extend(unknown);
    Ok(refusals)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_of_batches_and_records_are_ours() {
        for name in ["{batch:smith}:todo", "{queue:mail}", "compartment:workers"] {
            assert!(is_ours(name.as_bytes()), "{name}");
        }
        assert!(!is_ours(b"batch:smith") && !is_ours(b"doc:text:1"));
    }
}
