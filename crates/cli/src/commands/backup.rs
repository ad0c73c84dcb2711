//! `compartment backup`: writes one database to a file.

use compartment_admin::backup::{
    BackupOptions, BackupReport, Via, backup, is_standard_output, is_stream, settled,
};
use compartment_admin::{AdminError, read_glob};
use serde_json::json;

use crate::args::{self, General, ViaArgument};
use crate::exit_code::{CliError, ExitCode};
use crate::interrupt::interrupted;
use crate::key_progress::KeyProgress;
use crate::{places, screen};

pub(crate) async fn run(general: &General, command: args::Backup) -> Result<ExitCode, CliError> {
    let place = places::resolve(general, &command.database).await?;
    let options = BackupOptions::default()
        .via(match command.via {
            ViaArgument::Auto => Via::Auto,
            ViaArgument::Scan => Via::Scan,
            ViaArgument::Replication => Via::Replication,
        })
        .zstd(command.zstd)
        .stale_replica(command.stale_replica)
        .format(command.format)
        .field_lives(command.field_lives.into())
        .functions(command.functions)
        .limits(command.load.into());
    let pattern = command.pattern.as_deref().map(read_glob);
    if is_standard_output(&command.output) && screen::is_terminal() {
        let what =
            "a backup is not written to a terminal: redirect it, or name a file with --output";
        return Err(CliError::new(ExitCode::Files, what));
    }
    let progress = KeyProgress::new();
    let run = backup(&place, pattern.as_deref(), &command.output, &options, &progress);
    let result = tokio::select! {
        result = run => Some(result),
        () = interrupted() => None,
    };
    progress.clear();
    let Some(result) = result else {
        settled(&command.output).await?;
        screen::remark(match is_stream(&command.output) {
            true => "interrupted: nothing was kept",
            false => "interrupted: run the same command again to resume the scan",
        });
        return Ok(ExitCode::Interrupted);
    };
    let report = result.map_err(|error| {
        let kept = matches!(error, AdminError::Server(_) | AdminError::File { .. });
        let error = CliError::from(error);
        let kept = kept && !is_stream(&command.output);
        match kept && command.via != ViaArgument::Replication {
            true => {
                error.hint("the keys read so far are kept: run the same command again to resume")
            }
            false => error,
        }
    })?;
    // If the backup itself goes to standard output, the report must not go there.
    let is_beside = is_standard_output(&command.output);
    if command.json && is_beside {
        screen::remark_json(&as_json(&report));
    } else if command.json {
        screen::say_json(&as_json(&report));
    } else {
        let say: fn(String) = if is_beside { screen::remark } else { screen::say };
        show(&report, place.label(), say);
    }
    Ok(ExitCode::Success)
}

fn rate(report: &BackupReport) -> u64 {
    let keys = report.keys.saturating_sub(report.resumed);
    (keys as f64 / report.elapsed.as_secs_f64().max(0.001)) as u64
}

fn as_json(report: &BackupReport) -> serde_json::Value {
    json!({
        "file": report.file,
        "bytes": report.bytes,
        "keys": report.keys,
        "expiring": report.expiring,
        "vanished": report.vanished,
        "repeated": report.repeated,
        "left_out": report.left_out,
        "functions": report.functions,
        "resumed": report.resumed,
        "rdb_version": report.rdb_version,
        "loads_in": report.loads_in,
        "via": report.via,
        "seconds": report.elapsed.as_secs_f64(),
        "keys_per_second": rate(report),
    })
}

fn show(report: &BackupReport, label: &str, say: fn(String)) {
    let header = ["keys", "with a ttl", "gone meanwhile", "size", "rdb version", "by"];
    let mut table = screen::table(&header, &[0, 1, 2, 3, 4]);
    table.add_row([
        screen::count(report.keys),
        screen::count(report.expiring),
        screen::count(report.vanished),
        compartment_admin::size(report.bytes),
        report.rdb_version.to_string(),
        report.via.to_owned(),
    ]);
    table.to_string().split('\n').for_each(|line| say(line.to_owned()));
    let (good, file) = (screen::GOOD, report.file.display());
    say(format!("{good}backed up{good:#}: {label} into {file}"));
    say(format!("loads in {}; `restore` reads it into any", report.loads_in));
    if report.left_out > 0 {
        let left_out = screen::counted(report.left_out, "key");
        say(format!("{left_out} left out: hashes with fields that expire (--field-lives leave)"));
    }
    if report.functions > 0 {
        say(format!("{} function libraries are in the file", report.functions));
    }
    if report.resumed > 0 {
        let resumed = screen::count(report.resumed);
        say(format!("{resumed} of the keys come from an interrupted run"));
    }
    let (took, rate) = (screen::time(report.elapsed), screen::count(rate(report)));
    say(format!("in {took} ({rate} keys/s)"));
}
