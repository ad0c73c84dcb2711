//! A request, with what the front does before and after it.

use bytes::{Bytes, BytesMut};

use crate::resp::write;
use crate::route::DatabaseId;

/// A command of the front, at an index.
#[derive(Clone, Debug)]
pub(super) struct Frame {
    pub(super) index: u32,
    pub(super) bytes: Bytes,
}

/// A request, and what the front does before and after it.
#[derive(Clone, Debug)]
pub(super) struct Frames {
    pub(super) before: Vec<Frame>,
    pub(super) request: Bytes,
    pub(super) after: Vec<Frame>,
    pub(super) counted: Counted,
}

/// What the front does before and after a command whose keys are in several databases.
#[derive(Clone, Debug, Default)]
pub(super) struct Around {
    pub(super) before: Vec<Frame>,
    pub(super) after: Vec<After>,
}

/// A command of the front after one of the program.
#[derive(Clone, Debug)]
pub(super) struct After {
    pub(super) frame: Frame,
    /// The database of its key.
    pub(super) database: DatabaseId,
    /// The reply by which the write was one without a life.
    pub(super) counted: &'static [u8],
}

impl Around {
    pub(super) fn is_empty(&self) -> bool {
        self.before.is_empty() && self.after.is_empty()
    }
}

/// Commands at several indexes of one server, with the SELECTs between them.
#[derive(Debug)]
pub(super) struct Steps {
    pub(super) bytes: BytesMut,
    pub(super) count: usize,
    index: u32,
}

impl Steps {
    /// None yet, at an index.
    pub(super) fn at(index: u32) -> Self {
        Self { bytes: BytesMut::new(), count: 0, index }
    }

    /// Adds a command; its position among the replies.
    pub(super) fn add(&mut self, index: u32, command: &[u8]) -> usize {
        self.select(index);
        self.add_here(command)
    }

    /// Adds a command at whatever index there is; its position among the replies.
    pub(super) fn add_here(&mut self, command: &[u8]) -> usize {
        self.bytes.extend_from_slice(command);
        self.count += 1;
        self.count - 1
    }

    /// Goes to an index.
    pub(super) fn select(&mut self, index: u32) {
        if index != self.index {
            let text = index.to_string();
            write::request([b"SELECT".as_slice(), text.as_bytes()], &mut self.bytes);
            self.count += 1;
            self.index = index;
        }
    }

    /// Adds a command with what is around it; the position of its reply, and those of the commands after it.
    pub(super) fn surround(
        &mut self,
        index: u32,
        command: &[u8],
        around: &Around,
    ) -> (usize, Vec<usize>) {
        for frame in &around.before {
            self.add(frame.index, &frame.bytes);
        }
        let own = self.add(index, command);
        let after = around.after.iter().map(|one| self.add(one.frame.index, &one.frame.bytes));
        (own, after.collect())
    }
}

/// What of it is counted as a write without a life, by the contract.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Counted {
    Nothing,
    /// The request itself.
    This,
    /// Each of the replies after it that reads like this.
    Replies(&'static [u8]),
}
