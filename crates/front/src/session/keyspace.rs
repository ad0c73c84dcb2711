//! What a program asks of its whole database, which may be several: SCAN, KEYS, DBSIZE, RANDOMKEY, INFO.

use bytes::{Bytes, BytesMut};

use super::failed::Failed;
use super::joint::{Joint, Part};
use super::queued::Step;
use super::slow::whole_cluster;
use super::state::Session;
use crate::commands::{Command, Keyspace};
use crate::resp::request::Request;
use crate::resp::scanner::elements;
use crate::resp::{Tree, whole_number, write};
use crate::route::Target;

/// Cursors stay below this: programs read them as floating-point numbers.
const CURSORS: u64 = 1 << 53;

impl Session {
    /// The databases of the program, one for each index of a server, and the places from which their keys still come.
    fn spaces(&self) -> Vec<Target> {
        let mut spaces: Vec<Target> = Vec::new();
        let own = self.view.databases().iter().copied();
        let old =
            self.view.databases().iter().filter_map(|database| self.config.old_place(*database));
        for database in own.chain(old) {
            let placed = self.config.placed(database);
            let is_known = spaces.iter().any(|known| {
                let known = self.config.placed(known.database);
                (known.server, known.index) == (placed.server, placed.index)
            });
            if !is_known {
                spaces.extend(self.each_of(database));
            }
        }
        spaces
    }

    pub(super) async fn keyspace(
        &mut self,
        what: Keyspace,
        command: &Command,
        request: &Request,
    ) -> Result<(), Failed> {
        let spaces = self.spaces();
        if spaces.is_empty() {
            return Err(no_node());
        }
        if what == Keyspace::Info {
            return self.info(command, request, &spaces).await;
        }
        if let [only] = spaces[..] {
            return self.pass_on(Some(command), only, request).await;
        }
        self.settle().await?;
        match what {
            Keyspace::Scan => self.scan(command, request, &spaces).await,
            Keyspace::RandomKey => self.random_key(request, &spaces).await,
            Keyspace::Keys | Keyspace::DbSize | Keyspace::Info => {
                let (parts, joint) = everywhere(what, request, &spaces);
                self.execute_parts(command, parts, joint).await
            }
        }
    }

    /// A request about the whole database within a transaction.
    pub(super) fn queue_keyspace(
        &mut self,
        what: Keyspace,
        request: &Request,
    ) -> Result<(), Failed> {
        let spaces = self.spaces();
        if let Some(space) = spaces.iter().find(|space| space.slot.is_some()) {
            let name = &self.config.placed(space.database).name;
            return Err(whole_cluster("a command about all keys", name));
        }
        match (what, &spaces[..]) {
            (Keyspace::Keys | Keyspace::DbSize, [_, _, ..]) => {
                let (parts, joint) = everywhere(what, request, &spaces);
                self.queue_parts(parts, joint);
                Ok(())
            }
            (Keyspace::Scan, [_, _, ..]) => Err(Failed::Error(
                "ERR SCAN over several databases cannot be in a transaction".to_owned(),
            )),
            (_, [first, ..]) => {
                self.queued(Some(self.index_of(*first)), request.frame(), Step::Shown);
                Ok(())
            }
            (_, []) => Err(Failed::Gone),
        }
    }

    /// One step of SCAN: in the database that the cursor is in.
    async fn scan(
        &mut self,
        command: &Command,
        request: &Request,
        spaces: &[Target],
    ) -> Result<(), Failed> {
        let arguments = request.arguments();
        let invalid = || Failed::Error("ERR invalid cursor".to_owned());
        let count = spaces.len() as u64;
        let cursor =
            std::str::from_utf8(arguments.get(1)).ok().and_then(|text| text.parse::<u64>().ok());
        let cursor = cursor.ok_or_else(invalid)?;
        let (within, at) = (cursor / count, cursor % count);
        let space = usize::try_from(at).ok().and_then(|at| spaces.get(at)).ok_or_else(invalid)?;
        let within = within.to_string();
        let words: Vec<&[u8]> = arguments
            .iter()
            .enumerate()
            .map(|(place, word)| if place == 1 { within.as_bytes() } else { word })
            .collect();
        let reply = self.ask_at(*space, &words).await?;
        let parts = elements(&reply);
        let next = parts.as_ref().and_then(|parts| bulk(parts.first()?)).and_then(|text| {
            std::str::from_utf8(text).ok().and_then(|text| text.parse::<u64>().ok())
        });
        let (Some(parts), Some(next)) = (parts, next) else {
            self.outbox.answer(&reply);
            return Ok(());
        };
        let next = match next {
            0 if at + 1 == count => 0,
            0 => at + 1,
            next => next.checked_mul(count).map_or(CURSORS, |next| next + at),
        };
        if next >= CURSORS {
            return Err(Failed::Error("ERR the cursor of the server is too large".to_owned()));
        }
        let mut out = BytesMut::new();
        write::array(2, &mut out);
        write::bulk(next.to_string().as_bytes(), &mut out);
        out.extend_from_slice(parts.get(1).copied().unwrap_or(b"*0\r\n"));
        self.note_reply(command, *space, request.frame(), &out);
        self.outbox.answer(&out);
        Ok(())
    }

