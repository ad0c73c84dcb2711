//! The thread that writes a journal: a page goes on only when it is on the disk.

use std::fmt::Write as _;
use std::io::{BufWriter, Write};
use std::path::PathBuf;

use tokio::sync::mpsc;

use super::{Journal, Page, checksum};
use crate::migrate::Outcome;
use crate::name::escape_into;
use crate::{AdminError, Result};

/// What is written after a page.
#[derive(Debug)]
enum Entry {
    Outcome { page: u64, outcomes: Vec<Outcome> },
    End(String),
}

/// Takes what became of pages. Clones write to the same journal.
#[derive(Clone, Debug)]
pub(crate) struct Outcomes {
    entries: mpsc::UnboundedSender<Entry>,
}

impl Outcomes {
    pub(crate) fn done(&self, page: u64, outcomes: Vec<Outcome>) {
        // Nobody listens after a failure to write, which the writer reports itself.
        let _ = self.entries.send(Entry::Outcome { page, outcomes });
    }

    pub(crate) fn end(&self, report: String) {
        let _ = self.entries.send(Entry::End(report));
    }
}

/// A journal that is being written, by a thread of its own.
#[derive(Debug)]
pub(crate) struct Writer {
    path: PathBuf,
    outcomes: Outcomes,
    thread: tokio::task::JoinHandle<Result<()>>,
}

impl Writer {
    /// Starts the thread: pages that come in by `pages` are written down and made durable, and
    /// only then go on by `written`.
    pub(crate) fn start(
        journal: Journal,
        mut pages: mpsc::Receiver<Page>,
        written: mpsc::Sender<Page>,
    ) -> Self {
        let (entries, mut incoming) = mpsc::unbounded_channel();
        let path = journal.path.clone();
        let thread = tokio::task::spawn_blocking(move || {
            let fail = |error| AdminError::file("write", &journal.path)(error);
            let mut out = BufWriter::with_capacity(1 << 20, &journal.file);
            let mut line = String::new();
            while let Some(page) = pages.blocking_recv() {
                while let Ok(entry) = incoming.try_recv() {
                    write_entry(&mut out, &mut line, entry).map_err(fail)?;
                }
                write_page(&mut out, &mut line, &page).map_err(fail)?;
                out.flush().and_then(|()| journal.file.sync_data()).map_err(fail)?;
                if written.blocking_send(page).is_err() {
                    break;
                }
            }
            drop(written);
            while let Some(entry) = incoming.blocking_recv() {
                let last = matches!(entry, Entry::End(_));
                write_entry(&mut out, &mut line, entry).map_err(fail)?;
                if last {
                    break;
                }
            }
            out.flush().and_then(|()| journal.file.sync_data()).map_err(fail)
        });
        Self { path, outcomes: Outcomes { entries }, thread }
    }

    pub(crate) fn outcomes(&self) -> Outcomes {
        self.outcomes.clone()
    }

    /// Waits until all is on the disk. Every other [`Outcomes`] has to be gone, or the end written.
    pub(crate) async fn finish(self) -> Result<()> {
        let Self { path, outcomes, thread } = self;
        drop(outcomes);
        thread.await.unwrap_or_else(|error| {
            Err(AdminError::file("write", &path)(std::io::Error::other(error)))
        })
    }
}

fn write_page(out: &mut impl Write, line: &mut String, page: &Page) -> std::io::Result<()> {
    line.clear();
    for item in &page.items {
        let _ = write!(line, " {}:", item.rule);
        escape_into(line, &item.name);
    }
    writeln!(out, "> {} {:08x}{line}", page.number, checksum(line.as_bytes()))
}

fn write_entry(out: &mut impl Write, line: &mut String, entry: Entry) -> std::io::Result<()> {
    match entry {
        Entry::Outcome { page, outcomes } => {
            line.clear();
            for (at, outcome) in outcomes.iter().enumerate() {
                if let Some(word) = outcome.word() {
                    let _ = write!(line, " {at}-{word}");
                }
            }
            writeln!(out, "< {page}{line}")
        }
        Entry::End(report) => writeln!(out, "= {report}"),
    }
}
