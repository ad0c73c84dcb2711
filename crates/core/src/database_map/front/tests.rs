//! `[front]` is read, read back, and refused with the way out.

use std::time::Duration;

use super::{FrontContract, FrontLogin, FrontRoute, FrontSettings, FrontUser};
use crate::{DatabaseMap, DatabaseMapBuilder, Result};

const DATABASES: &str = r#"
    [instances.primary]
    url = "redis://127.0.0.1:6379"
    [databases]
    main = { index = 0, kind = "durable" }
    pages = { index = 1, kind = "cache", default_ttl = "1d" }
    queues = { index = 2, kind = "durable" }
    locks = { index = 3, prefix = "lock:", kind = "coordination", default_ttl = "30s" }
    one = { index = 4, kind = "durable", shared = true }
    two = { index = 4, kind = "durable", shared = true }
"#;

const FRONT: &str = r#"
    [front]
    listen = ["0.0.0.0:6380", "unix:/run/front.sock"]
    default = "main"
    login = "own"
    clients = 500
    max_request = "32MiB"
    threads = 2
    allow = ["flushall", "CONFIG SET"]
    contract = "observe"
    flush = ["pages"]
    health = "127.0.0.1:6381"
    slow = "5ms"
    idle = "10m"
    [front.tls]
    certificate = "/etc/front.crt"
    key = "/etc/front.key"
    client_ca = "/etc/ca.crt"
    [[front.user]]
    name = "app"
    password_env = "APP_PASSWORD"
    [[front.user]]
    name = "jobs"
    password_file = "/run/secrets/jobs"
    [[front.route]]
    to = "queues"
    programs = ["celery"]
    together = ["bull:{*}*"]
    scripts = ["drain*"]
    flush = []
    [[front.route]]
    name = "sessions"
    to = "pages"
    keys = ["session:{id}", "it's \"quoted\"*"]
    users = ["web*"]
    clients = ["django"]
    select = [1, 7]
    contract = "refuse"
    [[front.route]]
    to = "locks"
    keys = ["lock:*"]
"#;

fn read(front: &str) -> Result<DatabaseMap> {
    DatabaseMapBuilder::toml(&format!("{DATABASES}{front}"))?.build()
}

#[test]
fn settings_are_read_and_read_back_and_the_rest_is_as_usual() {
    let map = read(FRONT).unwrap();
    let front = map.front();
    assert_eq!(front.listen, ["0.0.0.0:6380", "unix:/run/front.sock"]);
    assert_eq!((front.login, front.contract), (FrontLogin::Own, FrontContract::Observe));
    assert_eq!((front.max_request, front.max_output), (32 << 20, 64 << 20));
    assert_eq!(
        (front.slow, front.idle),
        (Duration::from_millis(5), Some(Duration::from_secs(600)))
    );
    assert_eq!(front.allow, ["flushall", "config set"]);
    assert_eq!(
        front.users,
        [
            FrontUser::by_variable("app", "APP_PASSWORD"),
            FrontUser::by_file("jobs", "/run/secrets/jobs")
        ]
    );
    let [queues, sessions, locks] = front.routes.as_slice() else { panic!("{front:?}") };
    assert_eq!((queues.name.as_str(), queues.flush.as_deref()), ("queues", Some(&[][..])));
    assert_eq!((sessions.name.as_str(), sessions.to.as_str()), ("sessions", "pages"));
    assert_eq!(sessions.select, [1, 7]);
    assert_eq!((sessions.contract, sessions.flush.as_ref()), (Some(FrontContract::Refuse), None));
    assert_eq!(locks.keys, ["lock:*"]);
    let text = map.to_toml();
    assert_eq!(read_text(&text).front(), front, "{text}");
    assert!(!text.contains("max_output"), "{text}");
    assert_eq!(*read("").unwrap().front(), FrontSettings::default());
    let one = read("[front]\nlisten = \"[::1]:7000\"").unwrap();
    assert_eq!(one.front().listen, ["[::1]:7000"]);
}

fn read_text(text: &str) -> DatabaseMap {
    DatabaseMapBuilder::toml(text).unwrap().build().unwrap()
}

