//! `compartment plan`: proposes a database for each group of keys, as a file to review and edit.

use std::collections::BTreeMap;
use std::io::Write;

use compartment_admin::{
    AnalyzeOptions, FrontDraft, Group, Limits, Place, Plan, PlanPlaces, Verdict, advice, analyze,
    front_for, propose, shell_word,
};

use crate::args::{self, General};
use crate::commands::keeping;
use crate::exit_code::{CliError, ExitCode};
use crate::key_progress::KeyProgress;
use crate::settings::Settings;
use crate::singles::Singles;
use crate::{places, screen, settings};

pub(crate) async fn run(
    general: &General,
    command: args::PlanArguments,
) -> Result<ExitCode, CliError> {
    let path = &command.output;
    check_file(path, "-o", command.force)?;
    if let Some(front) = &command.front {
        check_file(front, "--front", command.force)?;
        if front == path {
            return Err(CliError::new(
                ExitCode::Usage,
                format!("{} cannot be both the plan and the configuration", path.display()),
            )
            .hint("-o names the file of the plan"));
        }
    }
    let settings = settings::load(general)?;
    let source = places::resolve_in(&settings, &command.from).await?;
    let targets = targets(&settings).await;
    let progress = KeyProgress::new();
    let limits: Limits = command.load.into();
    let mut options = AnalyzeOptions::default();
    options.limits = limits;
    options.rules = settings.map.keys().clone();
    let places = PlanPlaces { source: source.clone(), targets: targets.clone() };
    let work = async {
        let analysis = analyze(&source, &options, &progress).await?;
        propose(&analysis, &settings.map, Some(&places), limits, &progress).await
    };
    let result = work.await;
    progress.clear();
    let plan = result?;
    // Before any file is written: a plan without the front that was asked for would look complete.
    let front = match &command.front {
        Some(path) => Some((path, front_for(&plan, &settings.map, &places).await?)),
        None => None,
    };
    let text = plan.to_toml().map_err(|error| CliError::new(ExitCode::Other, error.to_string()))?;
    write(path, &text, command.force)?;
    if let Some((path, draft)) = &front {
        write(path, &draft.text, command.force)?;
    }
    if command.json {
        screen::say_json(&plan);
        return Ok(ExitCode::Success);
    }
    show(&plan);
    keeping::tell_of_targets(&plan, &source, &targets).await?;
    show_advice(&plan, &settings);
    settings.say_whose_password(&[&command.from], &text);
    screen::say("");
    screen::say(format!(
        "wrote {}; next: compartment migrate --plan {} --dry-run",
        path.display(),
        shell_word(&path.to_string_lossy())
    ));
    if let Some((path, draft)) = &front {
        show_front(path, draft);
    }
    Ok(ExitCode::Success)
}

/// Refuses a file that exists, before any work.
fn check_file(path: &std::path::Path, flag: &str, force: bool) -> Result<(), CliError> {
    if !path.exists() || force {
        return Ok(());
    }
    Err(CliError::new(ExitCode::Files, format!("{} exists already", path.display()))
        .hint(format!("--force replaces it, {flag} names another file")))
}

fn show_front(path: &std::path::Path, draft: &FrontDraft) {
    screen::say(format!(
        "wrote {}; next: compartment front --config {} --explain KEY",
        path.display(),
        shell_word(&path.to_string_lossy())
    ));
    for note in &draft.notes {
        screen::say_lines(screen::wrapped(&format!("note: {note}")));
    }
}

/// The databases of the map that can be reached; reports the others.
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

/// Writes the plan. Without `force`, a file created in the meantime is not replaced either.
fn write(path: &std::path::Path, text: &str, force: bool) -> Result<(), CliError> {
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(!force).create(true).truncate(force);
    let written = options.open(path).and_then(|mut file| file.write_all(text.as_bytes()));
    written.map_err(|error| CliError::files("write", path, &error))
}

