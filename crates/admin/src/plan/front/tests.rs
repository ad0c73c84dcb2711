//! Configurations of fronts for plans.

use super::*;
use crate::{PlanSource, PlanTarget};

const DATABASES: &str = r#"
    [instances.primary]
    url = "redis://:s3cret@127.0.0.1:6379"
    [instances.far]
    url = "redis://127.0.0.1:6399"
    [databases]
    main = { instance = "primary", index = 0, kind = "durable" }
    pages = { instance = "primary", index = 1, kind = "cache", default_ttl = "1d" }
    queues = { instance = "primary", index = 2, kind = "durable" }
    boxed = { instance = "primary", index = 3, prefix = "box:", kind = "durable" }
    away = { instance = "far", index = 0, kind = "durable" }
"#;

fn map(more: &str) -> DatabaseMap {
    DatabaseMapBuilder::toml(&format!("{DATABASES}{more}")).unwrap().build().unwrap()
}

fn group(name: &str, producer: &str, database: &str, patterns: &[&str]) -> Group {
    let verdict = if database.is_empty() { Verdict::Stay } else { Verdict::Move };
    let patterns = patterns.iter().map(|text| (*text).to_owned()).collect();
    Group {
        producer: producer.into(),
        database: database.into(),
        ..Group::new(name, verdict, patterns)
    }
}

fn plan(groups: Vec<Group>) -> Plan {
    let source = PlanSource {
        server: "redis://:***@127.0.0.1:6379".into(),
        index: 0,
        prefix: String::new(),
        keys: 7,
        made: String::new(),
    };
    let targets: Vec<PlanTarget> = Vec::new();
    Plan { version: 1, notes: Vec::new(), source, targets, groups }
}

fn near() -> BTreeSet<String> {
    ["main", "pages", "queues", "boxed"].map(str::to_owned).into()
}

fn drafted(map: &DatabaseMap, groups: Vec<Group>) -> (DatabaseMap, FrontDraft) {
    let draft = draft(&plan(groups), map, &near()).unwrap();
    let read = DatabaseMapBuilder::toml(&draft.text).unwrap().build().unwrap();
    (read, draft)
}

#[test]
fn each_group_that_moves_has_a_route_and_brings_its_keys() {
    let celery = program_patterns("celery-results").unwrap();
    let celery: Vec<&str> = celery.iter().map(String::as_str).collect();
    let (map, draft) = drafted(
        &map(""),
        vec![
            group("celery-results", "Celery", "away", &[celery.as_slice(), &["own-*"]].concat()),
            group("bullmq", "BullMQ", "queues", &["bull:*"]),
            group("page:{int}", "", "pages", &["page:[0-9]*", "{a}\\xff\\x06*"]),
            group("page:{id}", "", "queues", &["page:*"]),
            group("other", "", "", &["*"]),
        ],
    );
    let front = map.front();
    assert_eq!(front.default.as_deref(), Some("main"));
    let [results, bull, pages, more] = front.routes.as_slice() else { panic!("{front:?}") };
    assert_eq!(
        (results.programs.as_slice(), results.keys.as_slice()),
        (&["celery-results".to_owned()][..], &["own-*".to_owned()][..])
    );
    assert_eq!((bull.together.as_slice(), bull.keys.len()), (&["bull:*".to_owned()][..], 0));
    assert_eq!(pages.keys, ["page:[0-9]*", "\\{a}?\u{6}*"]);
    assert_eq!((pages.name.as_str(), more.name.as_str()), ("page--int", "page--id"));
    let previous = |name: &str| map.database(name).unwrap().previous.clone();
    assert_eq!(previous("pages").unwrap().patterns, ["page:[0-9]*", "{a}?\u{6}*"]);
    assert_eq!(previous("queues").unwrap().patterns, ["bull:*", "page:*"]);
    assert_eq!((previous("away"), previous("main")), (None, None));
    assert!(draft.notes.iter().any(|note| note.contains("away is on another server")), "{draft:?}");
    assert!(draft.notes.iter().any(|note| note.starts_with("bullmq: its scripts")), "{draft:?}");
    assert!(!draft.text.contains("s3cret"), "{}", draft.text);
}

#[test]
fn keys_that_stay_have_a_route_only_where_a_later_one_would_take_them() {
    let (map, _) = drafted(
        &map(""),
        vec![
            group("held", "", "", &["page:lock:*"]),
            group("elsewhere", "", "", &["job:*"]),
            group("pages", "", "pages", &["page:*"]),
        ],
    );
    let routes: Vec<(&str, &str)> =
        map.front().routes.iter().map(|route| (route.name.as_str(), route.to.as_str())).collect();
    assert_eq!(routes, [("held", "main"), ("pages", "pages")]);
}