    /// A key of any database, each key as likely as any other.
    async fn random_key(&mut self, request: &Request, spaces: &[Target]) -> Result<(), Failed> {
        let mut sizes = Vec::with_capacity(spaces.len());
        for space in spaces {
            let reply = self.ask_at(*space, &[b"DBSIZE"]).await?;
            let text = reply.strip_prefix(b":").and_then(|text| text.strip_suffix(b"\r\n"));
            sizes.push(
                text.and_then(whole_number).and_then(|size| u64::try_from(size).ok()).unwrap_or(0),
            );
        }
        let total: u64 = sizes.iter().sum();
        let mut at = if total == 0 { 0 } else { compartment_core::backend::random() % total };
        let mut chosen = 0;
        for (place, size) in sizes.iter().enumerate() {
            chosen = place;
            if at < *size {
                break;
            }
            at -= size;
        }
        let words: Vec<&[u8]> = request.arguments().iter().collect();
        let Some(space) = spaces.get(chosen) else { return Err(Failed::Gone) };
        let reply = self.ask_at(*space, &words).await?;
        self.outbox.answer(&reply);
        Ok(())
    }

    /// Asks a server about itself: on the program's own connection, where it has one, since a shared one may be held up
    /// by what others wait for.
    async fn ask_server(&mut self, target: Target, words: &[&[u8]]) -> Result<Bytes, Failed> {
        let server = self.server_of(target);
        let own = self.own.as_ref().filter(|own| own.server == server);
        match own.map(|own| std::rc::Rc::clone(&own.line)) {
            Some(line) => self.ask_on(&line, words).await,
            None => self.ask_at(target, words).await,
        }
    }

    /// INFO of the home server, whose keyspace is that of all databases of the program together.
    async fn info(
        &mut self,
        command: &Command,
        request: &Request,
        spaces: &[Target],
    ) -> Result<(), Failed> {
        self.settle().await?;
        let words: Vec<&[u8]> = request.arguments().iter().collect();
        let home = self.home();
        let reply = self.ask_server(home, &words).await?;
        self.note_reply(command, home, request.frame(), &reply);
        let Some(text) = Tree::parse(&reply)
            .ok()
            .flatten()
            .and_then(|(tree, _)| tree.text().map(<[u8]>::to_vec))
        else {
            self.outbox.answer(&reply);
            return Ok(());
        };
        let text = String::from_utf8_lossy(&text).into_owned();
        // Behind the front there is one server, whatever it is.
        let text = text
            .replacen("redis_mode:cluster", "redis_mode:standalone", 1)
            .replacen("server_mode:cluster", "server_mode:standalone", 1)
            .replacen("cluster_enabled:1", "cluster_enabled:0", 1);
        let is_clustered = home.slot.is_some();
        if !is_clustered && !text.contains("# Keyspace") {
            self.outbox.answer(&reply);
            return Ok(());
        }
        let mut total = Keys::default();
        let mut seen: Vec<(usize, String)> = Vec::new();
        for space in spaces {
            let (server, index) = (self.server_of(*space), self.index_of(*space));
            let known =
                seen.iter().find(|(known, _)| *known == server).map(|(_, text)| text.clone());
            let text = match known {
                Some(text) => text,
                None => {
                    let reply = self.ask_server(*space, &[b"INFO", b"keyspace"]).await?;
                    let text = Tree::parse(&reply).ok().flatten();
                    let text = text
                        .and_then(|(tree, _)| tree.text().map(<[u8]>::to_vec))
                        .unwrap_or_default();
                    let text = String::from_utf8_lossy(&text).into_owned();
                    seen.push((server, text.clone()));
                    text
                }
            };
            total.add(&text, index);
        }
        let replaced = with_keyspace(&text, self.who.select, &total);
        let mut out = BytesMut::new();
        match reply.first() {
            Some(b'=') => Tree::Verbatim(Bytes::from(format!("txt:{replaced}")))
                .write(self.who.resp, &mut out),
            _ => write::bulk(replaced.as_bytes(), &mut out),
        }
        self.outbox.answer(&out);
        Ok(())
    }

