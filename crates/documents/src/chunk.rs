//! Splits a document's text into chunks at boundaries of paragraphs, sentences and words.

use std::ops::Range;

use text_splitter::{ChunkConfig, TextSplitter};

use crate::model::{Chunk, ExtractedText};

/// Size and overlap of chunks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ChunkOptions {
    /// Maximum number of characters in a chunk.
    pub max_chars: usize,
    /// Characters that a chunk shares with the previous one; at most half of `max_chars` is used.
    pub overlap_chars: usize,
}

impl Default for ChunkOptions {
    fn default() -> Self {
        Self { max_chars: 4000, overlap_chars: 200 }
    }
}

/// Characters of a window, in maximum chunk sizes.
const WINDOW: usize = 8;

/// Splits the text into chunks, in order. A chunk's text is exactly the bytes of its span; only white
/// space lies outside the chunks.
///
/// Long texts are split a window at a time. For each chunk the splitter looks at all that follows in its text; with the
/// whole text the time would grow with the square of its length.
pub fn chunk(document: &ExtractedText, options: &ChunkOptions) -> Vec<Chunk> {
    let max_chars = options.max_chars.max(1);
    // With more overlap than half a chunk, there would be hardly any progress.
    let overlap = options.overlap_chars.min(max_chars / 2);
    let config = ChunkConfig::new(max_chars);
    let config = match config.with_overlap(overlap) {
        Ok(config) => config,
        Err(_) => ChunkConfig::new(max_chars),
    };
    let splitter = TextSplitter::new(config);
    let text = document.text.as_str();
    let mut chunks = Vec::new();
    let mut from = 0;
    while from < text.len() {
        let end = window_end(text, from, max_chars.saturating_mul(WINDOW));
        let window = splitter.chunk_indices(&text[from..end]);
        let mut spans: Vec<Range<usize>> =
            window.map(|(at, text)| from + at..from + at + text.len()).collect();
        // The last chunk depends on what follows the window, so the next window begins with it.
        let unsure = if end < text.len() && spans.len() > 1 { spans.pop() } else { None };
        from = unsure.map_or(end, |span| span.start);
        for span in spans {
            chunks.push(Chunk {
                index: chunks.len(),
                start: span.start,
                end: span.end,
                page: document.page_of(span.start),
                text: text[span].to_owned(),
            });
        }
    }
    chunks
}

/// The end of the window of so many characters that begins at `from`.
fn window_end(text: &str, from: usize, chars: usize) -> usize {
    text[from..].char_indices().nth(chars).map_or(text.len(), |(at, _)| from + at)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{PageSpan, TextSource};

    fn document(text: &str) -> ExtractedText {
        ExtractedText {
            text: text.to_owned(),
            pages: vec![PageSpan { start: 0, end: text.len() }],
            source: TextSource::PlainText,
            warnings: Vec::new(),
            unread: Vec::new(),
        }
    }

    #[test]
    fn chunks_are_exact_spans_and_cover_the_text() {
        let text = "§ 1 The “rule”. It holds.\n\n".repeat(40);
        let options = ChunkOptions { max_chars: 100, overlap_chars: 20 };
        let chunks = chunk(&document(&text), &options);
        assert!(chunks.len() > 5);
        let mut covered = 0;
        for chunk in &chunks {
            assert_eq!(&text[chunk.start..chunk.end], chunk.text);
            assert!(chunk.text.chars().count() <= 100);
            assert!(chunk.start <= covered || text[covered..chunk.start].trim().is_empty());
            covered = chunk.end;
        }
        assert!(text[covered..].trim().is_empty());
    }

    #[test]
    fn silly_options_still_make_way() {
        let options = ChunkOptions { max_chars: 0, overlap_chars: 9 };
        assert!(chunk(&document("abc"), &options).len() == 3);
    }

    #[test]
    fn windows_change_no_chunk_of_a_text_with_paragraphs() {
        let text = "The court finds as follows. It holds § 1983 to apply.\n\n".repeat(400);
        let options = ChunkOptions { max_chars: 300, overlap_chars: 30 };
        let config = ChunkConfig::new(300).with_overlap(30).unwrap();
        let whole: Vec<(usize, String)> = TextSplitter::new(config)
            .chunk_indices(&text)
            .map(|(at, text)| (at, text.to_owned()))
            .collect();
        assert!(text.len() > 4 * WINDOW * options.max_chars);
        let chunks = chunk(&document(&text), &options);
        let found: Vec<_> = chunks.iter().map(|one| (one.start, one.text.clone())).collect();
        assert_eq!(found, whole);
        assert!(chunks.iter().enumerate().all(|(at, chunk)| chunk.index == at));
    }

    #[test]
    fn a_long_text_without_any_break_is_covered() {
        let options = ChunkOptions { max_chars: 50, overlap_chars: 10 };
        for piece in ["a", "é", "a ", " ", ". "] {
            let text = piece.repeat(3_000);
            let mut covered = 0;
            for chunk in chunk(&document(&text), &options) {
                assert!(chunk.text.chars().count() <= 50);
                assert!(text[covered.min(chunk.start)..chunk.start].trim().is_empty(), "{piece:?}");
                assert!(chunk.end > covered, "{piece:?}: each chunk goes on");
                covered = chunk.end;
            }
            assert!(text[covered..].trim().is_empty(), "{piece:?}");
        }
    }
}
