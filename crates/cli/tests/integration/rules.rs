//! The rules and the dashboard of `deploy/`: they ask for metrics that exist, and promtool accepts them.

#![expect(clippy::unwrap_used, reason = "a failure here is a failed test")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The names of metrics in a text, without the prefix.
fn names(text: &str) -> BTreeSet<&str> {
    let parts = text.split("compartment_").skip(1);
    let is_part =
        |letter: char| letter.is_ascii_lowercase() || letter.is_ascii_digit() || letter == '_';
    parts.map(|part| part.split(|letter| !is_part(letter)).next().unwrap()).collect()
}

#[test]
fn rules_and_panels_ask_for_metrics_that_exist() {
    let folder = root().join("crates/operations/src/prometheus");
    let sources =
        fs::read_dir(folder).unwrap().map(|file| fs::read_to_string(file.unwrap().path()).unwrap());
    let sources: String = sources.collect();
    for file in ["prometheus/alerts.yml", "grafana/compartment.json"] {
        let text = fs::read_to_string(root().join("deploy").join(file)).unwrap();
        let asked = names(&text);
        assert!(asked.len() > 10, "{asked:?}");
        for name in asked {
            let family = name.strip_suffix("_bucket").unwrap_or(name);
            assert!(sources.contains(&format!("\"{family}\"")), "{file} asks for {name}");
        }
    }
}

#[test]
fn the_dashboard_is_json_whose_panels_do_not_lie_on_one_another() {
    let text = fs::read_to_string(root().join("deploy/grafana/compartment.json")).unwrap();
    let dashboard: serde_json::Value = serde_json::from_str(&text).unwrap();
    let mut taken = BTreeSet::new();
    for panel in dashboard["panels"].as_array().unwrap() {
        let at = |side: &str| panel["gridPos"][side].as_u64().unwrap();
        for x in at("x")..at("x") + at("w") {
            for y in at("y")..at("y") + at("h") {
                assert!(x < 24 && taken.insert((x, y)), "{}", panel["title"]);
            }
        }
    }
}

#[test]
fn promtool_accepts_each_rule_and_each_alert_fires() {
    if Command::new("promtool").arg("--version").output().is_err() {
        eprintln!("skipped: promtool is not installed; .ci/run installs it");
        return;
    }
    let folder = root().join("deploy/prometheus");
    let promtool = |arguments: &[&str]| {
        let output =
            Command::new("promtool").args(arguments).current_dir(&folder).output().unwrap();
        let said = [output.stdout, output.stderr].concat();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&said));
    };
    promtool(&["check", "rules", "alerts.yml"]);
    promtool(&["test", "rules", "alerts_test.yml"]);
    let text = |name: &str| fs::read_to_string(folder.join(name)).unwrap();
    let (rules, cases) = (text("alerts.yml"), text("alerts_test.yml"));
    let alerts = rules.lines().filter_map(|line| line.trim().strip_prefix("- alert: "));
    for alert in alerts {
        assert!(cases.contains(&format!("  - name: {alert}\n")), "{alert} has no case");
    }
}
