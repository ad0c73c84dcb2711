//! A bounded sample of the keys of one place, and the programs that wrote them.

use std::collections::BTreeMap;

use compartment_core::KeyRule;

use crate::analyze::{Definition, KeyFacts, Names, Questions, look_at, sizes};
use crate::frameworks::{Purpose, Signature};
use crate::patterns::{Selection, Selector};
use crate::{KeyType, Place, Result, Walk};

/// Pages that the server walks for one sample, at most: of a place behind a prefix most names may be others'.
const MAX_PAGES: usize = 20;

/// One key that was looked at.
#[derive(Debug)]
pub(super) struct SampledKey {
    /// Its name without the place's prefix.
    pub(super) name: Vec<u8>,
    pub(super) facts: KeyFacts,
}

/// Keys that one program wrote for one purpose, or that one template of the map names.
#[derive(Debug)]
pub(super) struct SampledGroup {
    /// The program; empty where it is not known.
    pub(super) program: String,
    pub(super) purpose: Purpose,
    /// Whether the program is a guess.
    pub(super) perhaps: bool,
    /// The database whose template it is.
    pub(super) database: Option<String>,
    /// Its keys' places in the sample.
    pub(super) keys: Vec<usize>,
}

/// Keys of one place.
#[derive(Debug, Default)]
pub(super) struct Sample {
    pub(super) keys: Vec<SampledKey>,
    pub(super) groups: Vec<SampledGroup>,
    /// How many keys the place has, where that is known.
    pub(super) total: Option<u64>,
}

impl Sample {
    /// Looks at up to `limit` keys of `place`, as many on each node of a cluster, without those that
    /// begin with one of `except`.
    ///
    /// # Errors
    /// The server's, where it does not allow `SCAN` or `PTTL`.
    pub(super) async fn take(
        place: &Place,
        limit: usize,
        questions: Questions,
        rules: &BTreeMap<String, KeyRule>,
        except: &[Vec<u8>],
    ) -> Result<Self> {
        let (mut names, is_whole) = names(place, limit).await?;
        names.retain(|name| !except.iter().any(|prefix| name.starts_with(prefix)));
        let connection = place.open("doctor").await?;
        let mut keys = Vec::with_capacity(names.len());
        for page in names.chunks(200) {
            let asked = look_at(connection.clone(), place.clone(), page.to_vec(), questions);
            let known = asked.await?.into_iter();
            keys.extend(known.filter_map(|(name, facts)| Some(SampledKey { name, facts: facts? })));
        }
        if questions.memory {
            measure(place, &mut keys).await?;
        }
        let total = match (is_whole, except) {
            (true, _) => Some(keys.len() as u64),
            (false, []) => place.known_keys().await,
            // How many keys are left of the index is not known.
            (false, _) => None,
        };
        let groups = groups(&keys, rules);
        Ok(Self { keys, groups, total })
    }

    /// The keys for which `is_meant` holds.
    pub(super) fn matching(&self, is_meant: impl Fn(&SampledKey) -> bool) -> Part<'_> {
        Part { sample: self, keys: self.keys.iter().filter(|key| is_meant(key)).collect() }
    }

    /// The keys for which `is_meant` holds of the key and its group.
    pub(super) fn matching_by_group(
        &self,
        is_meant: impl Fn(&SampledKey, Option<&SampledGroup>) -> bool,
    ) -> Part<'_> {
        let mut groups = vec![None; self.keys.len()];
        for group in &self.groups {
            for at in &group.keys {
                groups[*at] = Some(group);
            }
        }
        let with_group = self.keys.iter().zip(groups);
        let keys = with_group.filter(|(key, group)| is_meant(key, *group)).map(|(key, _)| key);
        Part { sample: self, keys: keys.collect() }
    }

    /// The keys of a group.
    pub(super) fn part(&self, group: &SampledGroup) -> Part<'_> {
        Part { sample: self, keys: group.keys.iter().filter_map(|at| self.keys.get(*at)).collect() }
    }

    /// About how many bytes all keys of the place take.
    pub(super) fn bytes(&self) -> Option<u64> {
        self.matching(|_| true).bytes()
    }

    /// `sampled` of the keys looked at, as a figure for all keys of the place.
    fn scaled(&self, sampled: u64) -> Option<u64> {
        let (looked_at, total) = (self.keys.len() as u64, self.total?);
        let scaled = u128::from(sampled) * u128::from(total) / u128::from(looked_at.max(1));
        u64::try_from(scaled).ok()
    }
}

