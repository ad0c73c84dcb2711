//! Checks that both backends have equally named files for the stores.

use std::collections::BTreeSet;

use super::{Findings, TextFile};

const STORES: &str = "crates/core/src/stores/";
const BACKENDS: [&str; 2] = ["crates/memory-backend/src/", "crates/redis-backend/src/"];
/// Files of a backend other than those of the stores.
const BESIDES: [&str; 4] = ["lib.rs", "backend.rs", "config.rs", "error.rs"];

pub(super) fn check(files: &[TextFile], findings: &mut Findings) {
    let mut wanted: BTreeSet<String> = BESIDES.map(str::to_owned).into();
    let declares = |file: &&TextFile| file.path.starts_with(STORES) && declares_a_store(&file.text);
    wanted.extend(files.iter().filter(declares).map(|file| format!("stores/{}", file.name())));
    for backend in BACKENDS {
        for name in &wanted {
            if !files.iter().any(|file| file.path.strip_prefix(backend) == Some(name.as_str())) {
                findings.error(format!("{backend}{name}: is missing; every backend has one"));
            }
        }
    }
}

/// Whether the file declares a trait for backends: `pub trait SomethingStore:`.
fn declares_a_store(text: &str) -> bool {
    text.lines().filter_map(|line| line.strip_prefix("pub trait ")).any(|rest| {
        let end = rest.find(|c: char| !c.is_alphanumeric()).unwrap_or(rest.len());
        rest[..end].ends_with("Store")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_store_is_a_trait_to_implement_and_not_its_short_forms() {
        assert!(declares_a_store("/// Hashes.\npub trait HashStore: Send {\n"));
        assert!(!declares_a_store("pub trait HashStoreExt: HashStore {}\n"));
        assert!(!declares_a_store("pub struct HashStore;\n"));
    }

    #[test]
    fn a_store_that_one_backend_lacks_is_named() {
        let file = |path: String, text: &str| TextFile { path, text: text.to_owned() };
        let mut files = vec![file(format!("{STORES}queue.rs"), "pub trait QueueStore: Send {\n")];
        for backend in BACKENDS {
            files.extend(BESIDES.map(|name| file(format!("{backend}{name}"), "")));
        }
        files.push(file(format!("{}stores/queue.rs", BACKENDS[0]), ""));
        let mut findings = Findings::default();
        check(&files, &mut findings);
        let missing = format!("{}stores/queue.rs: is missing; every backend has one", BACKENDS[1]);
        assert_eq!(findings.errors, [missing]);
    }
}
