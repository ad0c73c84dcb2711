//! A program's connections to nodes of clusters.

use std::rc::Rc;

use crate::upstream::Line;

/// The connections to the nodes of clusters that a program has used, and what it waits for before it uses them again.
#[derive(Default)]
pub(super) struct Nodes {
    /// By the node, the index, and whether it is for scripts.
    pub(super) lanes: Vec<(usize, u32, bool, Rc<Line>)>,
    /// How often something had changed in a cluster when the program sent its last request to one.
    pub(super) changes: u64,
    /// The last request of several keys: its slot may be between two nodes, and later ones must not overtake it.
    pub(super) several: Option<u64>,
}

impl Nodes {
    pub(super) fn forget(&mut self) {
        self.lanes.clear();
    }
}