/// Some of the keys of a sample.
#[derive(Debug)]
pub(super) struct Part<'a> {
    sample: &'a Sample,
    pub(super) keys: Vec<&'a SampledKey>,
}

impl<'a> Part<'a> {
    pub(super) fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    pub(super) fn names(&self) -> impl Iterator<Item = &'a [u8]> {
        self.keys.iter().map(|key| key.name.as_slice())
    }

    /// About how many keys of the place are like these.
    pub(super) fn count(&self) -> Option<u64> {
        self.sample.scaled(self.keys.len() as u64)
    }

    /// About how many bytes the keys of the place that are like these take.
    pub(super) fn bytes(&self) -> Option<u64> {
        let bytes: Option<u64> = self.keys.iter().map(|key| key.facts.bytes).sum();
        self.sample.scaled(bytes?)
    }

    /// As in `12 of the 1000 looked at`.
    pub(super) fn in_words(&self) -> String {
        let looked_at = self.sample.keys.len();
        match (self.keys.len(), looked_at) {
            (some, all) if some == all => format!("all {all} looked at"),
            (some, all) => format!("{some} of the {all} looked at"),
        }
    }
}

/// The first names that the server gives, a share of them on each node; and whether these are all.
async fn names(place: &Place, limit: usize) -> Result<(Vec<Vec<u8>>, bool)> {
    let nodes = place.open_nodes("doctor").await?.len().max(1);
    let (share, pages) = (limit.div_ceil(nodes).max(1), MAX_PAGES.div_ceil(nodes));
    let mut walk = Walk::start(place, None).await?.page_size(limit.clamp(10, 1_000));
    let (mut names, mut is_whole) = (Vec::new(), true);
    let (mut node, mut found, mut walked) = (0, 0, 0);
    while let Some(mut page) = walk.next_page().await? {
        walked += 1;
        let room = share - found;
        is_whole &= page.len() <= room;
        page.truncate(room);
        found += page.len();
        names.extend(page);
        let is_enough = found == share || walked == pages;
        if walk.position().0 == node && is_enough {
            is_whole = false;
            walk = walk.resume_at((node + 1, 0));
        }
        if walk.position().0 > node {
            (node, found, walked) = (walk.position().0, 0, 0);
        }
    }
    names.sort();
    names.dedup();
    Ok((names, is_whole))
}

/// The bytes of keys that are small: `look_at` measures those that may be large.
async fn measure(place: &Place, keys: &mut [SampledKey]) -> Result<()> {
    let mut connection = place.open("doctor").await?;
    let mut open: Vec<&mut SampledKey> =
        keys.iter_mut().filter(|key| key.facts.bytes.is_none()).collect();
    for page in open.chunks_mut(200) {
        let names: Vec<Vec<u8>> = page.iter().map(|key| key.name.clone()).collect();
        for (key, bytes) in page.iter_mut().zip(sizes(&mut connection, place, &names).await?) {
            key.facts.bytes = bytes;
        }
    }
    Ok(())
}

fn groups(keys: &[SampledKey], rules: &BTreeMap<String, KeyRule>) -> Vec<SampledGroup> {
    let mut names = Names::default();
    keys.iter().for_each(|key| names.add(&key.name));
    let signature = |key: &SampledKey| {
        let (key_type, expires): (KeyType, bool) =
            (key.facts.key_type, key.facts.ttl_seconds.is_some());
        (key.name.clone(), Signature { key_type, expires })
    };
    let known = keys.iter().map(signature).collect();
    let definitions = names.define(rules, &known);
    let selections: Vec<Selection> = definitions.iter().map(|one| one.selection.clone()).collect();
    let selector = Selector::new(&selections);
    let mut groups: Vec<SampledGroup> = definitions.into_iter().map(group).collect();
    for (at, key) in keys.iter().enumerate() {
        let group = selector.first_match(&key.name).and_then(|at| groups.get_mut(at));
        group.into_iter().for_each(|group| group.keys.push(at));
    }
    groups.retain(|group| !group.keys.is_empty());
    groups
}

fn group(definition: Definition) -> SampledGroup {
    SampledGroup {
        program: definition.producer,
        purpose: definition.purpose,
        perhaps: definition.perhaps,
        database: definition.database,
        keys: Vec::new(),
    }
}
