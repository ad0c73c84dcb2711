//! One key: its database, template and contract, and the program that writes it.

use compartment::{Contract, DatabaseKind};
use compartment_admin::{NamedPlace, escape, explain_key, unescape};
use compartment_operations::{count, time};

use super::Said;
use super::arguments::ExplainKey;
use super::results::{KeyExplanation, KeyPlace};
use crate::answer::{Answer, Problem, first};
use crate::serving::Serving;

/// The longest name of a key that is looked up, in bytes.
const MAX_KEY: usize = 4_096;
/// How much of a value is shown, in bytes.
const MAX_VALUE: usize = 256;
const MAX_PLACES: usize = 20;
/// Words in names whose values are secrets.
const SECRET_WORDS: [&str; 10] = [
    "secret",
    "password",
    "passwd",
    "token",
    "session",
    "credential",
    "apikey",
    "api_key",
    "auth",
    "private",
];

pub(crate) async fn explain(server: &Serving, arguments: ExplainKey) -> Answer<Said> {
    let name = unescape(&arguments.key);
    if name.is_empty() || name.len() > MAX_KEY {
        return Err(Problem(format!("a key has 1 to {MAX_KEY} bytes here")));
    }
    let map = server.operations().map();
    if let Some(database) = &arguments.database
        && map.database(database).is_none()
    {
        return Err(Problem(format!(
            "there is no database {database:?}; list_databases names them"
        )));
    }
    let deployment = server.operations().deployment().await?;
    let is_asked = |place: &&NamedPlace| {
        arguments.database.as_ref().is_none_or(|database| *database == place.contract.name)
    };
    let (mut places, mut missing) = (Vec::new(), Vec::new());
    for instance in &deployment.instances {
        let databases = match &instance.server {
            Ok(server) => &server.databases,
            Err(error) => {
                missing.push(format!("{}: failed to {error}", instance.name));
                continue;
            }
        };
        for place in databases.iter().filter(is_asked) {
            match at(server, place, &name, arguments.show_value).await {
                Ok(found) => places.push(found),
                Err(Problem(why)) => missing.push(format!("{}: {why}", place.contract.name)),
            }
        }
    }
    // Where it is comes first, then where it belongs; other databases say nothing about it.
    let is_told = |one: &KeyPlace| {
        one.exists || one.belongs_to.as_ref() == Some(&one.database) || arguments.database.is_some()
    };
    places.retain(is_told);
    places.sort_by_key(|one| std::cmp::Reverse(one.exists));
    let exist: Vec<&str> =
        places.iter().filter(|one| one.exists).map(|one| one.database.as_str()).collect();
    let sentence = match exist.as_slice() {
        [] => "The key does not exist in the databases that were asked.".to_owned(),
        databases => format!("The key exists in {}.", databases.join(", ")),
    };
    let fields = KeyExplanation {
        key: escape(&name),
        places: first(places, MAX_PLACES).0,
        missing: first(missing, MAX_PLACES).0,
    };
    Said::new(sentence, &fields)
}

async fn at(
    server: &Serving,
    place: &NamedPlace,
    name: &[u8],
    show_value: bool,
) -> Answer<KeyPlace> {
    let map = server.operations().map();
    let hidden = value_hidden(name, show_value);
    let bytes = if hidden.is_none() { MAX_VALUE } else { 0 };
    let facts = explain_key(&place.place, map.keys(), name, bytes).await?;
    let text = std::str::from_utf8(name).unwrap_or_default();
    let rule = map.keys().values().find(|rule| rule.template.matches(text));
    let exists = facts.key_type.is_some();
    let value_hidden = match (&facts.value, hidden) {
        (_, Some(why)) => Some(why),
        (None, None) if exists => Some("values of this type are not shown".to_owned()),
        _ => None,
    };
    let contract = &place.contract;
    Ok(KeyPlace {
        database: contract.name.clone(),
        kind: contract.kind.to_string(),
        instance: contract.placement.instance().to_owned(),
        index: contract.placement.index(),
        exists,
        template: rule.map(|rule| rule.template.as_str().to_owned()),
        belongs_to: rule.map(|rule| map.roles().resolve(&rule.database).to_owned()),
        contract: rule_of(contract),
        written_by: match facts.perhaps {
            true => format!("perhaps {}", facts.producer),
            false => facts.producer,
        },
        key_type: facts.key_type.map(|kind| kind.to_string()),
        ttl_seconds: facts.ttl_ms.and_then(|ms| i64::try_from(ms / 1_000).ok()),
        bytes: facts.bytes,
        value: facts.value.map(|(start, size)| shown(&start, size)),
        value_hidden,
    })
}

/// Why the value is not shown, if it is not.
fn value_hidden(name: &[u8], show_value: bool) -> Option<String> {
    if !show_value {
        return Some("show_value was not set".to_owned());
    }
    let lower = String::from_utf8_lossy(name).to_lowercase();
    let word = SECRET_WORDS.into_iter().find(|word| lower.contains(word))?;
    Some(format!("the name has the word {word:?}, so the value may be a secret"))
}

fn shown(start: &[u8], size: u64) -> String {
    let more = size.saturating_sub(start.len() as u64);
    let text = escape(start).replace("\\x20", " ");
    if more > 0 { format!("{text}… ({} more bytes)", count(more)) } else { text }
}

/// The contract in a sentence.
fn rule_of(contract: &Contract) -> String {
    let ttl = match contract.default_ttl {
        Some(ttl) => format!("a TTL of {} unless another is given", time(ttl)),
        None if contract.kind.requires_ttl() => "a TTL, which each write has to give".to_owned(),
        None => "no TTL unless one is given".to_owned(),
    };
    let budget = contract.memory_budget.map_or_else(String::new, |bytes| {
        format!("; at most {}, above which old keys are evicted", compartment_admin::size(bytes))
    });
    let kind = match contract.kind {
        DatabaseKind::Cache => "keys can be computed again",
        DatabaseKind::Durable => "keys must not be lost",
        _ => "keys coordinate programs and end by themselves",
    };
    format!("{kind}; {ttl}{budget}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_shown_only_when_asked_for_and_never_a_secret() {
        assert!(value_hidden(b"doc:1", false).is_some());
        assert_eq!(value_hidden(b"doc:1", true), None);
        for name in ["user:1:Session", "api_key:stripe", "oauth:1", "PASSWORD"] {
            assert!(value_hidden(name.as_bytes(), true).is_some(), "{name}");
        }
    }

    #[test]
    fn a_value_is_cut_and_escaped() {
        assert_eq!(shown(b"two words\n", 10), "two words\\x0a");
        assert_eq!(shown(b"abc", 2_000), "abc… (1,997 more bytes)");
    }
}
