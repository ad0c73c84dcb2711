//! The environment of a program that reads what others wrote: passwords and URLs of this process are not in it.

use std::process::Command;

/// Variables that a reader and an OCR program need: where programs, libraries and language data are, and the language
/// of messages.
const NEEDED: [&str; 7] = [
    "PATH",
    "LD_LIBRARY_PATH",
    "TESSDATA_PREFIX",
    "LANG",
    "LC_ALL",
    "LC_CTYPE",
    // No program starts without it on Windows.
    "SYSTEMROOT",
];

/// Leaves a command the variables that it needs.
pub(crate) fn clear_environment(command: &mut Command) {
    command.env_clear();
    command.envs(NEEDED.iter().filter_map(|name| Some((name, std::env::var_os(name)?))));
}
