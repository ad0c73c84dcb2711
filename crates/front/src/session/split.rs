//! Commands whose keys stand for themselves: taken apart by database, and the replies put together in order.

use std::cell::RefCell;
use std::rc::Rc;

use bytes::{Bytes, BytesMut};

use super::failed::Failed;
use super::frames::{Around, Steps};
use super::joint::{Joint, Part, grouped};
use super::state::Session;
use super::wrapped::Done;
use crate::accounting::Book;
use crate::commands::{Command, Split};
use crate::resp::request::Request;
use crate::resp::scanner::elements;
use crate::resp::{Arguments, write};
use crate::route::Target;
use crate::session::outbox::Outbox;
use crate::upstream::{Answer, Gather, Lost, To};

/// Joins the replies of parts, and gives the program the one.
#[derive(Debug)]
struct Joining {
    joint: Joint,
    outbox: Rc<Outbox>,
    number: u64,
    replies: RefCell<Vec<Option<Bytes>>>,
    lost: RefCell<Option<Lost>>,
    /// How many replies have not come.
    to_come: std::cell::Cell<usize>,
}

impl Joining {
    fn came(&self) {
        self.to_come.set(self.to_come.get().saturating_sub(1));
        if self.to_come.get() > 0 {
            return;
        }
        if let Some(lost) = &*self.lost.borrow() {
            self.outbox.lose(self.number, lost);
            return;
        }
        let replies = self.replies.borrow();
        let replies: Vec<&[u8]> =
            replies.iter().map(|reply| reply.as_deref().unwrap_or_default()).collect();
        let mut out = BytesMut::new();
        self.joint.write(&replies, &mut out);
        self.outbox.add(self.number, &out, true);
    }
}

impl Gather for Joining {
    fn reply(&self, part: u32, reply: &[u8]) {
        if let Some(place) = self.replies.borrow_mut().get_mut(part as usize) {
            *place = Some(Bytes::copy_from_slice(reply));
        }
        self.came();
    }

    fn lost(&self, _: u32, lost: &Lost) {
        let mut known = self.lost.borrow_mut();
        // What one part did cannot be taken back.
        let may_have_run =
            lost.may_have_run || known.as_ref().is_some_and(|known| known.may_have_run);
        *known = Some(Lost { may_have_run, ..lost.clone() });
        drop(known);
        self.came();
    }
}

/// Takes the reply to a transaction around one part.
#[derive(Debug)]
struct Within {
    gather: Rc<dyn Gather>,
    part: u32,
    /// The position of the part's own reply, and of those after it.
    own: usize,
    after: Vec<usize>,
    around: Around,
    accounts: Book,
}

impl Gather for Within {
    fn reply(&self, _: u32, reply: &[u8]) {
        // Without elements it is the reason why nothing was executed.
        let replies = elements(reply).unwrap_or_default();
        self.gather.reply(self.part, replies.get(self.own).copied().unwrap_or(reply));
        for (after, place) in self.around.after.iter().zip(&self.after) {
            if replies.get(*place) == Some(&after.counted) {
                self.accounts.without_life(after.database, 1);
            }
        }
    }

    fn lost(&self, _: u32, lost: &Lost) {
        self.gather.lost(self.part, lost);
    }
}

impl Session {
    /// The parts of a request whose keys are in these databases, which `self.keys` has.
    pub(super) fn parts(
        &self,
        split: Split,
        command: &Command,
        arguments: &Arguments<'_>,
        targets: &[Target],
    ) -> Result<(Vec<Part>, Joint), Failed> {
        let groups = grouped(targets);
        let mut parts = Vec::with_capacity(groups.len());
        for (target, places) in &groups {
            let mut words = vec![arguments.get(0)];
            for place in places {
                let at = self.keys.get(*place).map_or(0, |key| key.at as usize);
                words.push(arguments.get(at));
                if split == Split::MSet {
                    words.push(arguments.get(at + 1));
                }
            }
            let around = self.around(command, arguments, targets, |at| places.contains(&at))?;
            parts.push(Part { target: *target, frame: write::frame(&words), around });
        }
        let count = parts.len();
        let joint = match split {
            Split::MGet => Joint::Values(groups.into_iter().map(|(_, places)| places).collect()),
            Split::MSet => Joint::Status(count),
            Split::Delete | Split::Unlink | Split::Exists | Split::Touch => Joint::Sum(count),
        };
        Ok((parts, joint))
    }

