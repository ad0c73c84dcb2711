//! The connections of the `redis` section in Laravel's `config/database.php`.

use compartment::{Contract, DatabaseMap};

use super::address::{Address, named, seconds, usual};
use super::literal::single;
use crate::exit_code::CliError;

const OPENING: &str = "\
<?php

// Databases of `compartment config export --format laravel`. Use it in config/database.php:
//
//     'redis' => [
//         'client' => env('REDIS_CLIENT', 'phpredis'),
//         'options' => [...], // as they stand
//         ...require __DIR__.'/../redis_databases.php',
//     ],
//
// Keep it beside the folder config/, all of whose files Laravel reads as settings. Laravel refuses a
// connection of any other name. Passwords come from the environment.

return [
";

pub(super) fn render(map: &DatabaseMap) -> Result<String, CliError> {
    let mut text = String::from(OPENING);
    let usual = usual(map)?;
    if map.database("default").is_none() {
        text += &format!(
            "    // The connection that programs get without naming one: {}.\n",
            usual.name
        );
        text += &connection("default", &Address::of(map, usual)?, usual);
    }
    for contract in map.databases() {
        text += &comment(contract);
        text += &connection(&contract.name, &Address::of(map, contract)?, contract);
    }
    text += "];\n\n";
    text += &uses(map);
    Ok(text)
}

fn comment(contract: &Contract) -> String {
    let default = contract.default_ttl.map(|ttl| format!("{} seconds by default", seconds(ttl)));
    let rule = match (contract.kind.requires_ttl(), default) {
        (true, Some(default)) => format!("every key has a TTL, {default}"),
        (true, None) => "every key has a TTL".to_owned(),
        (false, Some(default)) => format!("keys have a TTL of {default}"),
        (false, None) => "keys need no TTL".to_owned(),
    };
    format!("    // Kind {}: {rule}.\n", contract.kind)
}

fn connection(name: &str, at: &Address<'_>, contract: &Contract) -> String {
    let mut fields = vec![("host", single(at.host)), ("port", at.port.to_string())];
    if at.is_tls {
        fields.insert(0, ("scheme", single("tls")));
        let files = at.files_as(["cafile", "local_cert", "local_pk"]);
        let files = files.iter().map(|(name, path)| format!("'{name}' => {}", single(path)));
        let files = files.collect::<Vec<_>>().join(", ");
        if !files.is_empty() {
            fields.push(("context", format!("['stream' => [{files}]]")));
        }
    }
    if !at.user.is_empty() {
        fields.push(("username", single(at.user)));
    }
    if let Some(variable) = &at.password_variable {
        fields.push(("password", format!("env({})", single(variable))));
    }
    fields.push(("database", contract.placement.index().to_string()));
    let prefix = contract.placement.prefix();
    if !prefix.is_empty() {
        // The connection's prefix replaces the one in 'options', so it has to repeat that one.
        fields.push(("prefix", format!("{}.env('REDIS_PREFIX', '')", single(prefix))));
    }
    let mut text = format!("    {} => [\n", single(name));
    for (field, value) in fields {
        text += &format!("        '{field}' => {value},\n");
    }
    text + "    ],\n"
}

/// Comments on other settings of Laravel that name a connection.
fn uses(map: &DatabaseMap) -> String {
    let mut text = String::new();
    for (setting, names) in [
        (
            "config/cache.php:   'stores' => ['redis' => ['driver' => 'redis', 'connection' =>",
            ["cache", "caches"],
        ),
        (
            "config/queue.php:   'connections' => ['redis' => ['driver' => 'redis', 'connection' =>",
            ["broker", "queue"],
        ),
    ] {
        if let Some(contract) = named(map, &names) {
            text += &format!("// {setting} {}, ...]]\n", single(&contract.name));
        }
    }
    if let Some(contract) = named(map, &["sessions", "session"]) {
        text += &format!("// config/session.php: 'connection' => {}\n", single(&contract.name));
    }
    text
}
