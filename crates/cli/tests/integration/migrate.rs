//! `compartment migrate` and `verify`: killed, resumed, undone, refused.

#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a failure here is a failed test")]

use std::path::Path;
use std::time::Duration;

use compartment_testkit::{RespConnection, TestRedis, eventually, run_test};

use crate::program::{self, finish, json, run, start};

async fn connection(server: &TestRedis, index: u32) -> RespConnection {
    let mut connection = server.connect().await;
    connection.send(&["SELECT", &index.to_string()]).await.unwrap();
    connection
}

/// Creates keys of several types, some with an expiry, in one script.
async fn fill(server: &TestRedis, count: u32) {
    const FILL: &str = "for i = 1, tonumber(ARGV[1]) do
        local kind = i % 5
        if kind == 0 then redis.call('HSET', 'user:' .. i, 'name', 'n' .. i, 'age', i % 90)
        elseif kind == 1 then redis.call('RPUSH', 'queue:' .. i, 'a', 'b', i)
        elseif kind == 2 then redis.call('ZADD', 'scores:' .. i, i, 'a', 2, 'b')
        else redis.call('SET', 'page:' .. i, 'value-' .. i) end
        if i % 3 == 0 then
            redis.call('PEXPIREAT', ({ 'user:', 'queue:', 'scores:', 'page:', 'page:' })[kind + 1] .. i, 4102444800123)
        end
    end";
    let filled = server.command(&["EVAL", FILL, "0", &count.to_string()]).await;
    assert!(!filled.is_error(), "{filled:?}");
}

async fn size(server: &TestRedis, index: u32) -> i64 {
    server.command_in(index, &["DBSIZE"]).await.integer().unwrap()
}

