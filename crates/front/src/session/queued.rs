//! What is queued in a transaction, and the reply to EXEC as the program expects it.

use std::cell::Cell;
use std::rc::Rc;

use bytes::{Bytes, BytesMut};

use super::frames::Steps;
use super::joint::Joint;
use super::outbox::Outbox;
use crate::resp::scanner::elements;
use crate::resp::write;
use crate::route::Target;
use crate::upstream::{Gather, Lost};

/// The most bytes of a transaction that is held.
pub(super) const MOST: usize = 64 << 20;

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
    commands: Vec<HeldCommand>,
    /// Bytes of the commands.
    pub(super) length: usize,
    /// The place of its first key.
    pub(super) place: Option<Target>,
}

#[derive(Debug)]
struct HeldCommand {
    /// Where it is executed; `None`: wherever the transaction is.
    index: Option<u32>,
    /// Empty for a SELECT of the program, which stays where the transaction is.
    frame: Bytes,
    step: Step,
}

impl Held {
    /// Adds a command, or a SELECT of the program. One that is too long keeps nothing: EXEC will refuse it.
    pub(super) fn add(&mut self, index: Option<u32>, frame: &[u8], step: Step) {
        self.length += frame.len();
        if self.length > MOST {
            self.commands = Vec::new();
            return;
        }
        self.commands.push(HeldCommand { index, frame: Bytes::copy_from_slice(frame), step });
    }

    /// The commands from an index on, with SELECTs between them, what each is for, and the index at the end.
    pub(super) fn whole(&self, begins: u32) -> (Steps, Vec<Step>, u32) {
        let (mut commands, mut steps, mut at) = (Steps::at(begins), Vec::new(), begins);
        for command in &self.commands {
            if let Some(index) = command.index.filter(|index| *index != at) {
                commands.select(index);
                steps.push(Step::Hidden);
                at = index;
            }
            if command.frame.is_empty() {
                commands.add_here(&write::frame(&[b"SELECT", at.to_string().as_bytes()]));
            } else {
                commands.add_here(&command.frame);
            }
            steps.push(command.step.clone());
        }
        (commands, steps, at)
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
