//! What is queued in a transaction, and the reply to EXEC as the program expects it.

use std::cell::Cell;
use std::rc::Rc;

use bytes::BytesMut;

use super::frames::Steps;
use super::joint::Joint;
use super::outbox::Outbox;
use crate::resp::scanner::elements;
use crate::resp::write;
use crate::route::Target;
use crate::upstream::{Gather, Lost};

/// A transaction that has begun and is not executed.
#[derive(Debug, Default)]
pub(super) struct Transaction {
    /// What each queued command of the server is for.
    pub(super) steps: Vec<Step>,
    /// The index at which the next command is queued.
    pub(super) index: Option<u32>,
    /// The index that the program had selected before it, if it has selected another one within.
    pub(super) select_before: Option<u32>,
    /// Whether a command was refused by the front, so that none is executed.
    pub(super) is_refused: bool,
    /// Its commands, where no server has them yet: of a program with a database on a cluster.
    pub(super) held: Option<Held>,
}

/// A transaction that is sent as a whole, since its first key says where, and a slot may go elsewhere.
#[derive(Debug, Default)]
pub(super) struct Held {
    /// Its commands, with SELECTs between them.
    pub(super) commands: Steps,
    /// The index at which it begins.
    pub(super) begins: u32,
    /// The place of its first key.
    pub(super) place: Option<Target>,
}

impl Held {
    /// Nothing yet, at an index.
    pub(super) fn at(index: u32) -> Self {
        Self { commands: Steps::at(index), begins: index, place: None }
    }

    /// Adds a command: at another index than the one before, or wherever the transaction is.
    pub(super) fn add(&mut self, index: Option<u32>, command: &[u8]) {
        match index {
            Some(index) => self.commands.add(index, command),
            None => self.commands.add_here(command),
        };
    }
}

/// What a queued command of the server is for.
#[derive(Clone, Debug)]
pub(super) enum Step {
    /// The program queued it.
    Shown,
    /// The front did.
    Hidden,
    /// The first part of a command that the program queued.
    Parts(Rc<Joint>),
    /// A further part of it.
    Part,
}

/// Takes the reply to a command that the front queued.
#[derive(Debug, Default)]
pub(super) struct Swallow;

impl Gather for Swallow {
    fn reply(&self, _: u32, _: &[u8]) {}

    fn lost(&self, _: u32, _: &Lost) {}
}

/// Takes the reply to EXEC, and gives the program what it expects.
#[derive(Debug)]
pub(super) struct Executing {
    steps: Vec<Step>,
    outbox: Rc<Outbox>,
    number: u64,
    was_executed: Cell<bool>,
}

impl Executing {
    pub(super) fn new(steps: Vec<Step>, outbox: Rc<Outbox>, number: u64) -> Self {
        Self { steps, outbox, number, was_executed: Cell::new(false) }
    }

    /// Whether the server has executed the transaction.
    pub(super) fn was_executed(&self) -> bool {
        self.was_executed.get()
    }
}

impl Gather for Executing {
    fn reply(&self, _: u32, reply: &[u8]) {
        let shown = elements(reply).map(|elements| shown(&self.steps, &elements));
        self.was_executed.set(shown.is_some());
        self.outbox.add(self.number, shown.as_deref().unwrap_or(reply), true);
    }

    fn lost(&self, _: u32, lost: &Lost) {
        self.outbox.lose(self.number, lost);
    }
}

/// The reply to EXEC as the program expects it: without the replies to what the front queued.
pub(super) fn shown(steps: &[Step], elements: &[&[u8]]) -> BytesMut {
    let count = steps.iter().filter(|step| matches!(step, Step::Shown | Step::Parts(_))).count();
    let mut reply = BytesMut::new();
    write::array(count, &mut reply);
    for (at, (step, element)) in steps.iter().zip(elements).enumerate() {
        match step {
            Step::Shown => reply.extend_from_slice(element),
            Step::Parts(joint) => {
                let parts = elements.get(at..).unwrap_or_default();
                let of_steps = steps.get(at + 1..).unwrap_or_default();
                // Between the parts are the front's own steps.
                let mut own = vec![*element];
                for (step, element) in of_steps.iter().zip(&parts[1..]) {
                    if own.len() == joint.parts() {
                        break;
                    }
                    if matches!(step, Step::Part) {
                        own.push(element);
                    }
                }
                joint.write(&own, &mut reply);
            }
            Step::Hidden | Step::Part => {}
        }
    }
    reply
}
