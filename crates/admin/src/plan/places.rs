//! The servers that a plan is made for.

use std::collections::BTreeMap;

use crate::Place;

/// The servers that a plan is made for.
#[derive(Clone, Debug)]
pub struct PlanPlaces {
    /// The database that was analysed.
    pub source: Place,
    /// The databases of the map by name; groups move only to these.
    pub targets: BTreeMap<String, Place>,
}
