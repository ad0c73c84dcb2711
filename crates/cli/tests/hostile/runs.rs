//! Whole runs over papers that expand, recurse, and take for ever.

use std::path::Path;

use compartment_testkit::{TestRedis, run_test};

use super::papers;
use crate::program::{Run, json, paper, run};

/// Each paper with the codes that it may fail with.
fn hostile() -> Vec<(&'static str, Vec<u8>, &'static [&'static str])> {
    vec![
        ("content.pdf", papers::content_that_expands(), &["out_of_memory"]),
        ("form.pdf", papers::form_that_expands(), &["out_of_memory"]),
        ("image.pdf", papers::image_that_expands(), &["out_of_memory"]),
        ("objects.pdf", papers::object_stream_that_expands(), &["out_of_memory"]),
        ("table.pdf", papers::table_that_expands(), &["out_of_memory"]),
        ("function.pdf", papers::nested_function(), &["reader_failed"]),
        ("forms.pdf", papers::forms_that_draw_nothing(), &["timed_out"]),
        ("long.txt", papers::long_text(), &["result_too_large"]),
    ]
}

/// Papers that a reader may get through: their text, if any, is that of a strange paper.
fn strange() -> Vec<(&'static str, Vec<u8>)> {
    vec![
        ("font.pdf", papers::font_that_expands()),
        ("arrays.pdf", papers::nested_arrays()),
        ("trailers.pdf", papers::trailers_without_end()),
        ("nested.html", papers::nested_html()),
    ]
}

/// Memory of the program itself, in any of these runs.
const MAX_PEAK: u64 = 300 * 1024 * 1024;

const GOOD: usize = 6;

/// Fills a folder with good papers.
fn fill(folder: &Path) {
    std::fs::create_dir_all(folder).unwrap();
    for number in 0..GOOD {
        std::fs::write(folder.join(format!("good-{number}.txt")), paper(number)).unwrap();
    }
}

/// Limits under which the papers do harm soon.
const LIMITS: [&str; 4] = ["--reader-mib", "256", "--read-timeout", "20s"];

fn with_limits<'a>(arguments: &[&'a str]) -> Vec<&'a str> {
    [arguments, &LIMITS].concat()
}

#[test]
fn each_hostile_paper_fails_alone_with_its_code() {
    let folder = tempfile::tempdir().unwrap();
    let folder_of = folder.path().join("papers");
    fill(&folder_of);
    for (name, bytes, _) in hostile() {
        std::fs::write(folder_of.join(name), bytes).unwrap();
    }
    for (name, bytes) in strange() {
        std::fs::write(folder_of.join(name), bytes).unwrap();
    }
    let done = run(folder.path(), &with_limits(&["ingest", "papers", "--json"]));
    assert_eq!(done.code, 3, "{}", done.err);
    assert_eq!(done.err, "");
    let report = json(&done);
    let code = |name: &str| {
        let failures = report["failures"].as_array().unwrap();
        let failure = failures.iter().find(|failure| failure["document"] == name);
        failure.and_then(|failure| failure["code"].as_str())
    };
    for (name, _, codes) in hostile() {
        let code = code(name).unwrap_or("done");
        assert!(codes.contains(&code), "{name}: {code}\n{:#}", report["failures"]);
    }
    for number in 0..GOOD {
        assert_eq!(code(&format!("good-{number}.txt")), None);
    }
    assert!(report["documents"]["done"].as_u64().unwrap() >= GOOD as u64, "{report:#}");
    let peak = report["peak_memory_bytes"].as_u64().unwrap();
    assert!(peak < MAX_PEAK, "{peak} bytes of memory");
}

#[test]
#[ignore = "needs redis-server"]
fn a_worker_outlives_what_its_readers_do_not() {
    let folder = tempfile::tempdir().unwrap();
    let folder_of = folder.path().join("papers");
    fill(&folder_of);
    std::fs::write(folder_of.join("content.pdf"), papers::content_that_expands()).unwrap();
    std::fs::write(folder_of.join("function.pdf"), papers::nested_function()).unwrap();
    run_test(async {
        let server = TestRedis::start().await;
        let url = server.url();
        let here = |arguments: &[&str]| -> Run {
            run(folder.path(), &[arguments, &["--backend", &url]].concat())
        };
        let submitted = here(&["batch", "submit", "b", "papers"]);
        assert_eq!(submitted.code, 0, "{}", submitted.err);
        let worked = here(&with_limits(&["worker", "--batch", "b", "--until-finished", "--json"]));
        assert_eq!(worked.code, 3, "{}", worked.err);
        assert!(!worked.err.contains("restarting"), "{}", worked.err);
        let batch = json(&here(&["batch", "show", "b", "--json"]));
        assert_eq!((&batch["done"], &batch["dead"]), (&GOOD.into(), &2.into()), "{batch:#}");
        let mut codes: Vec<_> = batch["failures"].as_array().unwrap().iter().collect();
        codes.sort_by_key(|failure| failure["code"].to_string());
        let codes: Vec<_> = codes.iter().map(|failure| &failure["code"]).collect();
        assert_eq!(codes, ["out_of_memory", "reader_failed"]);
    });
}
