//! `compartment batch watch`: a bar a stage, until the batch is completed.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use compartment::Databases;
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

use super::show;
use super::view::View;
use crate::args::BatchWatch;
use crate::exit_code::{CliError, ExitCode};
use crate::interrupt::interrupted;
use crate::screen;

/// The rate is that of the last so long.
const RATE_OVER: Duration = Duration::from_secs(20);

pub(super) async fn run(databases: &Databases, command: &BatchWatch) -> Result<ExitCode, CliError> {
    let mut bars = Bars::new();
    let mut told = serde_json::Value::Null;
    let mut stop = std::pin::pin!(interrupted());
    loop {
        let view = View::read(databases, &command.batch.name, command.json).await?;
        if command.json {
            let now = view.as_json();
            if now != told {
                screen::say(now.to_string());
                told = now;
            }
        } else {
            bars.show(&view);
        }
        if view.is_over() {
            bars.clear();
            if !command.json {
                show::print(&View::read(databases, &command.batch.name, true).await?);
            }
            let failed = view.progress.dead > 0;
            return Ok(if failed { ExitCode::SomeFailed } else { ExitCode::Success });
        }
        tokio::select! {
            () = tokio::time::sleep(command.every) => {}
            () = &mut stop => {
                bars.clear();
                return Err(CliError::new(
                    ExitCode::Interrupted,
                    format!("no longer watched; batch {} goes on", command.batch.name),
                ));
            }
        }
    }
}

/// The bars, and what they are made of.
struct Bars {
    screen: MultiProgress,
    stages: Vec<ProgressBar>,
    lines: Option<[ProgressBar; 2]>,
    /// Stages of documents done or dead, at moments of the last while.
    past: VecDeque<(Instant, u64)>,
    said: Option<Instant>,
}

impl Bars {
    fn new() -> Self {
        let screen = MultiProgress::new();
        Self { screen, stages: Vec::new(), lines: None, past: VecDeque::new(), said: None }
    }

    fn clear(&self) {
        let _ = self.screen.clear();
    }

    fn show(&mut self, view: &View) {
        let progress = &view.progress;
        let finished: u64 = progress.stages.iter().map(|stage| stage.done + stage.dead).sum();
        let rate = self.rate(finished);
        if self.screen.is_hidden() {
            // A line now and then, for those who read a log.
            if self.said.is_none_or(|said| said.elapsed() > Duration::from_secs(10)) {
                self.said = Some(Instant::now());
                screen::remark(format!(
                    "{}: {} of {} done, {} dead",
                    view.status(),
                    screen::count(progress.done),
                    screen::count(progress.total),
                    screen::count(progress.dead)
                ));
            }
            return;
        }
        while self.stages.len() < view.plan.stages.len() {
            let bar = self.screen.add(ProgressBar::new(0));
            if let Ok(style) = ProgressStyle::with_template(
                "{prefix:>9} {bar:30.green/dim} {pos:>8}/{len:<8} {msg}",
            ) {
                bar.set_style(style.progress_chars("━╸─"));
            }
            bar.set_prefix(view.plan.stages[self.stages.len()].name.clone());
            self.stages.push(bar);
        }
        for (bar, figures) in self.stages.iter().zip(&progress.stages) {
            bar.set_length(progress.total);
            bar.set_position(figures.done);
            let mut notes = Vec::new();
            for (number, what) in [
                (figures.claimed, "worked on"),
                (figures.delayed, "tried again"),
                (figures.dead, "dead"),
            ] {
                if number > 0 {
                    notes.push(format!("{} {what}", screen::count(number)));
                }
            }
            bar.set_message(notes.join(", "));
            bar.tick();
        }
        let lines = self.lines.get_or_insert_with(|| {
            let line = || {
                let bar = self.screen.add(ProgressBar::new_spinner());
                if let Ok(style) = ProgressStyle::with_template("{wide_msg}") {
                    bar.set_style(style);
                }
                bar
            };
            [line(), line()]
        });
        lines[0].set_message(summary(view, finished, rate));
        lines[1].set_message(troubles(view));
    }

    /// Stages of documents a second.
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

fn summary(view: &View, finished: u64, rate: f64) -> String {
    let progress = &view.progress;
    let stages = view.plan.stages.len().max(1) as u64;
    // What is dead goes no further, so this is the most there is left.
    let left = (progress.total * stages).saturating_sub(finished + progress.dead * (stages - 1));
    let eta = if rate > 0.0 {
        screen::time(Duration::from_secs_f64(left as f64 / rate))
    } else {
        "–".into()
    };
    format!(
        "          {}: {} of {} done, {} dead · {:.1} documents/s · {eta} left",
        view.status(),
        screen::count(progress.done),
        screen::count(progress.total),
        screen::count(progress.dead),
        rate / stages as f64
    )
}

fn troubles(view: &View) -> String {
    let mut notes = Vec::new();
    if !view.unserved.is_empty() {
        notes.push(format!("no worker serves {}", view.unserved.join(", ")));
    }
    if let Some((worker, one)) = view.running.first() {
        let long = view.now.since(one.since);
        if long > Duration::from_secs(5) {
            let (name, stage) = (&one.name, &one.stage);
            notes.push(format!("{name} at {stage} for {} on {worker}", screen::time(long)));
        }
    }
    if notes.is_empty() { String::new() } else { format!("          {}", notes.join(" · ")) }
}
