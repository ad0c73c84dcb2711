//! The journal of a migration: names are in it before they move, what became of them after.
//!
//! A line of text each. The first is the header, as JSON; then what people have to do besides, behind
//! `#`; then, for each page of keys:
//!
//! ```text
//! > 17 5b2c9d01 0:page:1 0:page:2 1:celery     page 17, its checksum, rule:name of each key
//! < 17 1-conflict 2-gone                       done, but for the second and third
//! ```
//!
//! and at the end `= {…}`, the report as JSON, or `u {…}` when all was taken back. Names are written as [`crate::escape`] does. A page
//! without its second line was under way when the work was interrupted; a last line without its end
//! was being written, and none of its keys has been touched.

use std::fmt::Write as _;
use std::fs::File;
use std::io::{BufRead, BufReader, BufWriter, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;

use super::{Item, Outcome};
use crate::name::escape_into;
use crate::{AdminError, Result, unescape};

/// What a migration was about: enough to go on with it and to take it back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Header {
    /// The version of this format: 1.
    pub compartment_journal: u32,
    /// Where the keys were.
    pub source: JournalPlace,
    /// Where they go, numbered as the rules number them.
    pub targets: Vec<JournalPlace>,
    /// The groups by the number of their rule, each with the number of its target.
    pub groups: Vec<(String, usize)>,
    /// Both forms of a renaming.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rename: Option<(String, String)>,
    /// Whether the keys stay in their old place as well.
    pub keep: bool,
}

/// A place, so that it can be found again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JournalPlace {
    /// What people call it.
    pub label: String,
    /// The server, any password hidden.
    pub server: String,
    /// Its number there.
    pub index: u32,
    /// What its keys begin with, escaped.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub prefix: String,
}

/// Keys that were written down together.
#[derive(Debug)]
pub(crate) struct Page {
    pub(crate) number: u64,
    pub(crate) items: Vec<Item>,
}

/// A page as it is read back.
#[derive(Debug)]
pub(crate) struct PastPage {
    pub(crate) number: u64,
    pub(crate) items: Vec<Item>,
    /// What became of those that did not simply move, by their place in the page; `None` when the
    /// work was interrupted before it was known.
    pub(crate) exceptions: Option<Vec<(usize, String)>>,
}

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

/// FNV-1a: enough to know a line that was not written whole.
fn checksum(bytes: &[u8]) -> u32 {
    bytes.iter().fold(0x811c_9dc5, |sum, byte| (sum ^ u32::from(*byte)).wrapping_mul(0x0100_0193))
}

/// A journal's file, open for writing, and what it held.
#[derive(Debug)]
pub(crate) struct Journal {
    path: PathBuf,
    file: File,
    /// The number of the next page.
    pub(crate) next_page: u64,
    /// Whether the file was there: the work goes on.
    pub(crate) resumed: bool,
}

impl Journal {
    /// Creates the journal, or opens it to go on with the same migration.
    pub(crate) fn open(path: &Path, header: &Header, instructions: &[String]) -> Result<Self> {
        if path.exists() {
            let past = Past::open(path)?;
            if past.header != *header {
                return Err(bad(
                    path,
                    "this journal is of another migration; name another file with --journal",
                ));
            }
            if past.undone()? {
                return Err(bad(path, "this migration was taken back: begin a new journal"));
            }
            let (next_page, whole) = past.extent()?;
            let file =
                File::options().append(true).open(path).map_err(AdminError::file("open", path))?;
            // A line that was being written when the work was interrupted is no part of it.
            file.set_len(whole).map_err(AdminError::file("write", path))?;
            return Ok(Self { path: path.to_owned(), file, next_page, resumed: true });
        }
        let mut file = File::create_new(path).map_err(AdminError::file("create", path))?;
        let mut text =
            serde_json::to_string(header).map_err(|error| bad(path, &error.to_string()))?;
        for line in instructions.iter().flat_map(|text| text.lines()) {
            text += "\n# ";
            text += line;
        }
        writeln!(file, "{text}")
            .and_then(|()| file.sync_all())
            .map_err(AdminError::file("write", path))?;
        Ok(Self { path: path.to_owned(), file, next_page: 1, resumed: false })
    }
}

