//! Routes of whole maps: which database each key of each program lives in, and how that is explained.

mod model;

use std::sync::Arc;
use std::time::Duration;

use compartment_core::{DatabaseMap, DatabaseMapBuilder, FrontContract, Result};

use super::{Program, Router, View};

const DATABASES: &str = r#"
    [instances.primary]
    url = "redis://127.0.0.1:6379"
    [instances.second]
    url = "redis://127.0.0.1:6399"
    [databases]
    main = { instance = "primary", index = 0, kind = "durable" }
    pages = { instance = "primary", index = 1, kind = "cache", default_ttl = "1d" }
    queues = { instance = "primary", index = 2, kind = "durable" }
    limits = { instance = "primary", index = 3, kind = "coordination" }
    sessions = { instance = "second", index = 0, kind = "durable" }
    locks = { instance = "second", index = 1, prefix = "lock:", kind = "coordination", default_ttl = "30s" }
    leases = { instance = "second", index = 1, prefix = "lease:", kind = "durable" }
    one = { instance = "second", index = 4, kind = "durable", shared = true }
    two = { instance = "second", index = 4, kind = "durable", shared = true }
"#;

fn map(front: &str) -> DatabaseMap {
    DatabaseMapBuilder::toml(&format!("{DATABASES}{front}")).unwrap().build().unwrap()
}

fn programs(name: &str) -> Option<Vec<String>> {
    let patterns = match name {
        "celery" => &["_kombu.binding.*", "celery", "unacked*"][..],
        "lockers" => &["lock:{name}", "other:{name}"],
        _ => return None,
    };
    Some(patterns.iter().map(|text| (*text).to_owned()).collect())
}

fn try_router(front: &str) -> Result<Router> {
    Router::new(&map(front), &programs)
}

fn router(front: &str) -> Router {
    try_router(front).unwrap()
}

fn usual(router: &Router) -> Arc<View> {
    router.view(&Program::default()).unwrap()
}

/// The database and the route of a key.
fn place<'a>(router: &'a Router, view: &View, key: &str) -> Option<(&'a str, &'a str)> {
    let target = view.route(key.as_bytes())?;
    let database = &router.databases()[target.database.position()];
    Some((database.name.as_str(), router.route_name(target.route)))
}

fn names<'a>(router: &'a Router, ids: &[super::DatabaseId]) -> Vec<&'a str> {
    ids.iter().map(|id| router.databases()[id.position()].name.as_str()).collect()
}

const FRONT: &str = r#"
    [front]
    default = "main"
    flush = ["pages"]
    [[front.route]]
    to = "pages"
    keys = ["page:*", "bull:old:*"]
    [[front.route]]
    name = "web-sessions"
    to = "sessions"
    keys = ["sess:{id}"]
    users = ["web*"]
    flush = ["sessions"]
    [[front.route]]
    to = "queues"
    programs = ["celery"]
    together = ["bull:{*}*"]
    scripts = ["drain_*", "00aa*"]
    contract = "refuse"
    [[front.route]]
    to = "limits"
    keys = ["limit:*", "page:*"]
    clients = ["limiter"]
    [keys.document]
    template = "doc:{id}:text"
    database = "pages"
    ttl = "2h"
    [keys.any_document]
    template = "doc:{id}"
    database = "main"
    [keys.lease]
    template = "{owner}:held"
    database = "leases"
"#;

#[test]
fn the_first_route_that_fits_takes_the_key() {
    let router = router(FRONT);
    let view = usual(&router);
    for (key, expected) in [
        ("page:1", ("pages", "pages")),
        ("celery", ("queues", "queues")),
        ("unacked_index", ("queues", "queues")),
        ("celerys", ("main", "default")),
        ("limit:1", ("main", "default")),
        ("sess:1", ("main", "default")),
        ("doc:7:text", ("pages", "keys.document")),
        ("doc:7", ("main", "keys.any_document")),
        ("doc:", ("main", "default")),
        ("lease:me:held", ("leases", "keys.lease")),
        ("me:held", ("main", "default")),
        ("", ("main", "default")),
    ] {
        assert_eq!(place(&router, &view, key), Some(expected), "{key}");
    }
    let web = router.view(&Program { user: "web-1", ..Program::default() }).unwrap();
    assert_eq!(place(&router, &web, "sess:1"), Some(("sessions", "web-sessions")));
    assert_eq!(place(&router, &web, "sess:"), Some(("main", "default")));
    let limiter = router.view(&Program { client: b"limiter", ..Program::default() }).unwrap();
    assert_eq!(place(&router, &limiter, "limit:1"), Some(("limits", "limits")));
    assert_eq!(place(&router, &limiter, "page:1"), Some(("pages", "pages")));
}