/// A digest of all keys, values and expiry times of a database.
async fn digest(server: &TestRedis, index: u32) -> String {
    const DIGEST: &str = "local all = {}
        for _, key in ipairs(redis.call('KEYS', '*')) do
            -- To the second, which a server before 7.0 tells too.
            local left, time = redis.call('PTTL', key), redis.call('TIME')
            if left >= 0 then left = math.floor((time[1] * 1000 + time[2] / 1000 + left + 500) / 1000) end
            all[#all + 1] = key .. redis.sha1hex(redis.call('DUMP', key)) .. left
        end
        table.sort(all)
        return redis.sha1hex(table.concat(all))";
    let answer = connection(server, index).await.send(&["EVAL", DIGEST, "0"]).await.unwrap();
    assert!(!answer.is_error(), "{answer:?}");
    answer.text()
}

/// Numbers that differ between runs, and are printed with a failure.
struct Chance(u64);

impl Chance {
    fn new() -> Self {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
        println!("seed {}", now.as_nanos() as u64);
        Self(now.as_nanos() as u64 | 1)
    }

    fn below(&mut self, max: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % max
    }
}

/// Runs the command repeatedly, killing it at random moments, until it succeeds; returns the number of kills.
async fn kill_until_done(folder: &Path, arguments: &[&str], max: u32, chance: &mut Chance) -> u32 {
    let mut kills = 0;
    loop {
        let mut child = start(folder, arguments);
        if kills < max {
            tokio::time::sleep(Duration::from_millis(20 + chance.below(180))).await;
            if child.try_wait().unwrap().is_none() {
                child.kill().unwrap();
                child.wait().unwrap();
                kills += 1;
                continue;
            }
        }
        let run = finish(child);
        assert_eq!(run.code, 0, "{} {}", run.out, run.err);
        return kills;
    }
}

#[test]
#[ignore = "needs redis-server"]
fn killed_at_fifty_moments_it_goes_on_and_loses_and_doubles_nothing() {
    run_test(async {
        const KEYS: u32 = 12_000;
        let (one, other) = (TestRedis::start().await, TestRedis::start().await);
        let mut chance = Chance::new();
        let mut kills = 0;
        let elsewhere = format!("{}/3", other.url());
        for (round, (to, target, index)) in
            [("3", &one, 3), (elsewhere.as_str(), &other, 3)].into_iter().enumerate()
        {
            one.command(&["FLUSHALL"]).await;
            fill(&one, KEYS).await;
            let original = digest(&one, 0).await;
            let folder = tempfile::tempdir().unwrap();
            let journal = format!("j{round}");
            let arguments = [
                "migrate",
                "--backend",
                &one.url(),
                "--from",
                "0",
                "--to",
                to,
                "--journal",
                &journal,
                "--limit-ops",
                "4000",
            ];
            kills += kill_until_done(folder.path(), &arguments, 16, &mut chance).await;
            assert_eq!((size(&one, 0).await, size(target, index).await), (0, i64::from(KEYS)));
            assert_eq!(digest(target, index).await, original, "by round {round}");
            let arguments =
                ["migrate", "--backend", &one.url(), "--undo", &journal, "--limit-ops", "4000"];
            kills += kill_until_done(folder.path(), &arguments, 16, &mut chance).await;
            assert_eq!((size(&one, 0).await, size(target, index).await), (i64::from(KEYS), 0));
            assert_eq!(digest(&one, 0).await, original, "back from round {round}");
        }
        println!("killed {kills} times");
        assert!(kills >= 50, "killed {kills} times only: it ended too soon");
    });
}

#[test]
#[ignore = "needs redis-server"]
fn a_server_that_restarts_or_is_flushed_meanwhile_is_told_and_the_same_command_goes_on() {
    run_test(async {
        let one = TestRedis::start().await;
        let mut other = TestRedis::start().await;
        fill(&one, 5_000).await;
        let original = digest(&one, 0).await;
        let folder = tempfile::tempdir().unwrap();
        let to = format!("{}/0", other.url());
        let arguments = [
            "migrate",
            "--backend",
            &one.url(),
            "--from",
            "0",
            "--to",
            &to,
            "--limit-ops",
            "10000",
        ];
        // The target is killed without having saved anything: its keys are lost, but the keys in the source remain.
        let child = start(folder.path(), &arguments);
        eventually("keys move", || async { size(&other, 0).await > 0 }).await;
        other.kill();
        let run = finish(child);
        assert_eq!(run.code, 5, "{} {}", run.out, run.err);
        assert!(run.err.contains("--undo") && run.err.contains("To resume"), "{}", run.err);
        let left = size(&one, 0).await;
        assert!(left > 0 && left < 5_000, "{left}");
        other.restart().await;
        one.command(&["FLUSHALL"]).await;
        fill(&one, 5_000).await;
        assert_eq!(run_ok(folder.path(), &arguments), 0);
        assert_eq!(digest(&other, 0).await, original);

        // The source is emptied in the meantime: no keys are left to move, which is not an error.
        let arguments = [
            "migrate",
            "--backend",
            &other.url(),
            "--from",
            "0",
            "--to",
            "4",
            "--limit-ops",
            "4000",
        ];
        let child = start(folder.path(), &arguments);
        eventually("keys move", || async { size(&other, 4).await > 0 }).await;
        other.command(&["FLUSHDB"]).await;
        let run = finish(child);
        assert_eq!(run.code, 0, "{} {}", run.out, run.err);
    });
}

#[test]
#[ignore = "needs redis-server"]
fn interrupted_it_says_how_to_go_on() {
    run_test(async {
        let server = TestRedis::start().await;
        fill(&server, 3_000).await;
        let folder = tempfile::tempdir().unwrap();
        let arguments = [
            "migrate",
            "--backend",
            &server.url(),
            "--from",
            "0",
            "--to",
            "3",
            "--limit-ops",
            "2000",
            "--backup",
            "before.rdb",
        ];
        let child = start(folder.path(), &arguments);
        eventually("keys move", || async { size(&server, 3).await > 0 }).await;
        let stopped = std::process::Command::new("kill").arg(child.id().to_string()).status();
        assert!(stopped.unwrap().success());
        let run = finish(child);
        assert_eq!(run.code, 130, "{} {}", run.out, run.err);
        assert!(run.err.contains("--undo compartment-0-to-3.journal"), "{}", run.err);
        // The command finds its journal, and does not replace the backup by half of the keys.
        let backed_up =
            std::fs::metadata(folder.path().join("before.rdb")).unwrap().modified().unwrap();
        let run = program::run(folder.path(), &arguments);
        assert_eq!(run.code, 0, "{} {}", run.out, run.err);
        assert!(run.err.contains("resuming the migration"), "{}", run.err);
        assert_eq!((size(&server, 0).await, size(&server, 3).await), (0, 3_000));
        let now = std::fs::metadata(folder.path().join("before.rdb")).unwrap().modified().unwrap();
        assert_eq!(now, backed_up);
        let same = [
            "verify",
            "--backend",
            &server.url(),
            "--rdb",
            "before.rdb",
            "--to",
            "3",
            "--both-ways",
        ];
        let same = program::run(folder.path(), &same);
        assert_eq!(same.code, 0, "{} {}", same.out, same.err);
    });
}

fn run_ok(folder: &Path, arguments: &[&str]) -> i32 {
    let run = run(folder, arguments);
    assert_eq!(run.code, 0, "{} {}", run.out, run.err);
    run.code
}

#[test]
#[ignore = "needs redis-server"]
fn by_a_plan_each_group_goes_to_its_database_and_what_is_not_drained_stays() {
    run_test(async {
        let server = TestRedis::start().await;
        fill(&server, 500).await;
        let folder = tempfile::tempdir().unwrap();
        let plan = format!(
            "version = 1
source = {{ server = \"{0}\", index = 0, keys = 500, made = \"2026-11-21T00:00:00Z\" }}
targets = [
  {{ database = \"cache\", server = \"{0}\", index = 2 }},
  {{ database = \"broker\", server = \"{0}\", index = 5 }},
]
[[groups]]
name = \"pages\"
database = \"cache\"
verdict = \"move\"
patterns = [\"page:*\"]
[[groups]]
name = \"queues\"
database = \"broker\"
verdict = \"drain\"
patterns = [\"queue:*\"]
[[groups]]
name = \"the rest\"
verdict = \"stay\"
patterns = [\"*\"]
keys = 200
",
            server.url()
        );
        std::fs::write(folder.path().join("plan.toml"), &plan).unwrap();
        let base = ["migrate", "--backend", &server.url(), "--plan", "plan.toml"];
        // The plan has the broker at 5, the map at 0.
        let refused = run(folder.path(), &base);
        assert_eq!(refused.code, 12, "{} {}", refused.out, refused.err);
        assert!(refused.err.contains("does not fit"), "{}", refused.err);
        assert_eq!(size(&server, 0).await, 500);
        let map = format!(
            "[instances.primary]\nurl = \"{}\"\n[databases]\nmain = {{ index = 0, kind = \"durable\" }}\n\
             cache = {{ index = 2, kind = \"durable\" }}\nbroker = {{ index = 5, kind = \"durable\" }}\n",
            server.url()
        );
        std::fs::write(folder.path().join("compartment.toml"), map).unwrap();
        let base = ["migrate", "--plan", "plan.toml"];
        let dry = run(folder.path(), &[&base[..], &["--dry-run"]].concat());
        assert!(dry.out.contains("would move 200 keys by MOVE"), "{} {}", dry.out, dry.err);
        assert_eq!(size(&server, 0).await, 500);
        let moved = run(folder.path(), &base);
        assert_eq!(moved.code, 0, "{} {}", moved.out, moved.err);
        assert!(moved.err.contains("--drained"), "{}", moved.err);
        assert_eq!((size(&server, 2).await, size(&server, 5).await), (200, 0));
        let moved = run(folder.path(), &[&base[..], &["--drained", "queues", "--json"]].concat());
        assert_eq!(json(&moved)["moved"], 100, "{} {}", moved.out, moved.err);
        assert_eq!((size(&server, 0).await, size(&server, 5).await), (200, 100));
    });
}

#[test]
#[ignore = "needs redis-server"]
fn differences_are_listed_by_key_and_told_by_the_exit_code() {
    run_test(async {
        let server = TestRedis::start().await;
        fill(&server, 100).await;
        let folder = tempfile::tempdir().unwrap();
        let url = server.url();
        let copied = run(
            folder.path(),
            &["migrate", "--backend", &url, "--from", "0", "--to", "3", "--keep"],
        );
        assert_eq!(copied.code, 0, "{} {}", copied.out, copied.err);
        let verify = ["verify", "--backend", &url, "--from", "0", "--to", "3", "--both-ways"];
        let same = run(folder.path(), &verify);
        assert_eq!(same.code, 0, "{} {}", same.out, same.err);
        let mut c = connection(&server, 3).await;
        for command in [
            &["SET", "page:8", "other"][..],
            &["DEL", "page:4"],
            &["PERSIST", "user:30"],
            &["SET", "odd name\n", "x"],
            &["ZADD", "scores:7", "9", "c"],
        ] {
            c.send(command).await.unwrap();
        }
        let different = run(folder.path(), &verify);
        assert_eq!(different.code, 10, "{} {}", different.out, different.err);
        let out = &different.out;
        for part in [
            "page:8",
            "(string)",
            "page:4",
            "missing",
            "user:30",
            "never",
            "scores:7",
            "(zset)",
            r"odd\x20name\x0a",
        ] {
            assert!(out.contains(part), "{part}: {out}");
        }
        let counts = json(&run(folder.path(), &[&verify[..], &["--json"]].concat()));
        assert_eq!(
            (&counts["same"], &counts["different"], &counts["missing"], &counts["extra"]),
            (&96.into(), &3.into(), &1.into(), &1.into())
        );
    });
}
