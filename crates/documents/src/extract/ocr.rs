//! Reads a page image with the tesseract program, which is killed when it exceeds its time limit.

use std::io::{ErrorKind, Read, Write};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, sync_channel};
use std::time::{Duration, Instant};

use super::ExtractOptions;
use crate::error::DocumentError;
use crate::process::{NOT_FOUND, ReaderProgram, clear_environment, in_own_group, kill_group};

/// A grayscale image, one byte per pixel, rows from the top.
pub(super) struct GrayImage {
    pub(super) width: usize,
    pub(super) height: usize,
    pub(super) pixels: Vec<u8>,
}

impl GrayImage {
    /// The image as a binary portable graymap, which tesseract reads without a codec.
    fn to_pgm(&self) -> Vec<u8> {
        let mut pgm = format!("P5\n{} {}\n255\n", self.width, self.height).into_bytes();
        pgm.extend_from_slice(&self.pixels);
        pgm
    }
}

/// Reads pages that have no text.
pub(super) trait OcrEngine {
    /// The text of page `page` (from 1), whose image `draw` makes; `None` if the page is left to somebody else.
    fn read(
        &self,
        page: usize,
        draw: &dyn Fn() -> GrayImage,
    ) -> Result<Option<String>, DocumentError>;
}

/// The OCR program, which reads each page at once.
pub(super) struct OcrProgram<'o> {
    pub(super) options: &'o ExtractOptions,
    pub(super) starter: &'o OcrStarter,
}

impl OcrEngine for OcrProgram<'_> {
    fn read(
        &self,
        page: usize,
        draw: &dyn Fn() -> GrayImage,
    ) -> Result<Option<String>, DocumentError> {
        read_page(draw(), page, self.options, self.starter).map(Some)
    }
}

/// A service that gets the document afterwards ([`crate::ocr_service`]): this process has no network.
pub(super) struct LeftToService;

impl OcrEngine for LeftToService {
    fn read(&self, _: usize, _: &dyn Fn() -> GrayImage) -> Result<Option<String>, DocumentError> {
        Ok(None)
    }
}

/// How the OCR program is started.
#[derive(Clone, Debug)]
pub(crate) enum OcrStarter {
    /// By this process, without limits but those of time and output.
    Direct,
    /// By a program that calls [`crate::reader::serve`]: it becomes the OCR program with `memory` bytes, and ends with
    /// this process.
    Confined { program: ReaderProgram, memory: u64 },
}

