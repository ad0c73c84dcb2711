//! A request with steps of the front before and after it, in one transaction of the server.

use std::cell::RefCell;
use std::rc::Rc;

use bytes::Bytes;

use compartment_core::DatabaseKind;

use super::clustered::transaction;
use super::failed::Failed;
use super::frames::{Counted, Steps};
use super::life::gives_life;
use super::state::Session;
use crate::accounting::{About, Replied};
use crate::commands::Command;
use crate::resp::Arguments;
use crate::resp::scanner::elements;
use crate::route::Target;
use crate::session::outbox::Outbox;
use crate::upstream::{Answer, Ask, Gather, Line, Lost, To, asked};

/// What becomes of the reply.
#[derive(Debug)]
pub(super) enum Done {
    /// Someone waits for it.
    Asked(Rc<dyn Gather>),
    /// One of its elements is the program's.
    Shown { outbox: Rc<Outbox>, number: u64, element: usize, about: About, counted: Counted },
}

/// Takes the replies to a transaction: those to its commands, then the one to EXEC.
#[derive(Debug)]
struct Executed {
    /// The reply to EXEC has this number.
    exec: u32,
    error: RefCell<Option<Bytes>>,
    done: Done,
}

impl Executed {
    fn new(exec: u32, done: Done) -> Self {
        Self { exec, error: RefCell::new(None), done }
    }
}

impl Gather for Executed {
    fn reply(&self, part: u32, reply: &[u8]) {
        if part < self.exec {
            // The first refusal is the reason of EXEC's.
            if reply.starts_with(b"-") {
                self.error.borrow_mut().get_or_insert_with(|| Bytes::copy_from_slice(reply));
            }
            return;
        }
        let error = self.error.borrow_mut().take();
        let reply = match &error {
            Some(error) if reply.starts_with(b"-") => error,
            _ => reply,
        };
        match &self.done {
            Done::Asked(gather) => gather.reply(0, reply),
            Done::Shown { outbox, number, element, about, counted } => {
                let elements = elements(reply).unwrap_or_default();
                let shown = elements.get(*element).copied().unwrap_or(reply);
                if let Counted::Replies(wanted) = counted {
                    let after = elements.get(element + 1..).unwrap_or_default();
                    let count = after.iter().filter(|reply| reply == &wanted).count();
                    about.accounts.without_life(about.subject.database, count as u64);
                }
                let replied = Replied::of(shown);
                about.replied(replied, std::time::Instant::now());
                outbox.add(*number, shown, true);
            }
        }
    }

    fn lost(&self, part: u32, lost: &Lost) {
        if part < self.exec {
            return;
        }
        match &self.done {
            Done::Asked(gather) => gather.lost(0, lost),
            Done::Shown { outbox, number, .. } => outbox.lose(*number, lost),
        }
    }
}

pub(super) fn send_transaction(line: &Line, frame: &[u8], commands: usize, done: Done) {
    let exec = u32::try_from(commands + 1).unwrap_or(u32::MAX);
    let gather = Rc::new(Executed::new(exec, done));
    let bytes = transaction(frame);
    for part in 0..=exec {
        let gather: Rc<dyn Gather> = gather.clone();
        let bytes = if part == 0 { &bytes[..] } else { &[] };
        line.send(bytes, To::Gather { gather, part }, None);
    }
}

impl Session {
    /// The reply to EXEC of these commands, or the reason why they were not executed.
    pub(super) async fn ask_transaction(
        &mut self,
        line: &Line,
        frame: &[u8],
        commands: usize,
    ) -> Result<Bytes, Failed> {
        let (gather, ask): (_, Ask) = asked();
        send_transaction(line, frame, commands, Done::Asked(gather));
        Ok(self.wait(ask).await??)
    }

    /// Sends a request to its database, with the steps that its contract and its previous place ask for.
    pub(super) fn send(
        &mut self,
        command: &Command,
        target: Target,
        arguments: &Arguments<'_>,
        request: &[u8],
        line: &Line,
    ) -> u64 {
        let number = self.outbox.expect();
        let config = self.config.clone();
        let database = config.placed(target.database);
        let about = self.about(command, target, request.len());
        if database.is_plain(command) {
            if database.kind == DatabaseKind::Durable && gives_life(command, arguments) {
                self.accounts.durable_with_life(target.database);
            }
            if target.slot.is_some() {
                self.send_one(line, target, request, number, about);
                return number;
            }
            line.send(request, To::Program { outbox: self.outbox.clone(), number }, Some(about));
            return number;
        }
        let home = database.index;
        let frames = self.frames(command, target, arguments, request);
        if frames.counted == Counted::This {
            self.accounts.without_life(target.database, 1);
        }
        if frames.before.is_empty() && frames.after.is_empty() {
            self.send_one(line, target, &frames.request, number, about);
            return number;
        }
        let mut steps = Steps::at(home);
        for frame in &frames.before {
            steps.add(frame.index, &frame.bytes);
        }
        let element = steps.add(home, &frames.request);
        for frame in &frames.after {
            steps.add(frame.index, &frame.bytes);
        }
        steps.select(home);
        let done = Done::Shown {
            outbox: self.outbox.clone(),
            number,
            element,
            about,
            counted: frames.counted,
        };
        self.send_steps(line, target, &steps, done);
        number
    }

    /// Sends a request whose reply is the program's.
    fn send_one(&self, line: &Line, target: Target, frame: &[u8], number: u64, about: About) {
        match target.slot {
            None => {
                let to = To::Program { outbox: self.outbox.clone(), number };
                line.send(frame, to, Some(about));
            }
            Some(slot) => {
                let bytes = (Bytes::copy_from_slice(frame), 1);
                let answer = Answer::Program(number);
                self.send_kept(line, (target, slot), bytes, answer, Some(about));
            }
        }
    }

    /// Sends commands in one transaction.
    pub(super) fn send_steps(&self, line: &Line, target: Target, steps: &Steps, done: Done) {
        match target.slot {
            None => send_transaction(line, &steps.bytes, steps.count, done),
            Some(slot) => {
                let bytes = (transaction(&steps.bytes), steps.count + 2);
                let answer = Answer::Gather(Rc::new(Executed::new(0, done)), 0);
                self.send_kept(line, (target, slot), bytes, answer, None);
            }
        }
    }

    /// Counts a reply that the front has put together.
    pub(super) fn note_reply(
        &self,
        command: &Command,
        target: Target,
        request: &[u8],
        reply: &[u8],
    ) {
        let replied = Replied::of(reply);
        let about = self.about(command, target, request.len());
        about.replied(replied, std::time::Instant::now());
    }
}