fn bad(path: &Path, problem: &str) -> AdminError {
    AdminError::BadFile { path: path.to_owned(), problem: problem.to_owned() }
}

/// A journal that is read.
#[derive(Debug)]
pub(crate) struct Past {
    path: PathBuf,
    pub(crate) header: Header,
}

impl Past {
    pub(crate) fn open(path: &Path) -> Result<Self> {
        let file = File::open(path).map_err(AdminError::file("read", path))?;
        let mut line = String::new();
        BufReader::new(file).read_line(&mut line).map_err(AdminError::file("read", path))?;
        let header: Header = serde_json::from_str(&line)
            .map_err(|_| bad(path, "this is no journal of a migration: its first line is none"))?;
        if header.compartment_journal != 1 {
            return Err(bad(path, "the journal is of a newer version of this program"));
        }
        Ok(Self { path: path.to_owned(), header })
    }

    /// The lines behind the header, each with where it ends in the file.
    fn lines(&self) -> Result<impl Iterator<Item = Result<(u64, String)>>> {
        let file = File::open(&self.path).map_err(AdminError::file("read", &self.path))?;
        let path = self.path.clone();
        let mut reader = BufReader::with_capacity(1 << 16, file);
        let mut end = 0;
        let lines = std::iter::from_fn(move || {
            let mut line = String::new();
            match reader.read_line(&mut line) {
                Ok(0) => None,
                Ok(length) => {
                    end += length as u64;
                    // Without its end it was being written.
                    line.ends_with('\n').then(|| Ok((end, line.trim_end().to_owned())))
                }
                Err(error) => Some(Err(AdminError::file("read", &path)(error))),
            }
        });
        Ok(lines)
    }

    /// The next page's number, and how many bytes of the file are whole lines.
    fn extent(&self) -> Result<(u64, u64)> {
        let (mut next, mut whole) = (1, 0);
        for line in self.lines()? {
            let (end, line) = line?;
            whole = end;
            if let Some(number) = line.strip_prefix("> ").and_then(first_number) {
                next = next.max(number + 1);
            }
        }
        Ok((next, whole))
    }

    /// Hands out each page with what became of it. Pages are finished out of order by a few, so
    /// that few are held at a time.
    pub(crate) fn for_each_page(&self, mut each: impl FnMut(PastPage) -> Result<()>) -> Result<()> {
        let mut open: std::collections::BTreeMap<u64, Vec<Item>> =
            std::collections::BTreeMap::new();
        for line in self.lines()?.skip(1) {
            let (_, line) = line?;
            if let Some(text) = line.strip_prefix("> ") {
                let (number, items) = self.read_page(text)?;
                open.insert(number, items);
            } else if let Some(text) = line.strip_prefix("< ") {
                let Some(number) = first_number(text) else { continue };
                let Some(items) = open.remove(&number) else { continue };
                let exceptions = text.split(' ').skip(1).filter_map(|word| {
                    let (at, what) = word.split_once('-')?;
                    Some((at.parse().ok()?, what.to_owned()))
                });
                let exceptions = Some(exceptions.collect());
                each(PastPage { number, items, exceptions })?;
            }
        }
        for (number, items) in open {
            each(PastPage { number, items, exceptions: None })?;
        }
        Ok(())
    }

    /// Whether the migration came to its end.
    pub(crate) fn ended(&self) -> Result<bool> {
        Ok(self.last_line()?.starts_with("= "))
    }

    /// Whether the migration was taken back.
    pub(crate) fn undone(&self) -> Result<bool> {
        Ok(self.last_line()?.starts_with("u "))
    }

    fn last_line(&self) -> Result<String> {
        let mut last = String::new();
        for line in self.lines()? {
            (_, last) = line?;
        }
        Ok(last)
    }

    /// Writes that the migration was taken back, so that it is not taken back twice.
    pub(crate) fn mark_undone(&self, report: &str) -> Result<()> {
        let fail = |error| AdminError::file("write", &self.path)(error);
        let mut file = File::options().append(true).open(&self.path).map_err(fail)?;
        writeln!(file, "u {report}").and_then(|()| file.sync_all()).map_err(fail)
    }

