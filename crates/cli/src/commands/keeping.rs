//! Notes on the servers of the databases, shown before any key is moved there.

use std::collections::BTreeMap;

use compartment::DatabaseKind;
use compartment_admin::{Incoming, Place, Plan, Verdict, target_fitness};

use crate::exit_code::CliError;
use crate::settings::Settings;
use crate::{places, screen};

/// Shows problems of the map's servers with the contracts of their databases.
pub(super) async fn tell_of_databases(settings: &Settings) -> Result<(), CliError> {
    for contract in settings.map.databases() {
        let place = places::resolve_in(settings, &contract.name).await?;
        let mut incoming = Incoming::default();
        // Entries of a cache may be evicted, and can be computed again after a restart.
        incoming.is_cache = contract.kind == DatabaseKind::Cache;
        incoming.lasts = contract.kind == DatabaseKind::Durable;
        tell(None, &place, incoming).await?;
    }
    Ok(())
}

/// Shows problems of the servers that a plan's targets are on.
pub(super) async fn tell_of_targets(
    plan: &Plan,
    source: &Place,
    targets: &BTreeMap<String, Place>,
) -> Result<(), CliError> {
    for (name, place) in targets {
        let goes = plan
            .groups
            .iter()
            .filter(|group| group.verdict != Verdict::Stay && group.database == *name);
        let bytes: u64 = goes.map(|group| group.bytes).sum();
        if bytes == 0 {
            continue;
        }
        let mut incoming = Incoming::default();
        incoming.bytes = (!place.is_on_server_of(source).await?).then_some(bytes);
        tell(Some(source), place, incoming).await?;
    }
    Ok(())
}

async fn tell(source: Option<&Place>, place: &Place, incoming: Incoming) -> Result<(), CliError> {
    let fitness = target_fitness(source, place, incoming).await?;
    let refusal = fitness.refusal.iter().map(ToString::to_string);
    for text in refusal.chain(fitness.warnings.iter().cloned()) {
        screen::remark(format!("{0}note:{0:#} {text}", screen::STRONG));
    }
    Ok(())
}
