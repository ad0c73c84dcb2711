//! Whether a server is told never to evict the keys of a sample.

use redis::Pipeline;

use super::sample::Sample;
use crate::bless::{flags_of, is_protected};
use crate::{Place, Result};

/// Whether each key of the sample is protected; not so where there is none.
pub(super) async fn are_all_protected(place: &Place, sample: &Sample) -> Result<bool> {
    let mut connection = place.open("doctor").await?;
    let mut are_protected = !sample.keys.is_empty();
    for page in sample.keys.chunks(200) {
        let mut pipeline = Pipeline::with_capacity(page.len());
        for key in page {
            pipeline.add_command(flags_of(&place.on_server(&key.name)));
        }
        for answer in connection.ask_each("look for protection", &pipeline).await? {
            are_protected &= is_protected(answer);
        }
    }
    Ok(are_protected)
}
