//! The modules of a server, and which of them it is built with.

use compartment_core::Result;
use compartment_redis::Connection;
use redis::Value;

/// The modules that servers are built with and that keep nothing beside the keys: the interpreter of scripts in
/// Valkey 9, the type of vectors in Redis 8.
const BUILT_IN: [&str; 2] = ["lua", "vectorset"];

/// Whether a server is built with the module, so that it says nothing of what was loaded.
pub(crate) fn is_built_in(name: &str) -> bool {
    BUILT_IN.contains(&name)
}

/// The names of the modules that were loaded into a server, without those it is built with.
///
/// # Errors
/// If the server does not list them.
pub(crate) async fn loaded(connection: &mut Connection) -> Result<Vec<String>> {
    let mut list = redis::cmd("MODULE");
    list.arg("LIST");
    let answer = connection.ask::<Value>("list modules", &list).await?;
    let mut names = names(&answer);
    names.retain(|name| !is_built_in(name));
    Ok(names)
}

/// The names in an answer of `MODULE LIST`: a list of maps, or of lists of names and values before RESP3.
fn names(list: &Value) -> Vec<String> {
    let Value::Array(modules) = list else { return Vec::new() };
    modules.iter().filter_map(name).collect()
}

fn name(module: &Value) -> Option<String> {
    match module {
        Value::Array(pairs) => pairs
            .chunks(2)
            .find(|pair| pair.first().and_then(text).is_some_and(|field| field == "name"))
            .and_then(|pair| text(pair.get(1)?)),
        Value::Map(pairs) => {
            let (_, value) =
                pairs.iter().find(|(field, _)| text(field).as_deref() == Some("name"))?;
            text(value)
        }
        _ => None,
    }
}

fn text(value: &Value) -> Option<String> {
    match value {
        Value::BulkString(bytes) => Some(String::from_utf8_lossy(bytes).into_owned()),
        Value::SimpleString(text) => Some(text.clone()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bulk(text: &str) -> Value {
        Value::BulkString(text.as_bytes().to_vec())
    }

    #[test]
    fn names_are_found_in_old_and_new_answers() {
        let old = vec![bulk("name"), bulk("search"), bulk("ver"), Value::Int(20_811)];
        let new = Value::Map(vec![
            (bulk("path"), bulk("name")),
            (bulk("name"), Value::SimpleString("lua".to_owned())),
        ]);
        let list = Value::Array(vec![Value::Array(old), new, Value::Nil]);
        assert_eq!(names(&list), ["search", "lua"]);
        assert!(is_built_in("lua") && !is_built_in("search"));
    }
}
