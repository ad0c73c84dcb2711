//! A database that moves from another place: each request first moves its keys.
//!
//! Moving the keys and the request itself are one script, so that no other client sees a key in neither place or in
//! both. A process reads and writes the same data whichever of the two places it treats as the new one, so a fleet
//! can change over process by process. If a key cannot be moved, the script ends before the request: a request on the
//! empty new place would be wrong, and its result would block the old value.

use std::sync::Arc;

use compartment_core::backend::HOUSEKEEPING_PREFIX;
use compartment_core::{Error, ErrorKind, Placement, Previous, Result};
use redis::{Arg, Cmd, Value};

use crate::repeat::Repeat;
use crate::requests::Requests;

const BRING: &str = include_str!("lua/bring.lua");
/// Runs a plain command as a script.
const PLAIN: &str = include_str!("lua/plain.lua");

/// The previous place that a database moves from.
#[derive(Debug)]
pub(crate) struct Arrival {
    previous: Previous,
    placement: Placement,
    /// Requests to the previous place only, for scans of its names.
    pub(crate) old: Arc<Requests>,
}

impl Arrival {
    pub(crate) fn new(previous: Previous, placement: Placement, old: Arc<Requests>) -> Self {
        Self { previous, placement, old }
    }

    /// Whether a key, without any prefix, may be in the previous place.
    pub(crate) fn concerns(&self, key: &str) -> bool {
        self.previous.concerns(key)
    }

    /// The request as a script that moves its keys first; `None` if none of its keys can be in the previous place.
    pub(crate) fn wrap(&self, command: &Cmd) -> Option<Cmd> {
        let keys = keys_of(command);
        let is_concerned = |name: &&[u8]| {
            let key = name.strip_prefix(self.placement.prefix().as_bytes());
            key.and_then(|key| std::str::from_utf8(key).ok()).is_some_and(|key| self.concerns(key))
        };
        let marks: String =
            keys.iter().map(|key| if is_concerned(key) { '1' } else { '0' }).collect();
        marks.contains('1').then(|| self.script(command, &keys, &marks))
    }

    fn script(&self, command: &Cmd, keys: &[&[u8]], marks: &str) -> Cmd {
        let mut arguments = arguments_of(command);
        let (request, own) = match arguments.first() {
            Some(&b"EVAL") => {
                let text = String::from_utf8_lossy(arguments[1]).into_owned();
                (text, arguments.split_off(3 + keys.len()))
            }
            _ => (PLAIN.to_owned(), arguments),
        };
        let text = format!(
            "{BRING}\nlocal function request()\n{request}\nend\nreturn {{brought, request()}}"
        );
        let mut script = redis::cmd("EVAL");
        script.arg(text).arg(keys.len());
        for key in keys {
            script.arg(*key);
        }
        let old = &self.previous.placement;
        script.arg(self.placement.index()).arg(old.index());
        script.arg(self.placement.prefix()).arg(old.prefix()).arg(marks);
        for argument in own {
            script.arg(argument);
        }
        script
    }

    /// Checks with a temporary key that keys can be moved, so that missing permissions are reported when the database
    /// is opened and not by the first request.
    ///
    /// # Errors
    /// The server's, with what to do.
    pub(crate) async fn prove(&self, link: &Requests) -> Result<()> {
        let key = format!(
            "{HOUSEKEEPING_PREFIX}previous-canary:{:016x}",
            compartment_core::backend::random()
        );
        let old_name = self.old.name(&key).into_owned();
        let name = link.name(&key).into_owned();
        let mut write = redis::cmd("SET");
        write.arg(&old_name).arg("1").arg("PX").arg(60_000);
        let written: Result<Value> =
            self.old.query_plain(Repeat::Idempotent, "open database", "", &write).await;
        if let Err(error) = written {
            return if is_about_key_names(&error) { Ok(()) } else { Err(explain(&error)) };
        }
        let mut read = redis::cmd("EXISTS");
        read.arg(&name);
        let script = self.script(&read, &[name.as_bytes()], "1");
        let brought: Result<Vec<i64>> =
            link.query_plain(Repeat::Idempotent, "open database", "", &script).await;
        for (place, name) in [(link, &name), (&*self.old, &old_name)] {
            let mut remove = redis::cmd("UNLINK");
            remove.arg(name);
            // It expires within a minute anyway.
            let _: Result<Value> =
                place.query_plain(Repeat::Idempotent, "open database", "", &remove).await;
        }
        match brought {
            Ok(answer) if answer.last() == Some(&1) => Ok(()),
            Ok(_) => Err(Error::new(
                ErrorKind::NotIsolated,
                "open database",
                "a key that was written into the previous place did not arrive in the new one: the \
                 server does not keep the two apart",
            )),
            Err(error) if is_about_key_names(&error) => Ok(()),
            Err(error) => Err(explain(&error)),
        }
    }
}

/// A user with restricted key names may be refused the temporary key and still be allowed to move its own keys.
fn is_about_key_names(error: &Error) -> bool {
    let text = format!("{error} {}", error.message());
    error.kind() == ErrorKind::Permission
        && ["access a key", "one of the keys", "access at least one"]
            .iter()
            .any(|it| text.contains(it))
}

fn explain(error: &Error) -> Error {
    let what = format!(
        "keys cannot be brought from the previous place: {}; the user needs SELECT, EXISTS, MOVE, \
         COPY, RENAME and UNLINK on both, also within scripts",
        error.message()
    );
    Error::new(error.kind(), "open database", what)
}

/// The answer to the request itself, and the number of moved keys.
pub(crate) fn unwrap(answer: Value) -> (Value, u64) {
    match answer {
        Value::Array(mut each) if !each.is_empty() => match each.remove(0) {
            Value::Int(brought) => (each.pop().unwrap_or(Value::Nil), brought.unsigned_abs()),
            other => (other, 0),
        },
        other => (other, 0),
    }
}

fn arguments_of(command: &Cmd) -> Vec<&[u8]> {
    let simple = |argument| match argument {
        Arg::Simple(bytes) => Some(bytes),
        _ => None,
    };
    command.args_iter().filter_map(simple).collect()
}

/// The keys of a command; covers all commands that the stores send.
fn keys_of(command: &Cmd) -> Vec<&[u8]> {
    let arguments = arguments_of(command);
    let mut rest = arguments.iter().copied();
    match rest.next().unwrap_or_default() {
        b"MGET" | b"UNLINK" | b"EXISTS" => rest.collect(),
        b"EVAL" | b"EVALSHA" => {
            let count = rest.nth(1).and_then(|n| std::str::from_utf8(n).ok()?.parse().ok());
            rest.take(count.unwrap_or(0)).collect()
        }
        b"MEMORY" => rest.nth(1).into_iter().collect(),
        b"DBSIZE" | b"SCAN" | b"CLUSTER" | b"PUBLISH" => Vec::new(),
        _ => rest.next().into_iter().collect(),
    }
}
