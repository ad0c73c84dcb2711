//! Keys of documents that nothing knows any more: no batch, queue or project, and no ledger.

use std::collections::HashSet;
use std::time::Duration;

use compartment_core::{DatabaseKind, DatabaseMap, Role, Template};
use redis::{Pipeline, Value};

use super::OrphanKind;
use super::known::{KnownDocuments, STATES, Unknown};
use super::mentions::mentions;
use super::report::OrphanGroup;
use super::work::{Guarded, Work};
use crate::cleanup::age::{Age, Ages};
use crate::{Place, Result};

/// The keys of documents that Compartment writes itself, with the role of their database.
const OWN: [(Role, &str); 8] = [
    (Role::Batch, STATES),
    (Role::Cache, STATES),
    (Role::Cache, "doc:ocr_result:{content_hash}:{version}"),
    (Role::Cache, "doc:chunks:{content_hash}:{version}"),
    (Role::Cache, "doc:all_extracted_mentions:{content_hash}:{version}"),
    (Role::Cache, "doc:resolved_mentions:{content_hash}:{version}"),
    (Role::Cache, "doc:relationships:{content_hash}:{version}"),
    (Role::Cache, "doc:canonical_entities:{content_hash}:{version}"),
];
/// Placeholders of `[keys]` that stand for a document; the first is that of Compartment's own documents.
const DOCUMENT: [&str; 6] =
    ["content_hash", "document_hash", "document_id", "document_uuid", "doc_id", "document"];

/// The keys of one template.
struct Family {
    template: Template,
    /// The position of the document among the placeholders.
    at: usize,
    /// Whether the keys are hashes with the time of their last change.
    has_time: bool,
    /// Whether only Compartment's own documents have such keys.
    is_own: bool,
    /// Why its keys are only reported.
    unsure: Option<String>,
}

/// The look for such keys.
pub(super) struct Documents<'a> {
    pub(super) group: OrphanGroup,
    families: Vec<Family>,
    ages: Ages,
    unknown: Unknown,
    place: &'a Place,
}

impl<'a> Documents<'a> {
    pub(super) fn new(place: &'a Place, map: &DatabaseMap, min_age: Duration) -> Self {
        let families = families(place, map);
        let group = OrphanGroup::new(OrphanKind::UnknownDocuments);
        let ages = Ages::new(place, map, Some(min_age));
        Self { group, families, ages, unknown: Unknown::default(), place }
    }