    /// The reply of a database to a request of the front, with the program's rights.
    pub(super) async fn ask_at(
        &mut self,
        target: Target,
        words: &[&[u8]],
    ) -> Result<Bytes, Failed> {
        let key = self.key(self.server_of(target), self.index_of(target));
        let servers = self.front.servers();
        let ask = servers.ask(&key, words);
        Ok(self.wait(ask).await??)
    }
}

fn no_node() -> Failed {
    Failed::Error("CLUSTERDOWN no node of the cluster can be reached".to_owned())
}

/// A request in every database.
fn everywhere(what: Keyspace, request: &Request, spaces: &[Target]) -> (Vec<Part>, Joint) {
    let frame = Bytes::copy_from_slice(request.frame());
    let parts: Vec<Part> =
        spaces.iter().map(|target| Part::plain(*target, frame.clone())).collect();
    let joint = match what {
        Keyspace::DbSize => Joint::Sum(parts.len()),
        _ => Joint::Lists(parts.len()),
    };
    (parts, joint)
}

/// The text of a bulk string.
pub(super) fn bulk(reply: &[u8]) -> Option<&[u8]> {
    let at = reply.iter().position(|byte| *byte == b'\n')? + 1;
    reply.strip_prefix(b"$").and(reply.get(at..reply.len().checked_sub(2)?))
}

/// The figures of `INFO keyspace`, added up.
#[derive(Debug, Default, PartialEq, Eq)]
struct Keys {
    keys: u64,
    expires: u64,
    /// Milliseconds, of all keys that expire.
    ttl: u64,
    /// Of a server with a life for fields.
    subexpiry: Option<u64>,
}

impl Keys {
    fn add(&mut self, text: &str, index: u32) {
        let head = format!("db{index}:");
        let Some(line) = text.lines().find_map(|line| line.strip_prefix(&head)) else { return };
        let value = |name: &str| {
            line.split(',')
                .find_map(|part| part.split_once('=').filter(|(known, _)| *known == name))
                .and_then(|(_, value)| value.trim().parse::<u64>().ok())
        };
        let expires = value("expires").unwrap_or(0);
        self.keys += value("keys").unwrap_or(0);
        self.expires += expires;
        let ttl = expires.saturating_mul(value("avg_ttl").unwrap_or(0));
        self.ttl = self.ttl.saturating_add(ttl);
        if let Some(more) = value("subexpiry") {
            self.subexpiry = Some(self.subexpiry.unwrap_or(0) + more);
        }
    }
}

/// INFO with one line in its keyspace: the program's database.
fn with_keyspace(text: &str, select: u32, total: &Keys) -> String {
    let mut out = String::with_capacity(text.len());
    for line in text.split_inclusive('\n') {
        let is_database = line.strip_prefix("db").is_some_and(|rest| {
            rest.split_once(':')
                .is_some_and(|(index, _)| index.bytes().all(|byte| byte.is_ascii_digit()))
        });
        if is_database {
            continue;
        }
        out.push_str(line);
        if line.starts_with("# Keyspace") && total.keys > 0 {
            let ttl = total.ttl.checked_div(total.expires).unwrap_or(0);
            let (keys, expires) = (total.keys, total.expires);
            out.push_str(&format!("db{select}:keys={keys},expires={expires},avg_ttl={ttl}"));
            if let Some(fields) = total.subexpiry {
                out.push_str(&format!(",subexpiry={fields}"));
            }
            out.push_str("\r\n");
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_keyspace_is_one_line() {
        let text = "# Server\r\nredis_version:7\r\n\r\n# Keyspace\r\ndb0:keys=3,expires=1,avg_ttl=90\r\n\
                    db2:keys=5,expires=2,avg_ttl=30\r\ndb3:keys=9,expires=0,avg_ttl=0\r\n";
        let mut total = Keys::default();
        total.add(text, 0);
        total.add(text, 2);
        total.add(text, 7);
        let shown = with_keyspace(text, 1, &total);
        assert_eq!(
            shown,
            "# Server\r\nredis_version:7\r\n\r\n# Keyspace\r\ndb1:keys=8,expires=3,avg_ttl=50\r\n"
        );
    }
}
