//! The figures in Prometheus's text format.

use std::fmt::Write;

use compartment_admin::stats::{ContentStats, InstanceStats, NodeStats, Stats};

use compartment_operations::{ClientFigures, Fleet};

/// One figure, of each database, node or unnamed database that has it.
struct Family {
    name: &'static str,
    /// `gauge` or `counter`.
    form: &'static str,
    help: &'static str,
    values: Vec<(String, f64)>,
}

/// All figures.
pub(super) fn render(found: &Stats, fleet: &Fleet) -> String {
    let mut text = String::new();
    let families = of_databases(found)
        .into_iter()
        .chain(of_fleet(found, fleet))
        .chain(of_unnamed(found))
        .chain(of_nodes(found));
    for family in families.filter(|family| !family.values.is_empty()) {
        let Family { name, form, help, values } = family;
        // Writing to a string cannot fail.
        let _ =
            writeln!(text, "# HELP compartment_{name} {help}\n# TYPE compartment_{name} {form}");
        for (labels, value) in values {
            let _ = writeln!(text, "compartment_{name}{{{labels}}} {value}");
        }
    }
    text
}

fn labels(pairs: &[(&str, &str)]) -> String {
    let escape = |text: &str| text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
    let pairs: Vec<String> =
        pairs.iter().map(|(name, value)| format!("{name}=\"{}\"", escape(value))).collect();
    pairs.join(",")
}

type OfContent = fn(&ContentStats) -> Option<f64>;

fn of_databases(found: &Stats) -> Vec<Family> {
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
    let place = |database: &compartment_admin::stats::DatabaseStats| {
        labels(&[("database", &database.name), ("instance", &database.instance)])
    };
    let mut families: Vec<Family> = figures
        .into_iter()
        .map(|(name, help, figure)| {
            let value = |one: &compartment_admin::stats::DatabaseStats| {
                Some((place(one), figure(one.content.as_ref()?)?))
            };
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

fn of_fleet(found: &Stats, fleet: &Fleet) -> Vec<Family> {
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
    let figures: [(&str, &str, &str, OfClients); 6] = [
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
        ("database_latency_mean_seconds", "gauge", "Mean time of an answer.", |one| {
            Some(one.mean_latency_us? as f64 / 1_000_000.0)
        }),
        ("database_latency_p99_seconds", "gauge", "Limit of 99 of 100 answers.", |one| {
            Some(one.p99_latency_us? as f64 / 1_000_000.0)
        }),
    ];
    figures.into_iter().map(move |(name, form, help, figure)| {
        let value = |one: &compartment_admin::stats::DatabaseStats| {
            let place = labels(&[("database", &one.name), ("instance", &one.instance)]);
            Some((place, figure(fleet.clients.get(&one.name)?)?))
        };
        let values = found.databases.iter().filter_map(value).collect();
        Family { name, form, help, values }
    })
}

fn of_unnamed(found: &Stats) -> Vec<Family> {
    let each = |figure: OfContent| -> Vec<(String, f64)> {
        let mut values = Vec::new();
        for instance in &found.instances {
            for one in &instance.unnamed {
                let index = one.index.to_string();
                let place = labels(&[("instance", &instance.name), ("index", &index)]);
                values.extend(figure(&one.content).map(|figure| (place, figure)));
            }
        }
        values
    };
    vec![
        Family {
            name: "unnamed_keys",
            form: "gauge",
            help: "Keys of databases that the map does not name.",
            values: each(|one| Some(one.keys as f64)),
        },
        Family {
            name: "unnamed_bytes",
            form: "gauge",
            help: "Estimated bytes of databases that the map does not name.",
            values: each(|one| Some(one.bytes?.bytes as f64)),
        },
    ]
}

type OfNode = fn(&NodeStats) -> Option<f64>;

fn of_nodes(found: &Stats) -> Vec<Family> {
    let gauges: [(&str, &str, OfNode); 11] = [
        ("memory_used_bytes", "Bytes in use.", |one| Some(one.memory.used? as f64)),
        ("memory_peak_bytes", "Most bytes in use.", |one| Some(one.memory.peak? as f64)),
        ("memory_limit_bytes", "maxmemory, 0 for none.", |one| Some(one.memory.limit? as f64)),
        ("memory_fragmentation_ratio", "Memory of the process by memory in use.", |one| {
            one.memory.fragmentation
        }),
        ("connected_clients", "Connections.", |one| Some(one.connections.connected? as f64)),
        ("blocked_clients", "Connections that wait for an element.", |one| {
            Some(one.connections.blocked? as f64)
        }),
        ("max_clients", "The most connections.", |one| Some(one.connections.max? as f64)),
        ("slow_log_entries", "Entries of the slow log.", |one| {
            Some(one.slow_log.as_ref()?.entries as f64)
        }),
        ("connected_replicas", "Replicas.", |one| Some(one.replication.replicas? as f64)),
        ("replication_lag_bytes", "Bytes that the slowest replica has yet to confirm.", |one| {
            Some(one.replication.lag_bytes? as f64)
        }),
        ("save_failed", "Whether the last save failed.", |one| {
            one.persistence.has_failed.map(|failed| if failed { 1.0 } else { 0.0 })
        }),
    ];
    let counters: [(&str, &str, OfNode); 6] = [
        ("commands_total", "Commands.", |one| Some(one.counters.commands? as f64)),
        ("expired_keys_total", "Keys that expired.", |one| Some(one.counters.expired? as f64)),
        ("evicted_keys_total", "Keys that were evicted.", |one| Some(one.counters.evicted? as f64)),
        ("keyspace_hits_total", "Reads that found their key.", |one| {
            Some(one.counters.hits? as f64)
        }),
        ("keyspace_misses_total", "Reads that did not.", |one| Some(one.counters.misses? as f64)),
        ("processor_seconds_total", "Seconds of processor.", |one| one.counters.processor),
    ];
    let is_up = |one: &InstanceStats| {
        let up = if one.problem.is_none() { 1.0 } else { 0.0 };
        (labels(&[("instance", &one.name)]), up)
    };
    let up = Family {
        name: "instance_up",
        form: "gauge",
        help: "Whether the instance answers.",
        values: found.instances.iter().map(is_up).collect(),
    };
    let family = |form, (name, help, figure): (_, _, OfNode)| {
        let mut values = Vec::new();
        for instance in &found.instances {
            for node in &instance.nodes {
                let place = labels(&[("instance", &instance.name), ("node", &node.location)]);
                values.extend(figure(node).map(|figure| (place, figure)));
            }
        }
        Family { name, form, help, values }
    };
    let gauges = gauges.into_iter().map(|one| family("gauge", one));
    let counters = counters.into_iter().map(|one| family("counter", one));
    [up].into_iter().chain(gauges).chain(counters).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_cannot_end_its_quotes() {
        let text = labels(&[("database", "a\"b\\c\nd"), ("index", "3")]);
        assert_eq!(text, r#"database="a\"b\\c\nd",index="3""#);
    }
}
