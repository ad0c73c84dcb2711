//! Whether a user may run a command, by the server's own rules and without running it.

use compartment_redis::Server;

use crate::own_name::own_name;

/// Whether the user of `server` may run each of the commands with their arguments; `None` where it is not known: before
/// Redis 7.0, or where the user may not ask.
pub async fn may_run(server: &Server, commands: &[&[&str]]) -> Vec<Option<bool>> {
    const ASK: &str = "ask for rights";
    let unknown = || vec![None; commands.len()];
    let Ok(mut connection) = server.open(0, &own_name("rights")).await else { return unknown() };
    let mut who = redis::cmd("ACL");
    who.arg("WHOAMI");
    let Ok(user) = connection.ask::<String>(ASK, &who).await else { return unknown() };
    let mut rights = Vec::with_capacity(commands.len());
    for command in commands {
        let mut try_out = redis::cmd("ACL");
        try_out.arg("DRYRUN").arg(&user).arg(command);
        let answer = connection.ask::<String>(ASK, &try_out).await.ok();
        rights.push(answer.and_then(|answer| right_of(&answer)));
    }
    rights
}

/// A command that is refused only for its key may be allowed for others.
fn right_of(answer: &str) -> Option<bool> {
    match answer {
        "OK" => Some(true),
        answer if answer.contains("permissions to run the") => Some(false),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_refused_command_is_forbidden() {
        assert_eq!(right_of("OK"), Some(true));
        let no = "User anna has no permissions to run the 'flushdb' command";
        assert_eq!(right_of(no), Some(false));
        assert_eq!(right_of("User anna has no permissions to access the 'x' key"), None);
    }
}
