//! Search indexes of a server: they cover database 0 only, so their keys cannot move.

use compartment_redis::Connection;
use redis::Value;

/// The search indexes and their prefixes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Indexes {
    /// Each index's name and the prefixes of the names that it covers; an empty one for all.
    pub(crate) list: Vec<(String, Vec<Vec<u8>>)>,
}

impl Indexes {
    /// The first index that covers keys whose names begin with `head`; `examples` are some of the
    /// names.
    pub(crate) fn covering(&self, head: &[u8], examples: &[Vec<u8>]) -> Option<&str> {
        let covers = |prefix: &Vec<u8>| {
            head.starts_with(prefix) || examples.iter().any(|name| name.starts_with(prefix))
        };
        let found = self.list.iter().find(|(_, prefixes)| prefixes.iter().any(covers));
        found.map(|(name, _)| name.as_str())
    }
}

/// The server's indexes; empty if it has no search module or does not list them.
pub(crate) async fn indexes(connection: &mut Connection) -> Indexes {
    let mut list = Vec::new();
    let answer = connection.ask::<Vec<String>>("list indexes", &redis::cmd("FT._LIST")).await;
    for name in answer.unwrap_or_default() {
        let mut info = redis::cmd("FT.INFO");
        info.arg(&name);
        let said = connection.ask::<Value>("look at an index", &info).await.ok();
        let prefixes = said.as_ref().and_then(prefixes).unwrap_or_default();
        // An index that does not report its prefixes may cover any key.
        let prefixes = if prefixes.is_empty() { vec![Vec::new()] } else { prefixes };
        list.push((name, prefixes));
    }
    Indexes { list }
}

/// The names of the search indexes of a server, whichever database `connection` is to. A server
/// with a search module that does not list its indexes is assumed to have some.
pub(crate) async fn search_indexes(connection: &mut Connection) -> Vec<String> {
    let listed = connection.ask::<Vec<String>>("list indexes", &redis::cmd("FT._LIST")).await;
    if let Ok(names) = listed {
        return names;
    }
    let modules = crate::modules::loaded(connection).await.unwrap_or_default();
    let has_search = modules.iter().any(|name| matches!(name.as_str(), "search" | "searchlight"));
    if has_search { vec!["not listed".to_owned()] } else { Vec::new() }
}

/// The value after `prefixes` at any depth, since servers nest it differently.
fn prefixes(value: &Value) -> Option<Vec<Vec<u8>>> {
    match value {
        Value::Array(list) => list.iter().enumerate().find_map(|(at, one)| {
            let is_name = bytes(one).is_some_and(|name| name == b"prefixes");
            match list.get(at + 1) {
                Some(Value::Array(found)) if is_name => {
                    Some(found.iter().filter_map(bytes).map(<[u8]>::to_vec).collect())
                }
                _ => prefixes(one),
            }
        }),
        Value::Map(list) => list.iter().find_map(|(name, one)| match one {
            Value::Array(found) if bytes(name).is_some_and(|name| name == b"prefixes") => {
                Some(found.iter().filter_map(bytes).map(<[u8]>::to_vec).collect())
            }
            other => prefixes(other),
        }),
        _ => None,
    }
}

fn bytes(value: &Value) -> Option<&[u8]> {
    match value {
        Value::BulkString(bytes) => Some(bytes),
        Value::SimpleString(text) => Some(text.as_bytes()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> Value {
        Value::BulkString(text.as_bytes().to_vec())
    }

    #[test]
    fn prefixes_are_found_in_old_and_new_answers() {
        let list = Value::Array(vec![text("llama_index/vector"), text("doc:")]);
        let definition = vec![text("key_type"), text("HASH"), text("prefixes"), list.clone()];
        let old = Value::Array(vec![
            text("index_name"),
            text("i"),
            text("index_definition"),
            Value::Array(definition),
        ]);
        let new = Value::Map(vec![(
            text("index_definition"),
            Value::Map(vec![(text("prefixes"), list)]),
        )]);
        for answer in [old, new] {
            let found = prefixes(&answer).unwrap();
            assert_eq!(found, [b"llama_index/vector".to_vec(), b"doc:".to_vec()]);
            let indexes = Indexes { list: vec![("i".into(), found)] };
            assert_eq!(indexes.covering(b"doc:1", &[]), Some("i"));
            assert_eq!(indexes.covering(b"", &[b"doc:7".to_vec()]), Some("i"));
            assert_eq!(indexes.covering(b"user:", &[b"user:7".to_vec()]), None);
        }
    }
}
