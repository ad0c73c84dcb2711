//! Relates a case, and whoever a sentence is about, to the dates and sums of events.

use std::collections::HashMap;

use super::relations::Relations;
use crate::model::{EntityKind, RelationshipKind};
use crate::resolve::DocumentEntities;

/// Adds the events that the text states beside dates and sums.
pub(super) fn events(document: &DocumentEntities, found: &mut Relations) {
    let named = document.mentions.iter().enumerate().filter(|(_, one)| {
        matches!(
            one.kind,
            EntityKind::Party | EntityKind::Judge | EntityKind::Lawyer | EntityKind::Term
        )
    });
    let starts: HashMap<usize, usize> = named.map(|(at, one)| (one.start, at)).collect();
    for (mention, link) in document.mentions.iter().zip(&document.links) {
        let (Some(event), Some(to)) = (mention.attributes.event.as_deref(), *link) else {
            continue;
        };
        let about = event.about.and_then(|start| document.links[*starts.get(&start)?]);
        let span = (event.evidence.start, event.evidence.end);
        for from in [document.case, about].into_iter().flatten() {
            found.add(RelationshipKind::Event, from, to, span);
            found.detail((RelationshipKind::Event, from, to), &event.what);
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::entities::mentions;
    use crate::model::RelationshipKind;
    use crate::relate::{RelateOptions, relate};
    use crate::resolve::resolve;

    #[test]
    fn a_case_has_the_dates_and_sums_of_its_events() {
        let text = "ANN ROE,\n\nPlaintiff,\n\nv.\n\nBEN POE,\n\nDefendant.\n\nNo. 20-1234\n\n\
            Roe filed suit on May 12, 2021. A judgment of $1,200 was entered on June 3, 2022. It rained on May 4, 2020.";
        let document = resolve("d", mentions(text));
        let name = |id: &str| document.entities.iter().find(|e| e.id == id).unwrap().name.clone();
        let events: Vec<(String, String, Option<String>)> =
            relate(&document, &RelateOptions::default())
                .into_iter()
                .filter(|one| one.kind == RelationshipKind::Event)
                .map(|one| (name(&one.from), name(&one.to), one.detail))
                .collect();
        for (to, what) in
            [("2021-05-12", "filed"), ("USD 120000", "judgment"), ("2022-06-03", "entered")]
        {
            let has = |(from, value, detail): &(String, String, Option<String>)| {
                from.contains("20-1234") && value == to && detail.as_deref() == Some(what)
            };
            assert!(events.iter().any(has), "{to}: {events:?}");
        }
        assert!(!events.iter().any(|(_, to, _)| to == "2020-05-04"), "{events:?}");
    }
}
