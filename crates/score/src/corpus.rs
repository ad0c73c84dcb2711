//! Reads the corpus: lines of JSON, document texts, and offsets counted in code points.

use std::path::{Path, PathBuf};

use compartment_documents::{ExtractOptions, ExtractedText, extract};
use serde_json::Value;

use crate::halves::Split;

/// A folder of documents with a `gold` folder, or one half of its gold.
#[derive(Debug)]
pub(crate) struct Corpus {
    root: PathBuf,
    split: Option<Split>,
}

impl Corpus {
    pub(crate) fn open(root: &Path, split: Option<Split>) -> std::io::Result<Self> {
        if !root.join("gold").is_dir() {
            let message = format!("{} has no folder named gold", root.display());
            return Err(std::io::Error::new(std::io::ErrorKind::NotFound, message));
        }
        Ok(Self { root: root.to_owned(), split })
    }

    /// Whether a document or an annotated text is in the half of the gold that is scored.
    pub(crate) fn has(&self, item: &str) -> bool {
        self.split.is_none_or(|split| split.has(item))
    }

    /// The objects of `gold/<name>.jsonl` in this half; empty if the corpus does not have the file.
    pub(crate) fn gold(&self, name: &str) -> std::io::Result<Vec<Value>> {
        let path = self.root.join("gold").join(format!("{name}.jsonl"));
        if !path.exists() {
            return Ok(Vec::new());
        }
        let content = std::fs::read_to_string(path)?;
        content
            .lines()
            .filter(|line| !line.trim().is_empty())
            .map(|line| serde_json::from_str(line).map_err(std::io::Error::other))
            .filter(|line| line.as_ref().map_or(true, |line| self.has(item(line))))
            .collect()
    }

    /// The text of a document from the stage `extract`.
    pub(crate) fn extracted(&self, document: &str) -> std::io::Result<ExtractedText> {
        let bytes = std::fs::read(self.root.join(document))?;
        extract(&bytes, document, &ExtractOptions::default())
            .map_err(|error| std::io::Error::other(format!("{document}: {error}")))
    }

    /// A path below the corpus.
    pub(crate) fn path(&self, below: &str) -> PathBuf {
        self.root.join(below)
    }
}

/// The document or the text that a line of the gold annotates.
fn item(line: &Value) -> &str {
    ["doc", "text", "id"]
        .into_iter()
        .map(|field| text(line, field))
        .find(|item| !item.is_empty())
        .unwrap_or_default()
}

/// Byte offsets of code points: gold offsets are in code points.
#[derive(Debug)]
pub(crate) struct CodePoints {
    starts: Vec<usize>,
}

impl CodePoints {
    pub(crate) fn of(text: &str) -> Self {
        let mut starts: Vec<usize> = text.char_indices().map(|(at, _)| at).collect();
        starts.push(text.len());
        Self { starts }
    }

    /// The byte at which code point `index` starts.
    pub(crate) fn byte(&self, index: usize) -> usize {
        self.starts.get(index).or(self.starts.last()).copied().unwrap_or(0)
    }
}

/// The text of a span with `bytes` before and after it.
pub(crate) fn context(content: &str, span: (usize, usize), bytes: usize) -> &str {
    let from = content.floor_char_boundary(span.0.saturating_sub(bytes));
    let to = content.floor_char_boundary((span.1 + bytes).min(content.len()));
    &content[from..to]
}

/// A field as text; empty if missing.
pub(crate) fn text<'v>(value: &'v Value, field: &str) -> &'v str {
    value[field].as_str().unwrap_or_default()
}

/// A field as a list; empty if missing.
pub(crate) fn list<'v>(value: &'v Value, field: &str) -> &'v [Value] {
    value[field].as_array().map_or(&[], Vec::as_slice)
}

/// A field as an offset.
pub(crate) fn offset(value: &Value, field: &str) -> usize {
    value[field].as_u64().map_or(0, |n| n as usize)
}

/// Letters and digits in lower case, one space between words.
pub(crate) fn plain_words(text: &str) -> String {
    let spaced: String = text
        .chars()
        .map(|c| {
            if c.is_alphanumeric() || c == '&' {
                c.to_ascii_lowercase()
            } else if matches!(c, '.' | '\'' | '’') {
                '\u{0}'
            } else {
                ' '
            }
        })
        .filter(|c| *c != '\u{0}')
        .collect();
    spaced.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Letters and digits only, in lower case.
pub(crate) fn letters(text: &str) -> String {
    text.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}