#[test]
fn a_wrong_setting_names_the_field_and_the_way_out() {
    for (from, to, says) in [
        ("[\"0.0.0.0:6380\", \"unix:/run/front.sock\"]", "[]", "front.listen = []"),
        ("0.0.0.0:6380", "6380", "host:port"),
        ("0.0.0.0:6380", "unix:/run/front.sock", "twice"),
        ("unix:/run", "unix:run", "an absolute path"),
        ("127.0.0.1:6381", "unix:/run/health", "front.health"),
        ("127.0.0.1:6381", "0.0.0.0:6380", "its own port"),
        ("default = \"main\"", "default = \"mian\"", "did you mean \"main\"?"),
        ("default = \"main\"", "default = \"locks\"", "placed by the prefix \"lock:\""),
        ("clients = 500", "clients = 0", "front.clients"),
        ("threads = 2", "threads = 1000", "front.threads"),
        ("\"32MiB\"", "\"4GiB\"", "front.max_request"),
        ("\"10m\"", "\"0s\"", "front.idle"),
        ("\"CONFIG SET\"", "\"config|set\"", "\"config set\""),
        ("\"observe\"", "\"obsrve\"", "did you mean `observe`?"),
        ("flush = [\"pages\"]", "flush = [\"locks\"]", "compartment flush locks"),
        ("flush = [\"pages\"]", "flush = [\"one\"]", "shares its index with \"two\""),
        ("flush = []", "flush = [\"pags\"]", "did you mean \"pages\"?"),
        ("login = \"own\"", "", "front.login = \"own\""),
        ("name = \"jobs\"", "name = \"app\"", "twice"),
        ("password_file = \"/run/secrets/jobs\"", "", "password_env or password_file"),
        ("\"APP_PASSWORD\"", "\"s3cret\"", "password_env is the name of an environment variable"),
        ("name = \"sessions\"", "name = \"queues\"", "another route has this name"),
        ("name = \"sessions\"", "name = \"Sessions\"", "a-z"),
        ("name = \"sessions\"", "name = \"default\"", "give the route another `name`"),
        ("to = \"queues\"", "to = \"queue\"", "did you mean \"queues\"?"),
        ("session:{id}", "session:{id", "\\{"),
        ("bull:{*}*", "bull:[*", "together"),
        ("\"celery\"", "\"\"", "programs has an empty name"),
        ("keys = [\"lock:*\"]", "keys = [\"lock*\"]", "begins with it"),
        ("keys = [\"lock:*\"]", "keys = [\"[l]ock:*\"]", "begins with it"),
        ("keys = [\"lock:*\"]", "users = [\"a\"]", "set keys = [\"lock:*\"]"),
        ("to = \"locks\"\n    keys = [\"lock:*\"]", "to = \"main\"", "front.default = \"main\""),
        ("together =", "togther =", "did you mean `together`?"),
    ] {
        assert!(FRONT.contains(from), "{from}");
        let error = read(&FRONT.replacen(from, to, 1)).unwrap_err().to_string();
        assert!(error.contains(says) && !error.contains("s3cret"), "{from} -> {to}: {error}");
    }
}

#[test]
fn settings_of_code_are_checked_with_the_map() {
    let mut settings = FrontSettings::default();
    settings.routes.push(FrontRoute::new("pages"));
    let built = |settings| DatabaseMapBuilder::toml(DATABASES).unwrap().front(settings).build();
    let error = built(settings.clone()).unwrap_err().to_string();
    assert!(error.contains("takes every key of every program"), "{error}");
    settings.routes[0].users.push("web".into());
    assert!(built(settings).is_ok());
}

#[test]
fn the_environment_says_where_the_front_listens() {
    let built = |value: &str| {
        let variable = ("COMPARTMENT_FRONT_LISTEN".to_owned(), value.to_owned());
        DatabaseMapBuilder::toml(DATABASES).unwrap().environment_variables([variable])?.build()
    };
    let map = built("0.0.0.0:7000, unix:/run/front.sock").unwrap();
    assert_eq!(map.front().listen, ["0.0.0.0:7000", "unix:/run/front.sock"]);
    assert!(map.overridden().iter().any(|one| one.setting == "front.listen"));
    assert!(built("7000").unwrap_err().to_string().contains("front.listen"));
}

#[test]
fn routes_that_are_never_reached_are_noted() {
    let notes = |front: &str| read(front).unwrap().notes().join("\n");
    let route = |name: &str, rest: &str| {
        format!("[[front.route]]\nname = {name:?}\nto = \"main\"\n{rest}\n")
    };
    for (first, second, says) in [
        ("keys = [\"a*\"]", "keys = [\"b\", \"ab\"]", "no key is left for keys \"ab\""),
        ("keys = [\"a*\"]", "keys = [\"ab\"]\nusers = [\"web\"]", "because \"one\" takes them"),
        ("together = [\"a*\"]", "together = [\"a{x}\"]", "no key is left for together \"a{x}\""),
        ("keys = [\"ab\"]", "together = [\"a*\"]", "front.route \"one\": no key is left"),
        ("users = [\"web\"]", "users = [\"web\"]\nkeys = [\"b\"]", "\"two\" is never reached"),
        ("select = [0, 1]", "keys = [\"b\"]", "\"two\" is never reached"),
    ] {
        let notes = notes(&(route("one", first) + &route("two", second)));
        assert!(notes.contains(says), "{first} {second}: {notes}");
    }
    for (first, second) in [
        ("keys = [\"a*\"]\nusers = [\"web\"]", "keys = [\"ab\"]"),
        ("keys = [\"a*\"]", "keys = [\"ab\"]\nselect = [1]"),
        ("keys = [\"ab*\"]", "keys = [\"a*\"]"),
        ("keys = [\"a*\"]", "together = [\"ab*\"]"),
        ("users = [\"web\"]", "keys = [\"b\"]"),
    ] {
        assert_eq!(notes(&(route("one", first) + &route("two", second))), "", "{first} {second}");
    }
}

#[test]
fn a_database_without_a_lifetime_to_give_is_noted() {
    let databases = DATABASES.replace(", default_ttl = \"1d\"", "");
    let notes = |front: &str| {
        let map =
            DatabaseMapBuilder::toml(&format!("{databases}{front}")).unwrap().build().unwrap();
        map.notes().join("\n")
    };
    let route = "[[front.route]]\nto = \"pages\"\nkeys = [\"page:*\"]\n";
    assert!(notes(route).contains("\"pages\"") && notes(route).contains("default_ttl"));
    assert!(notes("[front]\ndefault = \"pages\"\n").contains("\"pages\""));
    for front in ["", &format!("{route}contract = \"observe\"\n"), "[front]\ndefault = \"main\"\n"]
    {
        assert_eq!(notes(front), "", "{front}");
    }
}
