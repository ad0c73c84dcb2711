//! Asks a server about a page of keys, with commands that do not reset idle times.

use compartment_core::Result;
use compartment_redis::{Connection, answer_error};
use redis::{Pipeline, Value};

use super::collect::KeyFacts;
use crate::question::about;
use crate::{KeyType, Place};

/// The questions that this server allows and the analysis needs.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Questions {
    /// `OBJECT ENCODING` is allowed.
    pub(crate) encoding: bool,
    /// `OBJECT IDLETIME` is allowed and meaningful.
    pub(crate) idle: bool,
    /// `OBJECT FREQ` is used instead.
    pub(crate) uses: bool,
    /// `MEMORY USAGE` is allowed.
    pub(crate) memory: bool,
    /// Each key is measured with all its elements.
    pub(crate) exact: bool,
    /// A module's type may be behind the encoding `raw`.
    pub(crate) has_modules: bool,
}

impl Questions {
    /// What is asked about each key in the first round trip.
    fn first(self) -> &'static [&'static [&'static str]] {
        const ENCODING: &[&str] = &["OBJECT", "ENCODING"];
        const TYPE: &[&str] = &["TYPE"];
        const PTTL: &[&str] = &["PTTL"];
        const IDLE: &[&str] = &["OBJECT", "IDLETIME"];
        const USES: &[&str] = &["OBJECT", "FREQ"];
        match (self.encoding, self.idle, self.uses) {
            (true, true, _) => &[ENCODING, PTTL, IDLE],
            (true, false, true) => &[ENCODING, PTTL, USES],
            (true, false, false) => &[ENCODING, PTTL],
            (false, true, _) => &[TYPE, PTTL, IDLE],
            (false, false, true) => &[TYPE, PTTL, USES],
            (false, false, false) => &[TYPE, PTTL],
        }
    }

    /// Commands per key in the first round trip; the second has at most two.
    pub(crate) fn commands_per_key(self) -> usize {
        2 + usize::from(self.idle || self.uses) + usize::from(self.exact)
    }
}

/// Facts about the keys of a page; `None` for a vanished key.
pub(crate) type Page = Vec<(Vec<u8>, Option<KeyFacts>)>;

const OPERATION: &str = "look at keys";

/// Asks about `names`.
pub(crate) async fn look_at(
    mut connection: Connection,
    place: Place,
    names: Vec<Vec<u8>>,
    questions: Questions,
) -> Result<Page> {
    let keys: Vec<_> = names.iter().map(|name| place.on_server(name)).collect();
    let answers = connection.ask_about(OPERATION, questions.first(), &keys).await?;
    drop(keys);
    let mut answers = answers.into_iter();
    let mut page: Page = Vec::with_capacity(names.len());
    // Keys that the second round trip asks about, and the question.
    let mut open: Vec<(usize, Second)> = Vec::new();
    for name in names {
        let what = answers.next().unwrap_or(Value::Nil);
        let ttl = answers.next().unwrap_or(Value::Nil);
        let used = (questions.idle || questions.uses).then(|| answers.next()).flatten();
        let mut facts = match first_facts(questions, &what, &ttl)? {
            Some(facts) => facts,
            None => {
                page.push((name, None));
                continue;
            }
        };
        let used = used.as_ref().and_then(number);
        if questions.idle {
            facts.facts.idle_seconds = used;
        } else {
            facts.facts.uses = used;
        }
        if facts.ask_type || facts.ask_bytes {
            open.push((page.len(), Second { key_type: facts.ask_type, bytes: facts.ask_bytes }));
        }
        page.push((name, Some(facts.facts)));
    }
    second_round(&mut connection, &place, &mut page, &open, questions).await?;
    Ok(page)
}

#[derive(Clone, Copy, Debug)]
struct Second {
    key_type: bool,
    bytes: bool,
}

struct First {
    facts: KeyFacts,
    ask_type: bool,
    ask_bytes: bool,
}