#[test]
fn keys_that_scripts_use_together_go_first() {
    let router = router(FRONT);
    let view = usual(&router);
    assert_eq!(place(&router, &view, "bull:old:1"), Some(("queues", "queues")));
    let together = |keys: &[&str]| {
        view.together(&mut keys.iter().map(|key| key.as_bytes()))
            .map(|target| router.route_name(target.route))
    };
    assert_eq!(together(&["bull:mail:wait", "bull:old:1"]), Some("queues"));
    assert_eq!(together(&["bull:mail:wait", "page:1"]), None);
    assert_eq!(
        together(&["celery"]),
        None,
        "celery's keys are of the route, and not of `together`"
    );
    assert_eq!(together(&[]), None);
}

#[test]
fn keys_of_two_groups_are_not_together() {
    let router = router(
        "[[front.route]]\nto = \"pages\"\ntogether = [\"a:*\"]\n\
         [[front.route]]\nto = \"main\"\ntogether = [\"*\"]\n",
    );
    let view = usual(&router);
    let together = |keys: [&str; 2]| view.together(&mut keys.iter().map(|key| key.as_bytes()));
    // `a:1` lives in pages, although the second group's pattern matches it too.
    assert_eq!(together(["a:1", "b:1"]), None);
    assert!(together(["a:1", "a:2"]).is_some() && together(["b:1", "b:2"]).is_some());
}

#[test]
fn scripts_without_keys_run_where_a_route_says() {
    let router = router(FRONT);
    let view = usual(&router);
    let route = |name: &str| view.script(name.as_bytes()).map(|t| router.route_name(t.route));
    assert_eq!(route("drain_all"), Some("queues"));
    assert_eq!(route("refill"), None);
    let sha = format!("00AA{}", "0F".repeat(18));
    assert_eq!(route(&sha), Some("queues"), "a SHA-1 is the same in capitals");
    assert_eq!(route("00AA"), None, "a function's name is not");
    // The SHA-1 of `return 1` is e0e1f9fabfc9d4800c877a703b823ac0578ff8db.
    let by_text = super::tests::router(
        "[[front.route]]\nto = \"pages\"\nscripts = [\"e0e1f9fabfc9d480*\"]\n",
    );
    let view = usual(&by_text);
    assert!(view.script_text(b"return 1").is_some() && view.script_text(b"return 2").is_none());
    assert!(usual(&router).script_text(b"return 1").is_none());
}

#[test]
fn an_index_has_only_the_routes_that_name_it() {
    let front = format!(
        "{FRONT}\n[[front.route]]\nname = \"second\"\nto = \"limits\"\nselect = [1, 2]\nkeys = [\"page:*\"]\n\
         [[front.route]]\nname = \"rest\"\nto = \"sessions\"\nselect = [2]\n\
         [[front.route]]\nname = \"own\"\nto = \"queues\"\nselect = [5]\nusers = [\"jobs\"]\nclients = [\"jobs\"]\n\
         flush = [\"queues\"]\n"
    );
    let router = router(&front);
    let view = |user, client, select| router.view(&Program { user, client, select });
    let first = view("default", b"", 1).unwrap();
    assert_eq!(place(&router, &first, "page:1"), Some(("limits", "second")));
    for key in ["celery", "doc:7:text", "bull:q:1", "other"] {
        assert_eq!(place(&router, &first, key), None, "{key} is of another index");
    }
    assert_eq!(names(&router, first.databases()), ["limits"]);
    assert_eq!((first.flush(), first.only()), (&[][..], None), "[front] flushes for index 0");
    let second = view("default", b"", 2).unwrap();
    assert_eq!(place(&router, &second, "page:1"), Some(("limits", "second")));
    assert_eq!(place(&router, &second, "other"), Some(("sessions", "rest")));
    assert!(view("default", b"", 3).is_none() && view("default", b"", 5).is_none());
    let zero = view("default", b"", 0).unwrap();
    assert_eq!(place(&router, &zero, "page:1"), Some(("pages", "pages")));
    assert_eq!(place(&router, &zero, "other"), Some(("main", "default")));
    // The name comes after the index: until then every key is refused.
    let unnamed = view("jobs", b"", 5).unwrap();
    assert_eq!(place(&router, &unnamed, "a"), None);
    assert_eq!((unnamed.databases(), names(&router, &[unnamed.home()])), (&[][..], vec!["queues"]));
    assert!(unnamed.flush().is_empty());
    let named = view("jobs", b"jobs", 5).unwrap();
    assert_eq!(place(&router, &named, "a"), Some(("queues", "own")));
    assert_eq!(names(&router, named.flush()), ["queues"]);
}

