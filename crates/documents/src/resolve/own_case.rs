//! The case that a document belongs to, by its docket number and court, or by the names of its parties.

use crate::model::{EntityKind, Mention};

/// A name or number in lower case, on one line.
pub(super) fn plain(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ").to_lowercase()
}

/// Maximum extent of a document's own caption, in bytes.
const CAPTION_REACH: usize = 6000;

/// The document's own case: its first docket number with its first court, or the names of its parties.
pub(super) fn own_case(mentions: &[Mention]) -> Option<(String, String)> {
    let head =
        |kind: EntityKind| mentions.iter().find(move |m| m.kind == kind && m.start < CAPTION_REACH);
    let docket = head(EntityKind::DocketNumber);
    let court = head(EntityKind::Court);
    let party = |first: bool| {
        mentions.iter().find(|m| {
            let role = m.attributes.role.as_deref().unwrap_or_default();
            let is_first = ["plaintiff", "petitioner", "appellant", "applicant", "claimant"]
                .iter()
                .any(|word| role.starts_with(word));
            m.kind == EntityKind::Party && m.start < CAPTION_REACH && is_first == first
        })
    };
    let name = match (party(true), party(false)) {
        (Some(a), Some(b)) if a.start < b.start => format!("{} v. {}", a.normal, b.normal),
        (Some(a), Some(b)) => format!("{} v. {}", b.normal, a.normal),
        (Some(one), None) | (None, Some(one)) => one.normal.clone(),
        (None, None) => String::new(),
    };
    let key = match (docket, court) {
        (Some(docket), Some(court)) => format!("{}|{}", court.normal, plain(&docket.normal)),
        (Some(docket), None) => format!("-|{}", plain(&docket.normal)),
        (None, _) if !name.is_empty() => format!("own:{}", plain(&name)),
        (None, _) => return None,
    };
    let name = match (name.is_empty(), docket) {
        (true, Some(docket)) => format!("No. {}", docket.normal),
        (false, Some(docket)) => format!("{name}, No. {}", docket.normal),
        (_, None) => name,
    };
    Some((key, name))
}
