//! The size of a request, and whether the server accepts it.

use compartment_core::{Contract, Error, ErrorKind, Result};
use redis::{Arg, Cmd, Value};

/// The default limit for one value in bytes, unless the server has another: the default of `proto-max-bulk-len`.
pub(crate) const MAX_VALUE_BYTES: u64 = 512 << 20;

/// The approximate size of the command in bytes.
pub(crate) fn size(command: &Cmd) -> usize {
    command.args_iter().map(argument_size).sum()
}

/// The bytes of the values in an answer.
pub(crate) fn answer_size(answer: &Value) -> usize {
    match answer {
        Value::BulkString(bytes) => bytes.len(),
        Value::SimpleString(text) => text.len(),
        Value::Array(parts) | Value::Set(parts) => parts.iter().map(answer_size).sum(),
        Value::Map(pairs) => {
            pairs.iter().map(|(key, value)| answer_size(key) + answer_size(value)).sum()
        }
        _ => 0,
    }
}

fn argument_size(argument: Arg<&[u8]>) -> usize {
    match argument {
        Arg::Simple(bytes) => bytes.len(),
        _ => 0,
    }
}

/// Rejects a request that the server would reject by closing the connection, which would fail all other requests on
/// it.
///
/// # Errors
/// [`ErrorKind::InvalidArgument`] with both sizes.
pub(crate) fn check_size(
    contract: &Contract,
    max: u64,
    operation: &'static str,
    key: &str,
    command: &Cmd,
) -> Result<()> {
    let max = usize::try_from(max).unwrap_or(usize::MAX);
    if size(command) <= max {
        return Ok(());
    }
    let largest = command.args_iter().map(argument_size).max().unwrap_or_default();
    if largest <= max {
        return Ok(());
    }
    let what = format!(
        "a value of {largest} bytes is more than the {max} that the server takes in one \
         (proto-max-bulk-len): raise that, or store the value in parts"
    );
    let error = Error::new(ErrorKind::InvalidArgument, operation, what).in_database(&contract.name);
    Err(if key.is_empty() { error } else { error.at_key(key) })
}