fn first_facts(questions: Questions, what: &Value, ttl: &Value) -> Result<Option<First>> {
    let ttl = match ttl {
        // Expired but not yet removed, or vanished.
        Value::Int(-2) => return Ok(None),
        Value::Int(millis) => u64::try_from(*millis).ok().map(|millis| millis / 1_000),
        other => match answer_error(OPERATION, other) {
            Some(error) => return Err(error),
            None => return Ok(None),
        },
    };
    let Some(what) = text(what) else { return Ok(None) };
    let (encoding, key_type, is_small) = if questions.encoding {
        let (encoding, key_type) = of_encoding(what, questions.has_modules);
        (encoding, key_type, is_small(encoding))
    } else {
        let Some(key_type) = KeyType::parse(what) else { return Ok(None) };
        // Only sampled strings may be big without being noticed here.
        ("", Some(key_type), key_type == KeyType::String)
    };
    let facts = KeyFacts {
        key_type: key_type.unwrap_or(KeyType::Module),
        encoding,
        ttl_seconds: ttl,
        bytes: None,
        idle_seconds: None,
        uses: None,
    };
    let ask_bytes = questions.memory && (questions.exact || !is_small);
    Ok(Some(First { facts, ask_type: key_type.is_none(), ask_bytes }))
}

async fn second_round(
    connection: &mut Connection,
    place: &Place,
    page: &mut Page,
    open: &[(usize, Second)],
    questions: Questions,
) -> Result<()> {
    let mut pipeline = Pipeline::with_capacity(open.len() * 2);
    for (at, second) in open {
        let key = place.on_server(&page[*at].0);
        if second.key_type {
            about(&mut pipeline, &["TYPE"], key.as_ref());
        }
        if second.bytes {
            add_memory_usage(&mut pipeline, key.as_ref(), questions.exact);
        }
    }
    let mut answers = connection.ask_each(OPERATION, &pipeline).await?.into_iter();
    for (at, second) in open {
        let mut gone = false;
        let mut key_type = None;
        if second.key_type {
            key_type = answers.next().as_ref().and_then(text).and_then(KeyType::parse);
            gone = key_type.is_none();
        }
        let bytes = if second.bytes { answers.next().as_ref().and_then(number) } else { None };
        gone |= second.bytes && bytes.is_none();
        let slot = &mut page[*at].1;
        match slot {
            _ if gone => *slot = None,
            Some(facts) => {
                facts.key_type = key_type.unwrap_or(facts.key_type);
                facts.bytes = bytes;
            }
            None => {}
        }
    }
    Ok(())
}

fn add_memory_usage(pipeline: &mut Pipeline, key: &[u8], exact: bool) {
    match exact {
        true => {
            pipeline.cmd("MEMORY").arg("USAGE").arg(key).arg("SAMPLES").arg(0);
        }
        false => about(pipeline, &["MEMORY", "USAGE"], key),
    }
}

/// The size of each of `names` in bytes; `None` for a vanished key.
pub(crate) async fn sizes(
    connection: &mut Connection,
    place: &Place,
    names: &[Vec<u8>],
) -> Result<Vec<Option<u64>>> {
    let mut pipeline = Pipeline::with_capacity(names.len());
    for name in names {
        add_memory_usage(&mut pipeline, place.on_server(name).as_ref(), false);
    }
    let answers = connection.ask_each("measure keys", &pipeline).await?;
    Ok(answers.iter().map(number).collect())
}

pub(crate) fn text(answer: &Value) -> Option<&str> {
    match answer {
        Value::BulkString(bytes) => std::str::from_utf8(bytes).ok(),
        Value::SimpleString(text) => Some(text),
        _ => None,
    }
}

pub(crate) fn number(answer: &Value) -> Option<u64> {
    match answer {
        Value::Int(number) => u64::try_from(*number).ok(),
        _ => None,
    }
}

/// The encoding's name as `&'static str`, and the type if the encoding implies it.
fn of_encoding(name: &str, has_modules: bool) -> (&'static str, Option<KeyType>) {
    match name {
        "int" => ("int", Some(KeyType::String)),
        "embstr" => ("embstr", Some(KeyType::String)),
        "raw" if has_modules => ("raw", None),
        "raw" => ("raw", Some(KeyType::String)),
        "quicklist" => ("quicklist", Some(KeyType::List)),
        "intset" => ("intset", Some(KeyType::Set)),
        "skiplist" => ("skiplist", Some(KeyType::Zset)),
        "stream" => ("stream", Some(KeyType::Stream)),
        "listpackex" => ("listpackex", Some(KeyType::Hash)),
        "hashtable" => ("hashtable", None),
        "listpack" => ("listpack", None),
        "ziplist" => ("ziplist", None),
        _ => ("other", None),
    }
}

/// Encodings that the server replaces when a value grows; their keys are small and are sampled.
pub(crate) fn is_small(encoding: &str) -> bool {
    matches!(encoding, "int" | "embstr" | "listpack" | "listpackex" | "ziplist" | "intset")
}