#[test]
fn a_view_knows_its_databases_its_home_and_its_only_place() {
    let router = router(FRONT);
    let view = usual(&router);
    assert_eq!(names(&router, view.databases()), ["main", "pages", "queues", "leases"]);
    assert_eq!((names(&router, &[view.home()]), view.only()), (vec!["main"], None));
    let only = super::tests::router("[front]\ndefault = \"pages\"\n");
    let view = usual(&only);
    assert_eq!(view.only(), view.route(b"anything"));
    assert!(view.only().is_some());
    let every = super::tests::router(
        "[front]\ndefault = \"main\"\n[[front.route]]\nto = \"queues\"\nusers = [\"jobs\"]\n\
         [[front.route]]\nto = \"pages\"\nkeys = [\"page:*\"]\n",
    );
    let jobs = every.view(&Program { user: "jobs", ..Program::default() }).unwrap();
    assert_eq!(place(&every, &jobs, "page:1"), Some(("queues", "queues")));
    assert_eq!(names(&every, jobs.databases()), ["queues"]);
    assert_eq!((jobs.only(), names(&every, &[jobs.home()])), (jobs.route(b"a"), vec!["queues"]));
    let patterns = super::tests::router("[[front.route]]\nto = \"pages\"\nkeys = [\"page:*\"]\n");
    let view = usual(&patterns);
    assert_eq!(
        (place(&patterns, &view, "a"), names(&patterns, &[view.home()])),
        (None, vec!["pages"])
    );
}

#[test]
fn databases_that_share_a_place_are_walked_once() {
    let router = router(
        "[front]\ndefault = \"two\"\n[[front.route]]\nto = \"one\"\nkeys = [\"a*\"]\n\
         [[front.route]]\nto = \"locks\"\nkeys = [\"lock:*\"]\n[[front.route]]\nto = \"leases\"\nkeys = [\"lease:*\"]\n",
    );
    assert_eq!(names(&router, usual(&router).databases()), ["leases", "locks", "one"]);
}

#[test]
fn the_first_route_of_a_program_that_says_what_is_flushed_decides() {
    let router = router(
        "[front]\ndefault = \"main\"\nflush = [\"pages\"]\n\
         [[front.route]]\nto = \"pages\"\nusers = [\"web\"]\nkeys = [\"page:*\"]\n\
         [[front.route]]\nto = \"sessions\"\nusers = [\"web\"]\nkeys = [\"s:*\"]\nflush = [\"sessions\", \"pages\"]\n\
         [[front.route]]\nto = \"limits\"\nusers = [\"guest\"]\nflush = []\n",
    );
    let flush = |user| {
        let view = router.view(&Program { user, ..Program::default() }).unwrap();
        names(&router, view.flush()).join(" ")
    };
    assert_eq!(
        (flush("web"), flush("guest"), flush("default")),
        ("sessions pages".into(), String::new(), "pages".into())
    );
}

#[test]
fn foreign_writes_get_a_lifetime_only_if_there_is_one() {
    let router = router(FRONT);
    let view = router.view(&Program { client: b"limiter", ..Program::default() }).unwrap();
    let terms = |key: &str| {
        let route = view.route(key.as_bytes()).unwrap().route;
        (view.contract(route), view.life(route))
    };
    let (hour, day) = (Duration::from_secs(3_600), Duration::from_secs(86_400));
    assert_eq!(terms("page:1"), (FrontContract::Repair, Some(day)));
    assert_eq!(terms("doc:7:text"), (FrontContract::Repair, Some(2 * hour)));
    assert_eq!(terms("limit:1"), (FrontContract::Observe, None));
    assert_eq!(terms("celery"), (FrontContract::Refuse, None));
    assert_eq!(terms("other"), (FrontContract::Observe, None));
}

