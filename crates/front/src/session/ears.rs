//! Subscriptions of programs whose databases are on a cluster: channels of shards are at one node, and each node tells
//! of its own keys only.

use std::rc::Rc;

use bytes::Bytes;

use super::failed::Failed;
use super::notifications::{Notifications, is_notification, may_notify};
use super::outbox::Outbox;
use super::state::Session;
use super::subscribe::is_of_shards;
use crate::resp::request::Request;
use crate::resp::{Arguments, Resp, write};
use crate::upstream::{Line, Rename, To};

/// What comes from a node that is not the one where the program's other subscriptions are: notifications alone.
#[derive(Debug)]
struct Elsewhere(Rc<Notifications>);

impl Rename for Elsewhere {
    fn rename(&self, message: &[u8]) -> Bytes {
        match is_notification(message) {
            true => self.0.rename(message),
            false => Bytes::new(),
        }
    }
}

impl Session {
    /// The connection for subscriptions. On a cluster a message reaches every node, but one to a channel of a shard only
    /// the node that has its slot.
    pub(super) async fn take_for_channels(
        &mut self,
        request: &Request,
    ) -> Result<Rc<Line>, Failed> {
        let arguments = request.arguments();
        let home = self.home();
        if home.slot.is_none() {
            return self.take_own(self.server_of(home), self.home_index()).await;
        }
        let own = self.own.as_ref().map(|own| own.server);
        let subscribed = self.own.as_ref().filter(|own| own.holds.subscribes);
        let subscribed = subscribed.map(|own| own.server);
        let is_of_shards = is_of_shards(&arguments) && arguments.len() > 1;
        if !is_of_shards {
            let server = own.unwrap_or_else(|| self.server_of(home));
            return self.take_own(server, self.home_index()).await;
        }
        let target = home.of_key(arguments.get(1));
        let mut at = self.followed(target);
        loop {
            if let Some(own) = subscribed.filter(|own| *own != at.server) {
                let servers = self.front.servers();
                return Err(Failed::Error(format!(
                    "ERR the subscriptions of this connection are at {}, and the channel \"{}\" is at {}: a \
                     connection for channels of shards has those of one node",
                    servers.name(own),
                    arguments.get(1).escape_ascii(),
                    servers.name(at.server),
                )));
            }
            let line = self.take_own(at.server, self.home_index()).await?;
            if subscribed.is_some() {
                return Ok(line);
            }
            // Whether the node has the slot: a subscription that it refuses would be answered already.
            let reply = self.ask_on(&line, &[b"EXISTS", arguments.get(1)]).await?;
            if !reply.starts_with(b"-MOVED") || !self.follow(&mut at, &reply).await? {
                return Ok(line);
            }
            self.release_own();
        }
    }

    /// Begins or ends subscriptions to notifications at the other nodes too.
    pub(super) async fn listen_everywhere(&mut self, request: &Request) -> Result<(), Failed> {
        let (home, arguments) = (self.home(), request.arguments());
        let Some(notifications) = self.notifications.clone() else { return Ok(()) };
        if home.slot.is_none() || is_of_shards(&arguments) {
            return Ok(());
        }
        let Some(frame) = of_notifications(&notifications, &arguments) else { return Ok(()) };
        let own = self.own.as_ref().map(|own| own.server);
        let ends = arguments.get(0).to_ascii_lowercase().windows(5).any(|part| part == b"unsub");
        let servers = self.front.servers();
        if !ends && self.ears.is_empty() {
            let instance = self.config.placed(home.database).server;
            servers.cluster(instance).add_listener(&self.outbox);
            for target in self.each_of(home.database) {
                let server = self.server_of(target);
                if Some(server) == own {
                    continue;
                }
                let line = servers.own(&self.key(server, self.home_index()));
                line.set_owner(Some(self.outbox.clone()));
                line.set_rename(Rc::new(Elsewhere(notifications.clone())));
                self.ears.push(line);
            }
        }
        for line in self.ears.clone() {
            if self.who.resp == Resp::Three {
                line.send_bytes(&frame);
            } else {
                // Its confirmations are for nobody.
                let outbox = Rc::new(Outbox::default());
                let number = outbox.expect_messages();
                line.send(&frame, To::Subscriber { outbox, number }, None);
            }
            self.ask_frame(&line, &write::frame(&[b"PING"])).await?;
        }
        Ok(())
    }

    /// Ends the subscriptions at other nodes.
    pub(super) fn close_ears(&mut self) {
        for line in std::mem::take(&mut self.ears) {
            line.close();
        }
    }
}

/// The request for the channels and patterns that can be of notifications; without any: all of them end.
fn of_notifications(notifications: &Notifications, arguments: &Arguments<'_>) -> Option<Bytes> {
    let is_pattern = arguments.get(0).first().is_some_and(|byte| byte.eq_ignore_ascii_case(&b'p'));
    let mut words = vec![Bytes::copy_from_slice(arguments.get(0))];
    for name in (1..arguments.len()).map(|at| arguments.get(at)).filter(|name| may_notify(name)) {
        words.extend(notifications.of_server(name, is_pattern));
    }
    let is_about_some = words.len() > 1 || arguments.len() == 1;
    is_about_some.then(|| write::frame(&words.iter().map(|word| &word[..]).collect::<Vec<_>>()))
}
