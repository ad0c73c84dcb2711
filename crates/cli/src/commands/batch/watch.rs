//! `compartment batch watch`: a bar for each stage, until the batch is completed.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use compartment_operations::work::{BatchView, FailureGroup, RunningDocument, STUCK_AFTER};
use compartment_operations::{Operations, OperationsError};
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

use super::show;
use crate::args::BatchWatch;
use crate::exit_code::{CliError, ExitCode};
use crate::interrupt::interrupted;
use crate::screen;

/// How often the failures are read: there may be many.
const FAILURES_EVERY: Duration = Duration::from_secs(3);
/// Shortest wait before an unavailable server is asked again.
const AWAY_AGAIN: Duration = Duration::from_secs(1);
/// Documents in progress for longer than this are shown.
const SLOW: Duration = Duration::from_secs(5);
/// Lines for failures, and for long-running documents.
const LINES: usize = 3;
/// The rate is an average over this time.
const RATE_OVER: Duration = Duration::from_secs(20);

pub(super) async fn run(
    operations: &Operations,
    command: &BatchWatch,
) -> Result<ExitCode, CliError> {
    let mut bars = Bars::new();
    let mut told = serde_json::Value::Null;
    let mut stop = std::pin::pin!(interrupted());
    let (mut failures, mut looked): (Vec<FailureGroup>, Option<Instant>) = (Vec::new(), None);
    loop {
        let is_due = looked.is_none_or(|looked| looked.elapsed() > FAILURES_EVERY);
        let mut view =
            match read(operations, &command.batch.name, is_due).await.map_err(CliError::from) {
                Ok(view) => view,
                // The server may be back soon; otherwise the user ends the command.
                Err(error) if error.code() == ExitCode::Unavailable => {
                    bars.away(&error);
                    tokio::select! {
                        () = tokio::time::sleep(command.every.max(AWAY_AGAIN)) => continue,
                        () = &mut stop => return Err(error),
                    }
                }
                Err(error) => return Err(error),
            };
        if is_due {
            looked = Some(Instant::now());
            failures = std::mem::take(&mut view.failures);
        }
        view.failures.clone_from(&failures);
        if command.json {
            let now = serde_json::json!(view);
            if now != told {
                screen::say_json_line(&now);
                told = now;
            }
        } else {
            bars.show(&view);
        }
        if view.summary.is_over() {
            bars.clear();
            if !command.json {
                show::print(&read(operations, &command.batch.name, true).await?);
            }
            let failed = view.summary.dead > 0;
            return Ok(if failed { ExitCode::SomeFailed } else { ExitCode::Success });
        }
        tokio::select! {
            () = tokio::time::sleep(command.every) => {}
            () = &mut stop => {
                bars.clear();
                return Err(CliError::new(
                    ExitCode::Interrupted,
                    format!("stopped watching; batch {} continues", command.batch.name),
                ));
            }
        }
    }
}

/// The batch; with its failures if they are due.
async fn read(
    operations: &Operations,
    name: &str,
    with_failures: bool,
) -> Result<BatchView, OperationsError> {
    let mut view = operations.batch_briefly(name).await?;
    if with_failures {
        view.failures = operations.batch_failures(&view).await?;
    }
    Ok(view)
}

/// The bars, and the data they show.
struct Bars {
    screen: MultiProgress,
    stages: Vec<ProgressBar>,
    /// The lines below the bars: summary, failures, long-running documents, problems.
    lines: Vec<ProgressBar>,
    /// Number of finished stage steps at recent moments.
    past: VecDeque<(Instant, u64)>,
    said: Option<Instant>,
}

impl Bars {
    fn new() -> Self {
        let screen = MultiProgress::new();
        Self { screen, stages: Vec::new(), lines: Vec::new(), past: VecDeque::new(), said: None }
    }

    fn clear(&self) {
        let _ = self.screen.clear();
    }

