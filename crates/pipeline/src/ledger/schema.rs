//! The ledger's tables, created by built-in migrations.

use std::borrow::Cow;

use sqlx::SqlSafeStr;
use sqlx::migrate::{Migration, MigrationType, Migrator};

/// A migration in both dialects: its number, its description, SQLite's text, PostgreSQL's text.
type InBoth = (i64, &'static str, &'static str, &'static str);

/// Migrations in order. Existing ledgers have run them: change tables with a further migration.
const MIGRATIONS: [InBoth; 3] = [
    (
        1,
        "ledger",
        include_str!("../../migrations/sqlite/0001_ledger.sql"),
        include_str!("../../migrations/postgres/0001_ledger.sql"),
    ),
    (
        2,
        "removed",
        include_str!("../../migrations/sqlite/0002_removed.sql"),
        include_str!("../../migrations/postgres/0002_removed.sql"),
    ),
    (
        3,
        "slow",
        include_str!("../../migrations/sqlite/0003_slow.sql"),
        include_str!("../../migrations/postgres/0003_slow.sql"),
    ),
];

pub(super) fn migrator(is_sqlite: bool) -> Migrator {
    let in_dialect = |(version, what, sqlite, postgres): InBoth| {
        let text = if is_sqlite { sqlite } else { postgres };
        let what = Cow::Borrowed(what);
        Migration::new(version, what, MigrationType::Simple, text.into_sql_str(), false)
    };
    let mut migrator = Migrator::with_migrations(MIGRATIONS.into_iter().map(in_dialect).collect());
    // A newer program may have added to the tables: this one uses what it knows.
    migrator.set_ignore_missing(true);
    migrator
}
