//! Everything that is shown of a deployment at one moment.

use std::sync::Arc;

use compartment_admin::doctor::Examination;
use compartment_admin::health::Health;
use compartment_admin::stats::Stats;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::Fleet;
use crate::work::Work;

/// A deployment at one moment. Parts that are expensive to read are older than the look, and say how old.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Look {
    /// Which look of its watcher it is, from 1.
    pub number: u64,
    /// When it was made, in milliseconds since 1970.
    pub at_ms: u64,
    /// How long it took to read, in milliseconds.
    pub took_ms: u64,
    /// Databases and servers.
    pub stats: Stats,
    /// Requests, latency and hit rates of databases, as the fleet's own processes count them.
    pub fleet: Fleet,
    /// The checks of `health`; `None` before the first.
    #[serde(default, serialize_with = "shared", deserialize_with = "alone")]
    pub health: Option<Arc<Health>>,
    /// The findings of the doctor; `None` before the first examination.
    #[serde(default, serialize_with = "shared", deserialize_with = "alone")]
    pub doctor: Option<Arc<Examination>>,
    /// When the findings were made, in milliseconds since 1970.
    pub doctor_at_ms: Option<u64>,
    /// Batches, workers and queues; `None` where the map has no pipeline.
    pub work: Option<Work>,
}

fn shared<T: Serialize, S: Serializer>(one: &Option<Arc<T>>, to: S) -> Result<S::Ok, S::Error> {
    one.as_deref().serialize(to)
}

fn alone<'de, T: Deserialize<'de>, D: Deserializer<'de>>(
    from: D,
) -> Result<Option<Arc<T>>, D::Error> {
    Ok(Option::deserialize(from)?.map(Arc::new))
}
