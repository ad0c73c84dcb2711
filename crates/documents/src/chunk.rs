//! Splits a document's text into chunks at boundaries of paragraphs, sentences and words.

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

/// Splits the text into chunks, in order. A chunk's text is exactly the bytes of its span; only white
/// space lies outside the chunks.
pub fn chunk(document: &ExtractedText, options: &ChunkOptions) -> Vec<Chunk> {
    let max_chars = options.max_chars.max(1);
    // With more overlap than half a chunk, there would be hardly any progress.
    let overlap = options.overlap_chars.min(max_chars / 2);
    let config = ChunkConfig::new(max_chars);
    let config = match config.with_overlap(overlap) {
        Ok(config) => config,
        Err(_) => ChunkConfig::new(max_chars),
    };
    TextSplitter::new(config)
        .chunk_indices(&document.text)
        .enumerate()
        .map(|(index, (start, text))| Chunk {
            index,
            start,
            end: start + text.len(),
            page: document.page_of(start),
            text: text.to_owned(),
        })
        .collect()
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
}
