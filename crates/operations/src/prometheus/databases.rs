//! Families of named databases: their keys, and what the fleet's processes count.

use compartment::cache::TemplateMetrics;
use compartment_admin::stats::{ContentStats, DatabaseStats, Stats};

use super::family::{Family, labels};
use crate::{CacheFigures, ClientFigures, Fleet};

type OfContent = fn(&ContentStats) -> Option<f64>;

pub(super) fn of_databases(found: &Stats) -> Vec<Family> {
    let figures: [(&str, &str, OfContent); 7] = [
        ("database_keys", "Keys.", |one| Some(one.keys as f64)),
        ("database_keys_with_ttl", "Keys with a TTL.", |one| Some(one.with_ttl? as f64)),
        ("database_average_ttl_seconds", "Average TTL of those that have one.", |one| {
            Some(one.average_ttl_ms? as f64 / 1_000.0)
        }),
        ("database_bytes", "Estimated bytes.", |one| Some(one.bytes?.bytes as f64)),
        ("database_bytes_low", "Lower end of the 95 % interval.", |one| {
            Some(one.bytes?.low as f64)
        }),
        ("database_bytes_high", "Upper end of the 95 % interval.", |one| {
            Some(one.bytes?.high as f64)
        }),
        ("database_bytes_age_seconds", "Age of the estimate.", |one| {
            Some(one.bytes?.age_seconds as f64)
        }),
    ];
    let place = |database: &DatabaseStats| {
        labels(&[("database", &database.name), ("instance", &database.instance)])
    };
    let mut families: Vec<Family> = figures
        .into_iter()
        .map(|(name, help, figure)| {
            let value = |one: &DatabaseStats| Some((place(one), figure(one.content.as_ref()?)?));
            let values = found.databases.iter().filter_map(value).collect();
            Family { name, form: "gauge", help, values }
        })
        .collect();
    let budgets = found.databases.iter();
    let budgets = budgets.filter_map(|one| Some((place(one), one.budget_bytes? as f64)));
    families.push(Family {
        name: "database_budget_bytes",
        form: "gauge",
        help: "Budget of the database.",
        values: budgets.collect(),
    });
    families
}

pub(super) fn of_fleet(found: &Stats, fleet: &Fleet) -> Vec<Family> {
    let (mut reads, mut hits) = (Vec::new(), Vec::new());
    for database in &found.databases {
        let Some(figures) = fleet.caches.get(&database.name) else { continue };
        let place = labels(&[("database", &database.name), ("instance", &database.instance)]);
        reads.push((place.clone(), figures.reads_per_second));
        hits.extend(figures.hit_rate.map(|rate| (place, rate)));
    }
    let mut families = vec![
        Family {
            name: "database_fleet_reads_per_second",
            form: "gauge",
            help: "Reads through caches, by the fleet's own count.",
            values: reads,
        },
        Family {
            name: "database_fleet_hit_ratio",
            form: "gauge",
            help: "Reads answered from caches, by the fleet's own count.",
            values: hits,
        },
    ];
    families.extend(of_clients(found, fleet));
    families
}

type OfClients = fn(&ClientFigures) -> Option<f64>;

fn of_clients(found: &Stats, fleet: &Fleet) -> impl Iterator<Item = Family> {
    let figures: [(&str, &str, &str, OfClients); 7] = [
        ("database_requests_total", "counter", "Commands that clients sent.", |one| {
            Some(one.requests_total as f64)
        }),
        ("database_sent_bytes_total", "counter", "Bytes of their arguments.", |one| {
            Some(one.sent_bytes_total as f64)
        }),
        ("database_received_bytes_total", "counter", "Bytes of values in answers.", |one| {
            Some(one.received_bytes_total as f64)
        }),
        ("database_lock_timeouts_total", "counter", "Waits for locks in vain.", |one| {
            Some(one.lock_timeouts_total as f64)
        }),
        (
            "database_request_failures",
            "gauge",
            "Requests without an answer, in 5 minutes.",
            |one| Some(one.failures as f64),
        ),
        ("database_latency_mean_seconds", "gauge", "Mean time of an answer.", |one| {
            Some(one.mean_latency_us? as f64 / 1_000_000.0)
        }),
        ("database_latency_p99_seconds", "gauge", "Limit of 99 of 100 answers.", |one| {
            Some(one.p99_latency_us? as f64 / 1_000_000.0)
        }),
    ];
    let families = figures.into_iter().map(move |(name, form, help, figure)| {
        let value = |one: &DatabaseStats| {
            let place = labels(&[("database", &one.name), ("instance", &one.instance)]);
            Some((place, figure(fleet.clients.get(&one.name)?)?))
        };
        let values = found.databases.iter().filter_map(value).collect();
        Family { name, form, help, values }
    });
    families.chain([durations(found, fleet)])
}

/// How long answers took since counting began.
fn durations(found: &Stats, fleet: &Fleet) -> Family {
    let mut values = Vec::new();
    for one in &found.databases {
        let Some(figures) = fleet.clients.get(&one.name) else { continue };
        let place = labels(&[("database", &one.name), ("instance", &one.instance)]);
        for (limit, count) in figures.latencies.cumulative() {
            let limit = limit.map_or("+Inf".to_owned(), |limit| limit.as_secs_f64().to_string());
            values.push((format!("_bucket{{{place},le=\"{limit}\"}}"), count as f64));
        }
        values.push((format!("_sum{{{place}}}"), figures.latencies.sum().as_secs_f64()));
        values.push((format!("_count{{{place}}}"), figures.latencies.count() as f64));
    }
    let help = "How long answers took.";
    Family { name: "database_request_duration_seconds", form: "histogram", help, values }
}

type OfTemplate = fn(&TemplateMetrics) -> f64;

/// The caches of each template.
pub(super) fn of_templates(fleet: &Fleet) -> impl Iterator<Item = Family> {
    let figures: [(&str, &str, OfTemplate); 8] = [
        ("template_first_tier_hits_total", "Reads answered in the process.", |one| {
            one.first_tier_hits as f64
        }),
        ("template_second_tier_hits_total", "Reads answered by the database.", |one| {
            one.second_tier_hits as f64
        }),
        ("template_stale_hits_total", "Reads answered with an expired value.", |one| {
            one.stale_hits as f64
        }),
        ("template_misses_total", "Reads that found no value.", |one| one.misses as f64),
        ("template_loads_total", "Keys loaded.", |one| one.loads as f64),
        ("template_failed_loads_total", "Loads that failed.", |one| one.failed_loads as f64),
        ("template_load_seconds_total", "Time of all loads.", |one| {
            one.load_micros as f64 / 1_000_000.0
        }),
        ("template_written_bytes_total", "Bytes of the values stored.", |one| {
            one.bytes_written as f64
        }),
    ];
    figures.into_iter().map(|(name, help, figure)| {
        let of_cache = |(database, cache): (&String, &CacheFigures)| {
            let value = |(template, figures): (&String, &TemplateMetrics)| {
                (labels(&[("database", database), ("template", template)]), figure(figures))
            };
            cache.templates.iter().map(value).collect::<Vec<_>>()
        };
        let values = fleet.caches.iter().flat_map(of_cache).collect();
        Family { name, form: "counter", help, values }
    })
}
