//! Installs system packages. Services that an installation starts are neither used nor stopped.

use std::process::Command;

use crate::command::{Failure, find, run};

/// A program, and its packages in the system's package managers.
#[derive(Debug)]
pub(crate) struct Package {
    /// The program to look for on `PATH`.
    pub(crate) program: &'static str,
    apt_get: &'static [&'static str],
    dnf: &'static [&'static str],
    apk: &'static [&'static str],
    brew: &'static [&'static str],
    /// The reason for the installation, and how to decline it.
    reason: &'static str,
}

/// The server started by the tests.
pub(crate) const REDIS_SERVER: Package = Package {
    program: "redis-server",
    apt_get: &["redis-server"],
    dnf: &["redis"],
    apk: &["redis"],
    brew: &["redis"],
    reason: "The tests start servers of their own; --no-install leaves their part out",
};

/// The program that reads scanned papers.
pub(crate) const TESSERACT: Package = Package {
    program: "tesseract",
    apt_get: &["tesseract-ocr"],
    dnf: &["tesseract"],
    apk: &["tesseract-ocr", "tesseract-ocr-data-eng"],
    brew: &["tesseract"],
    reason: "It reads scanned papers; with --no-install those fail",
};

/// A package manager.
#[derive(Debug, PartialEq, Eq)]
struct Manager {
    program: &'static str,
    /// Calls before the one that installs.
    before: &'static [&'static [&'static str]],
    install: &'static [&'static str],
    /// Whether it changes the system, and so needs root.
    needs_root: bool,
}

/// In order of preference: brew comes last, since it exists on Linux too.
const MANAGERS: [Manager; 4] = [
    Manager {
        program: "apt-get",
        before: &[&["update"]],
        install: &["install", "-y"],
        needs_root: true,
    },
    Manager { program: "dnf", before: &[], install: &["install", "-y"], needs_root: true },
    Manager { program: "apk", before: &[], install: &["add"], needs_root: true },
    Manager { program: "brew", before: &[], install: &["install"], needs_root: false },
];

/// Whether a program is present, or its installation was declined.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Presence {
    Present,
    Declined,
}

/// Installs the package if its program is missing, with a note first.
pub(crate) fn ensure(package: &Package, no_install: bool) -> Result<Presence, Failure> {
    let program = package.program;
    if find(program).is_some() {
        return Ok(Presence::Present);
    }
    if no_install {
        return Ok(Presence::Declined);
    }
    let manager = choose(package, |program| find(program).is_some())?;
    let with_sudo = manager.needs_root && !is_root() && find("sudo").is_some();
    eprintln!(
        "note: no {program} on PATH; installing the system's package with {}{}. {}",
        if with_sudo { "sudo " } else { "" },
        manager.program,
        package.reason
    );
    commands(manager, package, with_sudo).iter_mut().try_for_each(run)?;
    match find(program) {
        Some(_) => Ok(Presence::Present),
        None => Err(Failure(format!("the package was installed, and {program} is not on PATH"))),
    }
}

fn choose(
    package: &Package,
    is_present: impl Fn(&str) -> bool,
) -> Result<&'static Manager, Failure> {
    MANAGERS.iter().find(|manager| is_present(manager.program)).ok_or_else(|| {
        let known: Vec<&str> = MANAGERS.iter().map(|manager| manager.program).collect();
        Failure(format!(
            "no {} on PATH, and none of {} to install it with; install it by hand, or pass \
             --no-install",
            package.program,
            known.join(", ")
        ))
    })
}

fn commands(manager: &Manager, package: &Package, with_sudo: bool) -> Vec<Command> {
    let names = match manager.program {
        "apt-get" => package.apt_get,
        "dnf" => package.dnf,
        "apk" => package.apk,
        _ => package.brew,
    };
    let install = [manager.install, names].concat();
    let calls = manager.before.iter().map(|call| call.to_vec()).chain([install]);
    let each = calls.map(|arguments| {
        let mut command = Command::new(if with_sudo { "sudo" } else { manager.program });
        if with_sudo {
            command.arg(manager.program);
        }
        command.args(arguments);
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

    /// The last call with each manager, as it would be typed.
    fn installs(package: &Package) -> Vec<String> {
        let last = |manager| words(commands(manager, package, false).last().unwrap()).join(" ");
        MANAGERS.iter().map(last).collect()
    }

    #[test]
    fn the_systems_own_manager_comes_before_brew() {
        let choose = |is_present: fn(&str) -> bool| choose(&TESSERACT, is_present);
        assert_eq!(choose(|_| true).unwrap().program, "apt-get");
        assert_eq!(choose(|program| program != "apt-get").unwrap().program, "dnf");
        assert_eq!(choose(|program| program == "brew").unwrap().program, "brew");
        let refused = choose(|_| false).unwrap_err().0;
        assert!(refused.contains("no tesseract on PATH") && refused.contains("--no-install"));
    }

    #[test]
    fn sudo_goes_in_front_of_each_call() {
        let apt = choose(&REDIS_SERVER, |_| true).unwrap();
        let with: Vec<_> = commands(apt, &REDIS_SERVER, true).iter().map(words).collect();
        assert_eq!(with[0], ["sudo", "apt-get", "update"]);
        assert_eq!(with[1], ["sudo", "apt-get", "install", "-y", "redis-server"]);
        assert_eq!(words(&commands(apt, &REDIS_SERVER, false)[0]), ["apt-get", "update"]);
    }

    #[test]
    fn each_manager_has_its_own_names() {
        assert_eq!(
            installs(&TESSERACT),
            [
                "apt-get install -y tesseract-ocr",
                "dnf install -y tesseract",
                "apk add tesseract-ocr tesseract-ocr-data-eng",
                "brew install tesseract",
            ]
        );
        assert_eq!(
            installs(&REDIS_SERVER)[1..],
            ["dnf install -y redis", "apk add redis", "brew install redis"]
        );
    }

    #[test]
    fn a_missing_program_can_be_declined() {
        let missing = Package { program: "no-such-program-anywhere", ..TESSERACT };
        assert_eq!(ensure(&missing, true).unwrap(), Presence::Declined);
        assert_eq!(
            ensure(&Package { program: "sh", ..TESSERACT }, false).unwrap(),
            Presence::Present
        );
    }
}
