//! The thread that writes a journal and passes a page on only when it is on disk.

use std::fmt::Write as _;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::mpsc;

use super::{Journal, Page, checksum};
use crate::migrate::Outcome;
use crate::migrate::mark::{Copied, Mark};
use crate::name::escape_into;
use crate::{AdminError, Result};

/// Entries other than pages.
#[derive(Debug)]
enum Entry {
    Outcome { page: u64, outcomes: Vec<Outcome> },
    Followed(Vec<String>),
    Source(String),
    Copied(Vec<Copied>),
    End(String),
}

/// Sends outcomes to the journal. Clones write to the same journal.
#[derive(Clone, Debug)]
pub(crate) struct Outcomes {
    entries: mpsc::UnboundedSender<Entry>,
}

impl Outcomes {
    pub(crate) fn done(&self, page: u64, outcomes: Vec<Outcome>) {
        // The receiver is gone only after a write error, which the writer reports.
        let _ = self.entries.send(Entry::Outcome { page, outcomes });
    }

    /// Records the `Life` of the source's server.
    pub(crate) fn source(&self, life: String) {
        let _ = self.entries.send(Entry::Source(life));
    }

    /// Records copied keys.
    pub(crate) fn copied(&self, copied: Vec<Copied>) {
        let _ = self.entries.send(Entry::Copied(copied));
    }

    /// Records that the feed ended, with the `Life` of the targets' servers.
    pub(crate) fn followed(&self, lives: Vec<String>) {
        let _ = self.entries.send(Entry::Followed(lives));
    }

    pub(crate) fn end(&self, report: String) {
        let _ = self.entries.send(Entry::End(report));
    }
}

/// A journal that a separate thread writes.
#[derive(Debug)]
pub(crate) struct Writer {
    path: PathBuf,
    outcomes: Outcomes,
    thread: tokio::task::JoinHandle<()>,
    failure: Arc<Mutex<Option<AdminError>>>,
}

impl Writer {
    /// Starts the thread: pages from `pages` are written and synchronised, and only then sent to
    /// `written`.
    pub(crate) fn start(
        journal: Journal,
        mut pages: mpsc::Receiver<Page>,
        written: mpsc::Sender<Page>,
    ) -> Self {
        let (entries, mut incoming) = mpsc::unbounded_channel();
        let path = journal.path.clone();
        let failure = Arc::new(Mutex::new(None));
        let failed = Arc::clone(&failure);
        let thread = tokio::task::spawn_blocking(move || {
            let note = |error| {
                let error = AdminError::file("write", &journal.path)(error);
                *failed.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
            };
            let mut out = BufWriter::with_capacity(1 << 20, &*journal.file);
            let all = write_pages(&journal.file, &mut out, &mut pages, &mut incoming, &written);
            // The failure is stored before the lanes end, so that the caller finds the reason.
            let all = all.map_err(&note);
            drop(written);
            if all.is_ok() {
                let _ = write_rest(&journal.file, &mut out, &mut incoming).map_err(&note);
            }
        });
        Self { path, outcomes: Outcomes { entries }, thread, failure }
    }

    /// The error that ended it early, returned once; usually a full disk.
    pub(crate) fn failure(&self) -> Option<AdminError> {
        self.failure.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    pub(crate) fn outcomes(&self) -> Outcomes {
        self.outcomes.clone()
    }

    /// Waits until everything is on disk. Every other [`Outcomes`] has to be dropped, or the end
    /// written.
    pub(crate) async fn finish(self) -> Result<()> {
        let Self { path, outcomes, thread, failure } = self;
        drop(outcomes);
        thread.await.map_err(std::io::Error::other).map_err(AdminError::file("write", &path))?;
        let failure = failure.lock().unwrap_or_else(PoisonError::into_inner).take();
        failure.map_or(Ok(()), Err)
    }
}

/// The next thing to write.
enum Next {
    Page(Option<Page>),
    Entry(Entry),
}

/// Writes pages and incoming outcomes until there are no more pages.
fn write_pages(
    file: &File,
    out: &mut BufWriter<&File>,
    pages: &mut mpsc::Receiver<Page>,
    incoming: &mut mpsc::UnboundedReceiver<Entry>,
    written: &mpsc::Sender<Page>,
) -> std::io::Result<()> {
    let mut line = String::new();
    let runtime = tokio::runtime::Handle::current();
    loop {
        let next = runtime.block_on(async {
            tokio::select! {
                biased;
                page = pages.recv() => Next::Page(page),
                Some(entry) = incoming.recv() => Next::Entry(entry),
            }
        });
        let page = match next {
            Next::Page(None) => return Ok(()),
            Next::Page(Some(page)) => Some(page),
            Next::Entry(entry) => {
                write_entry(out, &mut line, entry)?;
                None
            }
        };
        while let Ok(entry) = incoming.try_recv() {
            write_entry(out, &mut line, entry)?;
        }
        if let Some(page) = &page {
            write_page(out, &mut line, page)?;
        }
        // From here on the entries survive a crash of this program; a page has to survive one of
        // the machine.
        out.flush()?;
        if let Some(page) = page {
            file.sync_data()?;
            if written.blocking_send(page).is_err() {
                return Ok(());
            }
        }
    }
}

/// Writes the remaining outcomes.
fn write_rest(
    file: &File,
    out: &mut BufWriter<&File>,
    incoming: &mut mpsc::UnboundedReceiver<Entry>,
) -> std::io::Result<()> {
    let mut line = String::new();
    while let Some(entry) = incoming.blocking_recv() {
        let last = matches!(entry, Entry::End(_));
        write_entry(out, &mut line, entry)?;
        if last {
            break;
        }
    }
    out.flush()?;
    file.sync_data()
}

fn write_page(out: &mut impl Write, line: &mut String, page: &Page) -> std::io::Result<()> {
    line.clear();
    for (at, item) in page.items.iter().enumerate() {
        let had = page.had.as_ref().is_some_and(|had| had.contains(&at));
        let _ = write!(line, " {}{}", item.rule, if had { '+' } else { ':' });
        escape_into(line, &item.name);
    }
    let mark = if page.had.is_some() { '>' } else { 'o' };
    writeln!(out, "{mark} {} {:08x}{line}", page.number, checksum(line.as_bytes()))
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
        Entry::Followed(lives) => writeln!(out, "r {}", lives.join(" ")),
        Entry::Source(life) => writeln!(out, "s {life}"),
        Entry::Copied(copied) => {
            line.clear();
            for one in &copied {
                let mark = one.mark.as_ref().map_or_else(|| "-".to_owned(), Mark::word);
                let _ = write!(line, " {}:{mark}:", one.item.rule);
                escape_into(line, &one.item.name);
            }
            writeln!(out, "m{line}")
        }
        Entry::End(report) => writeln!(out, "= {report}"),
    }
}
