//! Requests to a cluster that need a connection of the program's own: WATCH, a held transaction, commands that wait.
//! Where a slot has gone elsewhere, they are sent again.

use std::time::{Duration, Instant};

use bytes::Bytes;
use compartment_redis::Redirection;

use super::failed::Failed;
use super::frames::Steps;
use super::queued::{MOST, shown};
use super::state::Session;
use super::wrapped::{Done, send_transaction};
use crate::resp::scanner::elements;
use crate::resp::{Arguments, write};
use crate::route::Target;
use crate::upstream::{Lent, Line, asked, redirection};

/// How long a request is sent again and again.
const PATIENCE: Duration = Duration::from_secs(5);
/// The pause before it is sent once more, if no other node was named.
const PAUSE: Duration = Duration::from_millis(20);
/// A reply that took longer was waited for at the node; no redirection takes as long.
const LONG: Duration = Duration::from_secs(1);

/// Where a request that needs a connection of its own is sent, and where next.
#[derive(Debug)]
pub(super) struct Followed {
    target: Target,
    /// The node.
    pub(super) server: usize,
    /// Whether the node takes the slot over.
    pub(super) is_asking: bool,
    since: Instant,
    hops: u32,
}

impl Followed {
    /// It waited at a node since `asked`. How long it waited for something there does not count.
    pub(super) fn has_waited(&mut self, asked: Instant) {
        if asked.elapsed() > LONG {
            (self.since, self.hops) = (Instant::now(), 0);
        }
    }
}

impl Session {
    /// Begins at the node that has the slot.
    pub(super) fn followed(&self, target: Target) -> Followed {
        let server = self.server_of(target);
        Followed { target, server, is_asking: false, since: Instant::now(), hops: 0 }
    }

    /// Goes where a reply says; `false` if the reply says nothing of that kind, or has said it too often.
    pub(super) async fn follow(&mut self, at: &mut Followed, reply: &[u8]) -> Result<bool, Failed> {
        let servers = self.front.servers();
        let Some(slot) = at.target.slot else { return Ok(false) };
        let Some(next) = redirection(reply, &servers.address(at.server)) else { return Ok(false) };
        if at.since.elapsed() > PATIENCE {
            return match next {
                Redirection::Moved(_) | Redirection::Ask(_) => Err(Failed::Error(format!(
                    "CLUSTERDOWN the nodes of the cluster do not agree where the slot {slot} is"
                ))),
                _ => Ok(false),
            };
        }
        at.hops += 1;
        let instance = self.config.placed(at.target.database).server;
        at.is_asking = matches!(next, Redirection::Ask(_));
        let pauses = match next {
            Redirection::Moved(address) => {
                at.server = servers.moved(instance, slot, &address);
                at.hops > 4
            }
            Redirection::Ask(address) => {
                at.server = servers.asks(instance, &address);
                at.hops > 4
            }
            _ => {
                servers.look_again(instance);
                true
            }
        };
        if pauses {
            self.wait(tokio::time::sleep(PAUSE)).await?;
            if !at.is_asking {
                at.server = self.server_of(at.target);
            }
        }
        Ok(true)
    }

    /// Sends ASKING where the node takes the slot over.
    pub(super) fn announce(at: &Followed, line: &Line) {
        if at.is_asking {
            let (gather, _) = asked();
            let to = crate::upstream::To::Gather { gather, part: 0 };
            line.send(&write::frame(&[b"ASKING"]), to, None);
        }
    }

    /// The reply to a WATCH of keys in one place.
    pub(super) async fn watch_at(
        &mut self,
        target: Target,
        words: &[&[u8]],
    ) -> Result<Bytes, Failed> {
        self.settle().await?;
        let mut at = self.followed(target);
        loop {
            let line = self.take_own(at.server, self.index_of(target)).await?;
            Self::announce(&at, &line);
            let reply = self.ask_on(&line, words).await?;
            if !self.follow(&mut at, &reply).await? {
                return Ok(reply);
            }
            // What is watched at this node already stays watched: other keys have to be there too.
            self.release_own();
        }
    }

    /// Whether a transaction is open that no server has yet.
    pub(super) fn holds_transaction(&self) -> bool {
        self.transaction.as_ref().is_some_and(|transaction| transaction.held.is_some())
    }

    /// Ends what the program watches.
    pub(super) async fn unwatch(&mut self) -> Result<(), Failed> {
        let watched = self.own.as_ref().filter(|own| own.holds.watches);
        if let Some(line) = watched.map(|own| std::rc::Rc::clone(&own.line)) {
            self.ask_on(&line, &[b"UNWATCH"]).await?;
        }
        Ok(())
    }

    /// What is wrong with a command that cannot be queued.
    pub(super) fn refused_within(&mut self, arguments: &Arguments<'_>) -> Failed {
        if let Some(transaction) = &mut self.transaction {
            transaction.is_refused = true;
        }
        let name = arguments.get(0).escape_ascii().to_string();
        Failed::Error(match self.config.table.find(arguments) {
            Some(command) => {
                format!("ERR wrong number of arguments for '{}' command", command.name)
            }
            None => format!("ERR unknown command '{}'", name.chars().take(128).collect::<String>()),
        })
    }

