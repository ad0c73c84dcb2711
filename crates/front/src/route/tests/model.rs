//! Routing against a naive reading of its rules.

use std::collections::BTreeSet;

use compartment_core::KeyPattern;
use compartment_core::backend::glob_matches;
use proptest::prelude::*;

use super::super::{Program, Taken};
use super::{names, place, router};

/// A route as a property tells it.
#[derive(Clone, Debug)]
struct Any {
    to: usize,
    keys: Vec<String>,
    together: Vec<String>,
    user: Option<&'static str>,
    client: Option<&'static str>,
    select: Vec<u32>,
}

const NAMES: [&str; 4] = ["main", "pages", "queues", "sessions"];

fn any_route() -> impl Strategy<Value = Any> {
    let pattern = "[ab]{0,2}(\\*|\\{x\\}|a)[ab]{0,1}";
    (
        0..NAMES.len(),
        prop::collection::vec(pattern, 0..3),
        prop::collection::vec(pattern, 0..2),
        prop::option::of(prop::sample::select(vec!["web*", "web1", "[^w]*"])),
        prop::option::of(prop::sample::select(vec!["", "c?"])),
        prop::collection::vec(0_u32..3, 0..2),
    )
        .prop_map(|(to, keys, together, user, client, select)| Any {
            to,
            keys,
            together,
            user,
            client: client.filter(|glob| !glob.is_empty()),
            select,
        })
}

impl Any {
    fn text(&self, at: usize) -> String {
        let list = |one: Option<&'static str>| one.into_iter().collect::<Vec<_>>();
        format!(
            "[[front.route]]\nname = \"r{at}\"\nto = {:?}\nkeys = {:?}\ntogether = {:?}\nusers = {:?}\nclients = {:?}\n\
             select = {:?}\n",
            NAMES[self.to],
            self.keys,
            self.together,
            list(self.user),
            list(self.client),
            self.select
        )
    }

    fn is_for(&self, program: &Program<'_>) -> bool {
        let glob = |glob: Option<&str>, text: &[u8]| {
            glob.is_none_or(|glob| glob_matches(glob.as_bytes(), text))
        };
        let index = match self.select.as_slice() {
            [] => program.select == 0,
            select => select.contains(&program.select),
        };
        index && glob(self.user, program.user.as_bytes()) && glob(self.client, program.client)
    }
}

fn matches(patterns: &[String], key: &[u8]) -> bool {
    patterns.iter().any(|text| KeyPattern::parse(text).unwrap().matches(key))
}

/// Routing by trying everything, as the rules are written down.
fn model(routes: &[Any], program: &Program<'_>, key: &[u8]) -> Option<(usize, String)> {
    let fitting = || routes.iter().enumerate().filter(|(_, route)| route.is_for(program));
    let together = fitting().find(|(_, route)| matches(&route.together, key));
    let taken = together.or_else(|| {
        fitting().find(|(_, route)| {
            let is_any = route.keys.is_empty() && route.together.is_empty();
            is_any || matches(&route.keys, key)
        })
    });
    match taken {
        Some((at, route)) => Some((route.to, format!("r{at}"))),
        None if program.select != 0 => None,
        None if key.starts_with(b"ab") && key.len() > 2 => Some((1, "keys.t".to_owned())),
        None => Some((0, "default".to_owned())),
    }
}

proptest! {
    #[test]
    fn routes_are_as_a_naive_reading_of_the_rules(
        routes in prop::collection::vec(any_route(), 0..6),
        keys in prop::collection::vec("[abc]{0,5}", 12),
        user in prop::sample::select(vec!["default", "web1", "web2"]),
        client in prop::sample::select(vec!["", "c1", "other"]),
        select in 0_u32..4,
    ) {
        let is_bare = |route: &&Any| {
            route.keys.is_empty() && route.together.is_empty() && route.user.is_none()
                && route.client.is_none() && route.select.is_empty()
        };
        let routes: Vec<Any> = routes.iter().filter(|route| !is_bare(route)).cloned().collect();
        let texts: Vec<String> = routes.iter().zip(0..).map(|(route, at)| route.text(at)).collect();
        let front = format!(
            "[front]\ndefault = \"main\"\n{}[keys.t]\ntemplate = \"ab{{x}}\"\ndatabase = \"pages\"\n",
            texts.join("")
        );
        let router = router(&front);
        let program = Program { user, client: client.as_bytes(), select };
        let Some(view) = router.view(&program) else {
            let named = routes.iter().any(|route| Any { client: None, ..route.clone() }.is_for(&program));
            prop_assert!(select != 0 && !named);
            for key in &keys {
                prop_assert_eq!(router.explain(&program, key.as_bytes()).by, Taken::NoSuchIndex);
            }
            return Ok(());
        };
        let seen: BTreeSet<&str> = names(&router, view.databases()).into_iter().collect();
        for key in &keys {
            let expected = model(&routes, &program, key.as_bytes());
            let expected = expected.as_ref().map(|(to, route)| (NAMES[*to], route.as_str()));
            let found = place(&router, &view, key);
            prop_assert_eq!(found, expected, "{}", key);
            let explained = router.explain(&program, key.as_bytes());
            prop_assert_eq!(explained.by.route(), found.map(|(_, route)| route));
            let database = explained.place.as_ref().map(|place| place.database.as_str());
            prop_assert_eq!(database, found.map(|(database, _)| database));
            prop_assert!(found.is_none_or(|(database, _)| seen.contains(database)));
            if let Some(only) = view.only() {
                prop_assert_eq!(view.route(key.as_bytes()), Some(only));
            }
        }
    }
}
