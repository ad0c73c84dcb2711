//! Statements of many rows, in few sizes, so that few texts are prepared and kept.

use std::fmt::Write as _;
use std::sync::{Arc, OnceLock};

/// Rows of one statement. Fewer are filled up to the next size by rows that the statement leaves out.
pub(super) const SIZES: [usize; 4] = [1, 8, 32, 128];
/// The most.
pub(super) const MOST: usize = SIZES[SIZES.len() - 1];
/// The ordinal of a row that only fills up.
pub(super) const FILLING: i64 = -1;

/// The texts of one statement, by size.
pub(super) type Texts = [OnceLock<Arc<str>>; SIZES.len()];

/// The least size that holds so many rows.
pub(super) fn size_for(rows: usize) -> usize {
    SIZES.into_iter().find(|size| *size >= rows).unwrap_or(MOST)
}

/// The text for a size, made once.
pub(super) fn text_of(texts: &Texts, size: usize, make: impl FnOnce() -> String) -> Arc<str> {
    let at = SIZES.iter().position(|known| *known == size).unwrap_or(SIZES.len() - 1);
    Arc::clone(texts[at].get_or_init(|| make().into()))
}

/// `($2, $3), ($4, $5)`: rows of parameters, numbered from `first` on.
pub(super) fn rows_of(rows: usize, columns: usize, first: usize) -> String {
    let mut text = String::new();
    for row in 0..rows {
        text.push_str(if row == 0 { "(" } else { ", (" });
        for column in 0..columns {
            let comma = if column == 0 { "" } else { ", " };
            // Writing to a string does not fail.
            let _ = write!(text, "{comma}${}", first + row * columns + column);
        }
        text.push(')');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_filled_up_to_few_sizes() {
        assert_eq!(rows_of(2, 2, 3), "($3, $4), ($5, $6)");
        assert_eq!([1, 2, 8, 9, 100, 128].map(size_for), [1, 8, 8, 32, 128, 128]);
    }
}
