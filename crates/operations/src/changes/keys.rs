//! Plans changes of the keys of one database: a cleanup, or a flush.

use std::sync::Arc;
use std::time::Duration;

use compartment::database_map::Role;
use compartment_admin::{
    AdminError, CHANGE_LOG, CleanupOptions, CountedNames, FlushOptions, Limits, Place, Silent,
    cleanup, flush, plans, preview_flush,
};
use serde_json::{Value, json};

use super::counted::{Bound, Counted, MAX_NAMES, digest, lines};
use super::placed::bound_to;
use super::{ChangeError, Changes};
use crate::{count, counted};

/// The share of the server's time that a dry run or an act takes: somebody waits for it, and other clients may.
const SHARE: f64 = 0.1;

pub(super) fn limits() -> Limits {
    Limits::default().share(Some(SHARE))
}

/// A plan keeps the name of each key that it counts.
pub(super) fn too_many(database: &str) -> ChangeError {
    ChangeError::Invalid(format!(
        "a plan counts at most {} keys, and {database} has more: choose names by a pattern, or use the command line",
        count(MAX_NAMES as u64)
    ))
}

/// A digest of the place and of the names that were counted there.
pub(super) fn digest_of(server: &str, names: &CountedNames) -> String {
    digest([server, &names.digest()])
}

impl Changes {
    pub(super) async fn count_old(
        &self,
        database: &str,
        older_than_hours: f64,
        pattern: Option<&str>,
        only: Option<&Arc<CountedNames>>,
    ) -> Result<Counted, ChangeError> {
        let place = self.place(database).await?;
        let mut options = cleanup_options(older_than_hours, pattern);
        options.note_names = Some(MAX_NAMES);
        options.only = only.cloned();
        let report = cleanup(&place, self.map(), &options, &Silent).await?;
        let names = report.names.clone().ok_or_else(|| too_many(database))?;
        let server = bound_to(&place);
        let mut refusals = report.refusals.clone();
        if names.is_empty() && only.is_none() {
            refusals.push(format!("no key of {database} is that old"));
        }
        let old = names.len() as u64;
        Ok(Counted {
            summary: format!(
                "remove {} of {database} that are older than {older_than_hours} h, of {} looked at",
                counted(old, "key"),
                count(report.seen)
            ),
            touches: lines(report.patterns.clone(), "key"),
            count: old,
            digest: digest_of(&server, &names),
            server,
            refusals,
            dry_run: json!(report),
            before: json!({ "old_keys": old, "seen": report.seen }),
            bound: Bound::Keys(Arc::new(names)),
        })
    }

    /// Removes those of the counted keys that are still old.
    pub(super) async fn remove_old(
        &self,
        database: &str,
        older_than_hours: f64,
        pattern: Option<&str>,
        only: &Arc<CountedNames>,
    ) -> Result<(String, u64, Value), ChangeError> {
        let place = self.place(database).await?;
        let mut options = cleanup_options(older_than_hours, pattern);
        (options.apply, options.only) = (true, Some(Arc::clone(only)));
        let report = cleanup(&place, self.map(), &options, &Silent).await?;
        let mut text = format!("{} of {database} were removed", counted(report.removed, "old key"));
        if report.spared > 0 {
            text +=
                &format!("; {} stay, which were used or renewed meanwhile", count(report.spared));
        }
        Ok((text, report.removed, json!({ "removed": report.removed, "spared": report.spared })))
    }

    pub(super) async fn count_flush(
        &self,
        database: &str,
        pattern: Option<&str>,
        yes_really: Option<&str>,
    ) -> Result<Counted, ChangeError> {
        let place = self.place(database).await?;
        let mut options = self.flush_options(&place, pattern, yes_really).await?;
        options.note_names = Some(MAX_NAMES);
        // Removed key by key later, so FLUSHDB and what stands against it do not matter.
        options.only = Some(Arc::default());
        let preview = preview_flush(&place, self.map(), &options, &Silent).await?;
        let names = preview.names.clone().ok_or_else(|| too_many(database))?;
        let server = bound_to(&place);
        let mut refusals = preview.refusals.clone();
        if names.is_empty() {
            refusals.push(format!("no key of {database} fits"));
        }
        let keys = names.len() as u64;
        let mut groups = preview.patterns.clone();
        if preview.more_keys > 0 {
            groups.push(("keys of other forms".to_owned(), preview.more_keys));
        }
        Ok(Counted {
            summary: format!("remove {} of {database}, for good", counted(keys, "key")),
            touches: lines(groups, "key"),
            count: keys,
            digest: digest_of(&server, &names),
            server,
            refusals,
            dry_run: json!(preview),
            before: json!({ "keys": keys }),
            bound: Bound::Keys(Arc::new(names)),
        })
    }

    /// Removes the counted keys, if they are all there are.
    pub(super) async fn remove_counted(
        &self,
        place: &Place,
        pattern: Option<&str>,
        yes_really: Option<&str>,
        only: &Arc<CountedNames>,
    ) -> Result<(String, u64, Value), ChangeError> {
        let mut options = self.flush_options(place, pattern, yes_really).await?;
        options.only = Some(Arc::clone(only));
        let report = flush(place, self.map(), &options, &Silent).await?;
        let text = format!("{} of {} were removed", counted(report.removed, "key"), place.label());
        Ok((text, report.removed, json!({ "removed": report.removed })))
    }

    async fn flush_options(
        &self,
        place: &Place,
        pattern: Option<&str>,
        yes_really: Option<&str>,
    ) -> Result<FlushOptions, AdminError> {
        let mut options = FlushOptions::default();
        options.patterns = pattern.iter().map(|&pattern| pattern.to_owned()).collect();
        options.limits = limits();
        options.yes_really = yes_really.map(str::to_owned);
        let file = self.operations().options().file.as_deref();
        options.plans = plans::about(self.map(), file, place, &[]).await?;
        options.except = self.log_names(place);
        Ok(options)
    }

    /// The log of changes, as it may be called in a place that shares its index with the database of metrics.
    pub(super) fn log_names(&self, place: &Place) -> Vec<Vec<u8>> {
        let metrics = self.map().database(self.map().roles().database(Role::Metrics));
        let mut names = vec![CHANGE_LOG.as_bytes().to_vec()];
        let prefixes = metrics
            .map(|metrics| [metrics.placement.prefix().to_owned(), format!("{}:", metrics.name)]);
        for prefix in prefixes.into_iter().flatten() {
            let on_server = [prefix.as_bytes(), CHANGE_LOG.as_bytes()].concat();
            names.extend(place.in_place(&on_server).map(<[u8]>::to_vec));
        }
        names
    }
}

fn cleanup_options(older_than_hours: f64, pattern: Option<&str>) -> CleanupOptions {
    let mut options = CleanupOptions::default();
    options.older_than = Some(Duration::from_secs_f64(older_than_hours * 3_600.0));
    options.patterns = pattern.iter().map(|&pattern| pattern.to_owned()).collect();
    options.limits = limits();
    options
}
