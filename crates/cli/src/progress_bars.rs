//! A progress bar for each stage on standard error, if it is a terminal.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use compartment::pipeline::{Event, Observer, Origin};
use indicatif::{MultiProgress, ProgressBar, ProgressState, ProgressStyle};

use crate::screen;

/// The bars of a run.
#[derive(Debug)]
pub(crate) struct ProgressBars {
    screen: MultiProgress,
    bars: Mutex<BTreeMap<&'static str, StageBar>>,
    waiting: Mutex<Option<ProgressBar>>,
}

#[derive(Debug)]
struct StageBar {
    bar: ProgressBar,
    cached: u64,
    failed: u64,
}

impl ProgressBars {
    pub(crate) fn new() -> Self {
        Self { screen: MultiProgress::new(), bars: Mutex::default(), waiting: Mutex::default() }
    }

    /// Removes the bars from the screen.
    pub(crate) fn clear(&self) {
        for stage in self.lock().values() {
            stage.bar.finish_and_clear();
        }
        let _ = self.screen.clear();
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<&'static str, StageBar>> {
        self.bars.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn total(&self, stage: &'static str, total: u64) {
        let mut bars = self.lock();
        match bars.get(stage) {
            Some(known) => known.bar.set_length(total),
            None => {
                let bar = self.screen.add(ProgressBar::new(total));
                let form = "{prefix:>9} {bar:32.green/dim} {pos:>7}/{len:<7} {rate:>9} {msg}";
                if let Ok(style) = ProgressStyle::with_template(form) {
                    bar.set_style(style.with_key("rate", rate).progress_chars("━╸─"));
                }
                screen::set_label(&bar, stage);
                // The spinner keeps moving, to show that the run is alive.
                bar.enable_steady_tick(Duration::from_millis(200));
                bars.insert(stage, StageBar { bar, cached: 0, failed: 0 });
            }
        }
    }

    fn step(&self, stage: &str, change: impl FnOnce(&mut StageBar)) {
        let mut bars = self.lock();
        let Some(known) = bars.get_mut(stage) else { return };
        change(known);
        let mut notes = Vec::new();
        if known.cached > 0 {
            notes.push(format!("{} cached", known.cached));
        }
        if known.failed > 0 {
            notes.push(format!("{} failed", known.failed));
        }
        screen::set_message(&known.bar, notes.join(", "));
        known.bar.inc(1);
    }

    fn wait(&self, away: Duration, limit: Duration, error: &str) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let bar = waiting.get_or_insert_with(|| {
            // Printed once as a line, for a log.
            let line = format!("waiting up to {} for the server: {error}", screen::time(limit));
            if self.screen.is_hidden() {
                screen::remark(&line);
            }
            self.screen.add(ProgressBar::new_spinner())
        });
        let (away, limit) = (screen::time(away), screen::time(limit));
        screen::set_message(bar, format!("waiting for the server, {away} of {limit}: {error}"));
        bar.tick();
    }

    fn resume(&self, away: Duration) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(bar) = waiting.take() {
            bar.finish_and_clear();
            let line = format!("the server is back after {}", screen::time(away));
            if self.screen.is_hidden() {
                screen::remark(&line);
            } else {
                screen::say_above(&self.screen, &line);
            }
        }
    }
}

/// Documents per second.
fn rate(state: &ProgressState, into: &mut dyn std::fmt::Write) {
    let _ = write!(into, "{:.1}/s", state.per_sec());
}

impl Observer for ProgressBars {
    fn event(&self, event: &Event<'_>) {
        match event {
            Event::StageTotal { stage, total } => self.total(stage, *total),
            Event::StageDone { stage, origin } => self.step(stage, |bar| {
                bar.cached += u64::from(*origin == Origin::Cached);
            }),
            Event::StageFailed { stage, .. } => self.step(stage, |bar| bar.failed += 1),
            Event::Waiting { away, limit, error } => self.wait(*away, *limit, &error.to_string()),
            Event::Resumed { away } => self.resume(*away),
            _ => {}
        }
    }
}
