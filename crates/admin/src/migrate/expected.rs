//! Estimates the memory of the keys that are to move, from a sample.
//!
//! A server scans in hash order, so the first names are a random sample.

use redis::{Pipeline, Value};

use super::{Item, Migration};
use crate::{Place, Result, Walk};

/// Names scanned.
const NAMES: u64 = 20_000;
/// Maximum number of keys chosen from them, and of those measured.
const CHOSEN: usize = 3_000;
const MEASURED: usize = 300;

/// Estimated bytes of the keys for each target; `None` if the server does not report sizes.
pub(super) async fn expected_bytes(migration: &Migration) -> Result<Vec<Option<u64>>> {
    let source = &migration.source;
    let mut walk = Walk::start(source, None).await?;
    let (mut seen, mut chosen, mut whole) = (0_u64, Vec::new(), true);
    while let Some(names) = walk.next_page().await? {
        seen += names.len() as u64;
        let item = |name: Vec<u8>| Some(Item { rule: migration.routes.rule_of(&name)?, name });
        chosen.extend(names.into_iter().filter_map(item));
        // The server does not count the names of a prefix, so all have to be scanned.
        if source.prefix().is_empty() && (seen >= NAMES || chosen.len() >= CHOSEN) {
            whole = false;
            break;
        }
    }
    let all = if whole { seen } else { source.index_keys().await?.max(seen) };
    let mut expected = vec![Some(0); migration.targets.len()];
    for (number, bytes) in expected.iter_mut().enumerate() {
        let of_target: Vec<&Item> =
            chosen.iter().filter(|item| migration.routes.target(item.rule) == number).collect();
        if of_target.is_empty() {
            continue;
        }
        let mean = mean_bytes(&migration.source, &of_target).await?;
        let keys = of_target.len() as f64 * all as f64 / seen.max(1) as f64;
        *bytes = mean.map(|mean| (mean * keys) as u64);
    }
    Ok(expected)
}

/// Mean size of a key of the place in bytes, from a sample of `items`; `None` if the server does not
/// report sizes.
pub(super) async fn mean_bytes(place: &Place, items: &[&Item]) -> Result<Option<f64>> {
    let step = items.len().div_ceil(MEASURED).max(1);
    let mut pipeline = Pipeline::new();
    for item in items.iter().step_by(step) {
        let name = place.on_server(&item.name);
        pipeline.cmd("MEMORY").arg("USAGE").arg(name.as_ref());
    }
    let mut connection = place.open("migrate").await?;
    let (mut sum, mut count) = (0_u64, 0_u64);
    for answer in connection.ask_each("measure a key", &pipeline).await? {
        match answer {
            Value::Int(bytes) => {
                sum += u64::try_from(bytes).unwrap_or(0);
                count += 1;
            }
            // The key has vanished.
            Value::Nil => {}
            _ => return Ok(None),
        }
    }
    Ok((count > 0).then(|| sum as f64 / count as f64))
}
