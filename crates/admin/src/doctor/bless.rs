//! Keys that a server is told never to evict: `BLESS` of Redis 8.12 and later.

use redis::Pipeline;

use super::node::Node;
use super::sample::Sample;
use crate::{Place, Result};

/// The flag of such a key.
const FLAG: &str = "no-evict";

/// Whether the server has the command, by a field of `INFO` that came with it.
pub(super) fn is_known(node: &Node) -> bool {
    node.info.get("blessed_keys").is_some()
}

/// Whether each key of the sample has the flag; not so where there is none.
pub(super) async fn are_all_kept(place: &Place, sample: &Sample) -> Result<bool> {
    let mut connection = place.open("doctor").await?;
    let mut are_kept = !sample.keys.is_empty();
    for page in sample.keys.chunks(200) {
        let mut pipeline = Pipeline::with_capacity(page.len());
        for key in page {
            pipeline.cmd("BLESS").arg("GET").arg(place.on_server(&key.name).as_ref());
        }
        for answer in connection.ask_each("look at keys", &pipeline).await? {
            let flags: Vec<String> = redis::from_redis_value(answer).unwrap_or_default();
            are_kept &= flags.iter().any(|flag| flag.eq_ignore_ascii_case(FLAG));
        }
    }
    Ok(are_kept)
}