    /// Refuses a key of another server than the transaction's.
    pub(super) fn fits(&mut self, target: Target) -> Result<(), Failed> {
        let server = self.server_of(target);
        let names = self.front.servers();
        let elsewhere = |own: usize| {
            Failed::Error(format!(
                "ERR the transaction is on the server \"{}\", and the database \"{}\" is on \"{}\"",
                names.name(own),
                self.config.placed(target.database).name,
                names.name(server),
            ))
        };
        let watched = self.own.as_ref().filter(|own| own.holds.watches).map(|own| own.server);
        let held = self.transaction.as_ref().and_then(|transaction| transaction.held.as_ref());
        let Some(held) = held else {
            return match &self.own {
                Some(own) if own.server == server => Ok(()),
                Some(own) => Err(elsewhere(own.server)),
                None => Err(Failed::Gone),
            };
        };
        let first = held.place;
        match (first, watched) {
            (Some(first), _) if first.slot != target.slot => {
                return Err(Failed::Error(format!(
                    "CROSSSLOT the keys of the transaction are in several slots of the cluster, or not all on it: \
                     {} and {}; names with the same part in braces are in one",
                    slot_of(first),
                    slot_of(target)
                )));
            }
            (Some(first), _) if first.slot.is_none() && self.server_of(first) != server => {
                return Err(elsewhere(self.server_of(first)));
            }
            // A slot that has gone elsewhere since takes what is watched with it.
            (None, Some(watched)) if watched != server && target.slot.is_none() => {
                return Err(elsewhere(watched));
            }
            _ => {}
        }
        if let Some(held) = self.transaction.as_mut().and_then(|one| one.held.as_mut()) {
            held.place.get_or_insert(target);
        }
        Ok(())
    }

    /// EXEC of a transaction that no server has yet.
    pub(super) async fn exec_held(&mut self) -> Result<(), Failed> {
        let aborted = |why: &str| Failed::Error(format!("EXECABORT Transaction discarded{why}"));
        let is_refused =
            self.transaction.as_ref().is_some_and(|transaction| transaction.is_refused);
        let length = |transaction: &super::queued::Transaction| {
            transaction.held.as_ref().map_or(0, |held| held.length)
        };
        let is_long = self.transaction.as_ref().map_or(0, length) > MOST;
        if is_refused || is_long {
            self.unwatch().await?;
            self.end_transaction();
            return Err(aborted(if is_refused {
                " because of previous errors."
            } else {
                ": it is too long"
            }));
        }
        self.settle().await?;
        let watches = self.own.as_ref().is_some_and(|own| own.holds.watches);
        let Some(transaction) = self.transaction.take() else { return Err(Failed::Gone) };
        let Some(held) = &transaction.held else { return Err(Failed::Gone) };
        let target = held.place.unwrap_or_else(|| self.home());
        let mut at = self.followed(target);
        let mut begins = self.index_of(target);
        if let Some(own) = self.own.as_ref().filter(|_| watches && held.place.is_none()) {
            // Commands without keys are executed where the keys are watched.
            (at.server, begins) = (own.server, own.index);
        }
        let (commands, steps, ends) = held.whole(begins);
        let reply = loop {
            let reply = if watches {
                let line = self.own_line()?;
                if self.own.as_ref().is_some_and(|own| own.server != at.server) || at.hops > 0 {
                    // What was watched has gone elsewhere, and may have been changed there; and a server that refuses
                    // EXEC watches nothing any more.
                    self.drop_own();
                    break Bytes::from_static(b"*-1\r\n");
                }
                let line = match self.own.as_ref().is_some_and(|own| own.index == begins) {
                    true => line,
                    false => self.take_own(at.server, begins).await?,
                };
                let reply = self.executed(&line, &commands).await?;
                if let Some(own) = self.own.as_mut().filter(|_| !reply.starts_with(b"-")) {
                    own.index = ends;
                }
                reply
            } else {
                let lent = Lent::new(self.front.servers(), &self.key(at.server, begins));
                let Some(line) = lent.line() else { return Err(Failed::Gone) };
                Self::announce(&at, &line);
                let reply = self.executed(&line, &commands).await?;
                if !reply.starts_with(b"-") {
                    lent.give_back(&self.key(at.server, ends));
                }
                reply
            };
            if !self.follow(&mut at, &reply).await? {
                break reply;
            }
        };
        let replies = elements(&reply);
        self.ended(&transaction, replies.is_some());
        match (reply.strip_prefix(b"-"), replies) {
            (Some(error), _) => {
                Err(aborted(&format!(" because of: {}", String::from_utf8_lossy(error).trim_end())))
            }
            (None, Some(replies)) => {
                self.outbox.answer(&shown(&steps, &replies));
                Ok(())
            }
            (None, None) => {
                let none: &[u8] =
                    if self.who.resp == crate::resp::Resp::Three { b"_\r\n" } else { b"*-1\r\n" };
                self.outbox.answer(none);
                Ok(())
            }
        }
    }

    /// The reply to EXEC, or the first refusal.
    async fn executed(&mut self, line: &Line, commands: &Steps) -> Result<Bytes, Failed> {
        let (gather, ask) = asked();
        send_transaction(line, &commands.bytes, commands.count, Done::Asked(gather));
        Ok(self.wait(ask).await??)
    }
}

/// A slot, as messages name it.
fn slot_of(target: Target) -> String {
    target.slot.map_or_else(|| "no slot".to_owned(), |slot| format!("slot {slot}"))
}
