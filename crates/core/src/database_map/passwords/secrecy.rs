//! No text of a configuration contains a part of a password, whatever its letters.

use std::sync::LazyLock;

use proptest::prelude::*;

use crate::{DatabaseMap, DatabaseMapBuilder, Instance, InstanceUrl, LedgerAddress, Preset};

/// A password in the encoding of a URL, each letter of it.
fn encoded(password: &str) -> String {
    password.bytes().map(|byte| format!("%{byte:02x}")).collect()
}

/// Everything that the configuration says when the password stands in each place where one can.
fn said(password: &str) -> String {
    let written = encoded(password);
    let quoted = format!("{password:?}");
    let quoted = quoted.trim_matches('"');
    let mut all = Vec::new();
    for place in [password, &written] {
        for url in [
            format!("redis://:{place}@db.example:6380/0"),
            format!("rediss://me:{place}@db.example"),
            format!("redis://db.example/0?password={place}"),
            format!("redis+sentinel://:{place}@a.example,b.example/main"),
            format!("rediss+cluster://me:{place}@a.example,b.example"),
            format!("unix://me:{place}@/run/redis.sock?db=3"),
            format!("http://:{place}@db.example"),
            // A host is missing here, and what follows an `@` cannot be told from one.
            format!("redis://:{}", place.replace('@', "")),
            format!(":{place}@db.example"),
        ] {
            match InstanceUrl::parse(&url) {
                Ok(url) => all.push(format!("{url} {url:?} {}", url.with_index(3))),
                Err(error) => all.push(format!("{error} {error:?}")),
            }
            let built = DatabaseMap::preset(Preset::Pipeline, &url);
            all.push(built.map_or_else(|error| format!("{error:?}"), |map| told(&map)));
            all.push(InstanceUrl::hide_login(&url));
        }
        for url in [
            format!("postgres://me:{place}@db.example/tasks"),
            format!("postgres://db.example/tasks?user=me&password={place}"),
        ] {
            match url.parse::<LedgerAddress>() {
                Ok(address) => all.push(format!("{address} {address:?}")),
                Err(error) => all.push(format!("{error} {error:?}")),
            }
        }
    }
    for (field, value) in [
        ("url", format!("redis://:{quoted}@db.example")),
        ("ulr", format!("redis://:{quoted}@db.example")),
        ("max_connections", format!("redis://:{quoted}@db.example")),
        ("connect_timeout", format!("redis://:{quoted}@db.example")),
        ("max_memory", format!("redis://:{quoted}@db.example")),
        ("eviction_policy", format!("redis://:{quoted}@db.example")),
    ] {
        let text = format!("preset = \"pipeline\"\n[instances.primary]\n{field} = \"{value}\"\n");
        let built = DatabaseMapBuilder::toml(&text).and_then(DatabaseMapBuilder::build);
        all.push(built.map_or_else(|error| format!("{error} {error:?}"), |map| told(&map)));
    }
    for variables in [
        &[("REDIS_PASSWORD", password)][..],
        &[("REDIS_PASSWORD_PRIMARY", password)],
        &[("REDIS_PASSWORD_OTHER", password), ("REDIS_HOST", "b.example")],
        &[("REDIS_HOST", &format!("redis://:{password}@b.example"))],
    ] {
        for url in ["redis://db.example", "memory://"] {
            let variables = variables.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned()));
            let built = DatabaseMapBuilder::preset(Preset::Pipeline)
                .instance("primary", Instance::new(url).unwrap())
                .environment_variables(variables)
                .and_then(|builder| builder.password_by(password, "--password-file"))
                .and_then(DatabaseMapBuilder::build);
            all.push(built.map_or_else(|error| format!("{error} {error:?}"), |map| told(&map)));
        }
    }
    all.join("\n")
}

fn told(map: &DatabaseMap) -> String {
    format!("{map:?} {} {:?} {:?}", map.to_toml(), map.overridden(), map.notes())
}

/// Everything that is said with passwords that have nothing in common: words that stand there anyway.
static USUAL: LazyLock<String> = LazyLock::new(|| {
    let different =
        ["~~~~", "a/b", "a?b", "a#b", "a@b", "a:b", "%zz", "a b", "\"", "\\", "a&b", "'", "%ff"];
    different.map(said).join("\n")
});

/// A part of the password that is in the text, as it is or in the encoding of a URL.
fn part_of(password: &str, text: &str, usual: &str) -> Option<String> {
    let letters: Vec<char> = password.chars().collect();
    let plain = letters.windows(4).map(|part| part.iter().collect::<String>());
    let in_url = letters.windows(4).map(|part| encoded(&part.iter().collect::<String>()));
    let mut parts = plain.chain(in_url);
    parts.find(|part| text.contains(part.as_str()) && !usual.contains(part.as_str()))
}

proptest! {
    #[test]
    fn no_text_contains_four_letters_of_a_password(password in "[ -~]{1,40}") {
        prop_assert_eq!(part_of(&password, &said(&password), &USUAL), None);
    }

    #[test]
    fn no_text_contains_four_letters_of_a_password_with_marks(
        password in "[a-z@:/?#%&=\\\\\" ]{4,20}"
    ) {
        prop_assert_eq!(part_of(&password, &said(&password), &USUAL), None);
    }
}
