//! Left behind by Celery: messages that no worker holds any more, and replies that nobody reads.

use compartment_redis::Connection;
use redis::{Pipeline, Value};

use super::code::{Code, Severity};
use super::facts::{ServerFacts, counted};
use super::finding::Finding;
use crate::analyze::{leaves_no_trace, number};
use crate::client_list::Client;
use crate::frameworks::may_be_of;
use crate::snapshot::server_time;
use crate::{Place, Result, size};

const CELERY: &str = "Celery";
/// Celery's visibility time-out unless configured: workers take a message back after it.
const VISIBILITY_SECONDS: u64 = 3_600;
/// The longest visibility time-out that is usual.
const LONG_SECONDS: u64 = 24 * 3_600;
/// A reply is read within seconds of the question.
const UNREAD_SECONDS: u64 = 3_600;
/// Queues for replies that are looked at in one place.
const MAX_QUEUES: usize = 1_000;
/// The end of the name of such a queue, and the table of all of them.
const REPLIES: &[u8] = b".reply.celery.pidbox";
const REPLY_TABLE: &[u8] = b"_kombu.binding.reply.celery.pidbox";
/// The separator of the parts of a member of a table.
const SEPARATOR: &[u8] = b"\x06\x16";

pub(super) async fn check(server: &ServerFacts<'_>, unknown: &mut Vec<String>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (place, sample) in server.samples() {
        // An index of which no key was seen has nothing to look for, or may not be read.
        if sample.keys.is_empty() {
            continue;
        }
        let names: Vec<&[u8]> = sample.keys.iter().map(|key| key.name.as_slice()).collect();
        let workers = server.clients.as_deref().map(|clients| has_worker(clients, place));
        match unacked_idle(place, &names, workers).await {
            Ok(found) => findings.extend(found),
            Err(error) => unknown.push(format!("Celery's unacked messages in {place}: {error}")),
        }
        match pidbox_orphaned(place, &names).await {
            Ok(found) => findings.extend(found),
            Err(error) => unknown.push(format!("Celery's replies in {place}: {error}")),
        }
    }
    findings
}

fn has_worker(clients: &[Client], place: &Place) -> bool {
    clients.iter().any(|client| client.index == place.index() && may_be_of(CELERY, client))
}

async fn open(place: &Place) -> Result<Connection> {
    let mut connection = place.open("doctor").await?;
    leaves_no_trace(&mut connection).await;
    Ok(connection)
}

/// Names that end with `ending`, those of the sample and the plain one.
fn ending_with(names: &[&[u8]], ending: &[u8]) -> Vec<Vec<u8>> {
    let mut found: Vec<Vec<u8>> = vec![ending.to_vec()];
    found.extend(names.iter().filter(|name| name.ends_with(ending)).map(|name| name.to_vec()));
    found.sort();
    found.dedup();
    found
}

async fn unacked_idle(
    place: &Place,
    names: &[&[u8]],
    workers: Option<bool>,
) -> Result<Vec<Finding>> {
    let mut connection = open(place).await?;
    let mut findings = Vec::new();
    for index in ending_with(names, b"unacked_index") {
        let Some(prefix) = index.strip_suffix(b"_index") else { continue };
        let key = place.on_server(&index);
        let mut oldest = redis::cmd("ZRANGE");
        oldest.arg(key.as_ref()).arg(0).arg(0).arg("WITHSCORES");
        // A key of this name with another type is not Celery's.
        let Ok(value) = connection.ask::<Value>("look at unacked messages", &oldest).await else {
            continue;
        };
        let Some(since) = first_score(value) else { continue };
        let idle = (server_time(&mut connection).await? / 1_000).saturating_sub(since);
        let is_left = match workers {
            Some(true) | None => idle > LONG_SECONDS,
            Some(false) => idle > VISIBILITY_SECONDS,
        };
        if !is_left {
            continue;
        }
        let (messages, bytes) = held(&mut connection, &place.on_server(prefix)).await?;
        findings.push(unacked(place, prefix, idle, messages, bytes));
    }
    Ok(findings)
}

/// The score of the first member of an answer to `ZRANGE … WITHSCORES`, in whole seconds.
fn first_score(answer: Value) -> Option<u64> {
    let pairs: Vec<(Vec<u8>, f64)> = redis::from_redis_value(answer).ok()?;
    let score = pairs.first()?.1;
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "it is within the bounds"
    )]
    (score > 0.0 && score < 1e12).then_some(score as u64)
}

