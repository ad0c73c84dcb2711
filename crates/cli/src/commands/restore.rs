//! `compartment restore`: restores the keys of a file into one database.

use compartment_admin::read_glob;
use compartment_admin::restore::{OnConflict, RestoreOptions, RestoreReport, restore};
use serde_json::json;

use crate::args::{self, General, OnConflictArgument};
use crate::exit_code::{CliError, ExitCode};
use crate::interrupt::interrupted;
use crate::key_progress::KeyProgress;
use crate::{places, screen};

pub(crate) async fn run(general: &General, command: args::Restore) -> Result<ExitCode, CliError> {
    let place = places::resolve(general, &command.database).await?;
    let options = RestoreOptions::default()
        .from_index(command.from_index)
        .pattern(command.pattern.as_deref().map(read_glob))
        .on_conflict(match command.on_conflict {
            OnConflictArgument::Fail => OnConflict::Fail,
            OnConflictArgument::Skip => OnConflict::Skip,
            OnConflictArgument::Replace => OnConflict::Replace,
        })
        .dry_run(command.dry_run)
        .verify(command.verify)
        .accept_eviction(command.accept_eviction)
        .field_lives(command.field_lives.into())
        .functions(command.functions)
        .limits(command.load.into());
    let progress = KeyProgress::new();
    let result = tokio::select! {
        result = restore(&command.file, &place, &options, &progress) => Some(result),
        () = interrupted() => None,
    };
    progress.clear();
    let Some(result) = result else {
        screen::remark("interrupted: run the same command again to restore the rest");
        return Ok(ExitCode::Interrupted);
    };
    let report = result?;
    if command.json {
        screen::say_json(&as_json(&report));
    } else {
        show(&report, place.label(), options.on_conflict);
    }
    Ok(ExitCode::Success)
}

fn rate(report: &RestoreReport) -> u64 {
    (report.restored as f64 / report.elapsed.as_secs_f64().max(0.001)) as u64
}

fn as_json(report: &RestoreReport) -> serde_json::Value {
    json!({
        "file": report.file,
        "rdb_version": report.rdb_version,
        "from_index": report.from_index,
        "keys": report.keys,
        "restored": report.restored,
        "already_there": report.already_there,
        "standing": report.standing,
        "expired": report.expired,
        "left_out": report.left_out,
        "functions": report.functions,
        "format": report.format,
        "empty": report.empty,
        "verified": report.verified,
        "dry_run": report.dry_run,
        "seconds": report.elapsed.as_secs_f64(),
        "keys_per_second": rate(report),
    })
}

fn show(report: &RestoreReport, label: &str, on_conflict: OnConflict) {
    let header = ["keys", "restored", "already there", "in the way", "expired", "verified"];
    let mut table = screen::table(&header, &[0, 1, 2, 3, 4, 5]);
    table.add_row([
        screen::count(report.keys),
        screen::count(report.restored),
        screen::count(report.already_there),
        screen::count(report.standing),
        screen::count(report.expired),
        report.verified.map_or_else(|| "–".into(), screen::count),
    ]);
    screen::say_lines(table.to_string());
    if let Some(format) = &report.format {
        screen::say(format!("values are written in the format of {format}"));
    }
    if report.left_out > 0 {
        let left_out = screen::counted(report.left_out, "key");
        screen::say(format!(
            "{left_out} left out: hashes with fields that expire (--field-lives leave)"
        ));
    }
    if report.functions > 0 {
        screen::say(format!("{} function libraries", report.functions));
    }
    let (good, file, index) = (screen::GOOD, report.file.display(), report.from_index);
    if report.dry_run {
        let way = match on_conflict {
            OnConflict::Replace => "; existing keys would be replaced",
            OnConflict::Skip => "; existing keys would be kept",
            _ => "",
        };
        screen::say(format!("{file} (database {index}) can be restored into {label}{way}"));
        screen::say("nothing was written");
        return;
    }
    screen::say(format!("{good}restored{good:#}: {file} (database {index}) into {label}"));
    let (took, rate) = (screen::time(report.elapsed), screen::count(rate(report)));
    screen::say(format!("in {took} ({rate} keys/s)"));
}
