//! The databases on the server of a plan's source.

use std::collections::BTreeSet;

use super::places::PlanPlaces;
use crate::Result;

/// Their names.
pub(super) async fn on_source_server(places: &PlanPlaces) -> Result<BTreeSet<String>> {
    let mut near = BTreeSet::new();
    for (name, target) in &places.targets {
        if target.is_on_server_of(&places.source).await? {
            near.insert(name.clone());
        }
    }
    Ok(near)
}
