//! Advice on the applications' settings, so that they use the new databases.

use std::collections::BTreeMap;

use compartment_core::{Contract, DatabaseMap, InstanceUrl, Placement, Scheme};

use super::{Plan, Verdict};
use crate::Purpose;
use crate::frameworks::{self, Setting};

/// Setting lines for one file of one program.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
#[non_exhaustive]
pub struct Advice {
    /// The program: the producer of a group of the plan.
    pub program: String,
    /// The file, or another place where the lines usually are.
    pub file: String,
    /// The lines. They contain `***` in place of passwords.
    pub lines: Vec<String>,
}

/// The settings for producers of groups that move to another database.
#[must_use]
pub fn advice(plan: &Plan, map: &DatabaseMap) -> Vec<Advice> {
    let mut list: Vec<Advice> = Vec::new();
    for group in plan.groups.iter().filter(|group| group.verdict != Verdict::Stay) {
        let Some(framework) = frameworks::by_name(&group.producer) else { continue };
        let Some(contract) = map.database(&group.database) else { continue };
        for setting in framework.settings {
            if setting.purpose.to_string() == group.purpose {
                add(
                    &mut list,
                    &group.producer,
                    setting,
                    &line(&group.producer, setting, contract, map),
                );
            }
        }
        if let Placement::Prefix { prefix, .. } = &contract.placement {
            let text = format!(
                "{:?} is placed by the prefix {prefix:?}: set it as the program's key prefix too",
                group.database
            );
            let line = Setting::new(Purpose::Unknown, "its key prefix", "");
            add(&mut list, &group.producer, &line, &text);
        }
    }
    list
}

fn add(list: &mut Vec<Advice>, program: &str, setting: &Setting, line: &str) {
    let same = |one: &&mut Advice| one.program == program && one.file == setting.file;
    match list.iter_mut().find(same) {
        Some(one) if one.lines.iter().any(|known| known == line) => {}
        Some(one) => one.lines.push(line.to_owned()),
        None => list.push(Advice {
            program: program.to_owned(),
            file: setting.file.to_owned(),
            lines: vec![line.to_owned()],
        }),
    }
}

/// The URL in the form of other programs' clients: redis-py's, or kombu's for a socket.
fn url_for(program: &str, url: &InstanceUrl, index: u32) -> String {
    let text = url.with_index(index);
    match (url.scheme(), text.split_once("://")) {
        (Scheme::Unix, Some((_, rest))) if program == "Celery" => {
            format!("redis+socket://{}", rest.replace("?db=", "?virtual_host="))
        }
        (Scheme::Unix, Some((_, rest))) => format!("unix://{rest}"),
        (Scheme::Standalone, Some((_, rest))) if url.is_tls() => format!("rediss://{rest}"),
        (Scheme::Standalone, Some((_, rest))) => format!("redis://{rest}"),
        _ => text,
    }
}

fn line(program: &str, setting: &Setting, contract: &Contract, map: &DatabaseMap) -> String {
    let index = contract.placement.index();
    let url = map.instances().get(contract.placement.instance()).map(|instance| &instance.url);
    let shown = url.map(|url| url_for(program, url, index)).unwrap_or_default();
    let (host, port) = url.and_then(|url| url.addresses().next()).unwrap_or(("127.0.0.1", 6379));
    let values = BTreeMap::from([
        ("{url}", shown),
        ("{host}", host.to_owned()),
        ("{port}", port.to_string()),
        ("{index}", index.to_string()),
    ]);
    values.iter().fold(setting.line.to_owned(), |line, (name, value)| line.replace(name, value))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::{Group, PlanSource};
    use compartment_core::Preset;

    #[test]
    fn settings_name_the_new_databases_and_never_a_password() {
        let map = DatabaseMap::preset(Preset::Pipeline, "redis://:s3cret@h:7000").unwrap();
        let group = |producer: &str, purpose: &str, database: &str, verdict| Group {
            producer: producer.into(),
            purpose: purpose.into(),
            database: database.into(),
            ..Group::new(producer, verdict, vec!["x".into()])
        };
        let plan = Plan {
            version: 1,
            notes: Vec::new(),
            source: PlanSource {
                server: String::new(),
                index: 0,
                prefix: String::new(),
                keys: 0,
                made: String::new(),
            },
            targets: Vec::new(),
            groups: vec![
                group("Celery", "results", "results", Verdict::Move),
                group("Celery", "broker", "broker", Verdict::Stay),
                group("Laravel cache", "cache", "cache", Verdict::Move),
                group("arq", "broker", "broker", Verdict::Drain),
            ],
        };
        let lines: Vec<String> =
            advice(&plan, &map).into_iter().flat_map(|advice| advice.lines).collect();
        assert_eq!(
            lines,
            [
                "result_backend = \"redis://:***@h:7000/1\"",
                "REDIS_CACHE_DB=2",
                "redis_settings = RedisSettings(host=\"h\", port=7000, database=0)",
            ]
        );
    }
}
