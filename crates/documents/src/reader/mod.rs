//! Reads documents in this process, or in processes of their own that bad documents cannot leave.

mod child;
mod children;
mod content;
mod death;
mod failure;
mod process;
mod serve;
mod wire;

use std::sync::Arc;

use crate::error::DocumentError;
use crate::extract::{ExtractOptions, extract};
use crate::model::ExtractedText;
pub use crate::process::{ReaderLimits, ReaderProgram};
use children::Children;
use content::Memory;
pub(crate) use content::{Content, all_of};
pub(crate) use failure::ReadFailure;
pub use serve::serve;

/// Reads the text of documents. Cheap to clone; clones share their processes.
///
/// A document comes from somebody else, often from the other side. A few kilobytes can overflow the stack of a parser,
/// expand to gigabytes, or keep a processor busy for ever. None of these can be caught inside a process: an overflow
/// and an allocation that fails end it, and a thread cannot be stopped from outside.
///
/// - [`Reader::in_children`] reads each document in a process of its own program, several at a time, which is used
///   again while it is well. Memory, processor time and stack are limited. A process that exceeds a limit, dies or
///   does not answer is replaced, and only its document fails: [`DocumentError::OutOfMemory`],
///   [`DocumentError::TimedOut`], [`DocumentError::ReaderFailed`]. Its environment is cleared, it gains no
///   privileges, writes no core dump, and ends with the process that started it. Use it for papers of others; the
///   program `compartment` always does.
/// - [`Reader::in_process`] reads in the calling thread and, for a PDF, one more. Panics, sizes and time-outs are
///   the document's failure here too. An overflow of the stack or a lack of memory aborts the process, and a reading
///   that timed out keeps its thread. Use it for documents of your own, and where no process can be started.
///
/// # Platforms
/// Limits of memory, processor time and stack need Unix; systems other than Linux may not enforce all of them.
/// No new privileges and the end with the parent need Linux. Elsewhere a process is killed at the time-out, its
/// environment is cleared, and it ends when its input does.
#[derive(Clone, Debug, Default)]
pub struct Reader {
    children: Option<Arc<Children>>,
}

impl Reader {
    /// A reader in the calling process.
    #[must_use]
    pub fn in_process() -> Self {
        Self { children: None }
    }

    /// A reader in processes of `program`, within `limits`. A process is started when a document finds none idle.
    #[must_use]
    pub fn in_children(program: ReaderProgram, limits: ReaderLimits) -> Self {
        Self { children: Some(Arc::new(Children::new(program, limits))) }
    }

    /// Reads the text of a document. The format is recognised from the content; `name` is only used in warnings.
    ///
    /// Blocks for as long as reading takes, at most [`ExtractOptions::document_timeout`] in children.
    ///
    /// # Errors
    /// Any [`DocumentError`]; all of them concern only this document.
    pub fn read(
        &self,
        bytes: &[u8],
        name: &str,
        options: &ExtractOptions,
    ) -> Result<ExtractedText, DocumentError> {
        let Some(children) = &self.children else { return extract(bytes, name, options) };
        options.check_size(bytes.len() as u64)?;
        let content = Box::new(Memory::new(bytes.to_vec()));
        children.read(content, name, options).map_err(|failure| match failure {
            ReadFailure::Document(error) => error,
            // Memory can be read and does not change.
            ReadFailure::Content(error) => DocumentError::ReaderFailed { reason: error.message },
        })
    }

    /// Reads the text of a document whose content is read in pieces.
    pub(crate) fn read_content(
        &self,
        mut content: Box<dyn Content>,
        name: &str,
        options: &ExtractOptions,
    ) -> Result<ExtractedText, ReadFailure> {
        match &self.children {
            Some(children) => children.read(content, name, options),
            None => Ok(extract(&all_of(&mut *content)?, name, options)?),
        }
    }

    /// Ends every process of this reader; documents that they read fail. A later document starts a new one.
    pub fn close(&self) {
        if let Some(children) = &self.children {
            children.close();
        }
    }
}
