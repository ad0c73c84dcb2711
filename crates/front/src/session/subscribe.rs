//! Channels, and everything that a server sends without being asked.

use std::rc::Rc;

use super::Session;
use super::own::Failed;
use crate::commands::Command;
use crate::resp::Resp;
use crate::resp::request::Request;
use crate::upstream::To;

impl Session {
    /// Begins or ends subscriptions.
    pub(super) async fn subscribe(&mut self, request: &Request) -> Result<(), Failed> {
        self.settle().await?;
        let home = self.config.placed(self.view.home());
        let (server, index) = (home.server, home.index);
        self.take_own(server, index).await?;
        let Some(own) = &mut self.own else { return Err(Failed::Gone) };
        own.holds.subscribes = true;
        let line = Rc::clone(&own.line);
        line.set_owner(Some(self.outbox.clone()));
        if self.who.resp == Resp::Three {
            // The replies are messages.
            line.send_bytes(request.frame());
        } else {
            let number = self.outbox.expect_messages();
            let outbox = self.outbox.clone();
            line.send(request.frame(), To::Subscriber { outbox, number }, None);
        }
        // How many replies there are is known when the next request is answered.
        self.ask_on(&line, &[b"PING"]).await?;
        if let Some(own) = &mut self.own {
            own.holds.subscribes = line.has_subscriptions();
        }
        Ok(())
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
