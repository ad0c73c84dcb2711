//! What belongs to a connection: the login, the protocol, the index, its end.

use bytes::{Bytes, BytesMut};
use compartment_core::FrontLogin;

use super::failed::Failed;
use super::outbox::End;
use super::state::{Session, parser_of};
use crate::commands::{Command, Connection};
use crate::resp::request::{Request, RequestParser};
use crate::resp::{Arguments, Resp, Tree, whole_number, write};
use crate::upstream::{Lent, Login};

pub(super) fn out_of_range() -> Failed {
    Failed::Error("ERR DB index is out of range".to_owned())
}

impl Session {
    pub(super) async fn connection(
        &mut self,
        what: Connection,
        command: &Command,
        request: &Request,
    ) -> Result<(), Failed> {
        let arguments = request.arguments();
        match what {
            Connection::Quit => {
                self.outbox.answer(b"+OK\r\n");
                self.outbox.end(End::AfterReplies);
                Err(Failed::Gone)
            }
            Connection::Reset => {
                self.settle().await?;
                self.drop_own();
                self.outbox.set_silent(false);
                self.who = super::who::Who::new(self.who.id, &self.config);
                self.parser = parser_of(&self.who, &self.config);
                self.look_again();
                self.outbox.answer(b"+RESET\r\n");
                Ok(())
            }
            Connection::Select => {
                self.settle().await?;
                self.may_ask().await?;
                let index = self.selectable(&arguments)?;
                let before = std::mem::replace(&mut self.who.select, index);
                if !self.look_again() {
                    self.who.select = before;
                    return Err(out_of_range());
                }
                self.outbox.answer(b"+OK\r\n");
                Ok(())
            }
            Connection::Auth => {
                self.settle().await?;
                let (name, password) = match arguments.len() {
                    2 => (None, arguments.get(1)),
                    3 => (Some(arguments.get(1)), arguments.get(2)),
                    _ => return Err(Failed::Error("ERR syntax error".to_owned())),
                };
                let reply = self.log_in(name, password, request.frame()).await?;
                self.outbox.answer(&reply);
                Ok(())
            }
            Connection::Hello => self.hello(&arguments).await,
            Connection::Ping | Connection::Echo => {
                self.pass_on(Some(command), self.home(), request).await
            }
        }
    }

    /// The index that a program wants to select.
    pub(super) fn selectable(&self, arguments: &Arguments<'_>) -> Result<u32, Failed> {
        let number = whole_number(arguments.get(1));
        let number = number.ok_or_else(|| {
            Failed::Error("ERR value is not an integer or out of range".to_owned())
        })?;
        u32::try_from(number).map_err(|_| out_of_range())
    }

    /// A program that has not logged in is told so by the server, if that asks for it.
    async fn may_ask(&mut self) -> Result<(), Failed> {
        if self.who.login != Login::Nobody || self.front.nobody_may() {
            return Ok(());
        }
        let key = self.key(self.home_server(), self.home_index());
        let servers = self.front.servers();
        let ask = servers.ask(&key, &[b"PING"]);
        let reply = self.wait(ask).await??;
        match reply.strip_prefix(b"-") {
            Some(error) if error.starts_with(b"NOAUTH") => {
                Err(Failed::Error(String::from_utf8_lossy(error).trim_end().to_owned()))
            }
            _ => {
                self.front.set_nobody_may();
                Ok(())
            }
        }
    }

    fn home_server(&self) -> usize {
        self.server_of(self.home())
    }

    pub(super) fn home_index(&self) -> u32 {
        self.config.placed(self.view.home()).index
    }

    /// Logs the program in: at the server, or by the front's own users. Returns the reply.
    async fn log_in(
        &mut self,
        name: Option<&[u8]>,
        password: &[u8],
        frame: &[u8],
    ) -> Result<Bytes, Failed> {
        let user = name.unwrap_or(b"default");
        if self.config.settings.login == FrontLogin::Own {
            if !self.config.passwords.accepts(user, password) {
                return Ok(Bytes::from_static(
                    b"-WRONGPASS invalid username-password pair or user is disabled.\r\n",
                ));
            }
            self.who.must_log_in = false;
            self.parser = RequestParser::new(self.config.settings.max_request);
            self.who.user = String::from_utf8_lossy(user).into_owned();
            self.look_again();
            return Ok(Bytes::from_static(b"+OK\r\n"));
        }
        // On a connection that nobody else uses, at index 0: a server that asks for a login selects no other before.
        let mut key = self.key(self.home_server(), 0);
        (key.login, key.resp) = (Login::Nobody, Resp::Two);
        let lent = Lent::new(self.front.servers(), &key);
        let Some(line) = lent.line() else { return Err(Failed::Gone) };
        let reply = self.ask_frame(&line, frame).await?;
        if !reply.starts_with(b"+") {
            return Ok(reply);
        }
        self.drop_own();
        self.who.login = Login::User {
            name: name.map(Bytes::copy_from_slice),
            password: Bytes::copy_from_slice(password),
        };
        self.who.user = String::from_utf8_lossy(user).into_owned();
        self.look_again();
        key.login = self.who.login.clone();
        lent.give_back(&key);
        Ok(reply)
    }