    fn read_page(&self, text: &str) -> Result<(u64, Vec<Item>)> {
        let damaged = || bad(&self.path, "a page of the journal is damaged; nothing was changed");
        let (number, rest) = text.split_once(' ').ok_or_else(damaged)?;
        let sum = rest.get(..8).ok_or_else(damaged)?;
        let line = rest.get(8..).ok_or_else(damaged)?;
        if u32::from_str_radix(sum, 16) != Ok(checksum(line.as_bytes())) {
            return Err(damaged());
        }
        let items = line.split(' ').skip(1).map(|word| {
            let (rule, name) = word.split_once(':').ok_or_else(damaged)?;
            Ok(Item { name: unescape(name), rule: rule.parse().map_err(|_| damaged())? })
        });
        Ok((number.parse().map_err(|_| damaged())?, items.collect::<Result<_>>()?))
    }
}

fn first_number(text: &str) -> Option<u64> {
    text.split(' ').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header() -> Header {
        let place = |index| JournalPlace {
            label: format!("index {index}"),
            server: "redis://x".into(),
            index,
            prefix: String::new(),
        };
        Header {
            compartment_journal: 1,
            source: place(0),
            targets: vec![place(1)],
            groups: vec![("all".into(), 0)],
            rename: None,
            keep: false,
        }
    }

    fn item(name: &[u8]) -> Item {
        Item { name: name.to_vec(), rule: 0 }
    }

    async fn write(path: &Path, pages: Vec<Page>, done: &[(u64, Vec<Outcome>)]) {
        let journal = Journal::open(path, &header(), &["do this".into()]).unwrap();
        let (send, pages_in) = mpsc::channel(1);
        let (written, mut out) = mpsc::channel(100);
        let writer = Writer::start(journal, pages_in, written);
        for page in pages {
            send.send(page).await.unwrap();
        }
        drop(send);
        while out.recv().await.is_some() {}
        for (page, outcomes) in done {
            writer.outcomes().done(*page, outcomes.clone());
        }
        writer.finish().await.unwrap();
    }

    fn read(path: &Path) -> Vec<PastPage> {
        let mut pages = Vec::new();
        Past::open(path)
            .unwrap()
            .for_each_page(|page| {
                pages.push(page);
                Ok(())
            })
            .unwrap();
        pages
    }

    #[tokio::test]
    async fn pages_come_back_with_what_became_of_them() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("j");
        let pages = vec![
            Page { number: 1, items: vec![item(b"a b\n"), item(b""), item(b"\xff:\\")] },
            Page { number: 2, items: vec![item(b"late")] },
        ];
        write(&path, pages, &[(1, vec![Outcome::Done, Outcome::Conflict, Outcome::Gone])]).await;
        let pages = read(&path);
        assert_eq!(pages[0].items, [item(b"a b\n"), item(b""), item(b"\xff:\\")]);
        let exceptions = pages[0].exceptions.clone().unwrap();
        assert_eq!(exceptions, [(1, "conflict".to_owned()), (2, "gone".to_owned())]);
        assert_eq!(pages[1].items, [item(b"late")]);
        assert!(pages[1].exceptions.is_none(), "it was under way");
    }

    #[tokio::test]
    async fn a_torn_last_line_is_dropped_and_a_damaged_page_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("j");
        let page = Page { number: 1, items: vec![item(b"first")] };
        write(&path, vec![page], &[(1, vec![Outcome::Done])]).await;
        let whole = std::fs::read(&path).unwrap();
        let torn = [whole.as_slice(), b"> 2 00000000 0:seco"].concat();
        std::fs::write(&path, torn).unwrap();
        assert_eq!(read(&path).len(), 1);
        let journal = Journal::open(&path, &header(), &["do this".into()]).unwrap();
        assert_eq!((journal.next_page, journal.resumed), (2, true));
        assert_eq!(std::fs::read(&path).unwrap(), whole);

        let damaged = String::from_utf8(whole).unwrap().replace("first", "fuzst");
        std::fs::write(&path, damaged).unwrap();
        let error = Past::open(&path).unwrap().for_each_page(|_| Ok(())).unwrap_err();
        assert!(error.to_string().contains("damaged"), "{error}");
    }

    #[test]
    fn a_journal_of_another_migration_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("j");
        Journal::open(&path, &header(), &["do this".into()]).unwrap();
        let other = Header { keep: true, ..header() };
        assert!(Journal::open(&path, &other, &[]).is_err());
    }
}
