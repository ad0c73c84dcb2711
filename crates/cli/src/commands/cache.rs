//! `compartment cache`: invalidates entries, and marks documents that must not be cached.

use std::path::Path;

use compartment::Databases;
use compartment::cache::Delivery;
use serde_json::json;

use super::cache_stats;
use super::open_cache::open;
use crate::args::{self, CacheCommand, General, Invalidate, Mark};
use crate::exit_code::{CliError, ExitCode};
use crate::{screen, settings};

pub(crate) async fn run(general: &General, command: args::Cache) -> Result<ExitCode, CliError> {
    let settings = settings::load(general)?;
    let databases = compartment::open(settings.map).await?;
    match command.command {
        None => cache_stats::run(&databases, &command.stats).await,
        Some(CacheCommand::Stats(stats)) => cache_stats::run(&databases, &stats).await,
        Some(CacheCommand::Invalidate(what)) => invalidate(&databases, &what).await,
        Some(CacheCommand::Mark(mark)) => self::mark(&databases, &mark).await,
    }
}

/// The id of a document: hashed from the content if it names a file, otherwise the text as given.
async fn id_of(document: &str) -> Result<String, CliError> {
    let path = Path::new(document).to_owned();
    let read = tokio::task::spawn_blocking(move || {
        if !path.is_file() {
            return Ok(None);
        }
        compartment_documents::files::document_id(&path)
            .map(Some)
            .map_err(|error| CliError::files("read", &path, &error))
    });
    let id = read.await.map_err(|error| CliError::new(ExitCode::Other, error.to_string()))??;
    Ok(id.unwrap_or_else(|| document.to_owned()))
}

async fn invalidate(databases: &Databases, what: &Invalidate) -> Result<ExitCode, CliError> {
    let cache = open(databases, &what.which.database).await?;
    if let Some(pattern) = &what.pattern {
        let count = cache.count_matching(pattern).await?;
        if !what.yes {
            let keys = screen::counted(count, "key");
            screen::say(format!("{pattern:?} matches {keys}; add --yes to remove"));
            return Ok(ExitCode::Success);
        }
        // At most the counted keys are removed, so that keys written since are not removed unseen.
        let removed = cache.remove_matching(pattern, count).await?;
        screen::say(format!("{} removed", screen::counted(removed, "key")));
        return Ok(ExitCode::Success);
    }
    let mut done = Vec::new();
    for document in &what.document {
        let id = id_of(document).await?;
        let named = if id == *document { id.clone() } else { format!("{document} ({id})") };
        done.push((format!("document {named}"), Target::Document(id)));
    }
    for tag in &what.tag {
        done.push((format!("tag {tag}"), Target::Tag(tag.clone())));
    }
    if what.all {
        done.push((format!("everything in {}", what.which.database), Target::All));
    }
    for (name, target) in done {
        if what.dry_run {
            screen::say(format!("would be invalidated: {name}"));
            continue;
        }
        let delivery = match &target {
            Target::Document(id) => cache.invalidate_document(id).await,
            Target::Tag(tag) => cache.invalidate_tag(tag).await,
            Target::All => cache.invalidate_all().await,
        };
        delivered(delivery)?;
        screen::say(format!("invalidated: {name}"));
    }
    Ok(ExitCode::Success)
}

enum Target {
    Document(String),
    Tag(String),
    All,
}

/// A pending invalidation is an error here: this process ends, so it cannot deliver it later.
fn delivered(delivery: Delivery) -> Result<(), CliError> {
    match delivery {
        Delivery::Delivered => Ok(()),
        Delivery::Pending => Err(CliError::new(
            ExitCode::Unavailable,
            "the cache database did not answer; nothing was changed",
        )
        .hint("run the same command again when the database answers")),
    }
}

async fn mark(databases: &Databases, mark: &Mark) -> Result<ExitCode, CliError> {
    let cache = open(databases, &mark.which.database).await?;
    for document in &mark.documents {
        let id = id_of(document).await?;
        delivered(cache.set_no_cache(&id, !mark.remove).await)?;
    }
    let marked = cache.no_cache_documents().await?;
    if mark.json {
        screen::say_json(&json!({ "database": mark.which.database, "marked": marked }));
    } else if marked.is_empty() {
        screen::say("no document is marked");
    } else {
        screen::say("these documents are not cached:");
        marked.iter().for_each(|document| screen::say(format!("  {document}")));
    }
    Ok(ExitCode::Success)
}