    async fn hello(&mut self, arguments: &Arguments<'_>) -> Result<(), Failed> {
        self.settle().await?;
        let mut resp = self.who.resp;
        let mut at = 1;
        if arguments.len() > 1 {
            resp = match whole_number(arguments.get(1)) {
                Some(2) => Resp::Two,
                Some(3) => Resp::Three,
                Some(_) => {
                    return Err(Failed::Error("NOPROTO unsupported protocol version".to_owned()));
                }
                None => {
                    return Err(Failed::Error(
                        "ERR Protocol version is not an integer or out of range".to_owned(),
                    ));
                }
            };
            at = 2;
        }
        let (mut login, mut name) = (None, None);
        while at < arguments.len() {
            let word = arguments.get(at);
            if word.eq_ignore_ascii_case(b"AUTH") && arguments.len() > at + 2 {
                login = Some((arguments.get(at + 1), arguments.get(at + 2)));
                at += 3;
            } else if word.eq_ignore_ascii_case(b"SETNAME") && arguments.len() > at + 1 {
                name = Some(arguments.get(at + 1));
                at += 2;
            } else {
                let word = String::from_utf8_lossy(word);
                return Err(Failed::Error(format!("ERR Syntax error in HELLO option '{word}'")));
            }
        }
        if let Some(name) = name {
            super::client::check_name(name)?;
        }
        if let Some((user, password)) = login {
            let frame = write::frame(&[b"AUTH", user, password]);
            let reply = self.log_in(Some(user), password, &frame).await?;
            if reply.starts_with(b"-") {
                self.outbox.answer(&reply);
                return Ok(());
            }
        }
        if self.who.must_log_in {
            return Err(Failed::Error(
                "NOAUTH HELLO must be called with the client already authenticated, otherwise the HELLO <proto> AUTH \
                 <user> <pass> option can be used to authenticate the client and select the RESP protocol version at \
                 the same time"
                    .to_owned(),
            ));
        }
        // Asked on the own connection if there is one, since the server has to know the protocol of its messages.
        let (server, index) = (self.home_server(), self.home_index());
        let version = if resp == Resp::Three { b"3".as_slice() } else { b"2" };
        let frame = write::frame(&[b"HELLO", version]);
        let reply = match self.own.as_ref().map(|own| own.line.clone()) {
            Some(line) => self.ask_frame(&line, &frame).await?,
            None => {
                let mut key = self.key(server, index);
                let lent = Lent::new(self.front.servers(), &key);
                let Some(line) = lent.line() else { return Err(Failed::Gone) };
                let reply = self.ask_frame(&line, &frame).await?;
                if !reply.starts_with(b"-") {
                    key.resp = resp;
                    lent.give_back(&key);
                }
                reply
            }
        };
        if reply.starts_with(b"-") {
            self.outbox.answer(&reply);
            return Ok(());
        }
        if let Some(name) = name {
            self.set_name(name);
        }
        self.who.resp = resp;
        self.lanes.clear();
        self.nodes.forget();
        let id = i64::try_from(self.who.id).unwrap_or(i64::MAX);
        self.outbox.answer(&as_one_server(&reply, resp, id));
        Ok(())
    }

    /// Takes a name on, at the server too if it keeps a connection for the program.
    pub(super) fn set_name(&mut self, name: &[u8]) {
        self.who.name = Bytes::copy_from_slice(name);
        self.look_again();
    }
}

/// The reply to HELLO, with the connection's number at the front, which is no cluster.
fn as_one_server(reply: &[u8], resp: Resp, id: i64) -> BytesMut {
    let mut out = BytesMut::new();
    match Tree::parse(reply) {
        Ok(Some((tree, _))) => {
            let pairs = tree.pairs().map(|(name, value)| {
                let value = match name.text() {
                    Some(b"id") => Tree::Integer(id),
                    Some(b"mode") => Tree::bulk("standalone"),
                    _ => value.clone(),
                };
                (name.clone(), value)
            });
            Tree::Map(pairs.collect()).write(resp, &mut out);
        }
        _ => out.extend_from_slice(reply),
    }
    out
}