#[test]
fn guesses_name_no_program_and_names_are_unique() {
    let all = program_patterns("celery-results").unwrap();
    let all: Vec<&str> = all.iter().map(String::as_str).collect();
    let guess = Group { perhaps: true, ..group("celery-results", "Celery", "pages", &all) };
    let (map, _) = drafted(
        &map(""),
        vec![
            guess,
            group("{a}", "", "pages", &["a"]),
            group("[a]", "", "pages", &["b"]),
            group("default", "", "pages", &["c"]),
        ],
    );
    let front = map.front();
    assert_eq!((front.routes[0].programs.len(), front.routes[0].keys.len()), (0, all.len()));
    let names: Vec<&str> = front.routes.iter().map(|route| route.name.as_str()).collect();
    assert_eq!(names, ["celery-results", "a", "a-2", "default-2"]);
}

#[test]
fn a_cache_that_its_program_flushes_may_be_flushed() {
    let django = || vec![group("django-cache", "Django cache", "pages", &[":[0-9]*:*"])];
    let (read, draft) = drafted(&map(""), django());
    assert_eq!(read.front().flush, ["pages"]);
    assert!(draft.notes.iter().any(|note| note.contains("FLUSHDB empties pages")), "{draft:?}");
    let shared = DATABASES.replace("default_ttl = \"1d\"", "default_ttl = \"1d\", shared = true")
        + "other = { instance = \"primary\", index = 1, kind = \"durable\", shared = true }\n";
    let shared = DatabaseMapBuilder::toml(&shared).unwrap().build().unwrap();
    assert!(drafted(&shared, django()).0.front().flush.is_empty());
}

#[test]
fn a_source_without_a_name_gets_one() {
    let without = |text: &str| DatabaseMapBuilder::toml(text).unwrap().build().unwrap();
    let text = DATABASES.replace(
        "main = { instance = \"primary\", index = 0",
        "main = { instance = \"primary\", index = 9",
    );
    let (map, _) = drafted(&without(&text), vec![group("pages", "", "pages", &["page:*"])]);
    assert_eq!(map.front().default.as_deref(), Some("rest"));
    let rest = map.database("rest").unwrap();
    assert_eq!((rest.placement.index(), rest.placement.instance()), (0, "primary"));
    assert_eq!(rest.kind, DatabaseKind::Durable);
    // Without a database on its server, the address tells the instance.
    let far = draft(&plan(Vec::new()), &without(&text), &BTreeSet::new()).unwrap();
    assert!(far.text.contains("rest"), "{}", far.text);
    let mut elsewhere = plan(Vec::new());
    elsewhere.source.server = "redis://elsewhere".into();
    let error = draft(&elsewhere, &without(&text), &BTreeSet::new()).unwrap_err().to_string();
    assert!(error.contains("[instances.NAME]"), "{error}");
}

#[test]
fn routes_of_the_map_stay_first_and_are_not_repeated() {
    let front = "[front]\ndefault = \"queues\"\nlisten = \"127.0.0.1:7000\"\n\
                 [[front.route]]\nname = \"page\"\nto = \"pages\"\nkeys = [\"page:*\"]\n";
    let map = map(front);
    let groups = vec![
        group("page", "", "pages", &["page:*", "side:*"]),
        group("job", "", "queues", &["page:*"]),
    ];
    let (read, _) = drafted(&map, groups);
    let front = read.front();
    assert_eq!(
        (front.default.as_deref(), front.listen[0].as_str()),
        (Some("queues"), "127.0.0.1:7000")
    );
    let routes: Vec<(&str, &[String])> =
        front.routes.iter().map(|route| (route.name.as_str(), route.keys.as_slice())).collect();
    assert_eq!(
        routes,
        [("page", &["page:*".to_owned()][..]), ("page-2", &["side:*".to_owned()][..])]
    );
}

#[test]
fn what_a_front_cannot_tell_apart_is_refused_or_noted() {
    let map = map("");
    let except = Group { except: vec!["page:1*".into()], ..group("a", "", "pages", &["page:*"]) };
    let error = draft(&plan(vec![except]), &map, &near()).unwrap_err().to_string();
    assert!(error.contains("routes have no `except`"), "{error}");
    let broken = group("a", "", "pages", &["page:[*"]);
    let error = draft(&plan(vec![broken]), &map, &near()).unwrap_err().to_string();
    assert!(error.contains("group \"a\"") && error.contains("\\["), "{error}");
    let mut prefixed = plan(Vec::new());
    prefixed.source.prefix = "app:".into();
    let error = draft(&prefixed, &map, &near()).unwrap_err().to_string();
    assert!(error.contains("routes whole indexes"), "{error}");
    let (read, draft) =
        drafted(&map, vec![group("boxes", "", "boxed", &["b:*"]), group("b", "", "pages", &["*"])]);
    assert!(draft.notes[0].contains("boxes has no route"), "{draft:?}");
    // Its keys stay, whatever takes the others.
    assert_eq!(read.front().routes[0].to, "main");
}
