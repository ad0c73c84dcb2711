//! One process of a reader, and the thread that sends it documents.
//!
//! The thread starts the process and lives as long: Linux ends the process with the thread that started it.

use std::io::{self, BufReader, BufWriter, ErrorKind, Write};
use std::process::{ChildStderr, ChildStdin, ChildStdout, Stdio};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::time::Duration;

use compartment_pipeline::StageError;

use super::content::{Content, PIECE};
use super::death::{cause_of_death, last_message};
use super::failure::ReadFailure;
use super::process::Process;
use super::wire::{
    Answer, Hello, MAX_SMALL_FRAME, Request, max_answer, read_text, read_value, write_frame,
    write_value, write_withdrawal,
};
use crate::error::DocumentError;
use crate::model::ExtractedText;
use crate::process::{ReaderLimits, ReaderProgram, in_own_group};

/// A document for a process.
struct Job {
    request: Request,
    content: Box<dyn Content>,
    reply: SyncSender<Outcome>,
}

/// The outcome of a document in a process.
pub(super) enum Outcome {
    /// The document was read, or cannot be.
    Ended {
        read: Result<ExtractedText, ReadFailure>,
        /// Whether the process can read another document.
        is_well: bool,
    },
    /// The process ended before it had the whole document, which is not the document's fault.
    Unsent { content: Box<dyn Content>, error: DocumentError },
}

/// A process of a reader. It ends when this is dropped.
#[derive(Debug)]
pub(super) struct Child {
    jobs: Sender<Job>,
    process: Arc<Process>,
}

impl Child {
    /// Starts a thread that starts the process.
    pub(super) fn start(program: &ReaderProgram, limits: ReaderLimits) -> io::Result<Self> {
        let (jobs, receiver) = channel();
        let process = Arc::new(Process::new());
        let (own, program) = (Arc::clone(&process), program.clone());
        std::thread::Builder::new()
            .name("document-reader".to_owned())
            .spawn(move || drive(&program, limits, &own, &receiver))?;
        Ok(Self { jobs, process })
    }

    pub(super) fn process(&self) -> &Arc<Process> {
        &self.process
    }

    /// Sends a document; its outcome arrives later. A process that does not answer is to be killed.
    pub(super) fn ask(&self, request: Request, content: Box<dyn Content>) -> Receiver<Outcome> {
        let (reply, outcome) = sync_channel(1);
        // If the thread has ended, the caller finds the channel closed.
        let _ = self.jobs.send(Job { request, content, reply });
        outcome
    }
}

/// Starts the process and takes documents to it, until one of the two ends.
fn drive(program: &ReaderProgram, limits: ReaderLimits, process: &Process, jobs: &Receiver<Job>) {
    let mut connection = Connection::open(program, limits, process);
    for Job { request, content, reply } in jobs {
        let outcome = match &mut connection {
            Ok(connection) => connection.read(&request, content),
            Err(reason) => {
                let error = DocumentError::ReaderUnavailable { reason: reason.clone() };
                Outcome::Unsent { content, error }
            }
        };
        let is_well = matches!(outcome, Outcome::Ended { is_well: true, .. });
        // Nobody waits for the outcome after a time-out.
        if reply.send(outcome).is_err() || !is_well {
            break;
        }
    }
    process.end();
}

/// The pipes to a process.
struct Connection<'p> {
    process: &'p Process,
    memory: u64,
    input: BufWriter<ChildStdin>,
    output: BufReader<ChildStdout>,
    messages: Option<ChildStderr>,
}

/// How sending a document ended.
enum Sent {
    Whole,
    /// Its content cannot be had, or is not the one that was named.
    Withdrawn(StageError),
}

