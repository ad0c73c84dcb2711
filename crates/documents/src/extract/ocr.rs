//! Reads a page image with the tesseract program, which is killed when it exceeds its time limit.

use std::io::{ErrorKind, Read, Write};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::ExtractOptions;
use crate::error::DocumentError;

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

/// Interval for polling a running OCR process.
const POLL: Duration = Duration::from_millis(5);

/// The text that tesseract reads from the image of page `page` (from 1).
pub(super) fn read_page(
    image: &GrayImage,
    page: usize,
    options: &ExtractOptions,
) -> Result<String, DocumentError> {
    let failed = |reason: String| DocumentError::OcrFailed { page, reason };
    let spawned = Command::new(&options.ocr_program)
        .args(["stdin", "stdout", "--dpi", &options.ocr_dpi.to_string()])
        .args(["-l", &options.ocr_language])
        // One thread per process: many pages run concurrently, and OpenMP's threads would compete.
        .env("OMP_THREAD_LIMIT", "1")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let mut child = match spawned {
        Ok(child) => child,
        Err(error) if error.kind() == ErrorKind::NotFound => {
            return Err(DocumentError::OcrMissing { program: options.ocr_program.clone(), page });
        }
        Err(error) => return Err(failed(format!("cannot start {}: {error}", options.ocr_program))),
    };
    let pgm = image.to_pgm();
    let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    std::thread::scope(|scope| {
        // The three pipes are served concurrently, or a full one would block the program for ever.
        scope.spawn(move || {
            if let Some(mut stdin) = stdin {
                // A program that exits early closes its end; its exit status says more than the broken pipe.
                let _ = stdin.write_all(&pgm);
            }
        });
        let out = scope.spawn(move || drain(stdout));
        let err = scope.spawn(move || drain(stderr));
        let status = wait(&mut child, options.ocr_page_timeout);
        let text = out.join().unwrap_or_default();
        let complaint = err.join().unwrap_or_default();
        match status {
            Ok(Some(status)) if status.success() => Ok(String::from_utf8_lossy(&text).into_owned()),
            Ok(Some(status)) => {
                let complaint = String::from_utf8_lossy(&complaint);
                let last = complaint.lines().rfind(|line| !line.trim().is_empty());
                Err(failed(format!("{status}: {}", last.unwrap_or("no message").trim())))
            }
            Ok(None) => Err(DocumentError::OcrTimedOut { page, limit: options.ocr_page_timeout }),
            Err(error) => Err(failed(error.to_string())),
        }
    })
}

fn drain(pipe: Option<impl Read>) -> Vec<u8> {
    let mut bytes = Vec::new();
    if let Some(mut pipe) = pipe {
        // Text read before an error is still used.
        let _ = pipe.read_to_end(&mut bytes);
    }
    bytes
}

/// Waits for the process to end; after `limit` it is killed, and `None` is returned.
fn wait(child: &mut Child, limit: Duration) -> std::io::Result<Option<std::process::ExitStatus>> {
    let started = Instant::now();
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        if started.elapsed() >= limit {
            child.kill()?;
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
        let error = read_page(&blank(), 2, &options).unwrap_err();
        assert_eq!(error.code(), "ocr_missing");
        assert!(error.to_string().contains("no-such-ocr-program"), "{error}");
    }

    #[test]
    #[cfg(unix)]
    fn a_failing_program_is_an_error() {
        let options = ExtractOptions { ocr_program: "false".into(), ..ExtractOptions::default() };
        assert_eq!(read_page(&blank(), 1, &options).unwrap_err().code(), "ocr_failed");
    }
}
