//! Finds the keys among a command's arguments by the server's `COMMAND` table.

use std::collections::HashMap;

use compartment_redis::{Connection, Server};
use redis::Value;

use crate::Result;
use crate::own_name::own_name;
use crate::replication::Command;

/// Key positions of each command, from the server.
pub(super) struct KeyPositions {
    known: HashMap<Vec<u8>, (i64, i64, i64)>,
    /// Asked about commands with keys at variable positions.
    server: Connection,
}

impl KeyPositions {
    pub(super) async fn of(server: &Server) -> Result<Self> {
        let mut connection = server.open(0, &own_name("migrate")).await?;
        let table: Vec<Value> = connection.ask("list commands", &redis::cmd("COMMAND")).await?;
        let mut known = HashMap::new();
        for entry in table {
            add_command(&mut known, entry);
        }
        Ok(Self { known, server: connection })
    }

    /// The keys of a command.
    pub(super) async fn keys(&mut self, command: &Command) -> Result<Vec<Vec<u8>>> {
        let arguments = &command.arguments;
        let Some(verb) = arguments.first() else { return Ok(Vec::new()) };
        let verb = verb.to_ascii_lowercase();
        let whole = arguments.get(1).map(|sub| {
            let mut whole = verb.clone();
            whole.push(b'|');
            whole.extend(sub.to_ascii_lowercase());
            whole
        });
        let found =
            whole.and_then(|whole| self.known.get(&whole)).or_else(|| self.known.get(&verb));
        match found {
            Some((first, last, step)) if *first > 0 => {
                let count = arguments.len() as i64;
                let last = if *last < 0 { count + last } else { *last };
                let mut keys = Vec::new();
                let mut at = *first;
                while at <= last && at < count {
                    if let Some(key) = usize::try_from(at).ok().and_then(|at| arguments.get(at)) {
                        keys.push(key.to_vec());
                    }
                    at += (*step).max(1);
                }
                Ok(keys)
            }
            Some(_) if matches!(verb.as_slice(), b"multi" | b"exec" | b"ping" | b"publish") => {
                Ok(Vec::new())
            }
            _ => {
                let mut ask = redis::cmd("COMMAND");
                ask.arg("GETKEYS");
                for argument in arguments {
                    ask.arg(argument.as_ref());
                }
                // For a command without keys the server answers with an error.
                Ok(self.server.ask("find the keys of a command", &ask).await.unwrap_or_default())
            }
        }
    }
}

/// An entry of the answer of `COMMAND`: name, arity, flags, first key, last key, step, …, and as
/// its tenth element the subcommands.
fn add_command(known: &mut HashMap<Vec<u8>, (i64, i64, i64)>, entry: Value) {
    let Value::Array(parts) = entry else { return };
    let name = match parts.first() {
        Some(Value::BulkString(name)) => name.to_ascii_lowercase(),
        Some(Value::SimpleString(name)) => name.to_ascii_lowercase().into_bytes(),
        _ => return,
    };
    let number = |at: usize| match parts.get(at) {
        Some(Value::Int(number)) => *number,
        _ => 0,
    };
    let flags = match parts.get(2) {
        Some(Value::Array(flags) | Value::Set(flags)) => flags.as_slice(),
        _ => &[],
    };
    let movable = flags.iter().any(|flag| match flag {
        Value::SimpleString(flag) => flag == "movablekeys",
        Value::BulkString(flag) => flag == b"movablekeys",
        _ => false,
    });
    // Keys at variable positions are asked for each time.
    let first = if movable { 0 } else { number(3) };
    known.insert(name, (first, number(4), number(5)));
    if let Some(Value::Array(subcommands)) = parts.get(9) {
        for subcommand in subcommands {
            add_command(known, subcommand.clone());
        }
    }
}
