//! Runs the exported client modules in their languages.

#![expect(clippy::unwrap_used, reason = "a failure here is a failed test")]
#![expect(clippy::print_stderr, reason = "a test says that it is skipped")]

use std::path::Path;
use std::process::{Command, Output};

use compartment_testkit::{TestRedis, run_test};

use crate::program::run;

/// A map whose databases include an index, a prefix and a TTL.
fn write_map(folder: &Path, url: &str) {
    let text = format!(
        "[instances.primary]\nurl = \"{url}\"\n\
         [databases]\n\
         main = {{ index = 1, kind = \"durable\" }}\n\
         cache = {{ index = 2, kind = \"cache\", default_ttl = \"90s\" }}\n\
         limits = {{ index = 3, prefix = \"it's:\", kind = \"coordination\" }}\n\
         [keys.page]\ntemplate = \"page:{{url}}\"\ndatabase = \"cache\"\nttl = \"7s\"\n"
    );
    std::fs::write(folder.join("compartment.toml"), text).unwrap();
}

/// Exports the map of `folder` into `file`.
fn export(folder: &Path, format: &str, file: &str) {
    let exported = run(folder, &["config", "export", "--format", format]);
    assert_eq!(exported.code, 0, "{exported:?}");
    assert!(!exported.out.contains("s3cret"), "{}", exported.out);
    std::fs::write(folder.join(file), exported.out).unwrap();
}

/// Whether `program` starts with these arguments; prints a note if not.
fn starts(program: &str, arguments: &[&str]) -> bool {
    let answer = Command::new(program).args(arguments).output();
    let starts = answer.is_ok_and(|answer| answer.status.success());
    if !starts {
        eprintln!("skipped: `{program} {}` does not work here", arguments.join(" "));
    }
    starts
}

/// Runs a program of a language in `folder`; it has to succeed.
fn succeeds(folder: &Path, program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program)
        .args(arguments)
        .current_dir(folder)
        .env("REDIS_PASSWORD", "s3cret-right")
        .output()
        .unwrap();
    let Output { status, stdout, stderr } = output;
    let (out, err) = (String::from_utf8_lossy(&stdout), String::from_utf8_lossy(&stderr));
    assert!(status.success(), "{program} {arguments:?}: {out}\n{err}");
    out.into_owned()
}

const PYTHON_STUB: &str =
    "class Redis:\n    def __init__(self, **settings):\n        self.settings = settings\n";

const PYTHON_RULES: &str = r#"
import asyncio
import os

from redis_databases import get_key, get_redis_client, get_ttl

def refuses(says, call):
    try:
        call()
    except (ValueError, RuntimeError) as error:
        assert says in str(error), error
    else:
        raise AssertionError(f"not refused: {says}")

assert get_redis_client() is get_redis_client("main")
assert get_redis_client("cache") is not get_redis_client("main")
refuses("there is no database 'cash'; there are main, cache, limits", lambda: get_redis_client("cash"))
refuses("there is no database 'cash'", lambda: get_key("cash", "a"))
assert get_key("limits", "a") == "it's:a" and get_key("cache", "a") == "a"
assert (get_ttl("main"), get_ttl("cache"), get_ttl("cache", "page")) == (None, 90, 7)
refuses("'limits' has no default TTL", lambda: get_ttl("limits"))
refuses("'main' has no key template 'page'", lambda: get_ttl("main", "page"))

async def client():
    assert get_redis_client("cache", async_client=True) is get_redis_client("cache", async_client=True)
    return get_redis_client("cache", async_client=True)

first, second = asyncio.run(client()), asyncio.run(client())
assert first is not second
"#;

#[test]
fn the_python_module_knows_names_prefixes_and_ttls() {
    if !starts("python3", &["--version"]) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    write_map(folder.path(), "rediss://app:s3cret@db.example:7000");
    export(folder.path(), "python", "redis_databases.py");
    succeeds(folder.path(), "python3", &["-m", "py_compile", "redis_databases.py"]);
    // Replaces redis-py and records its arguments.
    std::fs::create_dir(folder.path().join("redis")).unwrap();
    for file in ["redis/__init__.py", "redis/asyncio.py"] {
        std::fs::write(folder.path().join(file), PYTHON_STUB).unwrap();
    }
    let settings = "print(sorted(get_redis_client('cache').settings.items()))\n\
                    del os.environ['REDIS_PASSWORD']\n\
                    refuses('set REDIS_PASSWORD', lambda: get_redis_client('limits'))\n";
    let script = format!("{PYTHON_RULES}{settings}");
    std::fs::write(folder.path().join("script.py"), script).unwrap();
    assert_eq!(
        succeeds(folder.path(), "python3", &["script.py"]).trim(),
        "[('db', 2), ('host', 'db.example'), ('max_connections', 50), ('password', 's3cret-right'), \
         ('port', 7000), ('ssl', True), ('username', 'app')]"
    );
}

