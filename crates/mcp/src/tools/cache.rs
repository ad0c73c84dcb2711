//! The figures of one cache.

use std::time::Duration;

use compartment::DatabaseKind;
use compartment::cache::{FleetMetrics, TemplateMetrics};
use compartment::clock::{Clock, SystemClock};
use compartment_operations::percent;

use super::Said;
use super::arguments::CacheStats;
use super::results::{CacheFigures, TemplateLine};
use crate::answer::{Answer, Problem, first};
use crate::serving::Serving;

/// The time that the hit rate is over.
const WINDOW: Duration = Duration::from_secs(3_600);
const MAX_TEMPLATES: usize = 50;

/// The cache of that name; the first one of the map without a name.
pub(crate) fn name(server: &Serving, named: Option<String>) -> Answer<String> {
    if let Some(name) = named {
        return Ok(name);
    }
    let all = server.operations().map().databases().iter();
    let mut caches = all.filter(|contract| contract.kind == DatabaseKind::Cache);
    let what = "the map has no database of kind cache; name a database";
    caches.next().map(|cache| cache.name.clone()).ok_or_else(|| Problem(what.to_owned()))
}

pub(crate) async fn figures(server: &Serving, arguments: CacheStats) -> Answer<Said> {
    let database = name(server, arguments.database)?;
    let (stats, _) = server.look().await?;
    let Some(found) = stats.databases.iter().find(|one| one.name == database) else {
        return Err(Problem(format!(
            "there is no database {database:?}; list_databases names them"
        )));
    };
    let fleet = match server.operations().metrics_database().await? {
        Some(metrics) => FleetMetrics::read(&metrics, &database, WINDOW, SystemClock.now()).await?,
        None => FleetMetrics::default(),
    };
    let templates = fleet.templates.iter().map(|(name, one)| template_line(name, one)).collect();
    let (templates, more_templates) = first(templates, MAX_TEMPLATES);
    let content = found.content.as_ref();
    let fields = CacheFigures {
        keys: content.map(|content| content.keys),
        bytes: content.and_then(|content| content.bytes).map(|estimate| estimate.bytes),
        budget_bytes: found.budget_bytes,
        window_seconds: fleet.window_seconds,
        hit_rate: fleet.hit_rate(),
        templates,
        more_templates,
        processes: fleet.processes.len() as u64,
        invalidations: fleet.invalidations,
        breaker_opened: fleet.breaker_opened,
        database,
    };
    let sentence = match fields.hit_rate {
        Some(rate) => format!("{}: {} of reads hit.", fields.database, percent(Some(rate))),
        None => format!(
            "{}: no program has published figures; those that use the library with a database \
             `metrics` do.",
            fields.database
        ),
    };
    Said::new(sentence, &fields)
}

fn template_line(name: &str, one: &TemplateMetrics) -> TemplateLine {
    TemplateLine {
        template: name.to_owned(),
        hit_rate: one.hit_rate(),
        hits: one.first_tier_hits + one.second_tier_hits,
        misses: one.misses,
        loads: one.loads,
        failed_loads: one.failed_loads,
    }
}
