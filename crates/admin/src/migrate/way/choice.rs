//! Chooses a way of moving keys that a pair of places and the user's rights allow.

use compartment_core::{Error, ErrorKind};
use compartment_redis::{Connection, allowed_name, mark};
use redis::{Cmd, Value};

use super::{Course, Way};
use crate::{AdminError, Place, Result};

/// The fastest way that the servers and the user's rights allow.
///
/// # Errors
/// When none works, with each refused command and the reason.
pub(crate) async fn choose(course: &Course) -> Result<Way> {
    let mut refused = Vec::new();
    for way in [Way::Move, Way::Copy, Way::Dump] {
        match try_out(course, way).await? {
            None => return Ok(way),
            // A reason against several ways is listed once.
            Some(why) if refused.contains(&why) => {}
            Some(why) => refused.push(why),
        }
    }
    Err(AdminError::Server(Error::new(
        ErrorKind::Permission,
        "choose a strategy",
        format!(
            "{}; allow EXISTS, WATCH, UNWATCH, MULTI and EXEC, and MOVE (or COPY, EVALSHA and EVAL; or \
             DUMP, PEXPIRETIME, UNLINK on the source and RESTORE on the target)",
            refused.join("; ")
        ),
    )))
}

/// The reason against this way; `None` if it works.
///
/// # Errors
/// The connection's, and those that affect every way.
pub(crate) async fn try_out(course: &Course, way: Way) -> Result<Option<String>> {
    let cluster = course.source.server().is_cluster();
    let Some(target) = course.targets.first() else {
        return Err(AdminError::Invalid("the migration has no target".into()));
    };
    let mut within = true;
    for place in &course.targets {
        within &= is_within(course, place).await?;
    }
    let mut source = course.source.open("migrate").await?;
    let missing = missing_name(course, &mut [&mut source]).await?;
    // A key that exists in both places is compared under `WATCH`, whichever way is used.
    if !cluster {
        let mut watch = redis::cmd("WATCH");
        watch.arg(&missing);
        for (name, command) in [("WATCH", watch), ("UNWATCH", redis::cmd("UNWATCH"))] {
            if let Some(why) = refusal(&mut source, name, &command).await? {
                return Ok(Some(why));
            }
        }
    }
    match way {
        Way::Move if course.keep => Ok(Some("MOVE does not keep the keys in the source".into())),
        Way::Move | Way::Copy if !within => Ok(Some(format!("{way} works within one server only"))),
        Way::Move | Way::Copy if cluster => {
            Ok(Some(format!("{way} between databases is not possible in a cluster")))
        }
        Way::Move => {
            let same_index = course.targets.iter().any(|t| t.index() == course.source.index());
            let mut command = redis::cmd(if same_index { "RENAMENX" } else { "MOVE" });
            command.arg(&missing);
            match same_index {
                true => command.arg([missing.as_slice(), b":2"].concat()),
                false => command.arg(target.index()),
            };
            refusal(&mut source, "MOVE", &command).await
        }
        Way::Copy => {
            let mut command = redis::cmd("COPY");
            command.arg(&missing).arg([missing.as_slice(), b":2"].concat());
            command.arg("DB").arg(target.index());
            refusal(&mut source, "COPY", &command).await
        }
        Way::Dump | Way::Typed => {
            let mut there = target.open("migrate").await?;
            let missing = missing_name(course, &mut [&mut source, &mut there]).await?;
            let mut command = redis::cmd("DUMP");
            command.arg(&missing);
            if let Some(why) = refusal(&mut source, "DUMP", &command).await? {
                return Ok(Some(why));
            }
            if way == Way::Typed {
                let clusters = course.targets.iter().any(|target| target.server().is_cluster());
                return Ok(clusters.then(|| format!("a {way} into a cluster is not possible")));
            }
            // If `RESTORE` is allowed, the server refuses the empty payload itself.
            let mut command = redis::cmd("RESTORE");
            command.arg(&missing).arg(0).arg("");
            refusal(&mut there, "RESTORE", &command).await
        }
    }
}

/// The server's objection to a command, if another way may avoid it.
async fn refusal(connection: &mut Connection, name: &str, command: &Cmd) -> Result<Option<String>> {
    match connection.ask::<Value>("choose a strategy", command).await {
        Ok(_) => Ok(None),
        Err(error) if error.kind() == ErrorKind::Permission => {
            Ok(Some(format!("{name} is refused: {}", error.message())))
        }
        Err(error) if error.kind() == ErrorKind::Unsupported => {
            Ok(Some(format!("the server has no {name}")))
        }
        // The probe uses a missing key and an invalid payload, so a protocol error means that the
        // command is allowed.
        Err(error) if error.kind() == ErrorKind::Protocol => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// An unused key name for trying commands. An ACL may allow only names like those of the moving
/// keys.
async fn missing_name(course: &Course, connections: &mut [&mut Connection]) -> Result<Vec<u8>> {
    let prefix = course.source.prefix();
    let near: Vec<Vec<u8>> =
        course.routes.beginnings().map(|beginning| [prefix, beginning].concat()).collect();
    let mark = mark("missing");
    let found = allowed_name(connections, &mark, &near).await;
    // Without an allowed name, trying each way reports the refusal.
    found.or_else(|error| match error.kind() {
        ErrorKind::Permission => Ok(mark.into_bytes()),
        _ => Err(error.into()),
    })
}

/// Whether the target is on the source's server. An error if both are one database and no name
/// changes.
async fn is_within(course: &Course, target: &Place) -> Result<bool> {
    let source = &course.source;
    let is_within = target.is_on_server_of(source).await?;
    let renames = course.routes.renames() || source.prefix() != target.prefix();
    if is_within && target.index() == source.index() && !renames {
        return Err(AdminError::Invalid(format!(
            "{source} and {target} are the same database: nothing would move",
        )));
    }
    Ok(is_within)
}
