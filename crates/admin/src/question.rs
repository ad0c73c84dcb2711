//! A command about one key, added to a pipeline of thousands: its parts are allocated once.

use redis::{Cmd, Pipeline};

/// Adds a command of these words about the key `name`.
pub(crate) fn about(pipeline: &mut Pipeline, words: &[&str], name: &[u8]) {
    let bytes = words.iter().map(|word| word.len()).sum::<usize>() + name.len();
    let mut command = Cmd::with_capacity(words.len() + 1, bytes);
    for word in words {
        command.arg(*word);
    }
    command.arg(name);
    pipeline.add_command(command);
}