/// How many messages the hash holds, and in how many bytes.
async fn held(connection: &mut Connection, key: &[u8]) -> Result<(Option<u64>, Option<u64>)> {
    let mut pipeline = Pipeline::new();
    pipeline.cmd("HLEN").arg(key);
    pipeline.cmd("MEMORY").arg("USAGE").arg(key);
    let answers = connection.ask_each("look at unacked messages", &pipeline).await?;
    let figure = |at: usize| answers.get(at).and_then(number);
    Ok((figure(0), figure(1)))
}

fn unacked(
    place: &Place,
    key: &[u8],
    idle: u64,
    messages: Option<u64>,
    bytes: Option<u64>,
) -> Finding {
    let count = messages.map_or_else(|| "messages".to_owned(), |count| counted(count, "message"));
    let what = format!(
        "Celery's {} in {} holds {count}, the oldest for {} h",
        crate::escape(key),
        place.label(),
        idle / 3_600
    );
    Finding::new(Code::UnackedIdle, Severity::Warning, what)
        .databases([place.label()])
        .keys([key])
        .key_count(messages)
        .bytes(bytes)
        .why(
            "a worker took them and neither finished nor gave them back; they run again only when a worker \
             of the same queues is started",
        )
        .cure(
            "start a worker on this database: it restores them after its visibility_timeout (3600 s unless \
             set). Remove the hash and its index only if the tasks are not wanted",
        )
}

async fn pidbox_orphaned(place: &Place, names: &[&[u8]]) -> Result<Option<Finding>> {
    let mut connection = open(place).await?;
    let mut queues: Vec<Vec<u8>> = names
        .iter()
        .filter(|name| name.ends_with(REPLIES) && !name.ends_with(REPLY_TABLE))
        .map(|name| name.to_vec())
        .collect();
    for table in ending_with(names, REPLY_TABLE) {
        let prefix = table.strip_suffix(REPLY_TABLE).unwrap_or_default();
        queues.extend(bound(&mut connection, place, &table, prefix).await?);
    }
    queues.sort();
    queues.dedup();
    queues.truncate(MAX_QUEUES);
    // OBJECT and MEMORY leave the idle time as it is, also before Redis 7.2.
    let mut pipeline = Pipeline::with_capacity(queues.len() * 2);
    for queue in &queues {
        let key = place.on_server(queue);
        pipeline.cmd("OBJECT").arg("IDLETIME").arg(key.as_ref());
        pipeline.cmd("MEMORY").arg("USAGE").arg(key.as_ref());
    }
    let answers = connection.ask_each("look at replies", &pipeline).await?;
    let idle = |answers: &[Value]| answers.first().and_then(number).unwrap_or(0);
    let unread: Vec<(&[u8], Option<u64>)> = queues
        .iter()
        .zip(answers.chunks(2))
        .filter(|(_, answers)| idle(answers) > UNREAD_SECONDS)
        .map(|(queue, answers)| (queue.as_slice(), answers.get(1).and_then(number)))
        .collect();
    if unread.is_empty() {
        return Ok(None);
    }
    let bytes: Option<u64> = unread.iter().map(|(_, bytes)| *bytes).sum();
    let taken = bytes.map_or_else(String::new, |bytes| format!(", {}", size(bytes)));
    let what = format!(
        "queues for replies of Celery's remote control in {} that nobody has read for an hour: {}{taken}",
        place.label(),
        unread.len()
    );
    let finding = Finding::new(Code::PidboxOrphaned, Severity::Warning, what)
        .databases([place.label()])
        .keys(unread.iter().map(|(queue, _)| *queue))
        .key_count(Some(unread.len() as u64))
        .bytes(bytes)
        .why(
            "the program that asked (celery inspect, Flower) is gone; every worker goes on answering into them, \
             without a limit",
        )
        .cure(format!(
            "UNLINK them, and SREM their members from {}; control.inspect with a timeout keeps new ones \
             from staying",
            crate::escape(REPLY_TABLE)
        ));
    Ok(Some(finding))
}

/// The queues that a table of bindings names, without the place's prefix.
async fn bound(
    connection: &mut Connection,
    place: &Place,
    table: &[u8],
    prefix: &[u8],
) -> Result<Vec<Vec<u8>>> {
    let mut members = redis::cmd("SSCAN");
    members.arg(place.on_server(table).as_ref()).arg(0).arg("COUNT").arg(MAX_QUEUES);
    // A key of this name with another type is no table.
    let answer = connection.ask::<(u64, Vec<Vec<u8>>)>("look at replies", &members).await;
    let members = answer.map(|(_, members)| members).unwrap_or_default();
    let queue = |member: &[u8]| {
        let at = member.windows(SEPARATOR.len()).rposition(|two| two == SEPARATOR)?;
        Some([prefix, &member[at + SEPARATOR.len()..]].concat())
    };
    Ok(members.iter().filter_map(|member| queue(member)).collect())
}
