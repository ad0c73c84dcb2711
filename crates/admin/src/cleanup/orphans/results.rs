//! Results of Celery without a TTL: their age by the idle time, else by the time in the value.

use redis::Pipeline;

use super::OrphanKind;
use super::report::OrphanGroup;
use super::work::{Guarded, Work};
use crate::Result;
use crate::analyze::number;

const PREFIX: &[u8] = b"celery-task-meta-";
/// The bytes of a value, from its end, that are searched for its time; `remove_old.lua` reads as many.
const TAIL: i64 = 16_384;
/// The field as Celery's JSON has it.
const DATE_DONE: &str = "\"date_done\": \"";
/// A time without a zone may be of any zone: the result counts as so much younger.
const ZONES_SECONDS: u64 = 14 * 3_600;

/// The look for such results.
pub(super) struct Results {
    pub(super) group: OrphanGroup,
    /// Why results of this database are kept, should there be any.
    refusal: Option<String>,
}

impl Results {
    pub(super) fn new() -> Self {
        Self { group: OrphanGroup::new(OrphanKind::ResultsWithoutTtl), refusal: None }
    }

    /// Keeps the results of this database, for this reason.
    pub(super) fn refuse(&mut self, why: String) {
        self.refusal = Some(why);
    }

    /// Looks at the results among the names of a page.
    pub(super) async fn page(&mut self, work: &mut Work<'_>, names: &[Vec<u8>]) -> Result<()> {
        let names: Vec<&Vec<u8>> = names.iter().filter(|name| name.starts_with(PREFIX)).collect();
        for some in names.chunks(work.pace.batch()) {
            self.batch(work, some).await?;
        }
        Ok(())
    }

    async fn batch(&mut self, work: &mut Work<'_>, names: &[&Vec<u8>]) -> Result<()> {
        let mut pipeline = Pipeline::with_capacity(2 * names.len());
        for name in names {
            let key = work.place.on_server(name);
            pipeline.cmd("PTTL").arg(key.as_ref());
            pipeline.cmd("OBJECT").arg("IDLETIME").arg(key.as_ref());
        }
        let answers = work.ask(&pipeline, 2 * names.len()).await?;
        let mut endless = Vec::new();
        for (name, answers) in names.iter().zip(answers.chunks(2)) {
            if matches!(answers.first(), Some(redis::Value::Int(-1))) {
                endless.push((*name, answers.get(1).and_then(number)));
            }
        }
        if !endless.is_empty() {
            self.group.refusal.clone_from(&self.refusal);
        }
        let Some(older_than) = work.older_than else {
            self.group.young += endless.len() as u64;
            if !endless.is_empty() {
                self.group.note("a result may still be asked for: give an age with --older-than");
            }
            return Ok(());
        };
        let bound = older_than.as_secs().max(1);
        let (mut old, mut unread) = (Vec::new(), Vec::new());
        for (name, idle) in endless {
            match idle {
                // Whoever wrote it did so before that time.
                Some(idle) if idle >= bound => old.push(Guarded {
                    name: name.clone(),
                    by: "idle",
                    bound: bound.to_string().into_bytes(),
                    age_seconds: idle,
                }),
                _ if !work.may_read => self.group.age_unknown += 1,
                _ => unread.push(name),
            }
        }
        if self.group.age_unknown > 0 {
            self.group.note(
                "to read a result would count as its use on this server, whose policy evicts by use: only \
                 the idle time tells its age",
            );
        }
        old.extend(self.by_date_done(work, &unread, bound).await?);
        work.take(&mut self.group, old).await
    }

    /// The results among `names` whose own time is old enough.
    async fn by_date_done(
        &mut self,
        work: &mut Work<'_>,
        names: &[&Vec<u8>],
        bound: u64,
    ) -> Result<Vec<Guarded>> {
        let mut pipeline = Pipeline::with_capacity(names.len());
        for name in names {
            let key = work.place.on_server(name);
            pipeline.cmd("GETRANGE").arg(key.as_ref()).arg(-TAIL).arg(-1);
        }
        let answers = work.ask(&pipeline, names.len()).await?;
        let mut old = Vec::new();
        for (name, answer) in names.iter().zip(answers) {
            let tail: Vec<u8> = redis::from_redis_value(answer).unwrap_or_default();
            let Some((text, done)) = date_done(&tail) else {
                self.group.age_unknown += 1;
                continue;
            };
            match (work.now / 1_000).saturating_sub(done) {
                age_seconds if age_seconds >= bound => {
                    let (name, bound) = ((*name).clone(), text.into_bytes());
                    old.push(Guarded { name, by: "tail", bound, age_seconds });
                }
                _ => self.group.young += 1,
            }
        }
        Ok(old)
    }
}

/// The last `date_done` of a value: its text with the field's name, and the latest second that it can mean, since 1970.
fn date_done(tail: &[u8]) -> Option<(String, u64)> {
    let text = String::from_utf8_lossy(tail);
    let at = text.rfind(DATE_DONE)?;
    let value = text[at + DATE_DONE.len()..].split('"').next()?;
    let seconds = match value.parse::<jiff::Timestamp>() {
        Ok(time) => u64::try_from(time.as_second()).ok()?,
        Err(_) => {
            let time = value.parse::<jiff::civil::DateTime>().ok()?;
            let time = time.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp();
            u64::try_from(time.as_second()).ok()? + ZONES_SECONDS
        }
    };
    Some((format!("{DATE_DONE}{value}\""), seconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_of_a_result_is_read_with_its_zone() {
        let value = |date: &str| {
            format!(
                r#"{{"status": "SUCCESS", "result": 3, "date_done": "{date}", "task_id": "x"}}"#
            )
        };
        let seconds = |date: &str| date_done(value(date).as_bytes()).map(|(_, seconds)| seconds);
        assert_eq!(seconds("1970-01-02T00:00:00.123456+00:00"), Some(86_400));
        assert_eq!(seconds("1970-01-02T00:00:00Z"), Some(86_400));
        assert_eq!(seconds("1970-01-02T02:00:00+02:00"), Some(86_400));
        // A local time may be of any zone.
        assert_eq!(seconds("1970-01-02T00:00:00.5"), Some(86_400 + 14 * 3_600));
        assert_eq!(seconds("yesterday"), None);
        assert_eq!(date_done(b"\x80\x04\x95pickled"), None);
        let (text, _) = date_done(value("1970-01-02T00:00:00Z").as_bytes()).unwrap();
        assert_eq!(text, r#""date_done": "1970-01-02T00:00:00Z""#);
    }

    #[test]
    fn the_last_time_of_a_value_counts() {
        let inner = r#"{"result": {"date_done": "1970-01-01T00:00:00Z"}, "date_done": "1970-01-03T00:00:00Z"}"#;
        assert_eq!(date_done(inner.as_bytes()).unwrap().1, 2 * 86_400);
    }
}