#[test]
fn programs_with_the_same_routes_share_a_view() {
    let router = router(FRONT);
    let view = |user, client| router.view(&Program { user, client, select: 0 }).unwrap();
    assert!(Arc::ptr_eq(&view("default", b""), &view("someone", b"else")));
    assert!(Arc::ptr_eq(&view("web1", b"a"), &view("web2", b"b")));
    assert!(!Arc::ptr_eq(&view("web1", b"a"), &view("web1", b"limiter")));
}

#[test]
fn a_router_that_cannot_work_says_what_to_change() {
    for (front, says) in [
        ("", "set front.default"),
        (
            "[[front.route]]\nto = \"main\"\nprograms = [\"celry\"]\n",
            "no program \"celry\" is known",
        ),
        (
            "[[front.route]]\nto = \"locks\"\nprograms = [\"lockers\"]\n",
            "keys of lockers such as other:{name} do not begin with it",
        ),
    ] {
        let error = try_router(front).unwrap_err().to_string();
        assert!(error.contains(says), "{error}");
    }
}

#[test]
fn an_explanation_reads_well_in_eighty_columns() {
    let front = format!(
        "{FRONT}\n[[front.route]]\nname = \"a-long-name-of-a-route-for-index-two\"\nto = \"sessions\"\nselect = [2]\n\
         keys = [\"x:*\"]\n"
    );
    let router = router(&front);
    let program = Program { user: "web1", client: b"lim\x1biter", select: 0 };
    let shown = router.explain(&program, b"doc:7:text").to_string();
    assert_eq!(
        shown,
        "doc:7:text lives in pages: index 1 of primary, cache, default TTL 1 d\n\
         taken by keys.document: doc:{id}:text\n\
         for a program logged in as web1, named lim\\x1biter\n\
         \n\
         routes before it:\n\
         \x20 pages                takes page:*, bull:old:*\n\
         \x20 web-sessions         takes sess:{id}\n\
         \x20 queues               takes bull:{*}*, _kombu.binding.*, celery, unacked*\n\
         \x20 limits               is for programs named limiter\n\
         \x20 a-long-name-of-a-route-for-index-two\n\
         \x20                      is for index 2\n"
    );
    let by = |program: &Program<'_>, key: &str| router.explain(program, key.as_bytes()).to_string();
    let usual = Program::default();
    for (text, says) in [
        (by(&usual, "bull:old:1"), "the route queues: together = bull:{*}*"),
        (by(&usual, "bull:old:1"), "would take it, but keys of `together` are taken first"),
        (by(&usual, "celery"), "the route queues: celery is of celery"),
        (by(&usual, "a"), "no route takes it, so it goes to the default"),
        (by(&Program { select: 2, ..usual }, "a"), "a is refused"),
        (by(&Program { select: 2, ..usual }, "a"), "select = [2]"),
        (by(&Program { select: 3, ..usual }, "a"), "may not select index 3"),
        (by(&usual, "\n\u{202e}"), "\\x0a\\xe2\\x80\\xae lives in main"),
    ] {
        assert!(text.contains(says), "{text}");
        assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
    }
    let long = by(&usual, &"k".repeat(200));
    assert!(long.starts_with(&"k".repeat(200)), "a key is in one piece, to be copied: {long}");
}

#[test]
fn an_explanation_is_data_too() {
    let router = router(FRONT);
    let explanation = router.explain(&Program::default(), b"page:1\xff");
    let json = serde_json::to_value(&explanation).unwrap();
    assert_eq!(json["key"], "page:1\\xff");
    assert_eq!((&json["place"]["database"], &json["place"]["index"]), (&"pages".into(), &1.into()));
    assert_eq!(
        (&json["by"], &json["route"], &json["pattern"]),
        (&"keys".into(), &"pages".into(), &"page:*".into())
    );
    let json = serde_json::to_value(router.explain(&Program::default(), b"sess:1")).unwrap();
    assert_eq!(json["before"][1]["why"], "user");
    assert_eq!(json["before"][1]["users"][0], "web*");
}
