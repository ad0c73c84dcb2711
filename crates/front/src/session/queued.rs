//! What is queued in a transaction, and the reply to EXEC as the program expects it.

use std::rc::Rc;

use bytes::BytesMut;

use super::joint::Joint;
use crate::resp::write;
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
