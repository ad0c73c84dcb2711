//! Installs redis-server from the system's packages. Nothing of what it starts is used or stopped.

use std::process::Command;

use crate::command::{Failure, find, run};

/// A package manager and how it installs the server.
#[derive(Debug, PartialEq, Eq)]
struct Manager {
    program: &'static str,
    /// What it is called with, one after the other.
    calls: &'static [&'static [&'static str]],
    /// Whether it changes the system, and so has to be root.
    needs_root: bool,
}

/// In the order in which they are looked for: brew last, since it is found on Linux as well.
const MANAGERS: [Manager; 4] = [
    Manager {
        program: "apt-get",
        calls: &[&["update"], &["install", "-y", "redis-server"]],
        needs_root: true,
    },
    Manager { program: "dnf", calls: &[&["install", "-y", "redis"]], needs_root: true },
    Manager { program: "apk", calls: &[&["add", "redis"]], needs_root: true },
    Manager { program: "brew", calls: &[&["install", "redis"]], needs_root: false },
];

/// Installs it, saying so first.
pub(super) fn redis_server() -> Result<(), Failure> {
    let manager = choose(|program| find(program).is_some())?;
    let with_sudo = manager.needs_root && !is_root() && find("sudo").is_some();
    eprintln!(
        "note: no redis-server on PATH; installing the system's package with {}{}. The tests \
         start servers of their own; --no-install leaves their part out",
        if with_sudo { "sudo " } else { "" },
        manager.program
    );
    commands(manager, with_sudo).iter_mut().try_for_each(run)
}

fn choose(is_present: impl Fn(&str) -> bool) -> Result<&'static Manager, Failure> {
    MANAGERS.iter().find(|manager| is_present(manager.program)).ok_or_else(|| {
        let known: Vec<&str> = MANAGERS.iter().map(|manager| manager.program).collect();
        Failure(format!(
            "no redis-server on PATH, and none of {} to install it with; install it by hand, or \
             pass --no-install",
            known.join(", ")
        ))
    })
}

fn commands(manager: &Manager, with_sudo: bool) -> Vec<Command> {
    let each = manager.calls.iter().map(|arguments| {
        let mut command = Command::new(if with_sudo { "sudo" } else { manager.program });
        if with_sudo {
            command.arg(manager.program);
        }
        command.args(*arguments);
        command
    });
    each.collect()
}

fn is_root() -> bool {
    let id = Command::new("id").arg("-u").output();
    id.is_ok_and(|output| output.stdout.trim_ascii() == b"0")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(command: &Command) -> Vec<String> {
        std::iter::once(command.get_program())
            .chain(command.get_args())
            .map(|word| word.display().to_string())
            .collect()
    }

    #[test]
    fn the_systems_own_manager_comes_before_brew() {
        assert_eq!(choose(|_| true).unwrap().program, "apt-get");
        assert_eq!(choose(|program| program != "apt-get").unwrap().program, "dnf");
        assert_eq!(choose(|program| program == "brew").unwrap().program, "brew");
        assert!(choose(|_| false).unwrap_err().0.contains("--no-install"));
    }

    #[test]
    fn sudo_goes_in_front_of_each_call() {
        let apt = choose(|_| true).unwrap();
        let with: Vec<_> = commands(apt, true).iter().map(words).collect();
        assert_eq!(with[0], ["sudo", "apt-get", "update"]);
        assert_eq!(with[1], ["sudo", "apt-get", "install", "-y", "redis-server"]);
        assert_eq!(words(&commands(apt, false)[0]), ["apt-get", "update"]);
    }
}
