//! Writes a value by commands of its type, for servers that refuse its dump.

use std::collections::BTreeMap;

use compartment_core::{Error, ErrorKind, Result};
use compartment_redis::{Connection, Server, answer_error, read_answer};
use redis::{Arg, Cmd, Pipeline, Value as Answer};

use crate::expiry::ExpiryBy;
use crate::rdb::{Group, HashField, Pending, Stream, StreamId, Value};
use crate::size::size;

/// Elements per command.
const AT_ONCE: usize = 500;

/// The most bytes that the server accepts in one piece (`proto-max-bulk-len`), or the default of that
/// setting if not reported.
pub(crate) fn max_bytes(server: &Server) -> u64 {
    server.info().max_value_bytes.unwrap_or(512 << 20)
}

/// Writes a value completely or not at all, over an existing key only if `replace` is set. `false`
/// if an existing key was left unchanged.
///
/// # Errors
/// The server's; [`ErrorKind::Contract`] if a part is larger than the server accepts.
pub(crate) async fn write(
    connection: &mut Connection,
    server: &Server,
    name: &[u8],
    (value, expires_at): (&Value, Option<u64>),
    replace: bool,
) -> Result<bool> {
    const WHAT: &str = "write by type";
    let before_7 = ExpiryBy::of(server.info()) == ExpiryBy::Script;
    let commands = commands(name, value, expires_at, before_7);
    check_parts(&commands, max_bytes(server))?;
    let mut look = Pipeline::new();
    look.cmd("WATCH").arg(name);
    look.cmd("EXISTS").arg(name);
    let there = connection.ask_each(WHAT, &look).await?.pop().unwrap_or(Answer::Nil);
    if !replace && read_answer::<i64>(WHAT, there)? == 1 {
        connection.ask::<Answer>(WHAT, &redis::cmd("UNWATCH")).await?;
        return Ok(false);
    }
    let mut write = Pipeline::new();
    write.cmd("MULTI");
    if replace {
        write.cmd("UNLINK").arg(name);
    }
    for command in commands {
        write.add_command(command);
    }
    write.cmd("EXEC");
    let answers = connection.ask_each(WHAT, &write).await?;
    // A command refused while it is queued aborts the transaction; one that fails later does not.
    if let Some(error) = answers.iter().find_map(|answer| answer_error(WHAT, answer)) {
        return Err(error);
    }
    let Some(Answer::Array(each)) = answers.last() else { return Ok(false) };
    let Some(error) = each.iter().find_map(|answer| answer_error(WHAT, answer)) else {
        return Ok(true);
    };
    let mut remove = redis::cmd("UNLINK");
    remove.arg(name);
    connection.ask::<Answer>("remove a half-written key", &remove).await?;
    Err(error)
}

fn check_parts(commands: &[Cmd], max: u64) -> Result<()> {
    let length = |argument: Arg<&[u8]>| match argument {
        Arg::Simple(bytes) => bytes.len() as u64,
        _ => 0,
    };
    let parts = commands.iter().flat_map(|command| command.args_iter().map(length));
    match parts.max().filter(|largest| *largest > max) {
        None => Ok(()),
        Some(largest) => Err(Error::new(
            ErrorKind::Contract,
            "write by type",
            format!(
                "a part of its value is {}, but the server accepts {} at once \
                 (proto-max-bulk-len): raise that limit during the move",
                size(largest),
                size(max)
            ),
        )),
    }
}

/// The commands, in order, that create `name` with `value`; the key must not exist. A server
/// `before_7` does not keep a stream's count of added entries, nor its last deleted id.
fn commands(name: &[u8], value: &Value, expires_at: Option<u64>, before_7: bool) -> Vec<Cmd> {
    let mut commands = match value {
        Value::String(bytes) => vec![command("SET", name).arg(bytes).take()],
        Value::List(elements) => variadic("RPUSH", name, elements),
        Value::Set(members) => variadic("SADD", name, members),
        Value::Hash(fields) => hash(name, fields),
        Value::SortedSet(members) => sorted_set(name, members),
        Value::Stream(stream) => self::stream(name, stream, before_7),
    };
    if let Some(at) = expires_at {
        commands.push(command("PEXPIREAT", name).arg(at).take());
    }
    commands
}

fn command(verb: &str, name: &[u8]) -> Cmd {
    let mut command = redis::cmd(verb);
    command.arg(name);
    command
}

fn variadic(verb: &str, name: &[u8], elements: &[Vec<u8>]) -> Vec<Cmd> {
    let some = |some: &[Vec<u8>]| command(verb, name).arg(some).take();
    elements.chunks(AT_ONCE).map(some).collect()
}

fn hash(name: &[u8], fields: &[HashField]) -> Vec<Cmd> {
    let mut commands: Vec<Cmd> = fields
        .chunks(AT_ONCE)
        .map(|some| {
            let mut set = command("HSET", name);
            for field in some {
                set.arg(&field.name).arg(&field.value);
            }
            set
        })
        .collect();
    for field in fields {
        if let Some(at) = field.expires_at_ms {
            let mut expire = command("HPEXPIREAT", name);
            expire.arg(at).arg("FIELDS").arg(1).arg(&field.name);
            commands.push(expire);
        }
    }
    commands
}

