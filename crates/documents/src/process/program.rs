//! The program that reads documents, and its limits.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::clear_environment;

/// Limits of a process that reads documents.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ReaderLimits {
    /// Memory of a process in bytes, by default 1 GiB. An OCR program that it starts has the limit for itself.
    pub memory: u64,
}

impl Default for ReaderLimits {
    fn default() -> Self {
        Self { memory: 1024 * 1024 * 1024 }
    }
}

/// A program that calls [`serve`](crate::reader::serve), with the arguments that lead it there.
///
/// ```no_run
/// use compartment_documents::reader::{Reader, ReaderLimits, ReaderProgram, serve};
///
/// /// The begin of `main`.
/// fn begin() -> std::io::Result<Option<Reader>> {
///     let mut arguments = std::env::args_os().skip(1);
///     // Before anything else: the process reads what others wrote, and needs nothing else of this program.
///     if arguments.next().is_some_and(|first| first == "read-documents") {
///         return serve(arguments).map(|()| None);
///     }
///     let program = ReaderProgram::this_program("read-documents")?;
///     Ok(Some(Reader::in_children(program, ReaderLimits::default())))
/// }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReaderProgram {
    path: PathBuf,
    arguments: Vec<OsString>,
    /// The name in lists of processes, if it is not the path.
    shown: Option<PathBuf>,
}

/// The running program on Linux, even if its file was replaced or removed since it was started.
const RUNNING_PROGRAM: &str = "/proc/self/exe";

impl ReaderProgram {
    /// The program at `path` with these arguments, which those of [`serve`](crate::reader::serve) follow.
    #[must_use]
    pub fn new<A: Into<OsString>>(
        path: impl Into<PathBuf>,
        arguments: impl IntoIterator<Item = A>,
    ) -> Self {
        let arguments = arguments.into_iter().map(Into::into).collect();
        Self { path: path.into(), arguments, shown: None }
    }

    /// The running program, with one argument. On Linux it is the program in memory: an update of its file does not
    /// matter.
    ///
    /// # Errors
    /// The system's, if it does not know the program's path.
    pub fn this_program(argument: &str) -> std::io::Result<Self> {
        Self::running([argument])
    }

    /// The running program, with these arguments.
    pub(crate) fn running<A: Into<OsString>>(
        arguments: impl IntoIterator<Item = A>,
    ) -> std::io::Result<Self> {
        let path = std::env::current_exe()?;
        let program = Self::new(&path, arguments);
        let in_memory = Path::new(RUNNING_PROGRAM);
        Ok(match cfg!(target_os = "linux") && in_memory.exists() {
            true => Self { path: in_memory.to_owned(), shown: Some(path), ..program },
            false => program,
        })
    }

    /// The command that starts the program with a cleared environment; the arguments of `serve` are to follow.
    pub(crate) fn command(&self) -> Command {
        let mut command = Command::new(&self.path);
        command.args(&self.arguments);
        #[cfg(unix)]
        if let Some(shown) = &self.shown {
            std::os::unix::process::CommandExt::arg0(&mut command, shown);
        }
        clear_environment(&mut command);
        command
    }
}

impl std::fmt::Display for ReaderProgram {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Display::fmt(&self.shown.as_ref().unwrap_or(&self.path).display(), f)
    }
}
