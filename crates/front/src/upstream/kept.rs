//! A request to a cluster, kept until its reply is known: a node that does not have its slot executes nothing, and says
//! where it has to go.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use compartment_redis::Redirection;

use super::expected::To;
use super::gather::{Gather, Lost};
use super::keeps::Keeps;
use super::line::Line;
use super::servers::{LineKey, Servers};
use crate::accounting::{About, Replied};
use crate::resp::write;
use crate::session::outbox::Outbox;

/// How often a request may be sent to another node.
const HOPS: u32 = 64;
/// How long a request is sent again and again, while its slot moves or its node is not ready.
const PATIENCE: Duration = Duration::from_secs(5);
/// The first pause before a request is sent again, and the longest one.
const PAUSE: Duration = Duration::from_millis(5);
const LONGEST: Duration = Duration::from_millis(100);

/// Whom the reply is for.
#[derive(Debug)]
pub(crate) enum Answer {
    /// A program, as it comes: the number of the request.
    Program(u64),
    /// Someone who needs it whole.
    Gather(Rc<dyn Gather>, u32),
}

/// A request to a cluster.
#[derive(Debug)]
pub(crate) struct Kept {
    pub(super) servers: Rc<Servers>,
    /// Where it was sent.
    pub(super) key: LineKey,
    /// The number of the cluster's instance.
    pub(super) instance: usize,
    pub(super) slot: u16,
    /// The request, or a transaction with everything from MULTI to EXEC.
    bytes: Bytes,
    /// How many replies there are: the last one decides.
    replies: usize,
    answer: Answer,
    /// The program whose request it is.
    pub(super) outbox: Rc<Outbox>,
    refusal: Option<Rc<Refusal>>,
    hops: u32,
    pub(super) since: Option<Instant>,
    /// Whether others of its program wait until it is answered.
    pub(super) is_again: bool,
    _weight: Weight,
}

/// Bytes that are kept, counted until they are not.
#[derive(Debug)]
struct Weight(Rc<Servers>, usize);

impl Drop for Weight {
    fn drop(&mut self) {
        self.0.weigh(-isize::try_from(self.1).unwrap_or(0));
    }
}

/// Notes the first refusal among the replies within a transaction: it is the reason of EXEC's.
#[derive(Debug, Default)]
struct Refusal(RefCell<Option<Bytes>>);

impl Gather for Refusal {
    fn reply(&self, _: u32, reply: &[u8]) {
        if reply.starts_with(b"-") {
            self.0.borrow_mut().get_or_insert_with(|| Bytes::copy_from_slice(reply));
        }
    }

    fn lost(&self, _: u32, _: &Lost) {}
}

/// Takes the reply to ASKING.
#[derive(Debug)]
struct Asked;

impl Gather for Asked {
    fn reply(&self, _: u32, _: &[u8]) {}

    fn lost(&self, _: u32, _: &Lost) {}
}

/// Where a request goes next.
#[derive(Clone, Copy, Debug)]
pub(super) struct Next {
    /// The node; `None`: that of the slot.
    pub(super) node: Option<usize>,
    /// Whether the node takes the slot over.
    pub(super) is_asking: bool,
    pub(super) pause: Duration,
}

/// Where an error of the node at `from` sends a request. A node that loads its data is none that knows better.
pub(crate) fn redirection(reply: &[u8], from: &str) -> Option<Redirection> {
    let text = reply.strip_prefix(b"-")?;
    if !(text.starts_with(b"MOVED ")
        || text.starts_with(b"ASK ")
        || text.starts_with(b"TRYAGAIN")
        || text.starts_with(b"CLUSTERDOWN"))
    {
        return None;
    }
    let text = std::str::from_utf8(text).ok()?.trim_end();
    let (code, details) = text.split_once(' ').unwrap_or((text, ""));
    Redirection::read(code, details, from)
}

impl Kept {
    /// A request of a program, which is in `key.server`'s slot.
    pub(crate) fn new(
        servers: Rc<Servers>,
        key: LineKey,
        (instance, slot): (usize, u16),
        (bytes, replies): (Bytes, usize),
        answer: Answer,
        outbox: Rc<Outbox>,
    ) -> Box<Self> {
        servers.weigh(isize::try_from(bytes.len()).unwrap_or(0));
        let _weight = Weight(Rc::clone(&servers), bytes.len());
        Box::new(Self {
            servers,
            key,
            instance,
            slot,
            bytes,
            replies,
            answer,
            outbox,
            refusal: None,
            hops: 0,
            since: None,
            is_again: false,
            _weight,
        })
    }

