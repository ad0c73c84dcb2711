//! Reads a journal back, page by page.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};

use super::{Header, bad, checksum};
use crate::migrate::Item;
use crate::{AdminError, Result, unescape};

/// A page as it is read back.
#[derive(Debug)]
pub(crate) struct PastPage {
    pub(crate) number: u64,
    pub(crate) items: Vec<Item>,
    /// What became of those that did not simply move, by their place in the page; `None` when the
    /// work was interrupted before it was known.
    pub(crate) exceptions: Option<Vec<(usize, String)>>,
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
    pub(super) fn extent(&self) -> Result<(u64, u64)> {
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
        let mut open: BTreeMap<u64, Vec<Item>> = BTreeMap::new();
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
