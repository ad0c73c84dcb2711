//! Unusual keys: too large for the target, of a module, returned twice, already in the target.

use std::path::Path;

use compartment_testkit::{FaultProxy, TestRedis, eventually, run_test};

use crate::program::{Run, finish, json, run, start};

fn ends(folder: &Path, arguments: &[&str], code: i32, says: &str) -> Run {
    let run = run(folder, arguments);
    assert_eq!(run.code, code, "{arguments:?}: {} {}", run.out, run.err);
    let all = format!("{}{}", run.out, run.err);
    assert!(all.contains(says), "{says:?} in {all}");
    run
}

/// A list and a hash of more than a megabyte in parts that hardly compress.
async fn fill_large(server: &TestRedis) {
    const FILL: &str = "for i = 1, 200 do
        local part = {}
        for j = 1, 250 do part[j] = redis.sha1hex(i .. ':' .. j) end
        redis.call('RPUSH', 'list', table.concat(part))
        redis.call('HSET', 'hash', i, table.concat(part))
    end
    redis.call('SET', 'small', 1)
    redis.call('PEXPIREAT', 'hash', 4102444800123)";
    let filled = server.command(&["EVAL", FILL, "0"]).await;
    assert!(!filled.is_error(), "{filled:?}");
}

async fn narrow() -> TestRedis {
    let builder = TestRedis::builder().config("repl-diskless-sync-delay", "0");
    builder.config("proto-max-bulk-len", "1mb").start().await
}

#[test]
#[ignore = "needs redis-server"]
fn a_value_that_the_target_does_not_take_in_one_piece_goes_in_parts() {
    run_test(async {
        let one = TestRedis::builder().config("repl-diskless-sync-delay", "0").start().await;
        let other = narrow().await;
        fill_large(&one).await;
        let folder = tempfile::tempdir().unwrap();
        let here = folder.path();
        let (from, to) = (one.url(), other.url());
        let base = ["migrate", "--from", &from, "--to", &to, "--journal", "j"];
        let dump = [&base[..], &["--strategy", "dump"]].concat();
        let refused = ends(here, &dump, 8, "--strategy typed");
        let names_key =
            refused.err.contains("key \"list\"") || refused.err.contains("key \"hash\"");
        assert!(names_key && refused.err.contains("1.0 MiB"), "{}", refused.err);
        ends(here, &[&base[..], &["--verify"]].concat(), 0, "3 keys moved");
        assert_eq!(other.command(&["PEXPIRETIME", "hash"]).await.text(), "4102444800123");
        ends(here, &["backup", "-d", &to, "-o", "out.rdb"], 0, "");
        ends(here, &["migrate", "--undo", "j"], 0, "3 keys moved back");
        ends(here, &["verify", "--rdb", "out.rdb", "--to", &from, "--both-ways"], 0, "3 the same");
        // Restoring from a file works too, with and without existing keys.
        let restore = ["restore", "out.rdb", "-d", &to, "--verify", "--json"];
        assert_eq!(json(&ends(here, &restore, 0, ""))["restored"], 3);
        assert_eq!(json(&ends(here, &restore, 0, ""))["already_there"], 3);
        other.command(&["RPUSH", "list", "more"]).await;
        ends(here, &restore, 11, "list");
        let replace = [&restore[..], &["--on-conflict", "replace"]].concat();
        ends(here, &replace, 0, "");
        // A feed copies such changes too.
        other.command(&["FLUSHALL"]).await;
        let feed =
            ["migrate", "--from", &from, "--to", &to, "--live", "--feed", "--quiet", "500ms"];
        let child = start(here, &feed);
        // Repeated, since the feed could end before the change arrives.
        eventually("a change is there", || async {
            one.command(&["LSET", "list", "0", "late"]).await;
            other.command(&["LINDEX", "list", "0"]).await.text() == "late"
        })
        .await;
        let run = finish(child);
        assert_eq!(run.code, 0, "{run:?}");
        assert_eq!(other.command(&["LLEN", "list"]).await.integer(), Some(200));
    });
}

#[test]
#[ignore = "needs redis-server"]
fn a_part_that_is_too_large_by_itself_is_named_with_both_sizes() {
    run_test(async {
        let (one, other) = (TestRedis::start().await, narrow().await);
        const FILL: &str = "local part = {}
            for j = 1, 60000 do part[j] = redis.sha1hex(j) end
            redis.call('SET', 'one-piece', table.concat(part))
            redis.call('SET', 'small', 1)";
        assert!(!one.command(&["EVAL", FILL, "0"]).await.is_error());
        let folder = tempfile::tempdir().unwrap();
        let here = folder.path();
        let (from, to) = (one.url(), other.url());
        let refused = ends(here, &["migrate", "--from", &from, "--to", &to], 8, "one-piece");
        assert!(refused.err.contains("2.3 MiB"), "{}", refused.err);
        assert!(refused.err.contains("1.0 MiB at once"), "{}", refused.err);
        ends(here, &["backup", "-d", &from, "-o", "out.rdb"], 0, "");
        ends(here, &["restore", "out.rdb", "-d", &to], 8, "one-piece");
        assert_eq!(one.command(&["EXISTS", "one-piece"]).await.integer(), Some(1));
    });
}

