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
    /// Positions of the keys that their targets had before the page; `None` if that is not known.
    pub(crate) stood: Option<HashSet<usize>>,
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
                ">" => {
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
        let Some(text) = text.strip_prefix("> ") else { return Ok(None) };
        let mut words: Vec<&str> = text.split(' ').collect();
        // The last name may be incomplete.
        words.pop();
        let mut words = words.into_iter();
        let number = words.next().and_then(|number| number.parse().ok()).unwrap_or(0);
        let items = words.skip(1).map(|word| self.read_item(word)).collect::<Result<_>>()?;
        Ok(Some(PastPage { number, items, stood: None, exceptions: None }))
    }

    /// Calls `each` with each page and its outcomes. Pages finish slightly out of order, so only
    /// few are held at a time.
    pub(crate) fn for_each_page(&self, mut each: impl FnMut(PastPage) -> Result<()>) -> Result<()> {
        let mut open = BTreeMap::new();
        let (mut expected, mut stood) = (1, None);
        for line in self.whole_lines()?.skip(1) {
            let (_, line) = line?;
            if let Some(text) = line.strip_prefix("t ") {
                // Of one that was interrupted before its page, the next has the same number.
                stood = Some(self.read_stood(text)?);
            } else if let Some(text) = line.strip_prefix("> ") {
                let (number, items) = self.read_page(text)?;
                if number != expected {
                    return Err(self.missing(expected));
                }
                expected += 1;
                let stood = stood.take().filter(|(page, _)| *page == number);
                open.insert(number, (items, stood.map(|(_, positions)| positions)));
            } else if let Some(text) = line.strip_prefix("< ") {
                let number = first_number(text).unwrap_or(0);
                let (items, stood) = open.remove(&number).ok_or_else(|| self.missing(number))?;
                let exceptions = text.split(' ').skip(1).filter_map(|word| {
                    let (at, what) = word.split_once('-')?;
                    Some((at.parse().ok()?, what.to_owned()))
                });
                let exceptions = Some(exceptions.collect());
                each(PastPage { number, items, stood, exceptions })?;
            }
        }
        for (number, (items, stood)) in open {
            each(PastPage { number, items, stood, exceptions: None })?;
        }
        Ok(())
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
        let item = self.read_item(&format!("{rule}:{name}"))?;
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

    fn read_page(&self, text: &str) -> Result<(u64, Vec<Item>)> {
        let damaged = || bad(&self.path, "a page of the journal is damaged; nothing was changed");
        let (number, rest) = text.split_once(' ').ok_or_else(damaged)?;
        let sum = rest.get(..8).ok_or_else(damaged)?;
        let line = rest.get(8..).ok_or_else(damaged)?;
        if u32::from_str_radix(sum, 16) != Ok(checksum(line.as_bytes())) {
            return Err(damaged());
        }
        let items = line.split(' ').skip(1).map(|word| self.read_item(word));
        Ok((number.parse().map_err(|_| damaged())?, items.collect::<Result<_>>()?))
    }

    fn read_stood(&self, text: &str) -> Result<(u64, HashSet<usize>)> {
        let mut numbers = text.split(' ').map(str::parse::<u64>);
        let page = numbers.next();
        let positions: std::result::Result<HashSet<usize>, _> =
            numbers.map(|at| at.map(|at| at as usize)).collect();
        match (page, positions) {
            (Some(Ok(page)), Ok(positions)) => Ok((page, positions)),
            _ => Err(bad(&self.path, "a page of the journal is damaged; nothing was changed")),
        }
    }

    fn read_item(&self, word: &str) -> Result<Item> {
        let item = word
            .split_once(':')
            .and_then(|(rule, name)| Some(Item { name: unescape(name), rule: rule.parse().ok()? }));
        item.ok_or_else(|| bad(&self.path, "a page of the journal is damaged; nothing was changed"))
    }
}

fn first_number(text: &str) -> Option<u64> {
    text.split(' ').next()?.parse().ok()
}
