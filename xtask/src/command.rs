//! Runs other programs, and reports them and their failures.

use std::ffi::OsStr;
use std::fmt;
use std::path::PathBuf;
use std::process::Command;

use crate::root;

/// The reason a task failed, as shown to people.
#[derive(Debug)]
pub(crate) struct Failure(pub(crate) String);

impl Failure {
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self(message.into())
    }
}

/// A command for the cargo that runs this program.
pub(crate) fn cargo<A: AsRef<OsStr>>(arguments: impl IntoIterator<Item = A>) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(arguments).current_dir(root());
    command
}

/// The folder of what cargo builds.
pub(crate) fn target() -> PathBuf {
    root().join(std::env::var_os("CARGO_TARGET_DIR").unwrap_or_else(|| "target".into()))
}

/// Prints the command, runs it to its end, and returns an error if it fails.
pub(crate) fn run(command: &mut Command) -> Result<(), Failure> {
    announce(command);
    let shown = Shown(command).to_string();
    match command.status() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(Failure(format!("`{shown}` ended with {status}"))),
        Err(error) => Err(Failure(format!("`{shown}` could not be started: {error}"))),
    }
}

/// The output of a command; an error if it fails.
pub(crate) fn output(command: &mut Command) -> Result<String, Failure> {
    let shown = Shown(command).to_string();
    let fail = |error| Failure(format!("`{shown}` could not be started: {error}"));
    let output = command.output().map_err(fail)?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        return Err(Failure(format!("`{shown}` ended with {}: {said}", output.status)));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Prints the command that is about to run.
pub(crate) fn announce(command: &Command) {
    eprintln!("$ {}", Shown(command));
}

/// The path of a program on `PATH`.
pub(crate) fn find(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join(program)).find(|file| file.is_file())
}

/// Displays a command as it would be typed.
struct Shown<'a>(&'a Command);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, value) in self.0.get_envs() {
            if let Some(value) = value {
                write!(f, "{}={:?} ", name.display(), value.display().to_string())?;
            }
        }
        let program = PathBuf::from(self.0.get_program());
        write!(f, "{}", program.file_name().unwrap_or(program.as_os_str()).display())?;
        self.0.get_args().try_for_each(|argument| write!(f, " {}", argument.display()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_shown_as_it_would_be_typed() {
        let mut command = Command::new("/usr/bin/cargo");
        command.args(["test", "--workspace"]).env("RUSTDOCFLAGS", "-D warnings");
        assert_eq!(
            Shown(&command).to_string(),
            "RUSTDOCFLAGS=\"-D warnings\" cargo test --workspace"
        );
    }

    #[test]
    fn a_program_that_is_missing_is_said_to_be() {
        assert!(find("no-such-program-anywhere").is_none());
        let error = run(&mut Command::new("no-such-program-anywhere")).unwrap_err();
        assert!(error.0.contains("could not be started"), "{}", error.0);
    }
}