#[test]
#[ignore = "needs redis-server"]
fn keys_of_search_indexes_stay_and_those_of_other_modules_are_told() {
    run_test(async {
        let server = TestRedis::start().await;
        for key in ["ft:words", "doc:1", "doc:2", "json:1"] {
            server.command(&["SET", key, "x"]).await;
        }
        let proxy = FaultProxy::start(server.port()).await;
        proxy.answer_by("MODULE", "return { { 'name', 'search', 'ver', 20800 } }");
        proxy.answer_by(
            "TYPE",
            "if string.find(ARGV[1], '^ft:') then return redis.status_reply('ft_invidx') end
            if string.find(ARGV[1], '^json:') then return redis.status_reply('ReJSON-RL') end
            return redis.call('TYPE', ARGV[1])",
        );
        let folder = tempfile::tempdir().unwrap();
        let words = ["migrate", "--backend", &proxy.url(), "--from", "0", "--to", "3"];
        let run = ends(folder.path(), &words, 11, "belongs to a search index (ft_invidx)");
        assert!(run.out.contains("1 key of the module type ReJSON-RL"), "{}", run.out);
        assert!(run.out.contains("3 keys moved"), "{}", run.out);
        assert_eq!(server.command(&["KEYS", "*"]).await.text(), "ft:words");
    });
}

#[test]
#[ignore = "needs redis-server"]
fn a_name_that_is_given_twice_is_counted_once() {
    run_test(async {
        let (one, other) = (TestRedis::start().await, TestRedis::start().await);
        for i in 0..100 {
            one.command(&["SET", &format!("key:{i}"), "x"]).await;
        }
        let proxy = FaultProxy::start(one.port()).await;
        proxy.answer_by(
            "SCAN",
            "local page = redis.call('SCAN', unpack(ARGV))
            for i = 1, #page[2] do
                if i % 9 == 0 then page[2][#page[2] + 1] = page[2][i] end
            end
            page[2][#page[2] + 1] = 'gone'
            return page",
        );
        let folder = tempfile::tempdir().unwrap();
        let to = other.url();
        for (words, way) in [(["--to", "3"], "move"), (["--to", &to], "dump")] {
            let base = ["migrate", "--backend", &proxy.url(), "--from", "0", "--json"];
            let words = [&base[..], &words, &["--journal", way, "--strategy", way]].concat();
            let report = json(&ends(folder.path(), &words, 0, ""));
            assert_eq!((&report["moved"], &report["gone"]), (&100.into(), &1.into()), "{report}");
            let undo = ["migrate", "--undo", way, "--json"];
            let report = json(&ends(folder.path(), &undo, 0, ""));
            assert_eq!((&report["moved"], &report["gone"]), (&100.into(), &0.into()), "{report}");
        }
    });
}

#[test]
#[ignore = "needs redis-server"]
fn keys_that_their_server_evicts_meanwhile_are_called_so() {
    run_test(async {
        let (one, other) = (TestRedis::start().await, TestRedis::start().await);
        for i in 0..100 {
            one.command(&["SET", &format!("key:{i}"), "x"]).await;
        }
        let proxy = FaultProxy::start(one.port()).await;
        // Of the names returned each time, ten are evicted before their turn.
        proxy.answer_by(
            "SCAN",
            "local page = redis.call('SCAN', unpack(ARGV))
            for i = 1, 10 do redis.call('DEL', page[2][i]) end
            redis.call('INCRBY', 'evicted', 10)
            return page",
        );
        proxy.answer_by(
            "INFO",
            "local info = redis.call('INFO', unpack(ARGV))
            return (string.gsub(info, 'evicted_keys:0', 'evicted_keys:' ..
                (redis.call('GET', 'evicted') or '0')))",
        );
        let folder = tempfile::tempdir().unwrap();
        let base = ["migrate", "--from", &proxy.url(), "--to", &other.url(), "--pattern", "key:*"];
        let run = ends(folder.path(), &base, 0, "up to 10 were evicted by their server");
        assert!(run.out.contains("0 expired or were deleted"), "{}", run.out);
    });
}

#[test]
#[ignore = "needs redis-server"]
fn what_is_kept_in_a_restore_is_told_from_what_is_there_already() {
    run_test(async {
        let server = TestRedis::start().await;
        for i in 0..100 {
            server.command(&["SET", &format!("key:{i}"), "x"]).await;
        }
        let folder = tempfile::tempdir().unwrap();
        let url = server.url();
        ends(folder.path(), &["backup", "-d", &url, "-o", "out.rdb"], 0, "");
        server.command(&["SET", "key:7", "another"]).await;
        server.command(&["DEL", "key:8"]).await;
        let words = ["restore", "out.rdb", "-d", &url, "--on-conflict", "skip", "--json"];
        let report = json(&ends(folder.path(), &words, 0, ""));
        let counts = (&report["restored"], &report["already_there"], &report["standing"]);
        assert_eq!(counts, (&1.into(), &98.into(), &1.into()), "{report}");
        assert_eq!(server.command(&["GET", "key:7"]).await.text(), "another");
    });
}