fn sorted_set(name: &[u8], members: &[(Vec<u8>, f64)]) -> Vec<Cmd> {
    let all = members.chunks(AT_ONCE).map(|some| {
        let mut add = command("ZADD", name);
        for (member, score) in some {
            add.arg(score_text(*score)).arg(member);
        }
        add
    });
    all.collect()
}

/// The shortest text that parses to the same score.
fn score_text(score: f64) -> String {
    if score == f64::INFINITY {
        "+inf".into()
    } else if score == f64::NEG_INFINITY {
        "-inf".into()
    } else {
        format!("{score:?}")
    }
}

fn id_text(id: StreamId) -> String {
    format!("{}-{}", id.ms, id.sequence)
}

fn stream(name: &[u8], stream: &Stream, before_7: bool) -> Vec<Cmd> {
    type Fields<'a> = Vec<(&'a [u8], &'a [u8])>;
    let mut entries: BTreeMap<StreamId, Fields<'_>> = stream
        .entries
        .iter()
        .map(|entry| (entry.id, entry.fields.iter().map(|(f, v)| (&f[..], &v[..])).collect()))
        .collect();
    // The server refuses to claim a deleted entry, so such entries are added for a moment. An empty
    // stream also gets one entry for a moment.
    let mut for_a_moment: Vec<StreamId> = stream
        .groups
        .iter()
        .flat_map(|group| group.pending.iter().map(|pending| pending.id))
        .filter(|id| !entries.contains_key(id))
        .collect();
    if entries.is_empty() && for_a_moment.is_empty() {
        for_a_moment.push(match stream.last_id {
            StreamId { ms: 0, sequence: 0 } => StreamId { ms: 0, sequence: 1 },
            last => last,
        });
    }
    for_a_moment.sort();
    for_a_moment.dedup();
    for id in &for_a_moment {
        entries.insert(*id, vec![(b"-", b"-")]);
    }
    let mut commands = Vec::new();
    for (id, fields) in entries {
        let mut add = command("XADD", name);
        add.arg(id_text(id));
        for (field, value) in fields {
            add.arg(field).arg(value);
        }
        commands.push(add);
    }
    for group in &stream.groups {
        commands.extend(self::group(name, group, before_7));
    }
    // Trimmed entries do not count as deleted. Entries before the first one were trimmed, or are
    // covered by the last deleted id set at the end.
    let first = stream.entries.first().map(|entry| entry.id);
    let (front, between): (Vec<StreamId>, Vec<StreamId>) =
        for_a_moment.into_iter().partition(|id| first.is_none_or(|first| *id < first));
    if !front.is_empty() {
        let mut trim = command("XTRIM", name);
        match first {
            Some(first) => trim.arg("MINID").arg("=").arg(id_text(first)),
            None => trim.arg("MAXLEN").arg("=").arg(0),
        };
        commands.push(trim);
    }
    for id in between {
        commands.push(command("XDEL", name).arg(id_text(id)).take());
    }
    let mut last = command("XSETID", name);
    last.arg(id_text(stream.last_id));
    if !before_7 {
        last.arg("ENTRIESADDED").arg(stream.entries_added);
        last.arg("MAXDELETEDID").arg(id_text(stream.max_deleted_id));
    }
    commands.push(last);
    commands
}

fn group(name: &[u8], group: &Group, before_7: bool) -> Vec<Cmd> {
    let begin = |verb: &str| {
        let mut command = redis::cmd("XGROUP");
        command.arg(verb).arg(name).arg(&group.name);
        command
    };
    let mut create = begin("CREATE");
    create.arg(id_text(group.last_id));
    if let Some(read) = group.entries_read
        && !before_7
    {
        create.arg("ENTRIESREAD").arg(read);
    }
    let mut commands = vec![create];
    for consumer in &group.consumers {
        commands.push(begin("CREATECONSUMER").arg(&consumer.name).take());
    }
    for pending in &group.pending {
        commands.push(claim(name, group, pending));
    }
    commands
}

fn claim(name: &[u8], group: &Group, pending: &Pending) -> Cmd {
    let mut claim = command("XCLAIM", name);
    claim.arg(&group.name).arg(&pending.consumer).arg(0).arg(id_text(pending.id));
    claim.arg("TIME").arg(pending.delivered_at_ms);
    claim.arg("RETRYCOUNT").arg(pending.deliveries);
    claim.arg("FORCE").arg("JUSTID");
    claim
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scores_are_read_back_the_same() {
        for score in [0.1, 1e300, -0.0, 3.0, f64::MIN_POSITIVE, 1.0 / 3.0] {
            let back: f64 = score_text(score).parse().unwrap();
            assert_eq!(back.to_bits(), score.to_bits(), "{score}");
        }
        assert_eq!(score_text(f64::NEG_INFINITY), "-inf");
    }
}
