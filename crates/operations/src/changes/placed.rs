//! The place of a change on its server, found anew for each dry run and each act.

use compartment_admin::{Place, escape, places};

use super::counted::digest;
use super::{ChangeError, Changes};

impl Changes {
    /// The place of a database, by its name in the map or its index on the primary instance. The server is asked again
    /// who it is.
    pub(super) async fn place(&self, name: &str) -> Result<Place, ChangeError> {
        // Only servers of the map are changed.
        if name.contains("://") {
            let what = "name a database of the map, or an index of the primary instance";
            return Err(ChangeError::Invalid(what.to_owned()));
        }
        Ok(places::resolve(self.map(), name).await?)
    }
}

/// The server and the place on it, as a plan is bound to it. The run id, or the ids of a cluster's nodes, are part of it
/// as a digest: after a restart or a failover the server is another.
pub(super) fn bound_to(place: &Place) -> String {
    let identity = &place.server().info().identity;
    let run = match identity.is_empty() {
        true => "which hides its run id".to_owned(),
        false => format!("run {}", &digest(identity)[..12]),
    };
    let prefix = match place.prefix() {
        [] => String::new(),
        prefix => format!(" prefix {}", escape(prefix)),
    };
    format!("{} index {}{prefix}, {run}", place.server().url(), place.index())
}
