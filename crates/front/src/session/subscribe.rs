//! Channels, and everything that a server sends without being asked.

use std::rc::Rc;

use bytes::Bytes;

use super::failed::Failed;
use super::notifications::{Notifications, may_notify};
use super::state::Session;
use crate::commands::Command;
use crate::resp::request::Request;
use crate::resp::{Arguments, Resp, write};
use crate::upstream::{Line, To, asked};

impl Session {
    /// Begins or ends subscriptions.
    pub(super) async fn subscribe(&mut self, request: &Request) -> Result<(), Failed> {
        self.settle().await?;
        let line = self.take_for_channels(request).await?;
        if let Some(own) = &mut self.own {
            own.holds.subscribes = true;
        }
        line.set_owner(Some(self.outbox.clone()));
        let frame = self.channels_of_server(request, &line);
        let frame = frame.as_deref().unwrap_or(request.frame());
        // How many replies there are is known when the next request is answered.
        let (ping, outbox) = (write::frame(&[b"PING"]), self.outbox.clone());
        if self.who.resp == Resp::Three {
            // The replies are messages.
            line.send_bytes(frame);
            let (gather, ask) = asked();
            line.send(&ping, To::Subscribed { outbox, gather }, None);
            self.wait(ask).await??;
        } else {
            let number = self.outbox.expect_messages();
            line.send(frame, To::Subscriber { outbox, number }, None);
            self.ask_frame(&line, &ping).await?;
        }
        self.listen_everywhere(request).await?;
        if let Some(own) = &mut self.own {
            own.holds.subscribes = line.has_subscriptions();
        }
        if !line.has_subscriptions() {
            self.notifications = None;
            self.close_ears();
        }
        Ok(())
    }

    /// The request with the channels that the server has for notifications of the program's keys; `None` if it is as
    /// it should be.
    fn channels_of_server(&mut self, request: &Request, line: &Line) -> Option<Bytes> {
        let arguments = request.arguments();
        let is_of_shards = is_of_shards(&arguments);
        let may_notify = (1..arguments.len()).any(|at| may_notify(arguments.get(at)));
        if is_of_shards || (self.notifications.is_none() && !may_notify) {
            return None;
        }
        let notifications = match &self.notifications {
            Some(notifications) => Rc::clone(notifications),
            None => {
                let made =
                    Notifications::new(self.config.clone(), &self.who.program(), self.who.resp);
                let made = Rc::new(made);
                line.set_rename(made.clone());
                self.notifications = Some(Rc::clone(&made));
                made
            }
        };
        let is_pattern =
            arguments.get(0).first().is_some_and(|byte| byte.eq_ignore_ascii_case(&b'p'));
        let mut words = vec![Bytes::copy_from_slice(arguments.get(0))];
        for at in 1..arguments.len() {
            words.extend(notifications.of_server(arguments.get(at), is_pattern));
        }
        Some(write::frame(&words.iter().map(|word| &word[..]).collect::<Vec<_>>()))
    }

    /// Shows every request of the server, until the connection ends.
    pub(super) async fn monitor(
        &mut self,
        command: &Command,
        request: &Request,
    ) -> Result<(), Failed> {
        self.settle().await?;
        self.identify().await?;
        if let Some(own) = &self.own {
            own.line.set_monitoring();
        }
        self.on_own(command, request).await
    }
}

/// Whether it is about channels of shards.
pub(super) fn is_of_shards(arguments: &Arguments<'_>) -> bool {
    let name = arguments.get(0);
    name.eq_ignore_ascii_case(b"ssubscribe") || name.eq_ignore_ascii_case(b"sunsubscribe")
}
