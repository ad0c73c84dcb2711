//! What is read from the sample papers: the people, companies, courts and cases they were written about.

#![expect(clippy::unwrap_used, reason = "a sample that cannot be read is a failed test")]

use std::sync::LazyLock;

use compartment_documents::model::{CanonicalEntity, EntityKind};
use compartment_documents::{
    ExtractOptions, Resolution, extract, mentions, resolve, resolve_across,
};

/// The samples that have a text layer, read and joined.
static SAMPLES: LazyLock<Resolution> = LazyLock::new(|| {
    let mut options = ExtractOptions::default();
    options.ocr = false;
    let mut paths: Vec<_> = std::fs::read_dir("../../samples")
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| {
            let name = path.file_name().unwrap().to_string_lossy();
            name.starts_with(|c: char| c.is_ascii_digit()) && !name.contains("scanned")
        })
        .collect();
    paths.sort();
    let documents: Vec<_> = paths
        .iter()
        .map(|path| {
            let name = path.file_name().unwrap().to_string_lossy();
            let read = extract(&std::fs::read(path).unwrap(), &name, &options).unwrap();
            resolve(&name, mentions(&read.text))
        })
        .collect();
    assert_eq!(documents.len(), 16);
    resolve_across(&documents)
});

/// The entities of a kind whose name, or an alias, holds `part`.
fn named(kind: EntityKind, part: &str) -> Vec<&'static CanonicalEntity> {
    let bears = |name: &String| name.contains(part);
    SAMPLES
        .entities
        .iter()
        .filter(|e| e.kind == kind && (bears(&e.name) || e.aliases.iter().any(bears)))
        .collect()
}

#[test]
fn the_people_are_each_one() {
    let judges = named(EntityKind::Judge, "Oyelaran");
    let judge = judges.iter().find(|judge| judge.name == "Miriam T. Oyelaran").unwrap();
    assert!(judge.documents.len() >= 8, "{judge:?}");
    for name in [
        "Eleanor V. Pruitt",
        "Marcus D. Okonjo-Reyes",
        "Gideon S. Marchetti",
        "Rosalind J. Achterberg",
    ] {
        let found = named(EntityKind::Lawyer, name);
        assert!(found.len() == 1 && found[0].name == name, "{name}: {found:?}");
    }
}

#[test]
fn a_cited_case_is_one_whatever_reporters_print_it() {
    for (case, least) in [("Iqbal", 3), ("Twombly", 3)] {
        let found = named(EntityKind::Case, case);
        let max = found.iter().max_by_key(|case| case.documents.len()).unwrap();
        assert!(max.documents.len() >= least && max.name.contains("U.S."), "{found:?}");
    }
}
