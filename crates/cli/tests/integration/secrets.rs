//! No output contains a part of a password: whatever its letters, and whichever command or error prints it.

#![expect(clippy::unwrap_used, reason = "a failure here is a failed test")]

use std::path::Path;

use compartment_testkit::{TestRedis, run_test};

use crate::program::command;

/// Letters that a password may have: those of printable ASCII that mean something in a URL, a shell, JSON or TOML are
/// more frequent.
const LETTERS: &[u8] = b"@@:://??##%%&=+\"\"''\\\\{}[]()<>|`$!*~^;, .-_abcdefghijklmnopqrstuvwxyz\
                         ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";

/// A password of `length` letters, the same for each seed.
fn password(seed: u64, length: usize) -> String {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let letter = |_| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        char::from(LETTERS[usize::try_from(state % LETTERS.len() as u64).unwrap()])
    };
    (0..length).map(letter).collect()
}

fn encoded(password: &str) -> String {
    password.bytes().map(|byte| format!("%{byte:02X}")).collect()
}

/// The runs of one password: the name of each, and everything it printed.
fn outputs(folder: &Path, port: u16, password: &str) -> Vec<(String, String)> {
    let url = format!("redis://:{}@127.0.0.1:{port}", encoded(password));
    let raw = format!("redis://:{password}@127.0.0.1:{port}");
    let map = |url: &str| {
        let quoted = url.replace('\\', "\\\\").replace('"', "\\\"");
        format!("preset = \"pipeline\"\n[instances.primary]\nurl = \"{quoted}\"\n")
    };
    std::fs::write(folder.join("map.toml"), map(&url)).unwrap();
    std::fs::write(folder.join("raw.toml"), map(&raw)).unwrap();
    let bad = map(&url).replace("url", "max_connections") + "x = 1\n";
    std::fs::write(folder.join("bad.toml"), bad).unwrap();
    let password_file = folder.join("password");
    std::fs::write(&password_file, password).unwrap();
    let open = format!("redis://127.0.0.1:{port}");
    std::fs::write(folder.join("open.toml"), map(&open)).unwrap();
    let with_map =
        |arguments: &[&str]| [arguments, &["--config", "map.toml"]].concat().join("\u{0}");
    let mut all: Vec<String> = Vec::new();
    for arguments in [
        &["config", "show"][..],
        &["config", "check"],
        &["databases"],
        &["databases", "--json", "--verbose"],
        &["stats"],
        &["stats", "--json"],
        &["doctor"],
        &["doctor", "--json"],
        &["doctor", "--emit-config"],
        &["analyze", "--database", "0"],
        &["health", "--json"],
        &["batch", "list", "--verbose"],
    ] {
        all.push(with_map(arguments));
    }
    for format in
        ["env", "celery", "django", "rails", "python", "node", "ruby", "laravel", "spring"]
    {
        all.push(with_map(&["config", "export", "--format", format]));
    }
    let texts = [
        vec!["databases", "--backend", &url],
        vec!["databases", "--backend", &raw],
        vec!["databases", "--config", "raw.toml"],
        vec!["databases", "--config", "bad.toml"],
        vec!["analyze", "--database", &raw],
        vec!["analyze", &url],
        vec!["analyze", "--limit-ops", &url],
        vec!["flush", "--database", &url],
        vec!["databases", "--config", "open.toml", "--password-file", "password"],
        vec!["ingest", "none", "--ledger", &raw, "--config", "map.toml"],
    ];
    all.extend(texts.iter().map(|arguments| arguments.join("\u{0}")));
    let run = |text: &String| {
        let arguments: Vec<&str> = text.split('\u{0}').collect();
        let mut command = command(folder, &arguments);
        if arguments.contains(&"open.toml") {
            command.env("REDIS_PASSWORD", password).env("REDIS_PASSWORD_PRIMARY", password);
        }
        let output = command.output().unwrap();
        let printed = [output.stdout, output.stderr].map(|text| String::from_utf8(text).unwrap());
        (arguments[..2].join(" "), printed.join("\n"))
    };
    all.iter().map(run).collect()
}

/// A part of `password`, written in any usual way, that is in `text` and not in `usual`.
fn part_of(password: &str, text: &str, usual: &str) -> Option<String> {
    let letters: Vec<char> = password.chars().collect();
    let plain = letters.windows(4).map(|part| part.iter().collect::<String>());
    let in_url = letters.windows(4).map(|part| encoded(&part.iter().collect::<String>()));
    let mut parts = plain.chain(in_url);
    parts.find(|part| text.contains(part.as_str()) && !usual.contains(part.as_str()))
}

#[test]
#[ignore = "needs redis-server"]
fn no_output_contains_four_letters_of_a_password() {
    let folder = tempfile::tempdir().unwrap();
    run_test(async {
        let server = TestRedis::start().await;
        let port = server.port();
        let passwords: Vec<String> = (1..5).map(|seed| password(seed, 24)).collect();
        let mut admin = server.connect().await;
        for (at, right) in passwords.iter().enumerate() {
            let other = &passwords[(at + 1) % passwords.len()];
            admin.send(&["CONFIG", "SET", "requirepass", right]).await.unwrap();
            let by_right = outputs(folder.path(), port, right);
            let tables = by_right.iter().filter(|(_, text)| text.contains("coordination")).count();
            assert!(tables > 2, "the right password is let in: {by_right:?}");
            let by_wrong = outputs(folder.path(), port, other);
            for (shown, usual, tried) in
                [(&by_right, &by_wrong, right), (&by_wrong, &by_right, other)]
            {
                let usual: String = usual.iter().map(|(_, text)| text.as_str()).collect();
                for (name, text) in shown {
                    let part = part_of(tried, text, &usual);
                    assert_eq!(part, None, "{name} with {tried:?} printed {text}");
                }
            }
        }
    });
}
