//! How large a request is, and whether the server takes it.

use compartment_core::{Contract, Error, ErrorKind, Result};
use redis::{Arg, Cmd};

/// The most bytes of one value, unless the server says otherwise: `proto-max-bulk-len` as it comes.
pub(crate) const MAX_VALUE_BYTES: u64 = 512 << 20;

/// About how many bytes the command is on its way.
pub(crate) fn size(command: &Cmd) -> usize {
    command.args_iter().map(argument_size).sum()
}

fn argument_size(argument: Arg<&[u8]>) -> usize {
    match argument {
        Arg::Simple(bytes) => bytes.len(),
        _ => 0,
    }
}

/// Refuses what the server would: it closes the connection over it, and with it whatever else is on its
/// way there.
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
