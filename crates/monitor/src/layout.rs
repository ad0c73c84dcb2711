//! How the lines of the terminal are shared out.

use crate::facts::Facts;
use crate::screens::{Screen, servers};

/// Servers that are away are named in so many lines at most, and those that answer too.
const MAX_SERVERS: usize = 3;
/// From this height on there is room for lines about the servers that answer.
const ROOM_FOR_SERVERS: u16 = 20;

/// The lines of a frame, from above. The rest is the list or the page, and the last line has the keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Layout {
    /// Servers that are away.
    pub(crate) away: u16,
    /// Servers that answer.
    pub(crate) servers: u16,
    /// Lines of the list or the page.
    pub(crate) body: u16,
}

impl Layout {
    /// The line of the title: below the head, the tabs and the servers that are away.
    pub(crate) const fn title(self) -> u16 {
        2 + self.away
    }

    /// The first line of the list or the page.
    pub(crate) const fn top(self) -> u16 {
        self.title() + 1 + self.servers
    }

    /// Rows of a list, below its header.
    pub(crate) fn rows(self) -> u16 {
        self.body.saturating_sub(1).max(1)
    }

    pub(crate) fn of(facts: &Facts, screen: Screen, is_open: bool, height: u16) -> Self {
        let lines = |count: usize| u16::try_from(count.min(MAX_SERVERS)).unwrap_or(0);
        let away = lines(facts.known.away.len());
        let has_servers = screen == Screen::Databases && !is_open && height >= ROOM_FOR_SERVERS;
        let servers = if has_servers { lines(servers(facts).len()) } else { 0 };
        let body = height.saturating_sub(4 + away + servers);
        Self { away, servers, body }
    }
}