    fn show(&mut self, view: &BatchView) {
        let batch = &view.summary;
        let finished: u64 = batch.stages.iter().map(|stage| stage.done + stage.dead).sum();
        let rate = self.rate(finished);
        if self.screen.is_hidden() {
            // Without a terminal, prints a line at intervals for a log.
            if self.said.is_none_or(|said| said.elapsed() > Duration::from_secs(10)) {
                self.said = Some(Instant::now());
                screen::remark(format!(
                    "{}: {} of {} done, {} dead",
                    batch.status,
                    screen::count(batch.done),
                    screen::count(batch.total),
                    screen::count(batch.dead)
                ));
            }
            return;
        }
        while self.stages.len() < batch.stages.len() {
            let bar = self.screen.add(ProgressBar::new(0));
            if let Ok(style) = ProgressStyle::with_template(
                "{prefix:>9} {bar:30.green/dim} {pos:>8}/{len:<8} {msg}",
            ) {
                bar.set_style(style.progress_chars("━╸─"));
            }
            screen::set_label(&bar, &batch.stages[self.stages.len()].stage);
            self.stages.push(bar);
        }
        for (bar, figures) in self.stages.iter().zip(&batch.stages) {
            bar.set_length(batch.total);
            bar.set_position(figures.done);
            let mut notes = Vec::new();
            for (number, what) in [
                (figures.claimed, "running"),
                (figures.delayed, "retrying"),
                (figures.dead, "dead"),
            ] {
                if number > 0 {
                    notes.push(format!("{} {what}", screen::count(number)));
                }
            }
            screen::set_message(bar, notes.join(", "));
            bar.tick();
        }
        let mut texts = vec![summary(view, finished, rate)];
        texts.extend(view.failures.iter().take(LINES).map(failure));
        let slow = view.running.iter().filter(|one| one.time() > SLOW);
        texts.extend(slow.take(LINES).map(running));
        if !batch.unserved.is_empty() {
            texts.push(format!("no worker serves {}", batch.unserved.join(", ")));
        }
        self.tell(&texts);
    }

    /// Shows exactly these lines below the bars.
    fn tell(&mut self, texts: &[String]) {
        while self.lines.len() < texts.len() {
            let line = self.screen.add(ProgressBar::new_spinner());
            if let Ok(style) = ProgressStyle::with_template("          {wide_msg}") {
                line.set_style(style);
            }
            self.lines.push(line);
        }
        for line in self.lines.drain(texts.len()..) {
            line.finish_and_clear();
            self.screen.remove(&line);
        }
        for (line, text) in self.lines.iter().zip(texts) {
            screen::set_message(line, text);
        }
    }

    fn away(&mut self, error: &CliError) {
        if self.screen.is_hidden() {
            screen::remark(format!("waiting for the server: {error}"));
        } else {
            self.tell(&[format!("waiting for the server: {error}")]);
        }
    }

    /// Finished stage steps per second.
    fn rate(&mut self, finished: u64) -> f64 {
        let now = Instant::now();
        self.past.push_back((now, finished));
        while self.past.len() > 2 && self.past.front().is_some_and(|(at, _)| now - *at > RATE_OVER)
        {
            self.past.pop_front();
        }
        let Some((at, before)) = self.past.front() else { return 0.0 };
        finished.saturating_sub(*before) as f64 / (now - *at).as_secs_f64().max(0.001)
    }
}

fn summary(view: &BatchView, finished: u64, rate: f64) -> String {
    let batch = &view.summary;
    let stages = batch.stages.len().max(1) as u64;
    // A dead document skips its later stages, so this is the most that can be left.
    let left = (batch.total * stages).saturating_sub(finished + batch.dead * (stages - 1));
    let eta = if rate > 0.0 {
        screen::time(Duration::from_secs_f64(left as f64 / rate))
    } else {
        "–".into()
    };
    format!(
        "{}: {} of {} done, {} dead · {:.1} documents/s · {eta} left",
        batch.status,
        screen::count(batch.done),
        screen::count(batch.total),
        screen::count(batch.dead),
        rate / stages as f64
    )
}

fn failure(group: &FailureGroup) -> String {
    format!("{} failed at {}: {}", screen::count(group.documents), group.stage, group.example)
}

fn running(one: &RunningDocument) -> String {
    let word = if one.time() > STUCK_AFTER { "stuck" } else { "slow" };
    let RunningDocument { document, stage, worker, .. } = one;
    format!("{word}: {document} at {stage} for {} on {worker}", screen::time(one.time()))
}