fn show(plan: &Plan) {
    let mut table =
        screen::table(&["group", "written by", "keys", "memory", "verdict", "to"], &[2, 3]);
    let is_single = |group: &&Group| {
        group.keys == 1 && group.producer.is_empty() && group.verdict == Verdict::Stay
    };
    let singles = Singles::of(plan.groups.iter().filter(is_single), |group| group.bytes);
    for group in plan.groups.iter().filter(|one| singles.is_none() || !is_single(one)) {
        let to = match group.verdict {
            Verdict::Stay => "",
            Verdict::Move | Verdict::Drain => group.database.as_str(),
        };
        table.add_row([
            group.name.clone(),
            screen::producer(&group.producer, group.perhaps),
            screen::count(group.keys),
            compartment_admin::size(group.bytes),
            verdict(group.verdict).to_owned(),
            to.to_owned(),
        ]);
    }
    if let Some(singles) = singles {
        let (name, keys, bytes) = singles.cells();
        table.add_row([name, "–".into(), keys, bytes, "stay".into(), String::new()]);
    }
    screen::say_lines(table.to_string());
    show_notes(plan);
    say_rules(plan);
}

fn show_notes(plan: &Plan) {
    let collisions: u64 = plan.groups.iter().map(|group| group.collisions).sum();
    if collisions > 0 {
        screen::say_lines(format!(
            "\n{}{} names exist in their target already{:#}: these keys would not be moved",
            screen::BAD,
            screen::count(collisions),
            screen::BAD
        ));
    }
    // A known program without a database is worth a line here; other reasons are in the file.
    let homeless = |group: &&Group| {
        group.verdict == Verdict::Stay && !group.producer.is_empty() && group.database.is_empty()
    };
    let homes: Vec<String> = plan
        .groups
        .iter()
        .filter(homeless)
        .filter(|group| group.notes.iter().any(|note| note.starts_with("no database of the map")))
        .map(|group| {
            format!(
                "{} has no target: add a database for {} to the configuration, and plan again",
                group.name, group.purpose
            )
        })
        .collect();
    for note in plan.notes.iter().chain(&homes) {
        // Wrapped before it is coloured, since colour codes take no columns.
        let text = screen::wrapped(&format!("note: {note}"));
        let text = text.trim_start_matches("note:");
        screen::say_lines(format!("\n{}note:{:#}{text}", screen::STRONG, screen::STRONG));
    }
}

/// Shows how to assign the application's own keys, which no known program writes.
fn say_rules(plan: &Plan) {
    let is_unknown = |group: &&Group| {
        group.verdict == Verdict::Stay && group.producer.is_empty() && group.database.is_empty()
    };
    let unknown: Vec<&Group> = plan.groups.iter().filter(is_unknown).collect();
    let max = unknown.iter().filter(|group| group.name.contains('{')).max_by_key(|one| one.keys);
    let example = max.map_or("user:{id}".to_owned(), |group| template(&group.name));
    let keys: u64 = unknown.iter().map(|group| group.keys).sum();
    if keys == 0 {
        return;
    }
    let text = screen::wrapped(&format!(
        "note: {} keys stay, because the program that writes them is not known. To move them, name \
         their database in the configuration, and plan again:",
        screen::count(keys)
    ));
    let text = text.trim_start_matches("note:");
    screen::say_lines(format!("\n{}note:{:#}{text}", screen::STRONG, screen::STRONG));
    screen::say_lines(format!(
        "    [keys.NAME]\n    template = {example:?}\n    database = \"the database's name\""
    ));
}

/// A group's name as a template, with its placeholders numbered so that their names are unique.
fn template(name: &str) -> String {
    let mut seen: BTreeMap<&str, u32> = BTreeMap::new();
    let mut text = String::new();
    for part in name.split_inclusive('}') {
        match part.strip_suffix('}').and_then(|part| part.rsplit_once('{')) {
            Some((literal, class)) => {
                let number = seen.entry(class).or_default();
                *number += 1;
                let number = if *number == 1 { String::new() } else { number.to_string() };
                text.push_str(&format!("{literal}{{{class}{number}}}"));
            }
            None => text.push_str(part),
        }
    }
    text
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
    screen::say_lines("\nsettings to change when the keys move:");
    for advice in list {
        screen::say(format!("  {}, {}:", advice.program, advice.file));
        for line in advice.lines {
            screen::say(format!("    {line}"));
        }
    }
}