impl<'p> Connection<'p> {
    /// Starts the process and waits for its first frame.
    fn open(
        program: &ReaderProgram,
        limits: ReaderLimits,
        process: &'p Process,
    ) -> Result<Self, String> {
        let mut command = program.command();
        in_own_group(&mut command);
        // A process reads one document at a time: glibc's arenas for each thread would keep the memory of all.
        command.env("MALLOC_ARENA_MAX", "1");
        command.arg(limits.memory.to_string());
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child =
            command.spawn().map_err(|error| format!("cannot start {program}: {error}"))?;
        let pipes = (child.stdin.take(), child.stdout.take(), child.stderr.take());
        process.started(child);
        let (Some(input), Some(output), messages) = pipes else {
            return Err(format!("{program} was started without pipes"));
        };
        let (input, output) = (BufWriter::new(input), BufReader::new(output));
        let memory = limits.memory;
        let mut connection = Self { process, memory, input, output, messages };
        match read_value::<Hello>(&mut connection.output, MAX_SMALL_FRAME) {
            Ok(Some(hello)) if hello == Hello::of_this_version() => Ok(connection),
            Ok(Some(hello)) => {
                let version = hello.version.escape_debug().take(40).collect::<String>();
                Err(format!("{program} is of another version: {version}"))
            }
            _ => {
                let status = process.death();
                let message = last_message(connection.messages.take());
                let last = message.lines().rfind(|line| !line.trim().is_empty());
                let last = last.map(|line| format!(": {}", clipped(line))).unwrap_or_default();
                let status = status.map(|status| format!(" ({status})")).unwrap_or_default();
                Err(format!("{program} does not read documents{status}{last}"))
            }
        }
    }

    /// Has the process read a document.
    fn read(&mut self, request: &Request, mut content: Box<dyn Content>) -> Outcome {
        match self.send(request, &mut *content) {
            Ok(Sent::Whole) => {}
            Ok(Sent::Withdrawn(error)) => {
                let is_well = write_withdrawal(&mut self.input).and_then(|()| self.input.flush());
                let is_well = is_well.is_ok();
                return Outcome::Ended { read: Err(ReadFailure::Content(error)), is_well };
            }
            Err(error) => {
                let error = self.cause(&error, request.options.document_timeout);
                return Outcome::Unsent { content, error };
            }
        }
        match self.receive(request) {
            Ok((read, is_last)) => {
                Outcome::Ended { read: read.map_err(ReadFailure::Document), is_well: !is_last }
            }
            Err(error) => {
                let error = self.cause(&error, request.options.document_timeout);
                Outcome::Ended { read: Err(ReadFailure::Document(error)), is_well: false }
            }
        }
    }

    fn send(&mut self, request: &Request, content: &mut dyn Content) -> io::Result<Sent> {
        write_value(&mut self.input, request)?;
        let mut piece = vec![0; PIECE];
        loop {
            match content.next(&mut piece) {
                Ok(0) => break,
                Ok(read) => write_frame(&mut self.input, &piece[..read])?,
                Err(error) => return Ok(Sent::Withdrawn(error)),
            }
        }
        if let Err(error) = content.check() {
            return Ok(Sent::Withdrawn(error));
        }
        write_frame(&mut self.input, &[])?;
        self.input.flush()?;
        Ok(Sent::Whole)
    }

    /// Reads an answer, and whether it is the process's last one.
    fn receive(
        &mut self,
        request: &Request,
    ) -> io::Result<(Result<ExtractedText, DocumentError>, bool)> {
        let max = max_answer(request.options.max_pages);
        let answer = read_value::<Answer>(&mut self.output, max)?;
        let Answer { outcome, is_last } = answer.ok_or(ErrorKind::UnexpectedEof)?;
        let read = match outcome {
            Ok(head) => Ok(read_text(&mut self.output, head, &request.options)?),
            Err(error) => Err(error),
        };
        Ok((read, is_last))
    }

    /// Ends the process and says why it did not answer.
    fn cause(&mut self, error: &io::Error, time: Duration) -> DocumentError {
        if error.kind() == ErrorKind::InvalidData {
            self.process.end();
            return DocumentError::ReaderFailed { reason: clipped(&error.to_string()) };
        }
        let status = self.process.death();
        cause_of_death(status, &last_message(self.messages.take()), self.memory, time)
    }
}

/// Characters of a message of another program that are passed on.
const MAX_MESSAGE: usize = 300;

fn clipped(text: &str) -> String {
    text.trim().chars().take(MAX_MESSAGE).collect()
}
