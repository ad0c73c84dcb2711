//! Errors of reading a document, for the person who runs the batch.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// A reason for which one document fails; other documents are not affected.
#[derive(Clone, Deserialize, Serialize, thiserror::Error)]
#[non_exhaustive]
pub enum DocumentError {
    /// The file has no bytes.
    #[error("the file is empty (0 bytes)")]
    Empty,
    /// The file is larger than the limit.
    #[error(
        "the file is {size} bytes, more than the limit of {limit} bytes; raise max_bytes to accept it"
    )]
    TooLarge {
        /// Size of the file in bytes.
        size: u64,
        /// The limit in bytes.
        limit: u64,
    },
    /// The document has more pages than the limit.
    #[error(
        "the document has {pages} pages, more than the limit of {limit}; raise max_pages to accept it"
    )]
    TooManyPages {
        /// Pages in the document.
        pages: usize,
        /// The limit.
        limit: usize,
    },
    /// The content is of a format that is not read.
    #[error("the content is {found}, not text, HTML, PDF, DOCX or an e-mail")]
    UnsupportedFormat {
        /// The recognised format, and for documents what to do.
        found: String,
    },
    /// The PDF asks for a password.
    #[error("the PDF is encrypted and needs a password; remove the protection and submit it again")]
    Encrypted,
    /// The PDF is too damaged to be read.
    #[error("the PDF is damaged or cut off: {reason}")]
    Damaged {
        /// The part that could not be read.
        reason: String,
    },
    /// The document decompresses to far more than its size allows.
    #[error(
        "the PDF expands to more than {limit} bytes, which is more than a real document of its size does"
    )]
    Expands {
        /// The limit in bytes.
        limit: u64,
    },
    /// The text of the document is longer than the limit.
    #[error(
        "the text of the document has {size} bytes, more than the limit of {limit} bytes; raise max_text_bytes to \
         accept it"
    )]
    TextTooLarge {
        /// Length of the text in bytes.
        size: u64,
        /// The limit in bytes.
        limit: u64,
    },
    /// A reader crashed on this document.
    #[error("the reader failed on this document: {reason}")]
    ReaderFailed {
        /// The reader's message.
        reason: String,
    },
    /// Another program, or the system, ended the reader of this document.
    #[error(
        "the process that read the document was killed (signal {signal}), as a system does that runs out of memory"
    )]
    ReaderKilled {
        /// The signal's number.
        signal: i32,
    },
    /// The program that reads documents could not be started.
    #[error("no process can read the document: {reason}")]
    ReaderUnavailable {
        /// The system's message, or that of the program.
        reason: String,
    },
    /// Reading the document needs more memory than the limit.
    #[error(
        "reading the document takes more than the limit of {} MiB of memory, which is more than a real document does",
        limit / (1024 * 1024)
    )]
    OutOfMemory {
        /// The limit in bytes.
        limit: u64,
    },
    /// The document took too long.
    #[error("reading the document took longer than {} s", limit.as_secs())]
    TimedOut {
        /// The limit that was exceeded.
        limit: Duration,
    },
    /// Pages need OCR and the OCR program is not installed.
    #[error(
        "page {page} has no text and the OCR program `{program}` was not found; install tesseract: \
         apt-get install tesseract-ocr, dnf install tesseract, apk add tesseract-ocr, brew install tesseract"
    )]
    OcrMissing {
        /// The program that was not found.
        program: String,
        /// The first page (from 1) that needs it.
        page: usize,
    },
    /// The OCR program failed on a page.
    #[error("OCR of page {page} failed: {reason}")]
    OcrFailed {
        /// The page, from 1.
        page: usize,
        /// The program's message.
        reason: String,
    },
    /// OCR of a page took too long and was stopped.
    #[error("OCR of page {page} took longer than {} s and was stopped", limit.as_secs())]
    OcrTimedOut {
        /// The page, from 1.
        page: usize,
        /// The limit that was exceeded.
        limit: Duration,
    },
    /// The document was read, but has no text.
    #[error("the document holds no text")]
    NoText,
}

// `Display` with all causes, since a `main` that returns a `Result` prints `Debug`.
impl std::fmt::Debug for DocumentError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Display::fmt(self, f)
    }
}

impl DocumentError {
    /// A short stable name of the reason, for counting and filtering.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Empty => "empty",
            Self::TooLarge { .. } => "too_large",
            Self::TooManyPages { .. } => "too_many_pages",
            Self::UnsupportedFormat { .. } => "unsupported_format",
            Self::Encrypted => "encrypted",
            Self::Damaged { .. } => "damaged",
            Self::Expands { .. } => "expands",
            // As the limit of the stage's result, which is reached a few bytes earlier.
            Self::TextTooLarge { .. } => "result_too_large",
            Self::ReaderFailed { .. } | Self::ReaderKilled { .. } => "reader_failed",
            Self::ReaderUnavailable { .. } => "reader_unavailable",
            Self::OutOfMemory { .. } => "out_of_memory",
            Self::TimedOut { .. } => "timed_out",
            Self::OcrMissing { .. } => "ocr_missing",
            Self::OcrFailed { .. } => "ocr_failed",
            Self::OcrTimedOut { .. } => "ocr_timed_out",
            Self::NoText => "no_text",
        }
    }

    /// Whether an unchanged document may succeed later, because the cause is the machine and not the document.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::TimedOut { .. }
            | Self::ReaderKilled { .. }
            | Self::ReaderUnavailable { .. }
            | Self::OcrMissing { .. }
            | Self::OcrFailed { .. }
            | Self::OcrTimedOut { .. } => true,
            Self::Empty
            | Self::TooLarge { .. }
            | Self::TooManyPages { .. }
            | Self::UnsupportedFormat { .. }
            | Self::Encrypted
            | Self::Damaged { .. }
            | Self::Expands { .. }
            | Self::TextTooLarge { .. }
            | Self::ReaderFailed { .. }
            | Self::OutOfMemory { .. }
            | Self::NoText => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_ocr_program_says_what_to_install() {
        let error = DocumentError::OcrMissing { program: "tesseract".into(), page: 3 };
        let text = error.to_string();
        assert!(
            text.contains("page 3") && text.contains("apt-get install tesseract-ocr"),
            "{text}"
        );
        assert_eq!(error.code(), "ocr_missing");
        assert!(error.is_transient());
    }

    #[test]
    fn a_damaged_file_is_not_worth_a_retry() {
        assert!(!DocumentError::Empty.is_transient());
        assert!(!DocumentError::Encrypted.is_transient());
    }
}
