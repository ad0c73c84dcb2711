//! Which configuration file is trusted, and which servers get a password.

#![cfg(unix)]
#![expect(clippy::unwrap_used, reason = "a failure here is a failed test")]

use std::io::{Read, Write};
use std::net::TcpListener;
use std::os::unix::fs::{PermissionsExt, chown, symlink};
use std::path::Path;
use std::sync::{Arc, Mutex};

use crate::program::{Run, command, run};

const PASSWORD: &str = "open-sesame-41";

/// A server that keeps what it gets, and answers every request with an error.
struct Listening {
    url: String,
    heard: Arc<Mutex<Vec<u8>>>,
}

impl Listening {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("redis://127.0.0.1:{}", listener.local_addr().unwrap().port());
        let heard = Arc::<Mutex<Vec<u8>>>::default();
        let all = Arc::clone(&heard);
        // It ends with the program of the tests.
        std::thread::spawn(move || {
            for mut stream in listener.incoming().flatten() {
                let all = Arc::clone(&all);
                std::thread::spawn(move || {
                    let mut piece = [0; 4096];
                    while let Ok(length @ 1..) = stream.read(&mut piece) {
                        all.lock().unwrap().extend_from_slice(&piece[..length]);
                        let told = String::from_utf8_lossy(&piece[..length]).replace("\r\n", " ");
                        // As servers do that do not know a command.
                        let error = format!("-ERR unknown command, with args: {told}\r\n");
                        if stream.write_all(error.repeat(8).as_bytes()).is_err() {
                            return;
                        }
                    }
                });
            }
        });
        Self { url, heard }
    }

    /// Whether the password has arrived.
    fn has(&self, password: &str) -> bool {
        let heard = self.heard.lock().unwrap();
        heard.windows(password.len()).any(|part| part == password.as_bytes())
    }

    fn map(&self) -> String {
        format!("preset = \"pipeline\"\n[instances.primary]\nurl = \"{}\"\nretries = 0\n", self.url)
    }
}

fn mode(path: &Path, mode: u32) {
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}

fn with(folder: &Path, arguments: &[&str], variables: &[(&str, &str)]) -> Run {
    let output = command(folder, arguments).envs(variables.iter().copied()).output().unwrap();
    Run {
        code: output.status.code().unwrap_or(-1),
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
    }
}

#[test]
fn a_file_that_is_not_the_users_alone_is_refused_unless_it_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("compartment.toml");
    std::fs::write(&file, "preset = \"pipeline\"\n[instances.primary]\nurl = \"memory://\"\n")
        .unwrap();
    mode(&file, 0o644);
    let show = || run(folder.path(), &["config", "show"]);
    let own = show();
    assert_eq!(own.code, 0, "{own:?}");
    assert!(own.err.contains("configuration: compartment.toml of this folder"), "{own:?}");
    let refused = |what: &str| {
        let refused = show();
        assert_eq!((refused.code, refused.out.as_str()), (4, ""), "{what}: {refused:?}");
        assert!(refused.err.contains("--config"), "{refused:?}");
        // Every command reads it.
        assert_eq!(run(folder.path(), &["ingest", "."]).code, 4, "{what}");
        let named = run(folder.path(), &["config", "show", "--config", "compartment.toml"]);
        assert_eq!(named.code, 0, "{named:?}");
        let by_variable =
            with(folder.path(), &["config", "show"], &[("COMPARTMENT_CONFIG", "compartment.toml")]);
        assert_eq!(by_variable.code, 0, "{by_variable:?}");
    };
    for rights in [0o664, 0o646] {
        mode(&file, rights);
        refused(&format!("file {rights:o}"));
    }
    mode(&file, 0o600);
    for rights in [0o770, 0o757, 0o1777] {
        mode(folder.path(), rights);
        refused(&format!("folder {rights:o}"));
    }
    mode(folder.path(), 0o700);
    assert_eq!(show().code, 0);
    // A link to a file in a folder that others can write to.
    let other = tempfile::tempdir().unwrap();
    std::fs::rename(&file, other.path().join("real.toml")).unwrap();
    symlink(other.path().join("real.toml"), &file).unwrap();
    assert_eq!(show().code, 0);
    mode(other.path(), 0o777);
    refused("link");
    mode(other.path(), 0o700);
    // Only root can give files away.
    if chown(other.path().join("real.toml"), Some(4_321), None).is_ok() {
        refused("owner of the file");
        chown(other.path().join("real.toml"), Some(0), None).unwrap();
        chown(folder.path(), Some(4_321), None).unwrap();
        refused("owner of the folder");
    }
}

