//! Notes in which footnote each citation stands.

use crate::model::{FOOTNOTE_END, FOOTNOTE_START, Mention};

/// Numbers the footnotes of the text, and notes the number on the citations in them. `order` has the citations in text
/// order.
pub(super) fn footnotes(text: &str, mentions: &mut [Mention], order: &[usize]) {
    let places = |mark| text.match_indices(mark).map(move |(at, _)| (at, mark == FOOTNOTE_START));
    let mut marks: Vec<(usize, bool)> =
        places(FOOTNOTE_START).chain(places(FOOTNOTE_END)).collect();
    if marks.is_empty() {
        return;
    }
    marks.sort_unstable();
    let mut marks = marks.into_iter().peekable();
    let (mut count, mut is_inside) = (0_u32, false);
    for &at in order {
        while let Some((_, starts)) = marks.next_if(|(mark, _)| *mark <= mentions[at].start) {
            is_inside = starts;
            count += u32::from(starts);
        }
        if let Some(parts) = mentions[at].attributes.citation.as_deref_mut() {
            parts.footnote = is_inside.then_some(count);
        }
    }
}
