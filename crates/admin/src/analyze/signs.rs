//! Reads a few values of groups without a known producer, if that does not reset idle times.

use compartment_core::Result;
use compartment_redis::Connection;
use redis::{Pipeline, Value};

use super::collect::Collector;
use super::definitions::{Definition, Names};
use crate::frameworks::{self, Purpose, ValueSign, sign_of_bytes, sign_of_fields};
use crate::plan::Verdict;
use crate::{KeyType, Place};

/// Bytes read of a value.
const START: isize = 160;
/// Bigger keys are not read.
const BIGGEST: u64 = 64 * 1_024;

/// Tables per round trip, and members read of each.
const PAGE: usize = 64;
const MAX_BINDINGS: usize = 1_000;

/// Whether this connection's reads can be made not to reset idle times (Redis 7.2 and later).
pub(crate) async fn leaves_no_trace(connection: &mut Connection) -> bool {
    let mut command = redis::cmd("CLIENT");
    command.arg("NO-TOUCH").arg("ON");
    connection.ask::<Value>("leave no trace", &command).await.is_ok()
}

/// Reads the queues named by Celery's binding tables. On old servers this resets the tables' idle
/// times, as each message does anyway. Without it, an unrecognised queue of Celery would stay
/// behind when the rest of the broker moves.
pub(crate) async fn read_bindings(
    connection: &mut Connection,
    place: &Place,
    names: &mut Names,
) -> Result<()> {
    let tables = names.binding_tables();
    if tables.is_empty() {
        return Ok(());
    }
    leaves_no_trace(connection).await;
    for page in tables.chunks(PAGE) {
        let mut pipeline = Pipeline::with_capacity(page.len());
        for table in page {
            let key = place.on_server(table);
            pipeline.cmd("SSCAN").arg(key.as_ref()).arg(0).arg("COUNT").arg(MAX_BINDINGS);
        }
        let answers = connection.ask_each("read bindings", &pipeline).await?;
        for (table, answer) in page.iter().zip(answers) {
            // The user may not read it, or the key is not a set: the queue is guessed from the
            // table's name.
            let Value::Array(parts) = answer else { continue };
            let Some(Value::Array(members)) = parts.into_iter().nth(1) else { continue };
            for member in members {
                if let Value::BulkString(member) = member {
                    names.bound(table, &member);
                }
            }
        }
    }
    Ok(())
}

/// Sets the producers of learnt groups that their values identify, and confirms guessed ones.
pub(crate) async fn look_at_values(
    connection: &mut Connection,
    place: &Place,
    collector: &Collector,
    definitions: &mut [Definition],
) -> Result<()> {
    let open = |one: &Definition| one.learnt || one.perhaps;
    for (at, one) in definitions.iter_mut().enumerate().filter(|(_, one)| open(one)) {
        let (names, key_type) = collector.examples(at);
        let types = match key_type {
            Some(key_type) => vec![Some(key_type); names.len()],
            None if one.perhaps => types_of(connection, place, names).await?,
            None => continue,
        };
        let sizes = super::fetch::sizes(connection, place, names).await?;
        let mut signs = Vec::new();
        for ((name, key_type), bytes) in names.iter().zip(types).zip(sizes) {
            let Some(key_type) = key_type else { continue };
            if bytes.is_none_or(|bytes| bytes > BIGGEST) {
                continue;
            }
            signs.push(read_sign(connection, &place.on_server(name), key_type).await?);
        }
        if one.perhaps {
            let confirms = |sign: &ValueSign| frameworks::confirms(&one.producer, *sign);
            one.perhaps = !signs.iter().flatten().any(confirms);
            continue;
        }
        // Every value that was read points to the same program.
        let first = signs.first().copied().flatten();
        if let Some(sign) = first.filter(|_| signs.iter().all(|sign| *sign == first)) {
            name_producer(one, sign);
        }
    }
    Ok(())
}

async fn types_of(
    connection: &mut Connection,
    place: &Place,
    names: &[Vec<u8>],
) -> Result<Vec<Option<KeyType>>> {
    let mut pipeline = Pipeline::with_capacity(names.len());
    for name in names {
        pipeline.cmd("TYPE").arg(place.on_server(name).as_ref());
    }
    let answers = connection.ask_each("look at keys", &pipeline).await?;
    Ok(answers.iter().map(|answer| super::fetch::text(answer).and_then(KeyType::parse)).collect())
}

async fn read_sign(
    connection: &mut Connection,
    key: &[u8],
    key_type: KeyType,
) -> Result<Option<ValueSign>> {
    let mut pipeline = Pipeline::new();
    match key_type {
        KeyType::String => pipeline.cmd("GETRANGE").arg(key).arg(0).arg(START - 1),
        KeyType::List => pipeline.cmd("LINDEX").arg(key).arg(0),
        KeyType::Hash => pipeline.cmd("HRANDFIELD").arg(key).arg(8),
        _ => return Ok(None),
    };
    let answers = connection.ask_each("look at a value", &pipeline).await?;
    Ok(match answers.into_iter().next() {
        Some(Value::BulkString(start)) => sign_of_bytes(&start),
        Some(Value::Array(fields)) => {
            let bytes = |field| match field {
                Value::BulkString(bytes) => Some(bytes),
                _ => None,
            };
            sign_of_fields(&fields.into_iter().filter_map(bytes).collect::<Vec<_>>())
        }
        _ => None,
    })
}

/// Uses the framework's rules for the purpose if it has any, otherwise only producer and purpose.
fn name_producer(one: &mut Definition, sign: ValueSign) {
    let is_versioned = one.patterns.iter().all(|pattern| is_versioned(pattern));
    let sign = if is_versioned { frameworks::behind_version(sign) } else { sign };
    one.producer = sign.producer.to_owned();
    one.purpose = sign.purpose;
    let known = frameworks::by_name(sign.producer);
    let groups = known.into_iter().flat_map(|framework| framework.groups);
    if let Some(group) = groups.into_iter().find(|group| group.purpose == sign.purpose) {
        one.verdict = group.verdict;
        one.note = group.note.to_owned();
        one.together = group.together.to_owned();
    } else if sign.purpose == Purpose::Unknown {
        one.verdict = Verdict::Stay;
    }
}

/// Whether names look like a Django cache with a prefix: prefix, version, name.
fn is_versioned(pattern: &str) -> bool {
    let mut parts = pattern.splitn(3, ':').skip(1);
    let (version, rest) = (parts.next().unwrap_or_default(), parts.next());
    rest.is_some() && !version.is_empty() && version.bytes().all(|byte| byte.is_ascii_digit())
}
