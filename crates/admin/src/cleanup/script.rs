//! A script over many keys: one call on a server, one for each key on a cluster.

use compartment_core::Error;
use compartment_redis::{Connection, answer_error, read_answer};
use redis::{Cmd, Pipeline};

use crate::{Place, Result};

/// The script's answers, one for each key from the first on, and the error that ended them early.
pub(super) struct Answers {
    pub(super) each: Vec<u64>,
    pub(super) failed: Option<Error>,
}

/// Runs `script` over `keys`, whose names `name_of` gives. `arguments` adds the arguments for some of the keys.
///
/// # Errors
/// The connection's: then it is not known for which keys the script ran.
pub(super) async fn run<T>(
    operation: &'static str,
    script: &str,
    place: &Place,
    connection: &mut Connection,
    keys: &[T],
    name_of: impl Fn(&T) -> &[u8],
    arguments: impl Fn(&mut Cmd, &[T]),
) -> Result<Answers> {
    // A script has the keys of one slot.
    let in_one = if place.server().is_cluster() { 1 } else { keys.len().max(1) };
    let mut pipeline = Pipeline::new();
    for some in keys.chunks(in_one) {
        let mut command = redis::cmd("EVAL");
        command.arg(script).arg(some.len());
        for key in some {
            command.arg(place.on_server(name_of(key)).as_ref());
        }
        arguments(&mut command, some);
        pipeline.add_command(command);
    }
    let mut answers = Answers { each: Vec::with_capacity(keys.len()), failed: None };
    for answer in connection.ask_each(operation, &pipeline).await? {
        if let Some(error) = answer_error(operation, &answer) {
            answers.failed = Some(error.in_database(place.label()));
            break;
        }
        answers.each.extend(read_answer::<Vec<u64>>(operation, answer)?);
    }
    Ok(answers)
}
