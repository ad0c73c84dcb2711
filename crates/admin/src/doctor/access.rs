//! Access: who may log in, whether the network can listen, and where passwords stand.

use compartment_core::Scheme;

use super::code::{Code, Severity};
use super::facts::ServerFacts;
use super::finding::Finding;
use super::node::Node;
use super::options::{DoctorOptions, WrittenSecret};

pub(super) fn check(server: &ServerFacts<'_>) -> Vec<Finding> {
    no_tls(server).into_iter().chain(default_user(server)).collect()
}

fn no_tls(server: &ServerFacts<'_>) -> Option<Finding> {
    let url = &server.instance.url;
    if url.is_tls() || url.scheme() == Scheme::Unix {
        return None;
    }
    let across = |node: &&Node| node.ends().is_some_and(|(here, there)| are_apart(here, there));
    let node = server.nodes.iter().find(across)?;
    let password = if url.password().is_some() { "the password and all" } else { "all" };
    let what = format!("{} is on another machine and is reached without TLS", node.location);
    Some(
        Finding::new(Code::NoTls, Severity::Warning, what)
            .databases(server.contracts().iter().map(|one| one.name.as_str()))
            .why(format!("{password} keys and values can be read and changed on the way"))
            .cure(
                "tls-port, tls-cert-file, tls-key-file and tls-ca-cert-file in the server's \
                 configuration, and rediss:// in [instances]",
            ),
    )
}

/// Whether two ends of a connection are different machines.
fn are_apart(here: &str, there: &str) -> bool {
    let is_loopback = |address: &str| address.starts_with("127.") || address == "[::1]";
    // A loopback address is only reached from the machine itself.
    here != there && !is_loopback(here) && !is_loopback(there)
}

fn default_user(server: &ServerFacts<'_>) -> Option<Finding> {
    let node = server.nodes.iter().find(|node| node.default_user_is_open == Some(true))?;
    let is_across = node.ends().is_some_and(|(here, there)| are_apart(here, there));
    let (severity, who) = match (is_open_to_others(node), is_across) {
        (Some(true), _) => (Severity::Critical, "everybody who reaches the port"),
        (None, true) => (Severity::Warning, "everybody who reaches the port"),
        _ => (Severity::Notice, "every program of the machine"),
    };
    let what = format!("the default user of {} needs no password", node.location);
    Some(
        Finding::new(Code::DefaultUserWithoutPassword, severity, what)
            .databases(server.contracts().iter().map(|one| one.name.as_str()))
            .why(format!("{who} may read, change and flush every database, and change settings"))
            .cure(
                "`compartment doctor --emit-acl` prints a user for each database; then requirepass, or \
                 `user default off`",
            ),
    )
}

/// Whether other machines are let in; `None` where the server does not tell.
fn is_open_to_others(node: &Node) -> Option<bool> {
    let is_unprotected = node.setting("protected-mode")? == "no";
    let mut addresses = node.setting("bind")?.split_whitespace().peekable();
    let is_everywhere = addresses.peek().is_none();
    let beyond = |address: &str| {
        let address = address.trim_start_matches('-');
        !(address.starts_with("127.") || address == "::1" || address == "localhost")
    };
    Some(is_unprotected && (is_everywhere || addresses.any(beyond)))
}

/// Passwords that stand in files.
pub(super) fn check_secrets(options: &DoctorOptions) -> Vec<Finding> {
    let secrets = options.written_secrets.iter();
    let finding = |secret: &WrittenSecret| {
        let (severity, who) = match secret.others_may_read {
            true => (Severity::Warning, "every user of this machine may read it, and"),
            false => (Severity::Notice, "it"),
        };
        let what = format!("{} holds the password of {}", secret.file, secret.instance);
        Finding::new(Code::SecretInFile, severity, what)
            .instance(&secret.instance)
            .why(format!("{who} goes with the file into backups and version control"))
            .cure(format!(
                "remove it from the URL and set REDIS_PASSWORD, or the whole URL by \
                 COMPARTMENT_BACKEND (of the ledger: COMPARTMENT_LEDGER); until then chmod 600 {}",
                secret.file
            ))
    };
    secrets.map(finding).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_loopback_address_is_this_machine() {
        assert!(are_apart("10.0.0.5", "10.0.0.9"));
        assert!(are_apart("[2001:db8::1]", "[2001:db8::2]"));
        assert!(!are_apart("10.0.0.5", "10.0.0.5"));
        assert!(!are_apart("127.0.0.1", "127.0.0.2"));
        assert!(!are_apart("[::1]", "[::1]"));
    }
}
