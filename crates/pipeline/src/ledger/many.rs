//! Statements for many rows in a few sizes, so that few texts are prepared and cached.

use std::sync::{Arc, OnceLock};

/// Numbers of rows in a statement. Filler rows, which the statement skips, complete a smaller number.
pub(super) const SIZES: [usize; 4] = [1, 8, 32, 128];
/// The largest size.
pub(super) const MOST: usize = SIZES[SIZES.len() - 1];
/// The ordinal of a filler row.
pub(super) const FILLING: i64 = -1;

/// How a statement's parameters are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Dialect {
    /// As `?`, in order. SQLite searches a named parameter among all of them: a thousand named parameters take as
    /// long as fifteen thousand unnamed ones.
    Sqlite,
    /// As `$1`.
    Postgres,
}

impl Dialect {
    /// The parameter of this number. Each must be used once and in order.
    pub(super) fn parameter(self, number: usize) -> String {
        match self {
            Self::Sqlite => "?".to_owned(),
            Self::Postgres => format!("${number}"),
        }
    }
}

/// The texts of one statement, by dialect and size.
pub(super) type Texts = [[OnceLock<Arc<str>>; SIZES.len()]; 2];

/// An empty set of texts.
pub(super) const fn no_texts() -> Texts {
    [const { [const { OnceLock::new() }; SIZES.len()] }; 2]
}

/// The smallest size that holds this number of rows.
pub(super) fn size_for(rows: usize) -> usize {
    SIZES.into_iter().find(|size| *size >= rows).unwrap_or(MOST)
}

/// The text for a size, made once.
pub(super) fn text_of(
    texts: &Texts,
    dialect: Dialect,
    size: usize,
    make: impl FnOnce() -> String,
) -> Arc<str> {
    let at = SIZES.iter().position(|known| *known == size).unwrap_or(SIZES.len() - 1);
    let of_dialect = &texts[usize::from(dialect == Dialect::Postgres)];
    Arc::clone(of_dialect[at].get_or_init(|| make().into()))
}

/// `($2, $3), ($4, $5)`: rows of parameters, numbered from `first` on.
pub(super) fn rows_of(dialect: Dialect, rows: usize, columns: usize, first: usize) -> String {
    let mut text = String::new();
    for row in 0..rows {
        text.push_str(if row == 0 { "(" } else { ", (" });
        for column in 0..columns {
            text.push_str(if column == 0 { "" } else { ", " });
            text.push_str(&dialect.parameter(first + row * columns + column));
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
        assert_eq!(rows_of(Dialect::Postgres, 2, 2, 3), "($3, $4), ($5, $6)");
        assert_eq!(rows_of(Dialect::Sqlite, 2, 2, 3), "(?, ?), (?, ?)");
        assert_eq!([1, 2, 8, 9, 100, 128].map(size_for), [1, 8, 8, 32, 128, 128]);
    }
}
