//! Families of instances, their nodes, and the databases that the map does not name.

use compartment_admin::stats::{ContentStats, InstanceStats, NodeStats, Stats};

use super::family::{Family, labels};

type OfContent = fn(&ContentStats) -> Option<f64>;

pub(super) fn of_unnamed(found: &Stats) -> Vec<Family> {
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

pub(super) fn of_nodes(found: &Stats) -> Vec<Family> {
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
