//! Reads a journal back, page by page.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};

use compartment_files::{Lock, LockedFile};

use super::{Header, bad, checksum};
use crate::condition::Life;
use crate::migrate::Item;
use crate::migrate::mark::{Copied, Mark};
use crate::{AdminError, Result, unescape};

/// A page read from a journal.
#[derive(Debug)]
pub(crate) struct PastPage {
    pub(crate) number: u64,
    pub(crate) items: Vec<Item>,
    /// Positions of the keys that their targets had before the page; `None` if the keys were copied over the targets'
    /// values.
    pub(crate) had: Option<HashSet<usize>>,
    /// Outcomes of keys that did not simply move, by position in the page; `None` if the run was
    /// interrupted before they were known.
    pub(crate) exceptions: Option<Vec<(usize, String)>>,
}

/// An existing journal.
#[derive(Debug)]
pub(crate) struct Past {
    path: PathBuf,
    pub(crate) header: Header,
}

/// The state of a journal.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct State {
    /// Number of the next page.
    pub(crate) next_page: u64,
    /// Length of the complete lines in bytes.
    pub(crate) whole: u64,
    /// The migration is complete.
    pub(crate) ended: bool,
    /// It was undone.
    pub(crate) undone: bool,
    /// An undo is in progress, and keys deleted in the targets were removed from the source.
    pub(crate) deletions_done: bool,
    /// Set if the feed ended after the last write to the source: the `Life` of the targets'
    /// servers.
    pub(crate) followed: Option<Vec<Life>>,
    /// The `Life` of the source's server during the feed.
    pub(crate) source: Option<Life>,
}

impl Past {
    pub(crate) fn open(path: &Path) -> Result<Self> {
        if std::fs::metadata(path).is_ok_and(|found| !found.is_file()) {
            return Err(bad(path, "it is not a regular file, and a journal must be readable"));
        }
        let file = File::open(path).map_err(AdminError::file("read", path))?;
        let mut line = String::new();
        BufReader::new(file).read_line(&mut line).map_err(AdminError::file("read", path))?;
        let header: Header = serde_json::from_str(&line).map_err(|_| {
            bad(path, "this is not the journal of a migration: its first line is not a header")
        })?;
        if header.compartment_journal != 1 {
            return Err(bad(path, "the journal is of a newer version of this program"));
        }
        if !line.ends_with('\n') {
            return Err(bad(path, "the journal is cut off after its first line"));
        }
        Ok(Self { path: path.to_owned(), header })
    }

    /// Opens the file for appending and locks it for this run.
    ///
    /// # Errors
    /// When another run has the lock.
    pub(crate) fn take(&self) -> Result<LockedFile> {
        let file = File::options().append(true).open(&self.path);
        let file = file.map_err(AdminError::file("open", &self.path))?;
        match compartment_files::lock(&file).map_err(AdminError::file("lock", &self.path))? {
            // Some file systems have no locks; concurrent runs are too rare to refuse those file systems.
            Lock::Taken | Lock::Unsupported => Ok(LockedFile::new(file)),
            Lock::Busy => Err(AdminError::Unsafe(format!(
                "another run uses {}: wait until it has ended",
                self.path.display()
            ))),
        }
    }

    /// The lines of the file, each with its end offset. The last one may lack its newline.
    fn lines(&self) -> Result<impl Iterator<Item = Result<(u64, Vec<u8>)>>> {
        let file = File::open(&self.path).map_err(AdminError::file("read", &self.path))?;
        let path = self.path.clone();
        let mut reader = BufReader::with_capacity(1 << 16, file);
        let mut end = 0;
        Ok(std::iter::from_fn(move || {
            let mut line = Vec::new();
            match reader.read_until(b'\n', &mut line) {
                Ok(0) => None,
                Ok(length) => {
                    end += length as u64;
                    Some(Ok((end, line)))
                }
                Err(error) => Some(Err(AdminError::file("read", &path)(error))),
            }
        }))
    }

