//! Relates authorities of which one affirms, overrules or quotes the other, and says how a paper treats an authority.

use std::collections::HashMap;

use super::relations::Relations;
use crate::model::{CitationParts, Evidence, RelationshipKind, TreatedBy};
use crate::resolve::DocumentEntities;

/// What a citation states of its authority: what the paper does to it, else its fate, else the signal.
pub(super) fn stated(parts: &CitationParts) -> Option<&str> {
    let of = |by: TreatedBy| parts.treatments.iter().find(move |one| one.by == by);
    let treatment = of(TreatedBy::Paper).or_else(|| of(TreatedBy::Unnamed));
    let signal = parts.signal.as_deref().filter(|signal| !matches!(*signal, "quoting" | "citing"));
    treatment.map(|one| one.what.as_str()).or(signal)
}

/// Relates authorities of which one affirms, overrules or quotes the other.
pub(super) fn treated(document: &DocumentEntities, found: &mut Relations) {
    let citations =
        document.mentions.iter().enumerate().filter(|(_, one)| one.citation().is_some());
    let starts: HashMap<usize, usize> = citations.map(|(at, one)| (one.start, at)).collect();
    for (mention, link) in document.mentions.iter().zip(&document.links) {
        let (Some(parts), Some(to)) = (mention.citation(), *link) else { continue };
        for treatment in &parts.treatments {
            let TreatedBy::Citation(start) = treatment.by else { continue };
            let from = starts.get(&start).and_then(|at| document.links[*at]);
            let Some(from) = from.filter(|from| *from != to) else { continue };
            let Evidence { start, end } = treatment.evidence;
            found.add(RelationshipKind::Cites, from, to, (start, end));
            found.detail((RelationshipKind::Cites, from, to), &treatment.what);
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::entities::mentions;
    use crate::model::RelationshipKind;
    use crate::relate::{RelateOptions, relate};
    use crate::resolve::resolve;

    /// Who cites whom, with the detail.
    fn cites(text: &str) -> Vec<(String, String, Option<String>)> {
        let document = resolve("d", mentions(text));
        let name = |id: &str| document.entities.iter().find(|e| e.id == id).unwrap().name.clone();
        relate(&document, &RelateOptions::default())
            .into_iter()
            .filter(|one| one.kind == RelationshipKind::Cites)
            .map(|one| (name(&one.from), name(&one.to), one.detail))
            .collect()
    }

    #[test]
    fn a_cited_authority_has_its_treatment() {
        let text = "ANN ROE,\n\nPlaintiff,\n\nv.\n\nBEN POE,\n\nDefendant.\n\nNo. 20-1234\n\n\
            See Morrow v. Teller, 31 F.3d 40 (1st Cir. 1994), aff'd, 515 U.S. 90 (1995). \
            But see Alder v. Birch, 9 F.3d 8 (2d Cir. 1993). We overrule Alder, 9 F.3d at 9. See Id.";
        let found = cites(text);
        let detail = |from: &str, to: &str| {
            let one = found.iter().find(|(a, b, _)| a.contains(from) && b.contains(to));
            one.and_then(|(.., detail)| detail.as_deref())
        };
        assert_eq!(detail("20-1234", "Alder"), Some("overruled"), "{found:?}");
        assert_eq!(detail("20-1234", "Morrow"), Some("see"), "{found:?}");
        assert_eq!(detail("515 U.S. 90", "Morrow"), Some("affirmed"), "{found:?}");
    }
}
