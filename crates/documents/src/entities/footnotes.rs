//! Notes in which footnote each citation stands.

use crate::model::{FOOTNOTE_END, FOOTNOTE_START, Mention};

/// Numbers the footnotes of the text, and notes the number on the citations in them. `order` has the citations in text
/// order.
pub(super) fn footnotes(text: &str, mentions: &mut [Mention], order: &[usize]) {
    let mut marks = text
        .char_indices()
        .filter(|(_, c)| matches!(*c, FOOTNOTE_START | FOOTNOTE_END))
        .map(|(at, c)| (at, c == FOOTNOTE_START))
        .peekable();
    if marks.peek().is_none() {
        return;
    }
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
