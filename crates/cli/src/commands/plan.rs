//! `compartment plan`: which keys go to which database, as a file to review and change.

use std::collections::BTreeMap;
use std::io::Write;

use compartment_admin::{
    AnalyzeOptions, Limits, Place, Plan, PlanPlaces, Verdict, advice, analyze, propose,
};

use crate::args::{self, General};
use crate::commands::keeping;
use crate::exit_code::{CliError, ExitCode};
use crate::key_progress::KeyProgress;
use crate::settings::Settings;
use crate::{places, screen, settings};

pub(crate) async fn run(
    general: &General,
    command: args::PlanArguments,
) -> Result<ExitCode, CliError> {
    let path = &command.output;
    if path.exists() && !command.force {
        return Err(CliError::new(ExitCode::Files, format!("{} is there already", path.display()))
            .hint("--force replaces it, -o names another file"));
    }
    let settings = settings::load(general)?;
    let source = places::resolve_in(&settings, &command.from).await?;
    let targets = targets(&settings).await;
    let progress = KeyProgress::new();
    let limits: Limits = command.load.into();
    let mut options = AnalyzeOptions::default();
    options.limits = limits;
    options.rules = settings.map.keys().clone();
    let work = async {
        let analysis = analyze(&source, &options, &progress).await?;
        let places = PlanPlaces { source: source.clone(), targets: targets.clone() };
        propose(&analysis, &settings.map, Some(&places), limits, &progress).await
    };
    let result = work.await;
    progress.clear();
    let plan = result?;
    let text = plan.to_toml().map_err(|problem| CliError::new(ExitCode::Other, problem))?;
    write(path, &text, command.force)?;
    if command.json {
        screen::say(serde_json::to_string_pretty(&plan).unwrap_or_default());
        return Ok(ExitCode::Success);
    }
    show(&plan);
    keeping::tell_of_targets(&plan, &source, &targets).await?;
    show_advice(&plan, &settings);
    screen::say(format!(
        "\nwritten to {}; next: compartment migrate --plan {} --dry-run",
        path.display(),
        path.display()
    ));
    Ok(ExitCode::Success)
}

/// The databases of the map that can be reached; of the others it is said.
async fn targets(settings: &Settings) -> BTreeMap<String, Place> {
    let mut targets = BTreeMap::new();
    for contract in settings.map.databases() {
        match places::resolve_in(settings, &contract.name).await {
            Ok(place) => {
                targets.insert(contract.name.clone(), place);
            }
            Err(error) => screen::remark(format!("{}: {error}", contract.name)),
        }
    }
    targets
}

/// A file that appeared meanwhile is not replaced either.
fn write(path: &std::path::Path, text: &str, force: bool) -> Result<(), CliError> {
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(!force).create(true).truncate(force);
    let written = options.open(path).and_then(|mut file| file.write_all(text.as_bytes()));
    written.map_err(|error| CliError::files("write", path, &error))
}

fn show(plan: &Plan) {
    let mut table =
        screen::table(&["group", "written by", "keys", "memory", "verdict", "to"], &[2, 3]);
    for group in &plan.groups {
        let to = match group.verdict {
            Verdict::Stay => "",
            Verdict::Move | Verdict::Drain => group.database.as_str(),
        };
        table.add_row([
            group.name.clone(),
            screen::producer(&group.producer, group.perhaps),
            screen::count(group.keys),
            screen::bytes(group.bytes),
            verdict(group.verdict).to_owned(),
            to.to_owned(),
        ]);
    }
    screen::say(table.to_string());
    let collisions: u64 = plan.groups.iter().map(|group| group.collisions).sum();
    if collisions > 0 {
        screen::say(format!(
            "\n{}{} names stand in their target already{:#}: those keys would stay behind",
            screen::BAD,
            screen::count(collisions),
            screen::BAD
        ));
    }
    // A group without a place to go to is worth a line here; the file has every other reason.
    let homeless = |group: &&compartment_admin::Group| {
        group.verdict == Verdict::Stay && !group.producer.is_empty() && group.database.is_empty()
    };
    let homes: Vec<String> = plan
        .groups
        .iter()
        .filter(homeless)
        .filter(|group| group.notes.iter().any(|note| note.starts_with("no database of the map")))
        .map(|group| {
            format!(
                "{} has nowhere to go: add a database for {} to the configuration, and plan again",
                group.name, group.purpose
            )
        })
        .collect();
    for note in plan.notes.iter().chain(&homes) {
        // Wrapped before it is coloured: colours take no columns.
        let text = screen::wrapped(&format!("note: {note}"));
        let text = text.trim_start_matches("note:");
        screen::say(format!("\n{}note:{:#}{text}", screen::STRONG, screen::STRONG));
    }
}

fn verdict(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Move => "move",
        Verdict::Drain => "drain",
        Verdict::Stay => "stay",
    }
}

fn show_advice(plan: &Plan, settings: &Settings) {
    let list = advice(plan, &settings.map);
    if list.is_empty() {
        return;
    }
    screen::say("\nwhat the programs need, when their keys move:");
    for advice in list {
        screen::say(format!("  {}, {}:", advice.program, advice.file));
        for line in advice.lines {
            screen::say(format!("    {line}"));
        }
    }
}
