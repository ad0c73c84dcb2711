//! The first names of a walk, kept so that they need no second walk.

use std::collections::VecDeque;

/// Bytes of names that are kept, lengths included. Beyond them a second walk costs a server less than the names cost
/// memory here.
const MOST: usize = 32 * 1024 * 1024;

/// Names of a walk from its beginning on, up to a bound of memory, and the position of the walk behind them.
#[derive(Debug)]
pub(super) struct Kept {
    pages: VecDeque<Packed>,
    bytes: usize,
    most: usize,
    position: (usize, u64),
    is_full: bool,
}

/// Names one after the other.
#[derive(Debug)]
struct Packed {
    names: Box<[u8]>,
    lengths: Box<[u32]>,
}

impl Kept {
    /// Nothing yet, of a walk at its beginning.
    pub(super) fn new(position: (usize, u64)) -> Self {
        Self { pages: VecDeque::new(), bytes: 0, most: MOST, position, is_full: false }
    }

    /// Keeps the next page of the walk, which is then at `position`, unless it or one before it was too much.
    pub(super) fn offer(&mut self, page: &[Vec<u8>], position: (usize, u64)) {
        let lengths: Option<Box<[u32]>> =
            page.iter().map(|name| u32::try_from(name.len()).ok()).collect();
        let bytes = page.iter().map(|name| name.len() + size_of::<u32>()).sum::<usize>();
        self.is_full |= self.bytes + bytes > self.most;
        let Some(lengths) = lengths.filter(|_| !self.is_full) else {
            self.is_full = true;
            return;
        };
        self.bytes += bytes;
        self.position = position;
        if !page.is_empty() {
            self.pages.push_back(Packed { names: page.concat().into(), lengths });
        }
    }

    /// Where the walk goes on behind the kept names.
    pub(super) fn position(&self) -> (usize, u64) {
        self.position
    }

    /// Whether every kept name was taken.
    pub(super) fn is_empty(&self) -> bool {
        self.pages.is_empty()
    }

    /// Takes the next names.
    pub(super) fn next_page(&mut self) -> Option<Vec<Vec<u8>>> {
        let packed = self.pages.pop_front()?;
        let mut rest = &*packed.names;
        let name = |length: &u32| {
            let (name, after) = rest.split_at(rest.len().min(*length as usize));
            rest = after;
            name.to_vec()
        };
        Some(packed.lengths.iter().map(name).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_is_a_beginning_of_the_walk() {
        let names = |texts: &[&str]| -> Vec<Vec<u8>> {
            texts.iter().map(|text| text.as_bytes().to_vec()).collect()
        };
        let mut kept = Kept { most: 30, ..Kept::new((0, 0)) };
        let (first, last) = (names(&["a", "", "ccc"]), names(&["d"]));
        kept.offer(&first, (0, 7));
        kept.offer(&[], (1, 0));
        kept.offer(&names(&["far too long for what is left"]), (1, 3));
        // The walk has to go over this one again, because it goes on before it.
        kept.offer(&last, (1, 9));
        assert_eq!(kept.position(), (1, 0));
        assert_eq!(kept.next_page(), Some(first));
        assert!(kept.is_empty());
        assert_eq!(kept.next_page(), None);
    }
}