    /// Sends it.
    pub(crate) fn send(mut self: Box<Self>, line: &Line, about: Option<About>) {
        let bytes = self.bytes.clone();
        if self.replies <= 1 {
            return line.send(&bytes, To::Kept(self), about);
        }
        let refusal = Rc::new(Refusal::default());
        for at in 1..self.replies {
            let gather: Rc<dyn Gather> = refusal.clone();
            let bytes = if at == 1 { &bytes[..] } else { &[] };
            line.send(bytes, To::Gather { gather, part: 0 }, None);
        }
        self.refusal = Some(refusal);
        line.send(&[], To::Kept(self), about);
    }

    /// Sends it to another node.
    pub(super) fn send_to(mut self: Box<Self>, node: usize, is_asking: bool, about: Option<About>) {
        self.key.server = node;
        let line = self.servers.lane(&self.key);
        if is_asking {
            // Directly before it: ASKING is about the next request of the connection, or the next transaction.
            let to = To::Gather { gather: Rc::new(Asked), part: 0 };
            line.send(&write::frame(&[b"ASKING"]), to, None);
        }
        self.send(&line, about);
    }

    /// Where it goes next; `None`: it has been sent often enough.
    fn next(&mut self, redirection: &Redirection, is_down: bool) -> Option<Next> {
        self.hops += 1;
        let since = *self.since.get_or_insert_with(Instant::now);
        if self.hops > HOPS || since.elapsed() > PATIENCE {
            return None;
        }
        let later = (PAUSE * self.hops).min(LONGEST);
        let next = match redirection {
            Redirection::Moved(address) => {
                let node = self.servers.moved(self.instance, self.slot, address);
                Next { node: Some(node), is_asking: false, pause: Duration::ZERO }
            }
            Redirection::Ask(address) => {
                let node = self.servers.asks(self.instance, address);
                Next { node: Some(node), is_asking: true, pause: Duration::ZERO }
            }
            // Requests behind it may be executed by now: this one would come after them.
            _ if is_down && self.outbox.outstanding() > 1 => return None,
            _ => {
                self.servers.look_again(self.instance);
                Next { node: None, is_asking: false, pause: later }
            }
        };
        // Nodes that send it to each other are given time to agree.
        Some(if self.hops > 4 { Next { pause: later, ..next } } else { next })
    }
}

impl Keeps for Kept {
    fn program(&self) -> Option<(&Rc<Outbox>, u64)> {
        match &self.answer {
            Answer::Program(number) => Some((&self.outbox, *number)),
            Answer::Gather(..) => None,
        }
    }

    fn replied(
        mut self: Box<Self>,
        reply: &[u8],
        about: Option<About>,
        replied: Replied,
        now: Instant,
    ) {
        let refusal = self.refusal.take().and_then(|refusal| refusal.0.borrow_mut().take());
        let reply = match &refusal {
            Some(refusal) if reply.starts_with(b"-") => refusal,
            _ => reply,
        };
        let from = self.servers.address(self.key.server);
        let mut lasting = None;
        if let Some(redirection) = redirection(reply, &from) {
            match self.next(&redirection, reply.starts_with(b"-CLUSTERDOWN")) {
                Some(next) => return Servers::send_again(self, next, about),
                None if redirection == Redirection::Later => {}
                None => {
                    let slot = self.slot;
                    lasting = Some(format!(
                        "-CLUSTERDOWN the nodes of the cluster do not agree where the slot {slot} is\r\n"
                    ));
                }
            }
        }
        let reply = lasting.as_ref().map_or(reply, |lasting| lasting.as_bytes());
        if let Some(about) = about {
            about.replied(replied, now);
        }
        match &self.answer {
            Answer::Program(number) => self.outbox.add(*number, reply, true),
            Answer::Gather(gather, part) => gather.reply(*part, reply),
        }
        self.answered();
    }

    fn lose(self: Box<Self>, lost: &Lost) {
        match &self.answer {
            Answer::Program(number) => self.outbox.lose(*number, lost),
            Answer::Gather(gather, part) => gather.lost(*part, lost),
        }
        self.answered();
    }

    fn answered(self: Box<Self>) {
        if self.is_again {
            self.servers.next_again(&self.outbox);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_a_node_says_about_slots_sends_a_request_elsewhere() {
        let read = |reply: &str| redirection(reply.as_bytes(), "h:1");
        assert_eq!(read("-MOVED 5 a:7\r\n"), Some(Redirection::Moved("a:7".to_owned())));
        assert_eq!(read("-ASK 5 :7\r\n"), Some(Redirection::Ask("h:7".to_owned())));
        assert_eq!(read("-TRYAGAIN Multiple keys\r\n"), Some(Redirection::Later));
        assert_eq!(read("-CLUSTERDOWN Hash slot not served\r\n"), Some(Redirection::Later));
        for other in ["-LOADING Redis is loading\r\n", "-ERR MOVED 5 a:7\r\n", "$5\r\n-MOVED\r\n"] {
            assert_eq!(read(other), None, "{other}");
        }
    }
}
