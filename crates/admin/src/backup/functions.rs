//! The function libraries of a server, which belong to no database.

use compartment_core::Result;
use compartment_redis::Connection;
use redis::Value;

/// The code of each library of a node. Each node of a cluster should have all of them.
///
/// # Errors
/// The server's: before 7.0 there are no functions.
pub(crate) async fn function_libraries(node: &mut Connection) -> Result<Vec<Vec<u8>>> {
    let mut list = redis::cmd("FUNCTION");
    list.arg("LIST").arg("WITHCODE");
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
