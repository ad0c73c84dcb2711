//! The figures in Prometheus's text format. No metric has a series for each batch, document or key.

mod databases;
mod family;
mod servers;
mod work;

use compartment_admin::stats::Stats;

use crate::{Fleet, Look, Work};

/// The figures of a look, with those of `health` and of the doctor.
#[must_use]
pub fn render_look(look: &Look) -> String {
    let mut text = render(&look.stats, &look.fleet, look.work.as_ref());
    work::of_health(look.health.as_deref()).write(&mut text);
    work::of_doctor(look.doctor.as_deref()).write(&mut text);
    for family in work::of_look(look) {
        family.write(&mut text);
    }
    text
}

/// The figures of databases, servers and work.
#[must_use]
pub fn render(found: &Stats, fleet: &Fleet, work: Option<&Work>) -> String {
    let mut text = String::new();
    let families = databases::of_databases(found)
        .into_iter()
        .chain(databases::of_fleet(found, fleet))
        .chain(databases::of_templates(fleet))
        .chain(servers::of_unnamed(found))
        .chain(servers::of_nodes(found))
        .chain(work.into_iter().flat_map(work::of_work));
    families.for_each(|family| family.write(&mut text));
    text
}
