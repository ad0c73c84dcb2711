//! Tests of the table that need no server; those beside real servers are in the crate's `tests`.

use super::*;
use crate::resp::{Arguments, Tree};

fn bulk(text: &str) -> Tree {
    Tree::bulk(text)
}

fn map(pairs: &[(&str, Tree)]) -> Tree {
    Tree::Array(pairs.iter().flat_map(|(name, value)| [bulk(name), value.clone()]).collect())
}

fn words(text: &str) -> Tree {
    Tree::Array(text.split_whitespace().map(|word| Tree::Simple(word.to_owned().into())).collect())
}

/// One group of keys, as servers describe it.
fn specification(flags: &str, begin: (&str, Tree), find: (&str, Tree)) -> Tree {
    let part = |(kind, spec): (&str, Tree)| map(&[("type", bulk(kind)), ("spec", spec)]);
    map(&[("flags", words(flags)), ("begin_search", part(begin)), ("find_keys", part(find))])
}

fn range(flags: &str, at: i64, last: i64) -> Tree {
    let find = [
        ("lastkey", Tree::Integer(last)),
        ("keystep", Tree::Integer(1)),
        ("limit", Tree::Integer(0)),
    ];
    specification(flags, ("index", map(&[("index", Tree::Integer(at))])), ("range", map(&find)))
}

fn counted(flags: &str, at: i64) -> Tree {
    let find = [
        ("keynumidx", Tree::Integer(0)),
        ("firstkey", Tree::Integer(1)),
        ("keystep", Tree::Integer(1)),
    ];
    specification(flags, ("index", map(&[("index", Tree::Integer(at))])), ("keynum", map(&find)))
}

fn entry(name: &str, arity: i64, flags: &str, keys: Vec<Tree>, subcommands: Vec<Tree>) -> Tree {
    let numbers = [0, 0, 0].map(Tree::Integer);
    let mut fields = vec![bulk(name), Tree::Integer(arity), words(flags)];
    fields.extend(numbers);
    let tips = words("request_policy:all_shards response_policy:agg_sum");
    fields.extend([words(""), tips, Tree::Array(keys), Tree::Array(subcommands)]);
    Tree::Array(fields)
}

fn table() -> CommandTable {
    let streams = specification(
        "RO access",
        ("keyword", map(&[("keyword", bulk("STREAMS")), ("startfrom", Tree::Integer(1))])),
        (
            "range",
            map(&[
                ("lastkey", Tree::Integer(-1)),
                ("keystep", Tree::Integer(1)),
                ("limit", Tree::Integer(2)),
            ]),
        ),
    );
    CommandTable::read(&Tree::Array(vec![
        entry("get", 2, "readonly fast", vec![range("RO access", 1, 0)], vec![]),
        entry(
            "set",
            -3,
            "write denyoom",
            vec![range("RW access update variable_flags", 1, 0)],
            vec![],
        ),
        entry("incr", 2, "write denyoom fast", vec![range("RW access update", 1, 0)], vec![]),
        entry("expire", -3, "write fast", vec![range("RW update", 1, 0)], vec![]),
        entry("lpop", -2, "write fast", vec![range("RW access delete", 1, 0)], vec![]),
        entry("del", -2, "write", vec![range("RM delete", 1, -1)], vec![]),
        entry("mset", -3, "write denyoom", vec![range("OW update", 1, -1)], vec![]),
        entry("eval", -3, "noscript movablekeys", vec![counted("RW access update", 2)], vec![]),
        entry("sort", -2, "write denyoom movablekeys", vec![range("RO access", 1, 0)], vec![]),
        entry("xread", -4, "readonly blocking movablekeys", vec![streams], vec![]),
        entry(
            "blpop",
            -3,
            "write noscript blocking",
            vec![range("RW access delete", 1, -2)],
            vec![],
        ),
        entry(
            "config",
            -2,
            "",
            vec![],
            vec![
                entry("config|get", -3, "admin", vec![], vec![]),
                entry("config|set", -4, "admin", vec![], vec![]),
            ],
        ),
        entry("debug", -2, "admin", vec![], vec![]),
        entry("spublish", 3, "pubsub", vec![range("not_key", 1, 0)], vec![]),
        entry("mod.set", -3, "write denyoom module", vec![range("RW update insert", 1, 0)], vec![]),
        entry("mod.wait", -3, "write module blocking", vec![range("RW", 1, 0)], vec![]),
        entry("mod.keys", -3, "write module movablekeys", vec![], vec![]),
        entry("mod.info", -1, "readonly module", vec![], vec![]),
        entry("mod.drop", -1, "admin module", vec![], vec![]),
    ]))
    .unwrap()
}

