//! CLIENT: what a program says and asks of its connection.

use bytes::{Bytes, BytesMut};

use super::failed::Failed;
use super::state::Session;
use crate::commands::{Client, Command};
use crate::resp::request::Request;
use crate::resp::write;
use crate::upstream::To;

/// Whether a name may be a connection's.
pub(super) fn check_name(name: &[u8]) -> Result<(), Failed> {
    if name.iter().all(|byte| (b'!'..=b'~').contains(byte)) {
        return Ok(());
    }
    Err(Failed::Error(
        "ERR Client names cannot contain spaces, newlines or special characters.".to_owned(),
    ))
}

impl Session {
    pub(super) async fn client(
        &mut self,
        what: Client,
        command: &Command,
        request: &Request,
    ) -> Result<(), Failed> {
        let arguments = request.arguments();
        match what {
            Client::SetName => {
                check_name(arguments.get(2))?;
                self.settle().await?;
                self.set_name(arguments.get(2));
                match self.own.is_some() {
                    true => self.on_own(command, request).await,
                    false => {
                        self.outbox.answer(b"+OK\r\n");
                        Ok(())
                    }
                }
            }
            Client::GetName => {
                let mut reply = BytesMut::new();
                match self.who.name.is_empty() {
                    true if self.who.resp == crate::resp::Resp::Three => {
                        reply.extend_from_slice(b"_\r\n")
                    }
                    true => reply.extend_from_slice(b"$-1\r\n"),
                    false => write::bulk(&self.who.name, &mut reply),
                }
                self.outbox.answer(&reply);
                Ok(())
            }
            Client::SetInfo if self.own.is_none() => {
                let value = arguments.get(3);
                if value.iter().any(|byte| !(b'!'..=b'~').contains(byte)) {
                    let name = String::from_utf8_lossy(arguments.get(2)).into_owned();
                    return Err(Failed::Error(format!(
                        "ERR {name} cannot contain spaces, newlines or special characters."
                    )));
                }
                match arguments.get(2).to_ascii_lowercase().as_slice() {
                    b"lib-name" => self.who.library = Bytes::copy_from_slice(value),
                    b"lib-ver" => self.who.library_version = Bytes::copy_from_slice(value),
                    other => {
                        let other = String::from_utf8_lossy(other).into_owned();
                        return Err(Failed::Error(format!("ERR Unrecognized option '{other}'")));
                    }
                }
                self.outbox.answer(b"+OK\r\n");
                Ok(())
            }
            Client::Reply => self.reply_mode(arguments.get(2)),
            Client::Help => self.pass_on(Some(command), self.home(), request).await,
            Client::Kill | Client::Pause | Client::Unpause if !self.allows(command) => {
                Err(Failed::Error(super::slow::refusal(command)))
            }
            Client::Tracking if self.has_several_servers() => Err(Failed::Error(
                "ERR CLIENT TRACKING needs all databases of the program on one server, which is no cluster".to_owned(),
            )),
            // The server knows the program by its own connection from now on.
            _ => {
                self.identify().await?;
                self.on_own(command, request).await
            }
        }
    }

    fn reply_mode(&mut self, mode: &[u8]) -> Result<(), Failed> {
        match mode.to_ascii_lowercase().as_slice() {
            b"on" => {
                self.outbox.set_silent(false);
                self.outbox.answer(b"+OK\r\n");
            }
            b"off" => self.outbox.set_silent(true),
            b"skip" => self.outbox.skip_one(),
            _ => return Err(Failed::Error("ERR syntax error".to_owned())),
        }
        Ok(())
    }

    /// Gives the program a connection that it keeps, with its name.
    pub(super) async fn identify(&mut self) -> Result<(), Failed> {
        let is_known = self.own.as_ref().is_some_and(|own| own.holds.keeps_state);
        if is_known {
            return Ok(());
        }
        let (server, index) = (self.server_of(self.home()), self.home_index());
        let line = self.take_own(server, index).await?;
        if let Some(own) = &mut self.own {
            own.holds.keeps_state = true;
        }
        line.set_owner(Some(self.outbox.clone()));
        let (name, library, version) =
            (self.who.name.clone(), self.who.library.clone(), self.who.library_version.clone());
        // The name of the front's own connections is no program's.
        self.ask_on(&line, &[b"CLIENT", b"SETNAME", &name]).await?;
        for (what, value) in [(b"LIB-NAME".as_slice(), library), (b"LIB-VER", version)] {
            if !value.is_empty() {
                self.ask_on(&line, &[b"CLIENT", b"SETINFO", what, &value]).await?;
            }
        }
        Ok(())
    }

    /// Sends a request on the program's own connection, wherever that is.
    pub(super) async fn on_own(
        &mut self,
        command: &Command,
        request: &Request,
    ) -> Result<(), Failed> {
        let line = self.own_line()?;
        if line.is_closed() {
            return Err(Failed::Gone);
        }
        let number = self.outbox.expect();
        let about = self.about(command, self.home(), request.frame().len());
        let to = To::Program { outbox: self.outbox.clone(), number };
        line.send(request.frame(), to, Some(about));
        Ok(())
    }
}
