//! The function libraries of a server, which belong to no database.

use compartment_core::Result;
use redis::Value;

use crate::Place;

/// The code of each library.
///
/// # Errors
/// The server's: before 7.0 there are no functions.
pub(crate) async fn function_libraries(place: &Place) -> Result<Vec<Vec<u8>>> {
    let mut list = redis::cmd("FUNCTION");
    list.arg("LIST").arg("WITHCODE");
    // Each node of a cluster has all of them.
    let mut nodes = place.open_nodes("functions").await?;
    let Some(node) = nodes.first_mut() else { return Ok(Vec::new()) };
    let libraries: Vec<Value> = node.ask("list functions", &list).await?;
    Ok(libraries.into_iter().filter_map(code).collect())
}

/// The code among the fields of a library, which are a map or, in the older protocol, a list.
fn code(library: Value) -> Option<Vec<u8>> {
    let fields: Vec<(Value, Value)> = match library {
        Value::Map(fields) => fields,
        Value::Array(fields) => {
            let mut fields = fields.into_iter();
            std::iter::from_fn(|| Some((fields.next()?, fields.next()?))).collect()
        }
        _ => return None,
    };
    let is_code = |name: &Value| match name {
        Value::BulkString(name) => name == b"library_code",
        Value::SimpleString(name) => name == "library_code",
        _ => false,
    };
    fields.into_iter().find(|(name, _)| is_code(name)).and_then(|(_, code)| match code {
        Value::BulkString(code) => Some(code),
        Value::SimpleString(code) => Some(code.into_bytes()),
        _ => None,
    })
}