/// Calls with the request's command and its arguments.
fn with<T>(request: &str, then: impl FnOnce(&CommandTable, &Arguments<'_>) -> T) -> T {
    let mut ranges = Vec::new();
    let mut at = 0;
    for word in request.split(' ') {
        ranges.push((at, at + word.len() as u32));
        at += word.len() as u32 + 1;
    }
    then(&table(), &Arguments::new(request.as_bytes(), &ranges))
}

fn found(request: &str) -> Option<String> {
    with(request, |table, arguments| table.find(arguments).map(|command| command.name.to_string()))
}

/// The keys of a request, each as its place, and what may happen to it.
fn keys(request: &str) -> Result<Vec<(u32, Access, bool)>, NoKeys> {
    with(request, |table, arguments| {
        let mut keys = Vec::new();
        table.find(arguments).unwrap().keys(arguments, &mut keys)?;
        Ok(keys.iter().map(|key| (key.at, key.access, key.may_insert)).collect())
    })
}

fn kind(request: &str) -> Kind {
    with(request, |table, arguments| table.find(arguments).unwrap().kind)
}

fn blocks(request: &str) -> bool {
    with(request, |table, arguments| table.find(arguments).unwrap().blocks(arguments))
}

#[test]
fn commands_are_found_in_upper_and_lower_case_and_subcommands_by_both_words() {
    assert_eq!(found("GeT key").as_deref(), Some("get"));
    assert_eq!(found("CONFIG Get x").as_deref(), Some("config|get"));
    assert_eq!(found("config unknown").as_deref(), Some("config"));
    assert_eq!(found("config").as_deref(), Some("config"));
    assert_eq!(found("config|get x").as_deref(), Some("config|get"));
    assert_eq!(found("gett key"), None);
    assert_eq!(found(""), None);
    assert_eq!(CommandTable::default().named("get").map(|command| command.id), None);
}

#[test]
fn arity_counts_the_name() {
    with("get a", |table, _| {
        let takes = |name, count| table.named(name).unwrap().takes(count);
        assert!(takes("get", 2) && !takes("get", 3) && !takes("get", 1));
        assert!(takes("set", 3) && takes("set", 9) && !takes("set", 2));
        assert!(takes("config|get", 3) && !takes("config|get", 2));
    });
}

#[test]
fn a_key_may_be_created_by_what_overwrites_inserts_or_takes_memory() {
    assert_eq!(keys("get a"), Ok(vec![(1, Access::Read, false)]));
    assert_eq!(keys("set a b"), Ok(vec![(1, Access::Overwrite, true)]));
    assert_eq!(keys("set a b EX 5 get"), Ok(vec![(1, Access::Change, true)]));
    assert_eq!(keys("incr a"), Ok(vec![(1, Access::Change, true)]));
    assert_eq!(keys("expire a 5"), Ok(vec![(1, Access::Change, false)]));
    assert_eq!(keys("lpop a"), Ok(vec![(1, Access::Change, false)]));
    assert_eq!(keys("del a b"), Ok(vec![(1, Access::Remove, false), (2, Access::Remove, false)]));
    assert_eq!(keys("eval script 1 a b"), Ok(vec![(3, Access::Change, true)]));
}

#[test]
fn a_number_of_keys_is_digits_and_not_more_than_there_are() {
    assert_eq!(keys("eval script 0 a"), Ok(vec![]));
    for number in ["-1", "+1", "01", "3", "x", "1x", "99999999999999999999", "18446744073709551615"]
    {
        assert_eq!(keys(&format!("eval script {number} a b")), Err(NoKeys::Number), "{number}");
    }
    assert_eq!(keys("get"), Err(NoKeys::Missing));
    assert_eq!(keys("mset a 1 b"), Err(NoKeys::Missing));
    assert_eq!(keys("mset a 1 b 2").map(|keys| keys.len()), Ok(2));
    assert_eq!(keys("mod.keys a b"), Err(NoKeys::AskServer));
}

#[test]
fn only_a_single_first_argument_is_on_the_fast_path() {
    with("get a", |table, _| {
        let fast = |name| table.named(name).unwrap().first_key_only();
        assert!(fast("get") && fast("set") && fast("mod.set"));
        assert!(
            !fast("del") && !fast("sort") && !fast("eval") && !fast("xread") && !fast("spublish")
        );
    });
}

#[test]
fn options_of_sort_are_told_from_their_values() {
    let source = (1, Access::Read, false);
    assert_eq!(keys("sort a"), Ok(vec![source]));
    assert_eq!(keys("sort a BY store LIMIT store get GET store"), Ok(vec![source]));
    assert_eq!(keys("sort a STORE b"), Ok(vec![source, (3, Access::Overwrite, true)]));
    let patterns = |request| {
        with(request, |_, arguments| {
            sort_patterns(arguments)
                .map(|pattern| String::from_utf8_lossy(pattern).into_owned())
                .collect::<Vec<_>>()
        })
    };
    assert_eq!(
        patterns("sort a BY w_* GET # GET o_*->f LIMIT get by STORE get"),
        ["w_*", "o_*->f"]
    );
    assert_eq!(patterns("sort a BY nosort GET"), Vec::<String>::new());
}

#[test]
fn debug_looks_at_keys_that_no_server_describes() {
    let read = |at| (at, Access::Read, false);
    assert_eq!(keys("debug OBJECT a"), Ok(vec![read(2)]));
    assert_eq!(keys("debug listpack a 1"), Ok(vec![read(2)]));
    assert_eq!(keys("debug digest-value a b"), Ok(vec![read(2), read(3)]));
    assert_eq!(keys("debug sleep 1"), Ok(vec![]));
    assert_eq!(kind("debug object a"), Kind::Refused);
}

#[test]
fn arguments_say_whether_a_stream_is_waited_for() {
    assert!(blocks("xread COUNT 5 block 0 STREAMS a 0"));
    assert!(!blocks("xread COUNT block STREAMS block 0"));
    assert!(!blocks("xread STREAMS block 0"));
    assert!(blocks("blpop a 0"));
    assert!(!blocks("get a"));
}

#[test]
fn the_index_of_another_database_is_found_in_copy() {
    let database = |request| with(request, |_, arguments| copy_database(arguments));
    assert_eq!(database("copy a db REPLACE DB 3"), Some(5));
    assert_eq!(database("copy a b REPLACE"), None);
    assert_eq!(database("copy a b DB"), None);
}

#[test]
fn an_unknown_command_is_treated_by_its_flags_and_keys() {
    assert_eq!(kind("mod.set a b"), Kind::Plain);
    assert_eq!(kind("mod.wait a 0"), Kind::Blocking);
    assert_eq!(kind("mod.info"), Kind::Server);
    assert_eq!(kind("mod.drop"), Kind::Refused);
    assert_eq!(kind("mod.keys a b"), Kind::Plain);
}

#[test]
fn tips_say_how_a_router_treats_it() {
    with("get a", |table, _| {
        let get = table.named("get").unwrap();
        assert_eq!(
            (get.request_policy(), get.response_policy()),
            (Some("all_shards"), Some("agg_sum"))
        );
    });
}

#[test]
fn an_answer_without_commands_is_refused() {
    assert_eq!(
        CommandTable::read(&Tree::Error("NOPERM no".into())).unwrap_err().to_string(),
        "the server does not list its commands: NOPERM no; allow COMMAND"
    );
    assert!(matches!(CommandTable::read(&Tree::Array(vec![])), Err(NoTable::Unreadable(_))));
    assert!(matches!(CommandTable::read(&Tree::Null), Err(NoTable::Unreadable(_))));
    let broken = Tree::Array(vec![Tree::Array(vec![bulk("get"), bulk("2")])]);
    assert_eq!(CommandTable::read(&broken).unwrap_err(), NoTable::Unreadable("get".to_owned()));
}
