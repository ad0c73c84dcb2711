//! One key: what it is, which program writes it, and how long it stays.

use std::collections::BTreeMap;

use compartment_core::KeyRule;
use redis::{Pipeline, Value};

use crate::analyze::{Names, signatures};
use crate::patterns::{Selection, Selector};
use crate::{KeyType, Limits, Pace, Place, Purpose, Result, Walk};

/// Pages of names that are read to recognise the program: those of some thousand keys.
const PAGES: usize = 4;

/// A key, looked at without changing its time of last use, unless its value is asked for.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct KeyFacts {
    /// Its type; `None` if there is no such key.
    pub key_type: Option<KeyType>,
    /// Milliseconds until it expires; `None` without a TTL.
    pub ttl_ms: Option<u64>,
    /// Its memory; `None` where the server does not report it.
    pub bytes: Option<u64>,
    /// The program that writes keys of its form, by the names of the database; empty if it is not known.
    pub producer: String,
    /// Whether the program is a guess.
    pub perhaps: bool,
    /// The purpose of keys of its form.
    pub purpose: Purpose,
    /// The beginning of its value, and the size of all of it in bytes; for strings, if it was asked for.
    pub value: Option<(Vec<u8>, u64)>,
}

/// Looks at the key `name` of `place`. `rules` are the templates of the map. At most `value_bytes` of a string's value are
/// read, none for 0.
///
/// # Errors
/// The server's.
pub async fn explain_key(
    place: &Place,
    rules: &BTreeMap<String, KeyRule>,
    name: &[u8],
    value_bytes: usize,
) -> Result<KeyFacts> {
    const ASK: &str = "look at a key";
    let mut connection = place.open("explain").await?;
    let on_server = place.on_server(name);
    let key = on_server.as_ref();
    let mut questions = Pipeline::new();
    questions.cmd("TYPE").arg(key);
    questions.cmd("PTTL").arg(key);
    questions.cmd("MEMORY").arg("USAGE").arg(key);
    let mut answers = connection.ask_each(ASK, &questions).await?.into_iter();
    let kind: String = compartment_redis::read_answer(ASK, answers.next().unwrap_or(Value::Nil))?;
    let key_type = KeyType::parse(&kind);
    let number = |answer: Option<Value>| match answer {
        Some(Value::Int(number)) => u64::try_from(number).ok(),
        _ => None,
    };
    let (ttl_ms, bytes) = (number(answers.next()), number(answers.next()));
    let value = match key_type {
        Some(KeyType::String) if value_bytes > 0 => {
            let mut read = Pipeline::new();
            read.cmd("GETRANGE").arg(key).arg(0).arg(value_bytes - 1);
            read.cmd("STRLEN").arg(key);
            let mut answers = connection.ask_each(ASK, &read).await?.into_iter();
            let start = compartment_redis::read_answer(ASK, answers.next().unwrap_or(Value::Nil))?;
            Some((start, number(answers.next()).unwrap_or_default()))
        }
        _ => None,
    };
    let mut names = Names::default();
    names.add(name);
    let mut walk = Walk::start(place, None).await?;
    for _ in 0..PAGES {
        let Some(page) = walk.next_page().await? else { break };
        page.iter().for_each(|name| names.add(name));
    }
    let mut pace = Pace::new(Limits::default(), place).await?;
    let known = signatures(&mut connection, place, &names.questions(), &mut pace).await?;
    let definitions = names.define(rules, &known);
    let selections: Vec<Selection> = definitions.iter().map(|one| one.selection.clone()).collect();
    let found = Selector::new(&selections).first_match(name).and_then(|at| definitions.get(at));
    Ok(KeyFacts {
        key_type,
        ttl_ms,
        bytes,
        producer: found.map_or_else(String::new, |one| one.producer.clone()),
        perhaps: found.is_some_and(|one| one.perhaps),
        purpose: found.map_or(Purpose::Unknown, |one| one.purpose),
        value,
    })
}