    /// The family of a name and its document.
    fn family_of<'n>(&self, name: &'n [u8]) -> Option<(usize, &'n [u8])> {
        let name = std::str::from_utf8(name).ok()?;
        let mut all = self.families.iter().enumerate();
        all.find_map(|(at, family)| {
            let values = family.template.values(name)?;
            // A separator is part of another form of key, which is not known here.
            let are_plain = values.iter().all(|value| !value.contains([':', '/', '{', '}']));
            let id = values.get(family.at).filter(|_| are_plain)?;
            Some((at, id.as_bytes()))
        })
    }

    pub(super) fn see(&mut self, name: &[u8]) {
        if let Some((family, id)) = self.family_of(name) {
            *self.unknown.ids.entry(id.to_vec()).or_default() |= 1 << family;
        }
    }

    /// Takes off the documents that are known; refuses all if that cannot be found out.
    pub(super) async fn judge(
        &mut self,
        work: &mut Work<'_>,
        known: Result<KnownDocuments<'_>, String>,
    ) -> Result<()> {
        if self.unknown.is_empty() {
            return Ok(());
        }
        let read = match known {
            Ok(known) => mentions(known, work.limits, &mut self.unknown).await,
            Err(why) => Err(why),
        };
        if let Err(why) = read {
            self.group.refusal = Some(format!("which documents are known cannot be told: {why}"));
            self.unknown = Unknown::default();
            return Ok(());
        }
        for (at, family) in self.families.iter_mut().enumerate() {
            let is_known = self.unknown.known & (1 << at) != 0;
            family.unsure = match family.is_own {
                true => self.unknown.has_paths.then(|| {
                    "a batch or a task names a document by its path alone, from which its keys cannot be told: \
                     keys of documents are only reported"
                        .to_owned()
                }),
                false => (!is_known).then(|| {
                    format!(
                        "none of the documents of {} is known to a batch or a ledger: they may be another \
                         program's, and are only reported",
                        family.template
                    )
                }),
            };
        }
        Ok(())
    }

    pub(super) fn wants_names(&self) -> bool {
        !self.unknown.is_empty()
    }

    /// Takes the keys of unknown documents among the names of a page.
    pub(super) async fn page(&mut self, work: &mut Work<'_>, names: &[Vec<u8>]) -> Result<()> {
        let (mut timed, mut aged) = (Vec::new(), Vec::new());
        for name in names {
            let Some((at, id)) = self.family_of(name) else { continue };
            if !self.unknown.has(id) {
                continue;
            }
            let family = &self.families[at];
            if let Some(why) = &family.unsure {
                self.group.unsure += 1;
                self.group.example(name);
                self.group.note(why.as_str());
            } else if family.has_time {
                timed.push(name.clone());
            } else {
                aged.push(name.clone());
            }
        }
        for some in timed.chunks(work.pace.batch()) {
            self.by_time(work, some).await?;
        }
        for some in aged.chunks(work.pace.batch()) {
            self.by_age(work, some.to_vec()).await?;
        }
        Ok(())
    }

    /// Keys whose age is the TTL that they have used up, or their idle time. A key that is used while this runs stays.
    async fn by_age(&mut self, work: &mut Work<'_>, names: Vec<Vec<u8>>) -> Result<()> {
        work.pace.admit(2 * names.len()).await?;
        let mut old = Vec::new();
        for age in self.ages.of(&mut work.connection, self.place, names).await? {
            match age {
                Age::Old(key) => old.push(Guarded {
                    by: key.by.word(),
                    bound: key.bound.to_string().into_bytes(),
                    name: key.name,
                    age_seconds: key.age_seconds,
                }),
                Age::Young => self.group.young += 1,
                Age::Unknown => self.group.age_unknown += 1,
                Age::Gone => {}
            }
        }
        work.take(&mut self.group, old).await
    }

    /// States, which have the time of their last change.
    async fn by_time(&mut self, work: &mut Work<'_>, names: &[Vec<u8>]) -> Result<()> {
        let mut pipeline = Pipeline::with_capacity(names.len());
        for name in names {
            let key = self.place.on_server(name);
            pipeline.cmd("HGET").arg(key.as_ref()).arg("updated_ms");
        }
        let answers = work.ask(&pipeline, names.len()).await?;
        let min_age = work.min_age();
        let mut old = Vec::new();
        for (name, answer) in names.iter().zip(answers) {
            match (time_of(&answer), answer) {
                (Some(time), Value::BulkString(bound)) => match work.old_enough(time, min_age) {
                    Some(age_seconds) => {
                        let (name, by) = (name.clone(), "updated_ms");
                        old.push(Guarded { name, by, bound, age_seconds });
                    }
                    None => self.group.young += 1,
                },
                _ => self.group.age_unknown += 1,
            }
        }
        work.take(&mut self.group, old).await
    }
}

fn time_of(answer: &Value) -> Option<u64> {
    let Value::BulkString(text) = answer else { return None };
    std::str::from_utf8(text).ok()?.parse().ok()
}

/// The forms of keys of documents in a place: Compartment's own, and those of `[keys]` that name a document.
fn families(place: &Place, map: &DatabaseMap) -> Vec<Family> {
    let serves = |role: Role| map.roles().database(role) == place.label();
    let is_cache = map.database(place.label()).is_some_and(|one| one.kind == DatabaseKind::Cache);
    if !serves(Role::Batch) && !is_cache {
        return Vec::new();
    }
    let own = OWN.iter().filter(|(role, _)| serves(*role));
    let own = own.map(|(role, text)| (*text, *role == Role::Batch));
    let rules = map.keys().values().filter(|rule| rule.database == place.label());
    let told = rules.map(|rule| (rule.template.as_str(), false));
    let mut seen = HashSet::new();
    let all = own.chain(told).filter(|(text, _)| seen.insert(*text));
    let family = |(text, has_time): (&str, bool)| {
        let template = Template::parse(text).ok()?;
        let at = template.placeholders().position(|name| DOCUMENT.contains(&name))?;
        let is_own = template.placeholders().nth(at) == DOCUMENT.first().copied();
        Some(Family { at, has_time, is_own, unsure: None, template })
    };
    // One bit for each.
    all.filter_map(family).take(u64::BITS as usize).collect()
}
