//! Requests that go to another node of their cluster: those of one program one after the other, so that they are executed
//! in the order in which the program sent them.

use std::collections::VecDeque;
use std::collections::hash_map::Entry;
use std::rc::Rc;

use super::keeps::Again;
use super::kept::{Kept, Next};
use super::servers::Servers;
use crate::accounting::About;
use crate::session::outbox::Outbox;

/// A request that goes to another node.
#[derive(Debug)]
struct Waiting {
    kept: Box<Kept>,
    next: Next,
    about: Option<About>,
}

impl Again for Waiting {
    fn go(mut self: Box<Self>) {
        if !std::mem::replace(&mut self.kept.is_again, true) {
            // How long those before it took does not count.
            self.kept.since = None;
        }
        if self.next.pause.is_zero() {
            return self.send();
        }
        tokio::task::spawn_local(async move {
            tokio::time::sleep(self.next.pause).await;
            self.send();
        });
    }
}

impl Waiting {
    fn send(self) {
        let Self { kept, next, about } = self;
        let of_slot = || kept.servers.node_of(kept.instance, kept.slot);
        let node = next.node.unwrap_or_else(of_slot);
        kept.send_to(node, next.is_asking, about);
    }
}

impl Servers {
    /// Sends a request to another node: after those of its program that were sent there before it.
    pub(super) fn send_again(kept: Box<Kept>, next: Next, about: Option<About>) {
        let (servers, is_again) = (Rc::clone(&kept.servers), kept.is_again);
        servers.changed();
        let program = Rc::as_ptr(&kept.outbox);
        let waiting = Box::new(Waiting { kept, next, about });
        if !is_again {
            match servers.again.borrow_mut().entry(program) {
                Entry::Occupied(mut others) => return others.get_mut().push_back(waiting),
                Entry::Vacant(none) => {
                    none.insert(VecDeque::new());
                }
            }
        }
        waiting.go();
    }

    /// A request that was sent to another node is answered.
    pub(super) fn next_again(&self, program: &Rc<Outbox>) {
        let program = Rc::as_ptr(program);
        let mut again = self.again.borrow_mut();
        match again.get_mut(&program).and_then(VecDeque::pop_front) {
            Some(waiting) => {
                drop(again);
                waiting.go();
            }
            None => {
                again.remove(&program);
            }
        }
    }
}
