//! Counts the names of each group that exist in their target.

use std::collections::BTreeMap;

use redis::Pipeline;

use super::{Plan, Verdict};
use crate::{Limits, Pace, Place, Progress, Result, Walk};

/// The collisions of each group, by its index in the plan; exact at the time of the walk. If every
/// target is empty, nothing is read.
pub(super) async fn collisions(
    plan: &Plan,
    source: &Place,
    targets: &BTreeMap<String, Place>,
    limits: Limits,
    progress: &dyn Progress,
) -> Result<Vec<u64>> {
    let mut found = vec![0; plan.groups.len()];
    let mut filled = BTreeMap::new();
    for group in plan.groups.iter().filter(|group| group.verdict != Verdict::Stay) {
        let Some(place) = targets.get(&group.database) else { continue };
        if !filled.contains_key(&group.database) {
            let target = match place.index_keys().await? {
                0 => None,
                _ => Some((place.open("plan").await?, place)),
            };
            filled.insert(group.database.clone(), target);
        }
    }
    filled.retain(|_, target| target.is_some());
    if filled.is_empty() {
        return Ok(found);
    }
    progress.begin("look for the names in the targets", Some(plan.source.keys));
    let selector = plan.selector();
    let mut pace = Pace::new(limits, source).await?;
    let mut walk = Walk::start(source, None).await?;
    while let Some(page) = walk.next_page().await? {
        let mut asked: BTreeMap<&str, Vec<(usize, &[u8])>> = BTreeMap::new();
        for name in &page {
            let Some(at) = selector.first_match(name) else { continue };
            let group = &plan.groups[at];
            if group.verdict != Verdict::Stay && filled.contains_key(&group.database) {
                asked.entry(&group.database).or_default().push((at, name));
            }
        }
        pace.admit(1 + page.len()).await?;
        for (database, names) in asked {
            let Some(Some((connection, place))) = filled.get_mut(database) else { continue };
            let mut pipeline = Pipeline::with_capacity(names.len());
            for (_, name) in &names {
                pipeline.cmd("EXISTS").arg(place.on_server(name).as_ref());
            }
            let answers = connection.ask_each("look for names", &pipeline).await?;
            for ((at, _), answer) in names.iter().zip(answers) {
                found[*at] += u64::from(answer == redis::Value::Int(1));
            }
        }
        progress.advance(page.len() as u64);
    }
    Ok(found)
}
