//! Plans moves of keys from one database to another.

use std::path::PathBuf;
use std::sync::Arc;

use compartment::backend::random;
use compartment_admin::migrate::{
    MigrateOptions, Migration, Preview, Routes, check_queues, migrate, preview_names,
};
use compartment_admin::{AdminError, CountedNames, Place, Silent, shell_word};
use serde_json::{Value, json};

use super::counted::{Bound, Counted, MAX_NAMES, lines};
use super::keys::{digest_of, limits, too_many};
use super::placed::bound_to;
use super::{ChangeError, Changes};
use crate::{count, counted};

impl Changes {
    pub(super) async fn count_move(
        &self,
        from: &str,
        to: &str,
        pattern: Option<&str>,
    ) -> Result<Counted, ChangeError> {
        let migration = self.migration(from, to, pattern).await?;
        let (source, target) = (&migration.source, &migration.targets[0]);
        let server = format!("{} to {}", bound_to(source), bound_to(target));
        let mut refusals = Vec::new();
        if let Err(error) = check_queues(&migration, self.map().keys(), false, &Silent).await {
            refusals.push(refusal(error)?);
        }
        let mut counted_here = Counted {
            summary: format!("move keys of {from} to {to}"),
            server: server.clone(),
            ..Counted::default()
        };
        let (preview, names) = match preview_names(&migration, MAX_NAMES, Arc::new(Silent)).await {
            Ok(found) => found,
            Err(error) => {
                refusals.push(refusal(error)?);
                counted_here.refusals = refusals;
                return Ok(counted_here);
            }
        };
        let names = names.ok_or_else(|| too_many(from))?.without(&self.log_names(source));
        let keys = names.len() as u64;
        if names.is_empty() {
            refusals.push(format!("no key of {from} fits"));
        }
        Ok(Counted {
            summary: summary(from, to, keys, &preview),
            touches: touches(from, to, pattern, keys, &preview),
            count: keys,
            digest: digest_of(&server, &names),
            refusals,
            dry_run: json!(preview),
            before: json!({ "keys": keys, "in": from }),
            bound: Bound::Keys(Arc::new(names)),
            ..counted_here
        })
    }

    /// Moves the counted keys.
    pub(super) async fn carry_out_move(
        &self,
        from: &str,
        to: &str,
        pattern: Option<&str>,
        only: &Arc<CountedNames>,
    ) -> Result<(String, u64, Value, String), ChangeError> {
        let mut migration = self.migration(from, to, pattern).await?;
        migration.routes = migration.routes.only(Arc::clone(only));
        let journal = shell_word(&migration.options.journal.to_string_lossy());
        let undo = format!("to take it back: compartment migrate --undo {journal}");
        migration.options.instructions.push(undo.clone());
        let report = migrate(migration, Arc::new(Silent)).await?;
        let left = report.conflicts + report.changed + report.damaged + report.of_indexes;
        let mut text = format!("{} are in {to} now", counted(report.moved + report.same, "key"));
        if left > 0 {
            text += &format!("; {} did not move, for the reasons in the report", count(left));
        }
        Ok((text, report.moved, json!(report), undo))
    }

    async fn migration(
        &self,
        from: &str,
        to: &str,
        pattern: Option<&str>,
    ) -> Result<Migration, ChangeError> {
        let (source, target) = (self.place(from).await?, self.place(to).await?);
        if is_one(&source, &target).await? {
            let what = format!("{from} and {to} are one place: nothing would move");
            return Err(ChangeError::Invalid(what));
        }
        let patterns: Vec<String> = pattern.iter().map(|&pattern| pattern.to_owned()).collect();
        let routes = Routes::single(pattern.unwrap_or("all keys"), &patterns, None);
        let mut options = MigrateOptions::new(self.journal()?);
        options.verify = true;
        options.limits = limits();
        let migration = Migration { source, targets: vec![target], routes, options };
        Ok(migration.without_keys_of_targets().await?)
    }

    /// A new journal, by which a move can be taken back.
    fn journal(&self) -> Result<PathBuf, ChangeError> {
        let folder = self.operations().options().state_folder.clone().unwrap_or_default();
        if !folder.as_os_str().is_empty() {
            compartment_files::create_folders(&folder)
                .map_err(AdminError::file("create", &folder))?;
        }
        Ok(folder.join(format!("compartment-move-{:016x}.journal", random())))
    }
}

async fn is_one(source: &Place, target: &Place) -> Result<bool, ChangeError> {
    source.is(target).await.map_err(ChangeError::from)
}

/// The reason, if the error is a refusal.
fn refusal(error: AdminError) -> Result<String, ChangeError> {
    match error {
        AdminError::Unsafe(why) | AdminError::Conflict(why) | AdminError::Invalid(why) => Ok(why),
        error => Err(error.into()),
    }
}

fn summary(from: &str, to: &str, keys: u64, preview: &Preview) -> String {
    let collisions: u64 = preview.groups.iter().map(|group| group.collisions).sum();
    let mut text = format!("move {} of {from} to {to}", counted(keys, "key"));
    if collisions > 0 {
        text += &format!(
            "; {} of these names exist in {to} already, and would stay in {from}",
            count(collisions)
        );
    }
    text
}

fn touches(
    from: &str,
    to: &str,
    pattern: Option<&str>,
    keys: u64,
    preview: &Preview,
) -> Vec<String> {
    let pattern = compartment_admin::printable(pattern.unwrap_or("*"));
    let mut touches = lines(vec![(format!("{from} {pattern} to {to}"), keys)], "key");
    touches.push(format!("{} of {from} stay", counted(preview.staying, "key")));
    touches
}