#[test]
#[ignore = "needs redis-server"]
fn the_python_module_reaches_each_database() {
    if !starts("python3", &["-c", "import redis.asyncio"]) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    run_test(async {
        let server = TestRedis::builder().password("s3cret-right").start().await;
        write_map(folder.path(), &format!("redis://:s3cret@127.0.0.1:{}", server.port()));
        export(folder.path(), "python", "redis_databases.py");
        let script = format!(
            "{PYTHON_RULES}{}",
            "get_redis_client('cache').set('a', 'one', ex=get_ttl('cache'))\n\
             assert get_redis_client().get('a') is None\n\
             assert 0 < get_redis_client('cache').ttl('a') <= 90\n\
             async def read():\n    return await get_redis_client('cache', async_client=True).get('a')\n\
             assert asyncio.run(read()) == b'one'\n\
             get_redis_client('limits').set(get_key('limits', 'a'), 'two')\n\
             assert get_redis_client('limits').keys() == [b\"it's:a\"]\n"
        );
        std::fs::write(folder.path().join("script.py"), script).unwrap();
        succeeds(folder.path(), "python3", &["script.py"]);
    });
}

const NODE_STUB: &str =
    "exports.Redis = class { constructor(options) { this.options = options; } };\n";

const NODE_RULES: &str = r#"
const assert = require('node:assert');
const { getRedisClient, getOptions, getTtl } = require('./redis-databases.js');
assert.throws(() => getRedisClient('cash'), /there is no database cash; there are main, cache, limits/);
assert.throws(() => getRedisClient('constructor'), /there is no database constructor/);
assert.strictEqual(getOptions('limits').keyPrefix, "it's:");
assert.deepStrictEqual([getTtl('main'), getTtl('cache'), getTtl('cache', 'page')], [null, 90, 7]);
assert.throws(() => getTtl('limits'), /limits has no default TTL/);
assert.throws(() => getTtl('main', 'page'), /main has no key template page/);
"#;

#[test]
fn the_node_module_knows_names_prefixes_and_ttls() {
    if !starts("node", &["--version"]) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    write_map(folder.path(), "rediss://app:s3cret@db.example:7000");
    export(folder.path(), "node", "redis-databases.js");
    // Replaces ioredis and records its arguments.
    std::fs::create_dir_all(folder.path().join("node_modules/ioredis")).unwrap();
    std::fs::write(folder.path().join("node_modules/ioredis/index.js"), NODE_STUB).unwrap();
    let script = format!(
        "{NODE_RULES}{}",
        "assert.strictEqual(getRedisClient(), getRedisClient('main'));\n\
         console.log(JSON.stringify(getRedisClient('cache').options));\n\
         delete process.env.REDIS_PASSWORD;\n\
         assert.throws(() => getOptions('limits'), /set REDIS_PASSWORD/);\n"
    );
    std::fs::write(folder.path().join("script.js"), script).unwrap();
    let options = succeeds(folder.path(), "node", &["script.js"]);
    assert_eq!(
        serde_json::from_str::<serde_json::Value>(&options).unwrap(),
        serde_json::json!({
            "host": "db.example", "port": 7000, "username": "app", "tls": {},
            "db": 2, "keyPrefix": "", "password": "s3cret-right",
        })
    );
}

#[test]
#[ignore = "needs redis-server"]
fn the_node_module_reaches_each_database() {
    if !starts("node", &["-e", "require('ioredis')"]) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    run_test(async {
        let server = TestRedis::builder().password("s3cret-right").start().await;
        write_map(folder.path(), &format!("redis://:s3cret@127.0.0.1:{}", server.port()));
        export(folder.path(), "node", "redis-databases.js");
        let script = format!(
            "{NODE_RULES}{}",
            "(async () => {\n\
             await getRedisClient('cache').set('a', 'one', 'EX', getTtl('cache'));\n\
             assert.strictEqual(await getRedisClient().get('a'), null);\n\
             await getRedisClient('limits').set('a', 'two');\n\
             assert.deepStrictEqual(await getRedisClient('limits').keys('*'), [\"it's:a\"]);\n\
             for (const name of ['main', 'cache', 'limits']) getRedisClient(name).disconnect();\n\
             })().catch((error) => { console.error(error); process.exit(1); });\n"
        );
        std::fs::write(folder.path().join("script.js"), script).unwrap();
        succeeds(folder.path(), "node", &["script.js"]);
    });
}

#[test]
fn the_other_modules_are_what_their_languages_read() {
    let folder = tempfile::tempdir().unwrap();
    write_map(folder.path(), "rediss://app:s3cret@db.example:7000");
    for (format, file, program, check) in [
        ("ruby", "redis_databases.rb", "ruby", "-c"),
        ("laravel", "redis_databases.php", "php", "-l"),
    ] {
        export(folder.path(), format, file);
        if starts(program, &["--version"]) {
            succeeds(folder.path(), program, &[check, file]);
        }
    }
}

#[test]
fn a_map_that_cannot_be_exported_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    for (url, says) in [
        ("memory://", "is in this process"),
        ("redis+cluster://h", "more than one server"),
        ("redis+unix:///run/redis.sock", "is a socket"),
    ] {
        for format in ["env", "celery", "python", "node", "ruby", "laravel", "spring"] {
            let arguments = ["config", "export", "--format", format, "--backend", url];
            let refused = run(folder.path(), &arguments);
            assert_eq!(refused.code, 4, "{refused:?}");
            assert!(refused.err.contains(says) && refused.out.is_empty(), "{refused:?}");
        }
    }
    assert_eq!(run(folder.path(), &["config", "export", "--format", "cobol"]).code, 2);
}