#[test]
fn a_password_of_the_environment_goes_only_where_it_was_meant() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    let found = Listening::start();
    std::fs::write(here.join("compartment.toml"), found.map()).unwrap();
    std::fs::write(here.join("password"), format!("{PASSWORD}\n")).unwrap();
    mode(&here.join("password"), 0o600);
    for variable in ["REDIS_PASSWORD", "REDIS_PASSWORD_PRIMARY"] {
        let asked = with(here, &["databases"], &[(variable, PASSWORD)]);
        assert!(!found.has(PASSWORD), "{variable}");
        assert!(asked.err.contains(&format!("{variable} is not sent")), "{asked:?}");
    }
    let refused = run(here, &["databases", "--password-file", "password"]);
    assert_eq!(refused.code, 4, "{refused:?}");
    assert!(!found.has(PASSWORD));
    // The host of the environment is another one.
    let meant = Listening::start();
    let port = meant.url.rsplit(':').next().unwrap();
    let host = [("REDIS_PASSWORD", PASSWORD), ("REDIS_HOST", "127.0.0.1"), ("REDIS_PORT", port)];
    with(here, &["databases"], &host);
    assert!(meant.has(PASSWORD) && !found.has(PASSWORD));

    let named = ["databases", "--config", "compartment.toml"];
    for (variable, others) in [("REDIS_PASSWORD", "one-more"), ("REDIS_PASSWORD_PRIMARY", "other")]
    {
        let password = format!("{PASSWORD}-{others}");
        let asked = with(here, &named, &[(variable, &password)]);
        assert!(found.has(&password), "{asked:?}");
        // A server that does not know a command quotes its arguments, and so the login.
        assert!(!asked.err.contains("sesame"), "{asked:?}");
    }
    let asked = run(here, &[&named[..], &["--password-file", "password"]].concat());
    assert!(found.has(&format!("{PASSWORD}\r\n")), "{asked:?}");
    assert!(!asked.err.contains("sesame"), "{asked:?}");
}

#[test]
fn a_password_in_a_file_is_one_line_and_private() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    let server = Listening::start();
    let file = here.join("password");
    let ask = || run(here, &["databases", "--backend", &server.url, "--password-file", "password"]);
    assert_eq!(ask().code, 9);
    for text in ["", "\n", "two\nlines\n"] {
        std::fs::write(&file, text).unwrap();
        assert_eq!(ask().code, 4, "{text:?}");
    }
    std::fs::write(&file, format!("{PASSWORD}\r\n")).unwrap();
    mode(&file, 0o640);
    let warned = ask();
    assert!(server.has(&format!("{PASSWORD}\r\n")), "{warned:?}");
    assert!(warned.err.contains("other users can read the password"), "{warned:?}");
    mode(&file, 0o600);
    assert!(!ask().err.contains("other users"));
}

#[test]
fn a_password_that_others_can_read_or_that_crosses_the_network_is_noted() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    let file = here.join("compartment.toml");
    let map = |url: &str, ledger: &str| {
        let text = format!(
            "preset = \"pipeline\"\n[instances.primary]\nurl = \"{url}\"\n[ledger]\nurl = \"{ledger}\"\n"
        );
        std::fs::write(&file, text).unwrap();
        let checked = run(here, &["config", "check", "--offline"]);
        assert_eq!(checked.code, 0, "{checked:?}");
        assert!(!checked.err.contains("s3cret"), "{checked:?}");
        checked.err
    };
    let readable = "other users can read it";
    let clear = "without TLS";
    for (url, ledger, is_readable, is_clear) in [
        ("redis://:s3cret@db.example", "l.db", true, true),
        ("redis+cluster://:s3cret@127.0.0.1:1,db.example", "l.db", true, true),
        ("rediss://:s3cret@db.example", "l.db", true, false),
        ("redis://:s3cret@127.0.0.1", "l.db", true, false),
        ("redis://:s3cret@localhost", "l.db", true, false),
        ("redis+unix://:s3cret@/run/redis.sock", "l.db", true, false),
        ("redis://db.example", "postgres://me:s3cret@h/d", true, false),
        ("redis://db.example", "postgres://me@h/d", false, false),
    ] {
        mode(here, 0o700);
        let told = map(url, ledger);
        assert_eq!(
            (told.contains(readable), told.contains(clear)),
            (is_readable, is_clear),
            "{told}"
        );
    }
    map("redis://:s3cret@127.0.0.1", "l.db");
    mode(&file, 0o600);
    let told = run(here, &["config", "check", "--offline"]);
    assert!(!told.err.contains(readable), "{told:?}");
}
