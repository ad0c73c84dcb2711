//! About how much memory the keys take that are to move: from a sample, as a server lists its keys in
//! the order of a hash.

use redis::{Pipeline, Value};

use super::{Item, Migration};
use crate::{Place, Result, Walk};

/// Names that are looked at.
const NAMES: u64 = 20_000;
/// Keys that are chosen of them, at most, and those of these that are measured.
const CHOSEN: usize = 3_000;
const MEASURED: usize = 300;

/// About how many bytes the keys take that go to each target; `None` where the server does not tell.
pub(super) async fn expected_bytes(migration: &Migration) -> Result<Vec<Option<u64>>> {
    let source = &migration.source;
    let mut walk = Walk::start(source, None).await?;
    let (mut seen, mut chosen, mut whole) = (0_u64, Vec::new(), true);
    while let Some(names) = walk.next_page().await? {
        seen += names.len() as u64;
        let item = |name: Vec<u8>| Some(Item { rule: migration.routes.rule_of(&name)?, name });
        chosen.extend(names.into_iter().filter_map(item));
        // The names of a prefix are counted by nobody: all have to be looked at.
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

/// How many bytes a key of the place takes, by a sample of `items`; `None` where the server does not tell.
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
            // It has gone since.
            Value::Nil => {}
            _ => return Ok(None),
        }
    }
    Ok((count > 0).then(|| sum as f64 / count as f64))
}
