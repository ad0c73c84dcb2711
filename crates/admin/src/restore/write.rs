//! Writes the keys to the server, with several round trips in flight.

use compartment_core::{Error, ErrorKind};
use compartment_redis::{Connection, answer_error};
use futures_util::{Stream, StreamExt};
use redis::{Pipeline, Value};
use tokio::sync::Mutex;

use super::check::Standing;
use super::keys::{Batch, Keys};
use super::{OnConflict, RestoreReport, Work};
use crate::error::{AdminError, Result};
use crate::eviction::EvictionWatch;
use crate::rdb::{Key, Payload, has_field_lives, translated_dump};
use crate::size::size;
use crate::typed::{self, max_bytes};
use crate::weight::weight;
use crate::{Pace, escape};

/// Round trips in flight.
const IN_FLIGHT: usize = 3;
/// Bytes of payloads per round trip.
const SENT_TOGETHER: usize = 8 << 20;

/// The outcome of a batch.
#[derive(Debug, Default)]
struct Outcome {
    restored: u64,
    already_there: u64,
    standing: u64,
    expired: u64,
    /// The error that stopped it, after the keys counted above.
    stopped: Option<AdminError>,
}

impl Work<'_> {
    pub(super) async fn write(
        &self,
        keys: &Keys,
        connection: &Connection,
        report: &mut RestoreReport,
    ) -> Result<()> {
        let pace = Pace::new(self.options.limits, self.place).await?;
        let watch = match self.options.accept_eviction {
            true => None,
            false => Some(EvictionWatch::start(self.place).await?),
        };
        // One at a time if the server may evict keys, or its latency is limited.
        let evicts = watch.as_ref().is_some_and(EvictionWatch::is_needed);
        let one_by_one = evicts || self.options.limits.latency.is_some();
        let in_flight = if one_by_one { 1 } else { IN_FLIGHT };
        let watch = Mutex::new(watch);
        let outcomes = paced(keys.batches(), pace).map(|batch| {
            let (mut connection, watch) = (connection.clone(), &watch);
            async move {
                match batch {
                    Ok(batch) => self.write_watched(&mut connection, batch, keys, watch).await,
                    Err(error) => Outcome { stopped: Some(error), ..Outcome::default() },
                }
            }
        });
        let mut outcomes = std::pin::pin!(outcomes.buffered(in_flight));
        while let Some(outcome) = outcomes.next().await {
            report.restored += outcome.restored;
            report.already_there += outcome.already_there;
            report.standing += outcome.standing;
            report.expired += outcome.expired;
            self.progress.advance(
                outcome.restored + outcome.already_there + outcome.standing + outcome.expired,
            );
            if let Some(error) = outcome.stopped {
                return Err(self.going_on(error, report.restored));
            }
        }
        Ok(())
    }

    /// Adds to an error how to resume.
    fn going_on(&self, error: AdminError, restored: u64) -> AdminError {
        let AdminError::Server(error) = error else { return error };
        let way = match error.kind() {
            ErrorKind::OutOfMemory => "give the server more memory and ",
            ErrorKind::ReadOnly => "use its master and ",
            ErrorKind::Permission => "allow the user RESTORE and ",
            _ => "",
        };
        let message = error.message();
        let version = self.rdb_version;
        let what = if message.contains("payload version") {
            format!("the server does not take values of RDB version {version}: use a newer one")
        } else if message.contains("Bad data format") {
            "the server cannot read the value: it is damaged, or of a module it does not have"
                .into()
        } else {
            message.to_owned()
        };
        let what = format!(
            "{what}; {restored} keys are restored: {way}run the same command again to go on"
        );
        let mut told = Error::new(error.kind(), "restore", what);
        if let Some(key) = error.key() {
            told = told.at_key(key);
        }
        if let Some(database) = error.database() {
            told = told.in_database(database);
        }
        AdminError::Server(told.caused_by(error))
    }

    /// Writes a batch if there is room for it, and checks for evictions.
    async fn write_watched(
        &self,
        connection: &mut Connection,
        batch: Batch,
        keys: &Keys,
        watch: &Mutex<Option<EvictionWatch>>,
    ) -> Outcome {
        let stop = |error| Outcome { stopped: Some(error), ..Outcome::default() };
        let weigh = |key: &Key| weight(key.value_type, &key.payload);
        let bytes = batch.keys.iter().map(weigh).sum();
        if let Some(watch) = watch.lock().await.as_ref()
            && let Err(error) = watch.room_for(bytes)
        {
            return stop(error);
        }
        let mut outcome = self.write_batch(connection, batch, keys).await;
        if let Some(watch) = watch.lock().await.as_mut()
            && let Err(error) = watch.look().await
        {
            outcome.stopped.get_or_insert(error);
        }
        outcome
    }

    async fn write_batch(
        &self,
        connection: &mut Connection,
        mut batch: Batch,
        keys: &Keys,
    ) -> Outcome {
        let mut outcome = Outcome { expired: batch.expired, ..Outcome::default() };
        let max = max_bytes(self.place.server());
        let (mut sent, mut large, mut answers) = (Vec::new(), Vec::new(), Vec::new());
        let (mut pipeline, mut bytes) = (Pipeline::new(), 0);
        let mut rest = std::mem::take(&mut batch.keys).into_iter().peekable();
        while let Some(key) = rest.next() {
            // Measured as it is sent: a value that is written again is not compressed.
            match self.dump(&key) {
                Ok(dump) if dump.len() as u64 > max => large.push(key),
                Ok(dump) => {
                    bytes += dump.len();
                    self.add(&mut pipeline, &key, dump);
                    sent.push(key);
                }
                Err(error) => {
                    outcome.stopped = Some(error.into());
                    return outcome;
                }
            }
            if bytes < SENT_TOGETHER && rest.peek().is_some() {
                continue;
            }
            match connection.ask_each("restore", &std::mem::take(&mut pipeline)).await {
                Ok(more) => answers.extend(more),
                Err(error) => {
                    outcome.stopped = Some(error.in_database(self.place.label()).into());
                    return outcome;
                }
            }
            bytes = 0;
        }
        let mut standing = Vec::new();
        for key in large {
            match self.write_in_parts(&key).await {
                Ok(true) => outcome.restored += 1,
                Ok(false) => standing.push(key),
                Err(error) => {
                    let error = error.at_key(escape(&key.name)).in_database(self.place.label());
                    outcome.stopped.get_or_insert(error.into());
                }
            }
        }
        for (key, answer) in sent.into_iter().zip(answers) {
            match &answer {
                Value::ServerError(error) if error.code() == "BUSYKEY" => standing.push(key),
                answer => match answer_error("restore", answer) {
                    None => outcome.restored += 1,
                    // The first error has the reason; the others follow from it.
                    Some(error) if outcome.stopped.is_none() => {
                        let error = error.at_key(escape(&key.name));
                        outcome.stopped = Some(error.in_database(self.place.label()).into());
                    }
                    Some(_) => {}
                },
            }
        }
        if outcome.stopped.is_none()
            && let Err(error) = self.judge(connection, &standing, keys, &mut outcome).await
        {
            outcome.stopped = Some(error);
        }
        outcome
    }

    /// Writes an oversized value by commands of its type. `false` if the name existed and must be
    /// kept.
    async fn write_in_parts(&self, key: &Key) -> compartment_core::Result<bool> {
        let fail = |kind, what: String| Error::new(kind, "restore", what);
        let server = self.place.server();
        if server.is_cluster() {
            return Err(fail(
                ErrorKind::Contract,
                format!(
                    "its value is {}, but the server accepts {} at once (proto-max-bulk-len): raise \
                     that for the time of the restore",
                    size(key.payload.len() as u64),
                    size(max_bytes(server))
                ),
            ));
        }
        let value = Payload::parse(&key.dump(self.rdb_version)).and_then(|payload| payload.value());
        let mut value = value.map_err(|error| fail(ErrorKind::Unsupported, error.to_string()))?;
        if let Some(now_ms) = self.drops_field_lives {
            value = value.without_field_lives(now_ms);
        }
        // A separate connection, because `WATCH` applies to the whole connection.
        let mut connection = self.place.open("restore").await?;
        let name = self.place.on_server(&key.name);
        let replace = self.options.on_conflict == OnConflict::Replace;
        typed::write(&mut connection, server, &name, (&value, key.expires_at_ms), replace).await
    }

    fn add(&self, pipeline: &mut Pipeline, key: &Key, dump: Vec<u8>) {
        let restore = pipeline.cmd("RESTORE");
        restore
            .arg(&*self.place.on_server(&key.name))
            .arg(key.expires_at_ms.unwrap_or(0))
            .arg(dump);
        if self.options.on_conflict == OnConflict::Replace {
            restore.arg("REPLACE");
        }
        restore.arg("ABSTTL");
    }

    /// The value as the server reads it.
    fn dump(&self, key: &Key) -> compartment_core::Result<Vec<u8>> {
        let Some(format) = self.format else { return Ok(key.dump(self.rdb_version)) };
        let drops = self.drops_field_lives.filter(|_| has_field_lives(key.value_type));
        let translated = translated_dump(&key.as_payload(self.rdb_version), format, drops);
        translated.map_err(|obstacle| {
            let error = Error::new(ErrorKind::Unsupported, "restore", obstacle.to_string());
            error.at_key(escape(&key.name)).in_database(self.place.label())
        })
    }

    /// Judges the keys that exist in the target.
    async fn judge(
        &self,
        connection: &mut Connection,
        standing: &[Key],
        keys: &Keys,
        outcome: &mut Outcome,
    ) -> Result<()> {
        if standing.is_empty() {
            return Ok(());
        }
        for (key, how) in standing.iter().zip(self.standing(connection, standing).await?) {
            if how != Standing::Same && self.options.on_conflict == OnConflict::Skip {
                outcome.standing += 1;
                continue;
            }
            if how != Standing::Same {
                return Err(AdminError::Conflict(format!(
                    "the key \"{}\" appeared in {} while {} was restored; --on-conflict \
                     skip keeps it, --on-conflict replace overwrites it",
                    escape(&key.name),
                    self.place,
                    self.name_of(keys),
                )));
            }
            outcome.already_there += 1;
        }
        Ok(())
    }
}

/// Delays and splits the batches according to the limits.
fn paced(
    batches: impl Stream<Item = Result<Batch>>,
    pace: Pace,
) -> impl Stream<Item = Result<Batch>> {
    let state = (Box::pin(batches), pace, None::<Batch>);
    futures_util::stream::unfold(state, |(mut batches, mut pace, rest)| async {
        let batch = match rest {
            Some(batch) => Ok(batch),
            None => batches.next().await?,
        };
        let mut batch = match batch {
            Ok(batch) => batch,
            Err(error) => return Some((Err(error), (batches, pace, None))),
        };
        let rest = batch.split_off(pace.batch());
        if let Err(error) = pace.admit(batch.keys.len()).await {
            return Some((Err(error.into()), (batches, pace, None)));
        }
        Some((Ok(batch), (batches, pace, rest)))
    })
}