    /// The complete lines as text.
    fn whole_lines(&self) -> Result<impl Iterator<Item = Result<(u64, String)>>> {
        let path = self.path.clone();
        let whole = self.lines()?.take_while(|line| {
            // Without its newline it was being written.
            line.as_ref().map_or(true, |(_, line)| line.ends_with(b"\n"))
        });
        Ok(whole.map(move |line| {
            let (end, line) = line?;
            let line = String::from_utf8(line)
                .map_err(|_| bad(&path, "the journal is damaged: a line is not text"))?;
            Ok((end, line.trim_end().to_owned()))
        }))
    }

    /// Reads the state of the journal.
    pub(crate) fn state(&self) -> Result<State> {
        let mut state = State { next_page: 1, ..State::default() };
        for line in self.whole_lines()? {
            let (end, line) = line?;
            state.whole = end;
            let (mark, rest) = line.split_once(' ').unwrap_or((line.as_str(), ""));
            match mark {
                ">" | "o" => {
                    let number = first_number(rest).unwrap_or(0);
                    state.next_page = state.next_page.max(number + 1);
                    (state.ended, state.followed) = (false, None);
                }
                "=" => state.ended = true,
                "u" => state.undone = true,
                "d" => state.deletions_done = true,
                // The feed continued.
                "m" => (state.ended, state.followed) = (false, None),
                "s" => state.source = Some(Life::read(rest)),
                "r" => state.followed = Some(rest.split(' ').map(Life::read).collect()),
                _ => {}
            }
        }
        Ok(state)
    }

    /// The incomplete page at the end of the file, with its complete names. If the run was
    /// interrupted, none of its keys has been touched; if some have moved, the file was truncated
    /// later.
    pub(crate) fn torn_page(&self) -> Result<Option<PastPage>> {
        let Some(line) = self.lines()?.last() else { return Ok(None) };
        let (_, line) = line?;
        if line.ends_with(b"\n") {
            return Ok(None);
        }
        let text = String::from_utf8_lossy(&line);
        let Some((had, text)) = page_of(&text) else { return Ok(None) };
        let mut words: Vec<&str> = text.split(' ').collect();
        // The last name may be incomplete.
        words.pop();
        let mut words = words.into_iter();
        let number = words.next().and_then(|number| number.parse().ok()).unwrap_or(0);
        self.read_items(number, had, words.skip(1)).map(Some)
    }

    /// Calls `each` with each page and its outcomes. Pages finish slightly out of order, so only
    /// few are held at a time.
    pub(crate) fn for_each_page(&self, mut each: impl FnMut(PastPage) -> Result<()>) -> Result<()> {
        let mut open: BTreeMap<u64, PastPage> = BTreeMap::new();
        let mut expected = 1;
        for line in self.whole_lines()?.skip(1) {
            let (_, line) = line?;
            if let Some((had, text)) = page_of(&line) {
                let page = self.read_page(had, text)?;
                if page.number != expected {
                    return Err(self.missing(expected));
                }
                expected += 1;
                open.insert(page.number, page);
            } else if let Some(text) = line.strip_prefix("< ") {
                let number = first_number(text).unwrap_or(0);
                let page = open.remove(&number).ok_or_else(|| self.missing(number))?;
                let exceptions = text.split(' ').skip(1).filter_map(|word| {
                    let (at, what) = word.split_once('-')?;
                    Some((at.parse().ok()?, what.to_owned()))
                });
                let exceptions = Some(exceptions.collect());
                each(PastPage { exceptions, ..page })?;
            }
        }
        open.into_values().try_for_each(each)
    }

    /// The copied keys with their latest marks.
    pub(crate) fn copied(&self) -> Result<HashMap<Vec<u8>, Copied>> {
        let mut found = HashMap::new();
        for line in self.whole_lines()?.skip(1) {
            let (_, line) = line?;
            let Some(text) = line.strip_prefix("m ") else { continue };
            for word in text.split(' ') {
                let copied = self.read_copied(word)?;
                found.insert(copied.item.name.clone(), copied);
            }
        }
        Ok(found)
    }

