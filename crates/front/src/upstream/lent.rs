//! A connection that is lent for a moment: it is closed unless it is given back.

use std::rc::Rc;

use super::line::Line;
use super::servers::{LineKey, Servers};

/// A connection for a few requests. A session may end at any of them.
#[derive(Debug)]
pub(crate) struct Lent {
    servers: Rc<Servers>,
    line: Option<Rc<Line>>,
}

impl Lent {
    pub(crate) fn new(servers: Rc<Servers>, key: &LineKey) -> Self {
        let line = servers.own(key);
        Self { servers, line: Some(line) }
    }

    pub(crate) fn line(&self) -> Option<Rc<Line>> {
        self.line.clone()
    }

    /// Gives it back, in the state that `key` names.
    pub(crate) fn give_back(mut self, key: &LineKey) {
        if let Some(line) = self.line.take() {
            self.servers.give_back(key, line);
        }
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        if let Some(line) = self.line.take() {
            line.close();
        }
    }
}
