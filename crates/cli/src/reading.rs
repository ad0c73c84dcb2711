//! Documents are read in processes of this program, which it starts itself.

use std::time::Duration;

use compartment::DatabaseMap;
use compartment::database_map::WorkerSettings;
use compartment_documents::IngestOptions;
use compartment_documents::files::DocumentRoots;
use compartment_documents::reader::{self, Reader, ReaderLimits, ReaderProgram};

use crate::args::{DocumentFolders, ReadingOptions};
use crate::exit_code::{CliError, ExitCode};
use crate::services::Source;
use crate::{screen, services};

/// The first argument of a process that reads documents. No command has this name: nothing is parsed before the
/// process is limited.
const READ_DOCUMENTS: &str = "read-documents";

/// Reads documents for another process, if this one was started for that.
pub(crate) fn serve() -> Option<ExitCode> {
    let mut arguments = std::env::args_os().skip(1);
    if arguments.next()? != READ_DOCUMENTS {
        return None;
    }
    Some(match reader::serve(arguments) {
        Ok(()) => ExitCode::Success,
        Err(error) => {
            screen::remark(error.to_string());
            ExitCode::Usage
        }
    })
}

/// Applies the reading options shared by several commands.
pub(crate) fn apply(
    options: &mut IngestOptions,
    reading: &ReadingOptions,
    map: &DatabaseMap,
    source: &Source,
) -> Result<(), CliError> {
    let ReadingOptions { ocr, max_mib, reader_mib, read_timeout, services } = reading;
    services::apply(options, services, map, source)?;
    options.extract.ocr_program.clone_from(ocr);
    options.extract.max_bytes = bytes(*max_mib);
    options.extract.document_timeout = *read_timeout;
    let page = |limit: Duration| limit.min(*read_timeout);
    options.extract.page_timeout = page(options.extract.page_timeout);
    options.extract.ocr_page_timeout = page(options.extract.ocr_page_timeout);
    let program = ReaderProgram::this_program(READ_DOCUMENTS).map_err(|error| {
        CliError::new(ExitCode::Other, format!("the path of this program is unknown: {error}"))
    })?;
    let mut limits = ReaderLimits::default();
    limits.memory = bytes(*reader_mib);
    options.reader = Reader::in_children(program, limits);
    Ok(())
}

/// From where documents are read: the folders of the argument, or those of the configuration.
pub(crate) fn roots(
    folders: &DocumentFolders,
    settings: &WorkerSettings,
) -> Result<DocumentRoots, CliError> {
    let folders = match (&folders.documents, &settings.documents) {
        (given, _) if !given.is_empty() => given,
        (_, Some(configured)) => configured,
        _ => return Ok(DocumentRoots::default()),
    };
    let wrong = |what: String| CliError::new(ExitCode::Configuration, what);
    if let Some(folder) = folders.iter().find(|folder| folder.exists() && !folder.is_dir()) {
        return Err(wrong(format!("the documents' folder {} is a file", folder.display())));
    }
    DocumentRoots::below(folders)
        .map_err(|error| wrong(format!("the documents' folder cannot be read: {error}")))
}

fn bytes(mib: u64) -> u64 {
    mib.saturating_mul(1024 * 1024)
}
