//! The first names of a walk, kept for a moment so that they need no second walk.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// Bytes of names that are kept, lengths included. Beyond them a second walk costs a server less than the names cost
/// memory here.
const MOST: usize = 32 * 1024 * 1024;
/// Bytes that a page takes beside its names and their lengths, about.
const OF_A_PAGE: usize = 128;
/// Older names are read again: keys that live shorter than that would be gone, and those made since would be missing.
const FRESH: Duration = Duration::from_secs(5);

/// Names of a walk from its beginning on, up to a bound of memory, and the position of the walk behind them.
#[derive(Debug)]
pub(super) struct Kept {
    pages: VecDeque<KeptPage>,
    bytes: usize,
    most: usize,
    position: (usize, u64),
    is_full: bool,
}

/// Names one after the other.
#[derive(Debug)]
struct KeptPage {
    names: Box<[u8]>,
    lengths: Box<[u32]>,
    /// Where the walk was before it read them, and when it had.
    begins: (usize, u64),
    read: Instant,
}

impl Kept {
    /// Nothing yet, of a walk at its beginning.
    pub(super) fn new(position: (usize, u64)) -> Self {
        Self { pages: VecDeque::new(), bytes: 0, most: MOST, position, is_full: false }
    }

    /// Keeps the next page of the walk, which is then at `position`, unless it or one before it was too much.
    pub(super) fn offer(&mut self, page: &[Vec<u8>], position: (usize, u64), now: Instant) {
        let lengths: Option<Box<[u32]>> =
            page.iter().map(|name| u32::try_from(name.len()).ok()).collect();
        let bytes = page.iter().map(|name| name.len() + size_of::<u32>()).sum::<usize>();
        let bytes = if page.is_empty() { 0 } else { bytes + OF_A_PAGE };
        self.is_full |= self.bytes + bytes > self.most;
        let Some(lengths) = lengths.filter(|_| !self.is_full) else {
            self.is_full = true;
            return;
        };
        self.bytes += bytes;
        let begins = std::mem::replace(&mut self.position, position);
        if !page.is_empty() {
            self.pages.push_back(KeptPage {
                names: page.concat().into(),
                lengths,
                begins,
                read: now,
            });
        }
    }

    /// Where the walk goes on behind the kept names.
    pub(super) fn position(&self) -> (usize, u64) {
        self.position
    }

    /// Whether no kept name is left.
    pub(super) fn is_empty(&self) -> bool {
        self.pages.is_empty()
    }

    /// Takes the next names. Once they are too old there are no more, and the walk goes on where they begin.
    pub(super) fn next_page(&mut self, now: Instant) -> Option<Vec<Vec<u8>>> {
        let page = self.pages.pop_front()?;
        if now.saturating_duration_since(page.read) > FRESH {
            self.position = page.begins;
            self.pages.clear();
            return None;
        }
        let mut rest = &*page.names;
        let name = |length: &u32| {
            let (name, after) = rest.split_at(rest.len().min(*length as usize));
            rest = after;
            name.to_vec()
        };
        Some(page.lengths.iter().map(name).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(texts: &[&str]) -> Vec<Vec<u8>> {
        texts.iter().map(|text| text.as_bytes().to_vec()).collect()
    }

    #[test]
    fn what_is_kept_is_a_beginning_of_the_walk() {
        let now = Instant::now();
        let mut kept = Kept { most: OF_A_PAGE + 30, ..Kept::new((0, 0)) };
        let (first, last) = (names(&["a", "", "ccc"]), names(&["d"]));
        kept.offer(&first, (0, 7), now);
        kept.offer(&[], (1, 0), now);
        kept.offer(&names(&["far too long for what is left"]), (1, 3), now);
        // The walk has to go over this one again, because it goes on before it.
        kept.offer(&last, (1, 9), now);
        assert_eq!(kept.position(), (1, 0));
        assert_eq!(kept.next_page(now), Some(first));
        assert!(kept.is_empty());
        assert_eq!(kept.next_page(now), None);
    }

    #[test]
    fn names_that_were_read_long_ago_are_read_again_from_where_they_begin() {
        let began = Instant::now();
        let mut kept = Kept::new((0, 0));
        for (page, second) in [("a", 0), ("b", 4), ("c", 5)] {
            let read = began + Duration::from_secs(second);
            kept.offer(&names(&[page]), (0, second + 1), read);
        }
        assert_eq!(kept.next_page(began + FRESH), Some(names(&["a"])));
        assert_eq!(kept.next_page(began + FRESH * 3), None);
        assert!(kept.is_empty());
        assert_eq!(kept.position(), (0, 1), "behind the first page, before the second");
    }
}