    /// Executes the parts of a request: in one step if they are on one server.
    pub(super) async fn split(
        &mut self,
        split: Split,
        command: &Command,
        request: &Request,
        targets: &[Target],
    ) -> Result<(), Failed> {
        let (parts, joint) = self.parts(split, command, &request.arguments(), targets)?;
        self.execute_parts(command, parts, joint).await
    }

    /// Executes parts, whose replies become one.
    pub(super) async fn execute_parts(
        &mut self,
        command: &Command,
        parts: Vec<Part>,
        joint: Joint,
    ) -> Result<(), Failed> {
        self.settle().await?;
        let mut servers: Vec<usize> =
            parts.iter().map(|part| self.config.placed(part.target.database).server).collect();
        servers.dedup();
        // Of a cluster each slot may go to another node meanwhile.
        if let [server] = servers[..]
            && parts.iter().all(|part| part.target.slot.is_none())
        {
            return self.execute_at_once(server, command, &parts, &joint).await;
        }
        let number = self.outbox.expect();
        let joining = Rc::new(Joining {
            joint,
            outbox: self.outbox.clone(),
            number,
            replies: RefCell::new(vec![None; parts.len()]),
            lost: RefCell::new(None),
            to_come: std::cell::Cell::new(parts.len()),
        });
        for (at, part) in parts.iter().enumerate() {
            let about = self.about(command, part.target, part.frame.len());
            let gather: Rc<dyn Gather> = joining.clone();
            let at = u32::try_from(at).unwrap_or(u32::MAX);
            let lane = self.lane(part.target, false);
            if part.around.is_empty() {
                match part.target.slot {
                    None => lane.send(&part.frame, To::Gather { gather, part: at }, Some(about)),
                    Some(slot) => {
                        let (bytes, answer) = ((part.frame.clone(), 1), Answer::Gather(gather, at));
                        self.send_kept(&lane, (part.target, slot), bytes, answer, Some(about));
                    }
                }
                continue;
            }
            // What is around it is on its server too.
            let home = self.index_of(part.target);
            let mut steps = Steps::at(home);
            let (own, after) = steps.surround(home, &part.frame, &part.around);
            steps.select(home);
            let (around, accounts) = (part.around.clone(), self.accounts.clone());
            let of = Within { gather, part: at, own, after, around, accounts };
            self.send_steps(&lane, part.target, &steps, Done::Asked(Rc::new(of)));
        }
        self.settle().await?;
        Ok(())
    }

    /// One transaction with SELECTs inside.
    async fn execute_at_once(
        &mut self,
        server: usize,
        command: &Command,
        parts: &[Part],
        joint: &Joint,
    ) -> Result<(), Failed> {
        let had_own = self.own.is_some();
        let watches = self.own.as_ref().is_some_and(|own| own.holds.watches);
        let (line, index) = match (&self.own, parts.first()) {
            // EXEC would end the program's WATCH: this transaction goes another way.
            (Some(_), Some(part)) if watches => {
                (self.lane(part.target, false), self.index_of(part.target))
            }
            (own, first) => {
                let index = match own {
                    Some(own) => own.index,
                    None => first.map_or(0, |part| self.index_of(part.target)),
                };
                (self.take_own(server, index).await?, index)
            }
        };
        let mut steps = Steps::at(index);
        let surround =
            |part: &Part| steps.surround(self.index_of(part.target), &part.frame, &part.around);
        let wanted: Vec<(usize, Vec<usize>)> = parts.iter().map(surround).collect();
        steps.select(index);
        let reply = self.ask_transaction(&line, &steps.bytes, steps.count).await?;
        if !had_own {
            self.release_own();
        }
        let replies = elements(&reply);
        let mut out = BytesMut::new();
        match &replies {
            Some(replies) => {
                let own =
                    |(own, _): &(usize, Vec<usize>)| replies.get(*own).copied().unwrap_or_default();
                joint.write(&wanted.iter().map(own).collect::<Vec<&[u8]>>(), &mut out);
                for (part, (_, after)) in parts.iter().zip(&wanted) {
                    self.count_lives(&part.around, replies, after);
                }
            }
            None => out.extend_from_slice(&reply),
        }
        if let Some(part) = parts.first() {
            self.note_reply(command, part.target, &steps.bytes, &out);
        }
        self.outbox.answer(&out);
        Ok(())
    }
}
