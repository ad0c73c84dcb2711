//! A proposal of which keys go to which database.

use std::collections::BTreeMap;

use compartment_admin::{Group, PlanPlaces, Silent, Verdict, advice, places, propose as proposed};
use compartment_operations::counted;

use super::Said;
use super::arguments::PlanSeparation;
use super::keys::{analysed, limits, place};
use super::results::{PlannedGroup, SeparationPlan};
use crate::answer::{Answer, first};
use crate::serving::Serving;

const MAX_GROUPS: usize = 60;
const MAX_NOTES: usize = 10;
const MAX_SETTINGS: usize = 60;

pub(crate) async fn propose(server: &Serving, arguments: PlanSeparation) -> Answer<Said> {
    let map = server.operations().map();
    let source = place(server, &arguments.from).await?;
    let analysis = analysed(server, &source).await?;
    let mut notes = Vec::new();
    let mut targets = BTreeMap::new();
    for contract in map.databases() {
        match places::resolve(map, &contract.name).await {
            Ok(place) => {
                targets.insert(contract.name.clone(), place);
            }
            Err(error) => notes.push(format!("{}: {error}", contract.name)),
        }
    }
    let found = PlanPlaces { source, targets };
    let plan = proposed(&analysis, map, Some(&found), limits(), &Silent).await?;
    notes.extend(plan.notes.iter().cloned());
    let mut settings = Vec::new();
    for one in advice(&plan, map) {
        settings.extend(
            one.lines.iter().map(|line| format!("{}, in {}: {line}", one.program, one.file)),
        );
    }
    let (groups, more_groups) = first(plan.groups.iter().map(group_line).collect(), MAX_GROUPS);
    let (settings, more_settings) = first(settings, MAX_SETTINGS);
    let fields = SeparationPlan {
        from: arguments.from,
        keys: plan.source.keys,
        groups,
        more_groups,
        notes: first(notes, MAX_SETTINGS).0,
        settings,
        more_settings,
    };
    let moving = plan.groups.iter().filter(|group| group.verdict != Verdict::Stay);
    let keys: u64 = moving.map(|group| group.keys).sum();
    let sentence =
        format!("{} of {} could move; nothing was changed.", counted(keys, "key"), fields.from);
    Said::new(sentence, &fields)
}

fn group_line(group: &Group) -> PlannedGroup {
    PlannedGroup {
        name: group.name.clone(),
        producer: group.producer.clone(),
        purpose: group.purpose.clone(),
        keys: group.keys,
        bytes: group.bytes,
        verdict: match group.verdict {
            Verdict::Move => "move",
            Verdict::Drain => "drain",
            Verdict::Stay => "stay",
        }
        .to_owned(),
        to: group.database.clone(),
        globs: first(group.patterns.clone(), MAX_NOTES).0,
        together: group.together.clone(),
        notes: first(group.notes.clone(), MAX_NOTES).0,
    }
}
