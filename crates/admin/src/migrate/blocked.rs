//! Keys that a target cannot hold, found before the first key moves: hashes whose fields expire.

use compartment_redis::Connection;
use serde::Serialize;

use crate::field_lives::{FieldLives, expires_by_field};
use crate::info::Info;
use crate::key_type::KeyType;
use crate::migrate::way::{Course, Sizing};
use crate::rdb::Format;
use crate::{AdminError, Limits, Pace, Place, Progress, Result, Walk, escape};

/// Keys that cannot go to their targets as they are.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Blocked {
    /// Number of hashes whose fields expire, although the target knows no such fields.
    pub field_lives: u64,
    /// Their names, escaped, up to a maximum.
    pub names: Vec<String>,
}

impl Blocked {
    /// Adds a key.
    pub(super) fn count(&mut self, name: &[u8], max: usize) {
        self.field_lives += 1;
        if self.names.len() < max {
            self.names.push(escape(name));
        }
    }
}

/// Finds the hashes of the source that a target cannot hold. Names beyond `max` are only counted.
///
/// # Errors
/// The servers'.
pub(super) async fn look(
    course: &Course,
    limits: Limits,
    max: usize,
    progress: &dyn Progress,
) -> Result<Blocked> {
    let mut blocked = Blocked::default();
    let source = &course.source;
    let writes_them = Format::of(source.server().info()).is_none_or(Format::has_field_lives);
    let all_know_them = (0..course.targets.len()).all(|number| course.knows_field_lives(number));
    if all_know_them || !writes_them || has_none(source).await {
        return Ok(blocked);
    }
    progress.begin("look for expiring fields", source.known_keys().await);
    let mut connection = source.open("migrate").await?;
    let mut walk = Walk::start(source, course.routes.only_pattern()).await?;
    let mut pace = Pace::new(limits, source).await?;
    let mut keys_at_once = Sizing::new();
    while let Some(names) = walk.next_page().await? {
        pace.admit(names.len() + 1).await?;
        progress.advance(names.len() as u64);
        let mut hashes = hashes_among(course, &mut connection, names).await?;
        while !hashes.is_empty() {
            let some: Vec<Vec<u8>> =
                hashes.drain(..hashes.len().min(keys_at_once.keys())).collect();
            pace.admit(some.len()).await?;
            let mut dumps = redis::Pipeline::with_capacity(some.len());
            for name in &some {
                dumps.cmd("DUMP").arg(&*source.on_server(name));
            }
            let mut bytes = 0;
            let answers = connection.ask_each("look at a hash", &dumps).await?;
            for (name, answer) in some.iter().zip(answers) {
                // It may have expired since.
                let payload: Option<Vec<u8>> =
                    compartment_redis::read_answer("look at a hash", answer)?;
                let Some(payload) = payload else { continue };
                bytes += payload.len();
                if expires_by_field(&payload) {
                    blocked.count(name, max);
                }
            }
            keys_at_once.learn(some.len(), bytes);
        }
    }
    Ok(blocked)
}

/// The names of hashes that would go to a target without such fields.
async fn hashes_among(
    course: &Course,
    connection: &mut Connection,
    names: Vec<Vec<u8>>,
) -> Result<Vec<Vec<u8>>> {
    let mut types = redis::Pipeline::with_capacity(names.len());
    for name in &names {
        types.cmd("TYPE").arg(&*course.source.on_server(name));
    }
    let types = connection.ask_each("ask for a type", &types).await?;
    let mut hashes = Vec::new();
    for (name, kind) in names.into_iter().zip(types) {
        let kind: String = compartment_redis::read_answer("ask for a type", kind)?;
        let Some(rule) = course.routes.rule_of(&name) else { continue };
        let knows = course.knows_field_lives(course.routes.target(rule));
        if KeyType::parse(&kind) == Some(KeyType::Hash) && !knows {
            hashes.push(name);
        }
    }
    Ok(hashes)
}

/// Whether the server says that no hash of the source has such fields: `subexpiry` of Redis, `keys_with_volatile_items`
/// of Valkey.
async fn has_none(source: &Place) -> bool {
    let Ok(nodes) = source.open_nodes("migrate").await else { return false };
    let database = format!("db{}", source.index());
    for mut node in nodes {
        let Ok(info) = Info::ask(&mut node, &["keyspace"]).await else { return false };
        if info.get(&database).is_none() {
            continue;
        }
        let count = |name| info.part::<u64>(&database, name);
        if count("subexpiry").or_else(|| count("keys_with_volatile_items")) != Some(0) {
            return false;
        }
    }
    true
}

/// Refuses a migration of keys that cannot go, unless the operator has chosen what becomes of them.
///
/// # Errors
/// [`AdminError::Unsafe`] with the number of keys, some names, and the choice.
pub(super) fn refuse(course: &Course, blocked: &Blocked) -> Result<()> {
    if blocked.field_lives == 0 || course.field_lives != FieldLives::Stop {
        return Ok(());
    }
    let some: Vec<String> =
        blocked.names.iter().take(3).map(|name| format!("\"{name}\"")).collect();
    let (count, more) = (blocked.field_lives, if blocked.field_lives > 3 { ", …" } else { "" });
    let hashes = if count == 1 { "1 key is a hash" } else { &format!("{count} keys are hashes") };
    Err(AdminError::Unsafe(format!(
        "{hashes} with fields that expire ({}{more}), and {} knows no such fields. Nothing was moved. \
         Choose: --field-lives leave (they stay in {}), or --field-lives drop (they move, and their \
         fields never expire)",
        some.join(", "),
        course.unknowing_target(),
        course.source,
    )))
}