impl OcrStarter {
    fn command(&self, options: &ExtractOptions) -> Command {
        let mut command = match self {
            Self::Direct => {
                let mut command = Command::new(&options.ocr_program);
                clear_environment(&mut command);
                in_own_group(&mut command);
                command
            }
            // It stays in the group of this process, which is killed as a whole.
            Self::Confined { program, memory } => {
                let mut command = program.command();
                command.arg(memory.to_string());
                command.arg(options.ocr_page_timeout.as_secs().to_string());
                command.arg(&options.ocr_program);
                command
            }
        };
        command
            .args(["stdin", "stdout", "--dpi", &options.ocr_dpi.to_string()])
            .args(["-l", &options.ocr_language])
            // One thread per process: many pages run concurrently, and OpenMP's threads would compete.
            .env("OMP_THREAD_LIMIT", "1")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    /// Whether a program that ended in this way was not found.
    fn is_missing(&self, status: ExitStatus) -> bool {
        matches!(self, Self::Confined { .. }) && status.code() == Some(NOT_FOUND)
    }
}

/// Interval for polling a running OCR process.
const POLL: Duration = Duration::from_millis(5);
/// Bytes of text of one page; a page of print has some 5,000.
const MAX_TEXT_BYTES: u64 = 1024 * 1024;
/// Bytes at the end of the program's messages that are kept.
const MAX_MESSAGE_BYTES: usize = 4 * 1024;
/// Characters of the last message that are passed on.
const MAX_MESSAGE: usize = 300;
/// How long the pipes may stay open after the program has ended: a program that it started may hold them.
const PIPE_TIMEOUT: Duration = Duration::from_secs(5);

/// The text that tesseract reads from the image of page `page` (from 1).
fn read_page(
    image: GrayImage,
    page: usize,
    options: &ExtractOptions,
    starter: &OcrStarter,
) -> Result<String, DocumentError> {
    let failed = |reason: String| DocumentError::OcrFailed { page, reason };
    let missing = || DocumentError::OcrMissing { program: options.ocr_program.clone(), page };
    let mut child = match starter.command(options).spawn() {
        Ok(child) => child,
        Err(error) if error.kind() == ErrorKind::NotFound => return Err(missing()),
        Err(error) => return Err(failed(format!("cannot start {}: {error}", options.ocr_program))),
    };
    let pipes = serve_pipes(&mut child, image);
    let status = wait(&mut child, options.ocr_page_timeout).map_err(|e| failed(e.to_string()))?;
    let Some(status) = status else {
        return Err(DocumentError::OcrTimedOut { page, limit: options.ocr_page_timeout });
    };
    let (text, messages) = pipes.map_err(|error| failed(error.to_string()))?;
    let text = text.recv_timeout(PIPE_TIMEOUT);
    let text = text.map_err(|_| failed("its output did not end".to_owned()))?;
    if text.len() as u64 > MAX_TEXT_BYTES {
        return Err(failed(format!("it wrote more than {MAX_TEXT_BYTES} bytes")));
    }
    if status.success() {
        return Ok(String::from_utf8_lossy(&text).into_owned());
    }
    if starter.is_missing(status) {
        return Err(missing());
    }
    let messages = messages.recv_timeout(PIPE_TIMEOUT).unwrap_or_default();
    let messages = String::from_utf8_lossy(&messages);
    let last = messages.lines().rfind(|line| !line.trim().is_empty()).unwrap_or("no message");
    let last: String = last.trim().chars().take(MAX_MESSAGE).collect();
    Err(failed(format!("{status}: {last}")))
}

type Output = Receiver<Vec<u8>>;

/// Serves the three pipes concurrently, or a full one would block the program for ever. Returns its text and the end
/// of its messages. The threads end with the pipes.
fn serve_pipes(child: &mut Child, image: GrayImage) -> std::io::Result<(Output, Output)> {
    let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    let served = in_thread(move || {
        if let Some(mut stdin) = stdin {
            // A program that exits early closes its end; its exit status says more than the broken pipe.
            let _ = stdin.write_all(&image.to_pgm());
        }
        Vec::new()
    });
    let text = in_thread(move || {
        let mut text = Vec::new();
        if let Some(stdout) = stdout {
            // Text read before an error is still used. Beyond the limit the pipe is closed, which ends the program.
            let _ = stdout.take(MAX_TEXT_BYTES + 1).read_to_end(&mut text);
        }
        text
    });
    let messages = in_thread(move || stderr.map_or_else(Vec::new, end_of));
    served.and(Ok((text?, messages?)))
}

fn in_thread(work: impl FnOnce() -> Vec<u8> + Send + 'static) -> std::io::Result<Output> {
    let (sender, receiver) = sync_channel(1);
    let thread = std::thread::Builder::new().name("ocr-pipe".to_owned());
    // Nobody may wait any more.
    thread.spawn(move || sender.send(work()))?;
    Ok(receiver)
}

/// The last bytes of a pipe, which is read to its end.
fn end_of(mut pipe: impl Read) -> Vec<u8> {
    let (mut last, mut piece) = (Vec::new(), [0; MAX_MESSAGE_BYTES]);
    while let Ok(read @ 1..) = pipe.read(&mut piece) {
        last.extend_from_slice(&piece[..read]);
        let surplus = last.len().saturating_sub(MAX_MESSAGE_BYTES);
        last.drain(..surplus);
    }
    last
}

/// Waits for the process to end; after `limit` it is killed, and `None` is returned.
fn wait(child: &mut Child, limit: Duration) -> std::io::Result<Option<ExitStatus>> {
    let started = Instant::now();
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        if started.elapsed() >= limit {
            kill_group(child);
            child.wait()?;
            return Ok(None);
        }
        std::thread::sleep(POLL);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn blank() -> GrayImage {
        GrayImage { width: 8, height: 8, pixels: vec![255; 64] }
    }

    #[test]
    fn a_missing_program_is_named() {
        let options = ExtractOptions {
            ocr_program: "no-such-ocr-program".into(),
            ..ExtractOptions::default()
        };
        let error = read_page(blank(), 2, &options, &OcrStarter::Direct).unwrap_err();
        assert_eq!(error.code(), "ocr_missing");
        assert!(error.to_string().contains("no-such-ocr-program"), "{error}");
    }

    #[test]
    #[cfg(unix)]
    fn a_failing_program_is_an_error() {
        let options = ExtractOptions { ocr_program: "false".into(), ..ExtractOptions::default() };
        let error = read_page(blank(), 1, &options, &OcrStarter::Direct).unwrap_err();
        assert_eq!(error.code(), "ocr_failed");
    }

    #[test]
    fn only_the_end_of_messages_is_kept() {
        let flood = [vec![b'x'; 3 * MAX_MESSAGE_BYTES + 7], b"the end".to_vec()].concat();
        let end = end_of(flood.as_slice());
        assert_eq!(end.len(), MAX_MESSAGE_BYTES);
        assert!(end.ends_with(b"xthe end"));
    }
}
