//! Explains an entity of the results: every form of its name, where it stands, and why it means the entity.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;
use std::path::Path;

use serde::Serialize;

use super::folder::walk;
use super::graph::Choice;
use crate::files::read_decisions;
use crate::model::Mention;
use crate::resolve::{Decision, Reason, Ruling, own_id, reason_of};

/// One form of an entity's name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Form {
    /// The form, as texts write it.
    pub form: String,
    /// The rule that joins it with the entity's name.
    pub reason: Reason,
    /// The number of places that have it.
    pub places: usize,
    /// The number of documents that have it.
    pub documents: usize,
    /// The first document that has it.
    pub document: String,
    /// The page of the first place in that document, from 1.
    pub page: usize,
}

/// The decisions on an entity, among those of its folder: on its id, or on a form of its name.
///
/// # Errors
/// As [`walk`]; if the decisions cannot be read.
pub fn decisions_on(folder: &Path, entity: &Choice) -> std::io::Result<Vec<Decision>> {
    let decisions = read_decisions(folder)?;
    if decisions.is_empty() {
        return Ok(Vec::new());
    }
    let mut ids = BTreeSet::from([entity.id.clone()]);
    walk(folder, |file| {
        let of_entity = file.mentions.iter().filter(|one| one.entity.as_ref() == Some(&entity.id));
        ids.extend(of_entity.filter_map(|one| own_id(&one.mention)));
        ControlFlow::Continue(())
    })?;
    let is_on = |one: &&Decision| ids.contains(&one.one) || ids.contains(&one.other);
    Ok(decisions.list().iter().filter(is_on).cloned().collect())
}

/// The forms of an entity's name, the most frequent first.
///
/// # Errors
/// As [`walk`]; if the decisions cannot be read.
pub fn explain(folder: &Path, entity: &Choice) -> std::io::Result<Vec<Form>> {
    let mut forms: BTreeMap<String, Form> = BTreeMap::new();
    let joined: BTreeSet<String> = decisions_on(folder, entity)?
        .into_iter()
        .filter(|one| one.ruling == Ruling::Join)
        .flat_map(|one| [one.one, one.other])
        .collect();
    let reason = |mention: &Mention| match reason_of(entity.kind, &entity.name, mention) {
        Reason::StandsFor if own_id(mention).is_some() && !joined.is_empty() => Reason::Decision,
        reason => reason,
    };
    walk(folder, |file| {
        let of_entity = file.mentions.iter().filter(|one| one.entity.as_ref() == Some(&entity.id));
        let mut seen: BTreeSet<String> = BTreeSet::new();
        for mention in of_entity.map(|one| &one.mention) {
            let form = mention.text.split_whitespace().collect::<Vec<_>>().join(" ");
            let new = || Form {
                reason: reason(mention),
                form: form.clone(),
                places: 0,
                documents: 0,
                document: file.document.clone(),
                page: file.text.page_of(mention.start),
            };
            let known = forms.entry(form.clone()).or_insert_with(new);
            known.places += 1;
            known.documents += usize::from(seen.insert(form));
        }
        ControlFlow::Continue(())
    })?;
    let mut forms: Vec<Form> = forms.into_values().collect();
    forms.sort_by(|a, b| b.places.cmp(&a.places).then_with(|| a.form.cmp(&b.form)));
    Ok(forms)
}
