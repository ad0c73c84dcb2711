//! Walks the names of a place by `SCAN`, on every node of a cluster.

use compartment_core::Result;
use compartment_redis::{Connection, ServedTime};
use redis::Cmd;

use crate::Place;
use crate::name::escape_glob_into;

/// The names of a place, a page at a time. A key that exists throughout is returned at least once,
/// and perhaps more than once while the server resizes its table (`SCAN`'s guarantee).
#[derive(Debug)]
pub struct Walk {
    nodes: Vec<Connection>,
    pattern: Option<Vec<u8>>,
    prefix: Vec<u8>,
    count: usize,
    node: usize,
    cursor: u64,
}

/// Default `COUNT`, the names that the server inspects for one page: about a millisecond of its
/// time.
pub(crate) const PAGE: usize = 1_000;

impl Walk {
    /// Starts at the first name of `place`. `pattern` is a glob over the names without the place's
    /// prefix; `None` for all.
    ///
    /// # Errors
    /// When a node cannot be reached.
    pub async fn start(place: &Place, pattern: Option<&[u8]>) -> Result<Self> {
        let nodes = place.open_nodes("walk").await?;
        let prefix = place.prefix();
        let pattern = match (prefix, pattern) {
            ([], None) => None,
            ([], Some(pattern)) => Some(pattern.to_vec()),
            (prefix, pattern) => {
                let mut whole = Vec::new();
                escape_glob_into(prefix, &mut whole);
                whole.extend_from_slice(pattern.unwrap_or(b"*"));
                Some(whole)
            }
        };
        Ok(Self { nodes, pattern, prefix: prefix.to_vec(), count: PAGE, node: 0, cursor: 0 })
    }

    /// Sets how many names the server inspects for a page.
    #[must_use]
    pub fn page_size(mut self, count: usize) -> Self {
        self.count = count.max(1);
        self
    }

    /// Lets the server inspect at most `count` names for each page from now on.
    pub(crate) fn limit_page(&mut self, count: usize) {
        self.count = self.count.min(count.max(1));
    }

    /// Adds to `served` from now on how long the servers work on each page.
    pub(crate) fn measure(&mut self, served: &ServedTime) {
        self.nodes.iter_mut().for_each(|node| node.measure(served));
    }

    /// Continues at the position of another walk of this place: see [`Walk::position`].
    #[must_use]
    pub fn resume_at(mut self, position: (usize, u64)) -> Self {
        self.go_to(position);
        self
    }

    /// Continues at a position: see [`Walk::resume_at`].
    pub(crate) fn go_to(&mut self, (node, cursor): (usize, u64)) {
        (self.node, self.cursor) = (node, cursor);
    }

    /// The node and the server's cursor at which the next page begins. Cursors stay valid while the
    /// server runs.
    #[must_use]
    pub fn position(&self) -> (usize, u64) {
        (self.node, self.cursor)
    }

    /// The next names, without the place's prefix, perhaps none; `None` at the end.
    ///
    /// # Errors
    /// The server's.
    pub async fn next_page(&mut self) -> Result<Option<Vec<Vec<u8>>>> {
        let command = self.command();
        let Some(node) = self.nodes.get_mut(self.node) else { return Ok(None) };
        let (cursor, mut names): (u64, Vec<Vec<u8>>) = node.ask("scan", &command).await?;
        self.go_on(cursor);
        if !self.prefix.is_empty() {
            for name in &mut names {
                name.drain(..self.prefix.len().min(name.len()));
            }
        }
        Ok(Some(names))
    }

    fn command(&self) -> Cmd {
        let mut command = redis::cmd("SCAN");
        command.arg(self.cursor);
        if let Some(pattern) = &self.pattern {
            command.arg("MATCH").arg(pattern);
        }
        command.arg("COUNT").arg(self.count);
        command
    }

    fn go_on(&mut self, cursor: u64) {
        self.cursor = cursor;
        if cursor == 0 {
            self.node += 1;
        }
    }
}
