//! Recognises connections of a program's workers and senders by name, library and command.

use crate::client_list::Client;

/// Characteristics of a program's connections.
struct Signs {
    program: &'static str,
    /// Prefixes of its connections' names, if they set one.
    names: &'static [&'static str],
    /// Client libraries that it uses.
    libraries: &'static [&'static str],
    /// Blocking commands of its workers.
    waits: &'static [&'static str],
    /// Commands by which it adds to queues or takes from them, and which are rare for other
    /// purposes. Scripts and transactions are listed only if it has no others, since any program
    /// may use them.
    works: &'static [&'static str],
}

const PYTHON: &[&str] = &["redis-py"];
const NODE: &[&str] = &["ioredis", "node-redis"];
const RUBY: &[&str] = &["redis-rb", "redis-client", "hiredis"];
const PHP: &[&str] = &["phpredis", "predis"];
const GO: &[&str] = &["go-redis", "redigo"];
const LIBRARIES: &[&[&str]] = &[PYTHON, NODE, RUBY, PHP, GO, &["jedis", "lettuce", "redisson"]];

const ALL: &[Signs] = &[
    signs("Celery", PYTHON, &["brpop"], &["brpop", "lpush", "rpush"]),
    signs("RedBeat", PYTHON, &[], &["zadd", "hset", "exec", "evalsha"]),
    signs("RQ", PYTHON, &["blpop", "blmove", "brpop"], &["blmove", "rpush", "lpush", "exec"]),
    signs("arq", PYTHON, &[], &["zrangebyscore", "exec", "zadd"]),
    signs("Dramatiq", PYTHON, &[], &["evalsha", "eval"]),
    signs("Huey", PYTHON, &["brpop", "bzpopmin"], &["brpop", "lpush", "zadd", "evalsha"]),
    bull("BullMQ"),
    bull("Bull"),
    signs("Bee-Queue", NODE, &["brpoplpush"], &["brpoplpush", "evalsha", "lpush"]),
    signs("Sidekiq", RUBY, &["brpop"], &["brpop", "lpush", "zadd"]),
    signs("Resque", RUBY, &["blpop"], &["lpop", "rpush", "blpop"]),
    signs("Asynq", GO, &[], &["evalsha", "eval"]),
    signs("Laravel queue", PHP, &["blpop"], &["eval", "evalsha", "rpush", "blpop"]),
    signs("Laravel Horizon", PHP, &["blpop"], &["eval", "evalsha", "rpush", "blpop"]),
    signs("Symfony Messenger", PHP, &["xreadgroup"], &["xadd", "xreadgroup", "xack"]),
];

const fn signs(
    program: &'static str,
    libraries: &'static [&'static str],
    waits: &'static [&'static str],
    works: &'static [&'static str],
) -> Signs {
    Signs { program, names: &[], libraries, waits, works }
}

const fn bull(program: &'static str) -> Signs {
    Signs {
        program,
        names: &["bull:"],
        libraries: NODE,
        waits: &["bzpopmin", "brpoplpush", "blmove", "xread"],
        works: &["bzpopmin", "brpoplpush", "evalsha", "eval", "fcall"],
    }
}

/// Queue commands for an unknown program.
const QUEUE_COMMANDS: &[&str] = &[
    "lpush",
    "rpush",
    "lpushx",
    "rpushx",
    "rpoplpush",
    "lmove",
    "blmove",
    "brpoplpush",
    "blpop",
    "brpop",
    "bzpopmin",
    "bzmpop",
    "blmpop",
    "zadd",
    "xadd",
    "xreadgroup",
    "xack",
    "eval",
    "evalsha",
    "fcall",
    "exec",
];

/// Name prefix of the connections of Compartment's library.
const LIBRARY: &str = "compartment:";

/// Whether a connection may be a worker or sender of `program` at work: it is blocked, or its last
/// command is typical. For an unknown program, any connection that uses queues counts.
pub(crate) fn may_be_of(program: &str, client: &Client) -> bool {
    let is_one_of = |commands: &[&str]| commands.contains(&client.command.as_str());
    let Some(signs) = ALL.iter().find(|signs| signs.program == program) else {
        return client.blocked || is_one_of(QUEUE_COMMANDS);
    };
    let is_anothers = |other: &Signs| {
        other.program != program
            && other.names.iter().any(|name| client.name.starts_with(name))
            && signs.names != other.names
    };
    if ALL.iter().any(is_anothers) || client.name.starts_with(LIBRARY) {
        return false;
    }
    let is_by = |library: &&str| client.library.to_ascii_lowercase().starts_with(library);
    let is_known_library = LIBRARIES.iter().flat_map(|list| list.iter()).any(is_by);
    if is_known_library && !signs.libraries.iter().any(is_by) {
        return false;
    }
    if client.blocked { is_one_of(signs.waits) } else { is_one_of(signs.works) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client_list::read;

    fn client(name: &str, library: &str, command: &str, flags: &str) -> Client {
        let library =
            if library.is_empty() { String::new() } else { format!("lib-name={library}") };
        let line =
            format!("id=3 addr=h:5 name={name} idle=0 flags={flags} db=0 cmd={command} {library}");
        read(&line).unwrap()
    }

    #[test]
    fn a_worker_of_another_program_is_not_this_ones() {
        let bullmq = client("bull:cGRm", "", "bzpopmin", "b");
        let celery = client("", "redis-py", "brpop", "b");
        let sidekiq = client("", "redis-client", "brpop", "b");
        let unnamed = client("", "", "brpop", "b");
        for (one, of) in [
            (&bullmq, ["BullMQ", "Bull"].as_slice()),
            (&celery, &["Celery", "Huey", "RQ"]),
            (&sidekiq, &["Sidekiq"]),
            // On servers before 7.2 these cannot be distinguished.
            (&unnamed, &["Celery", "RQ", "Huey", "Sidekiq"]),
        ] {
            let found: Vec<&str> =
                ALL.iter().map(|signs| signs.program).filter(|name| may_be_of(name, one)).collect();
            let mut expected = of.to_vec();
            expected.sort_unstable();
            let mut found = found;
            found.sort_unstable();
            assert_eq!(found, expected);
        }
    }

    #[test]
    fn who_pipelines_is_no_sender_of_celerys() {
        for command in ["exec", "evalsha", "get", "xadd", "zadd"] {
            assert!(!may_be_of("Celery", &client("", "", command, "N")), "{command}");
        }
        assert!(may_be_of("Celery", &client("", "redis-py", "lpush", "N")));
        assert!(!may_be_of("Celery", &client("compartment:queue", "", "lpush", "N")));
        assert!(may_be_of("", &client("", "", "exec", "N")), "whose keys nobody is known for");
        assert!(!may_be_of("", &client("", "", "get", "N")));
    }
}
