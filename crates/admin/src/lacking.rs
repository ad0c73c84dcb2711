//! Which of many names a place has no key of.

use compartment_redis::{Connection, read_answer};
use redis::{Cmd, Pipeline};

use crate::{Place, Result};

/// Names in one question whether keys are there: about a tenth of a millisecond of the server's time.
const LOOKED_FOR_TOGETHER: usize = 200;

/// The names that `place` has no key of.
pub(crate) async fn lacking<'a>(
    connection: &mut Connection,
    place: &Place,
    names: &'a [Vec<u8>],
) -> Result<Vec<&'a [u8]>> {
    const LOOK: &str = "look for a key";
    // Asked about many, a server tells how many of them there are. A cluster takes the keys of one slot.
    let together = if place.server().is_cluster() { 1 } else { LOOKED_FOR_TOGETHER };
    let mut open: Vec<&[Vec<u8>]> = names.chunks(together).collect();
    let mut lacking = Vec::new();
    while !open.is_empty() {
        let mut pipeline = Pipeline::with_capacity(open.len());
        for some in &open {
            let bytes = some.iter().map(|name| place.prefix().len() + name.len()).sum();
            let mut command = Cmd::with_capacity(1 + some.len(), bytes);
            command.arg("EXISTS");
            some.iter().for_each(|name| {
                command.arg(place.on_server(name).as_ref());
            });
            pipeline.add_command(command);
        }
        let mut next = Vec::new();
        for (some, answer) in open.iter().zip(connection.ask_each(LOOK, &pipeline).await?) {
            let there: usize = read_answer(LOOK, answer)?;
            match some.len() {
                all if there >= all => {}
                1 => lacking.extend(some.iter().map(Vec::as_slice)),
                _ => next.extend(some.chunks(1)),
            }
        }
        open = next;
    }
    Ok(lacking)
}
