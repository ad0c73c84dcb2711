//! The other side of a reader: the process that reads documents, or becomes an OCR program within the same limits.

use std::ffi::OsString;
use std::io::{BufReader, Error, ErrorKind, Result, StdinLock, StdoutLock, Write};
use std::panic::AssertUnwindSafe;
use std::process::Command;

use compartment_pipeline::ProcessMemory;

use super::wire::{
    Answer, Hello, MAX_SMALL_FRAME, Request, head_of, read_content, read_value, write_value,
};
use crate::error::DocumentError;
use crate::extract::{OcrStarter, extract_with};
use crate::model::ExtractedText;
use crate::process::{ReaderProgram, allow_processor_time, become_program, confine};

/// Serves a [`super::Reader`] over standard input and output until the input ends; the whole purpose of its process.
/// `arguments` are those after the arguments of the [`super::ReaderProgram`].
///
/// The process limits itself before it reads its input. It is also started to become an OCR program, which then has
/// its limits and ends with the process that started it; in that case this call does not return.
///
/// # Errors
/// The system's, if a limit cannot be set or a pipe breaks. [`ErrorKind::InvalidInput`] for arguments that do not come
/// from a reader.
pub fn serve(arguments: impl IntoIterator<Item = OsString>) -> Result<()> {
    let arguments: Vec<OsString> = arguments.into_iter().collect();
    match arguments.as_slice() {
        [memory] => {
            let memory = number(memory)?;
            confine(memory)?;
            Server::new(memory, arguments.len()).run()
        }
        [memory, seconds, program, its @ ..] => {
            confine(number(memory)?)?;
            allow_processor_time(number(seconds)?)?;
            become_program(Command::new(program).args(its))
        }
        _ => Err(started_by_hand()),
    }
}

fn number(argument: &OsString) -> Result<u64> {
    let number = argument.to_str().and_then(|text| text.parse().ok());
    number.ok_or_else(started_by_hand)
}

fn started_by_hand() -> Error {
    let what = "this command reads documents for another process, which starts it by itself";
    Error::new(ErrorKind::InvalidInput, what)
}

/// A process that holds more than this part of its memory limit after a document is not used again.
const MAX_KEPT_PART: u64 = 4;

/// The process that reads documents.
struct Server {
    memory: u64,
    ocr: OcrStarter,
}

impl Server {
    /// A server within `memory` bytes, whose last `own` arguments are those of [`serve`].
    fn new(memory: u64, own: usize) -> Self {
        let all: Vec<OsString> = std::env::args_os().skip(1).collect();
        let leading = all.len().saturating_sub(own);
        let program = ReaderProgram::running(all.into_iter().take(leading));
        let ocr =
            program.map_or(OcrStarter::Direct, |program| OcrStarter::Confined { program, memory });
        Self { memory, ocr }
    }

    fn run(&self) -> Result<()> {
        // A panic is its document's failure; the pipe of messages is only emptied after the process's end.
        std::panic::set_hook(Box::new(|_| {}));
        let mut input = BufReader::new(std::io::stdin().lock());
        let mut output = std::io::stdout().lock();
        write_value(&mut output, &Hello::of_this_version())?;
        output.flush()?;
        while let Some(request) = read_value::<Request>(&mut input, MAX_SMALL_FRAME)? {
            if self.answer(&request, &mut input, &mut output)? {
                break;
            }
        }
        Ok(())
    }

    /// Answers one request, unless it is withdrawn. Returns whether the process has to end.
    fn answer(
        &self,
        request: &Request,
        input: &mut BufReader<StdinLock<'_>>,
        output: &mut StdoutLock<'_>,
    ) -> Result<bool> {
        let Some(content) = read_content(input)? else { return Ok(false) };
        allow_processor_time(request.options.document_timeout.as_secs())?;
        let outcome = self.read(&content, request);
        drop(content);
        let is_last = self.is_sick(&outcome);
        let (outcome, text) = match outcome.map(head_of) {
            Ok((head, text)) => (Ok(head), text),
            Err(error) => (Err(error), String::new()),
        };
        write_value(output, &Answer { outcome, is_last })?;
        output.write_all(text.as_bytes())?;
        output.flush()?;
        Ok(is_last)
    }

    fn read(
        &self,
        content: &[u8],
        request: &Request,
    ) -> std::result::Result<ExtractedText, DocumentError> {
        let read = || extract_with(content, &request.name, &request.options, &self.ocr);
        std::panic::catch_unwind(AssertUnwindSafe(read))
            .unwrap_or_else(|_| Err(DocumentError::ReaderFailed { reason: "it panicked".into() }))
    }

    /// Whether a thread or a program of the reading is left over, or memory stays in use.
    fn is_sick(&self, outcome: &std::result::Result<ExtractedText, DocumentError>) -> bool {
        let is_overdue = matches!(
            outcome,
            Err(DocumentError::TimedOut { .. } | DocumentError::OcrTimedOut { .. })
        );
        let resident = ProcessMemory::now().map_or(0, |memory| memory.resident);
        is_overdue || resident > self.memory / MAX_KEPT_PART
    }
}