    fn read_copied(&self, word: &str) -> Result<Copied> {
        let damaged = || {
            bad(&self.path, "a line about copies is damaged in the journal; nothing was changed")
        };
        let mut parts = word.splitn(3, ':');
        let (Some(rule), Some(mark), Some(name)) = (parts.next(), parts.next(), parts.next())
        else {
            return Err(damaged());
        };
        let (item, _) = self.read_item(&format!("{rule}:{name}"))?;
        let mark = match mark {
            "-" => None,
            word => Some(Mark::read(word).ok_or_else(damaged)?),
        };
        Ok(Copied { item, mark })
    }

    fn missing(&self, page: u64) -> AdminError {
        bad(
            &self.path,
            &format!("the journal is damaged: page {page} is missing; nothing was changed"),
        )
    }

    /// Records that keys deleted in the targets were removed from the source.
    pub(crate) fn mark_deletions_done(&self) -> Result<()> {
        self.append("d")
    }

    /// Records the undo, so that it is not repeated.
    pub(crate) fn mark_undone(&self, report: &str) -> Result<()> {
        self.append(&format!("u {report}"))
    }

    fn append(&self, line: &str) -> Result<()> {
        let fail = |error| AdminError::file("write", &self.path)(error);
        let whole = self.state()?.whole;
        let mut file = File::options().append(true).open(&self.path).map_err(fail)?;
        file.set_len(whole).map_err(fail)?;
        writeln!(file, "{line}").and_then(|()| file.sync_all()).map_err(fail)
    }

    fn read_page(&self, had: bool, text: &str) -> Result<PastPage> {
        let (number, rest) = text.split_once(' ').ok_or_else(|| self.damaged())?;
        let sum = rest.get(..8).ok_or_else(|| self.damaged())?;
        let line = rest.get(8..).ok_or_else(|| self.damaged())?;
        if u32::from_str_radix(sum, 16) != Ok(checksum(line.as_bytes())) {
            return Err(self.damaged());
        }
        let number = number.parse().map_err(|_| self.damaged())?;
        self.read_items(number, had, line.split(' ').skip(1))
    }

    /// Reads the words of a page. Unless `had`, they do not tell which keys the targets had.
    fn read_items<'a>(
        &self,
        number: u64,
        had: bool,
        words: impl Iterator<Item = &'a str>,
    ) -> Result<PastPage> {
        let (mut items, mut positions) = (Vec::new(), HashSet::new());
        for (at, word) in words.enumerate() {
            let (item, is_there) = self.read_item(word)?;
            items.push(item);
            if is_there {
                positions.insert(at);
            }
        }
        Ok(PastPage { number, items, had: had.then_some(positions), exceptions: None })
    }

    /// A key, and whether its target had it.
    fn read_item(&self, word: &str) -> Result<(Item, bool)> {
        let item = word.find([':', '+']).and_then(|at| {
            let (rule, name) = (word.get(..at)?, word.get(at + 1..)?);
            let item = Item { name: unescape(name), rule: rule.parse().ok()? };
            Some((item, word.as_bytes()[at] == b'+'))
        });
        item.ok_or_else(|| self.damaged())
    }

    fn damaged(&self) -> AdminError {
        bad(&self.path, "a page of the journal is damaged; nothing was changed")
    }
}

/// The text of a page's line, and whether it tells which keys the targets had.
fn page_of(line: &str) -> Option<(bool, &str)> {
    let over = || Some((false, line.strip_prefix("o ")?));
    line.strip_prefix("> ").map(|text| (true, text)).or_else(over)
}

fn first_number(text: &str) -> Option<u64> {
    text.split(' ').next()?.parse().ok()
}
