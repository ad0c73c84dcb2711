//! Windows of a document's text: whole chunks, as many as one request may hold.

use std::sync::Arc;

use compartment_core::KeyTemplate;
use compartment_pipeline::{Stage, StageError};

use super::extractor::Window;
use crate::model::{Chunk, ExtractedText};

const WINDOWS: KeyTemplate<Vec<Window>> =
    KeyTemplate::new("doc_windows", "doc:windows:{content_hash}:{version}", "cache");

/// The stage that divides a text into windows. It runs inline: windows are copied, not stored.
#[derive(Clone, Copy, Debug)]
pub(crate) struct WindowStage {
    /// Maximum number of characters of a window; a longer chunk is a window of its own.
    pub(crate) max_chars: usize,
}

impl Stage for WindowStage {
    type Input = (Arc<ExtractedText>, Arc<Vec<Chunk>>);
    type Output = Vec<Window>;

    fn name(&self) -> &'static str {
        "windows"
    }

    fn version(&self) -> String {
        format!("1-{}", self.max_chars)
    }

    fn template(&self) -> KeyTemplate<Vec<Window>> {
        WINDOWS
    }

    fn run(&self, (text, chunks): &Self::Input) -> Result<Vec<Window>, StageError> {
        Ok(windows(&text.text, chunks, self.max_chars))
    }
}

/// Consecutive chunks of together at most `max_chars` characters.
fn windows(text: &str, chunks: &[Chunk], max_chars: usize) -> Vec<Window> {
    let mut windows = Vec::new();
    let mut span: Option<(usize, usize)> = None;
    let push = |windows: &mut Vec<Window>, (start, end): (usize, usize)| {
        windows.push(Window::new(start, text.get(start..end).unwrap_or_default()));
    };
    for chunk in chunks {
        span = Some(match span {
            None => (chunk.start, chunk.end),
            Some((start, end)) => {
                let joined = text.get(start..chunk.end).unwrap_or_default();
                if joined.len() <= max_chars || joined.chars().count() <= max_chars {
                    (start, chunk.end)
                } else {
                    push(&mut windows, (start, end));
                    (chunk.start, chunk.end)
                }
            }
        });
    }
    if let Some(span) = span {
        push(&mut windows, span);
    }
    windows
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chunk::{ChunkOptions, chunk};
    use crate::model::{PageSpan, TextSource};

    #[test]
    fn windows_are_whole_chunks_and_cover_the_text() {
        let text = "The motion of Ann Roe is denied. So ordered.\n\n".repeat(60);
        let pages = vec![PageSpan { start: 0, end: text.len() }];
        let source = TextSource::PlainText;
        let (warnings, unread) = (Vec::new(), Vec::new());
        let document = ExtractedText { text, pages, source, warnings, unread };
        let mut options = ChunkOptions::default();
        (options.max_chars, options.overlap_chars) = (200, 20);
        let chunks = chunk(&document, &options);
        let windows = windows(&document.text, &chunks, 700);
        assert!(windows.len() > 2 && windows.len() < chunks.len() / 2);
        let mut covered = 0;
        for window in &windows {
            let end = window.start + window.text.len();
            assert!(window.text.chars().count() <= 700);
            assert_eq!(&document.text[window.start..end], window.text);
            assert!(chunks.iter().any(|chunk| chunk.start == window.start));
            assert!(chunks.iter().any(|chunk| chunk.end == end));
            assert!(document.text[covered.min(window.start)..window.start].trim().is_empty());
            covered = end;
        }
        assert!(document.text[covered..].trim().is_empty());
        assert_eq!(super::windows(&document.text, &chunks, 1).len(), chunks.len());
        assert_eq!(super::windows("", &[], 700), []);
    }
}
