//! A progress bar for work over keys, with rate and time left; hidden without a terminal.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use compartment_admin::Progress;
use indicatif::{ProgressBar, ProgressState, ProgressStyle};

use crate::screen;

/// Shows the progress of administrative work on standard error.
#[derive(Debug, Default)]
pub(crate) struct KeyProgress {
    bar: Mutex<Option<ProgressBar>>,
}

impl KeyProgress {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// Removes the bar from the screen.
    pub(crate) fn clear(&self) {
        if let Some(bar) = self.lock().take() {
            bar.finish_and_clear();
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<ProgressBar>> {
        self.bar.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Progress for KeyProgress {
    fn begin(&self, what: &str, keys: Option<u64>) {
        let mut slot = self.lock();
        if let Some(old) = slot.take() {
            old.finish_and_clear();
        }
        let bar = keys.map_or_else(ProgressBar::no_length, ProgressBar::new);
        let form = match keys {
            Some(_) => {
                "{prefix:>9} {wide_bar:.green/dim} {done:>10}/{all:<10} {rate:>11} {eta_precise}"
            }
            None => "{prefix:>9} {spinner} {done:>10} keys {rate:>11} {elapsed_precise}",
        };
        if let Ok(style) = ProgressStyle::with_template(form) {
            let done = |state: &ProgressState, out: &mut dyn std::fmt::Write| {
                let _ = out.write_str(&screen::count(state.pos()));
            };
            let all = |state: &ProgressState, out: &mut dyn std::fmt::Write| {
                let _ = out.write_str(&screen::count(state.len().unwrap_or(0)));
            };
            let rate = |state: &ProgressState, out: &mut dyn std::fmt::Write| {
                let _ = write!(out, "{}/s", screen::count(state.per_sec() as u64));
            };
            let style = style.with_key("done", done).with_key("all", all).with_key("rate", rate);
            bar.set_style(style.progress_chars("━╸─"));
        }
        screen::set_label(&bar, what);
        bar.enable_steady_tick(Duration::from_millis(200));
        *slot = Some(bar);
    }

    fn advance(&self, keys: u64) {
        if let Some(bar) = self.lock().as_ref() {
            bar.inc(keys);
        }
    }

    fn note(&self, text: &str) {
        match self.lock().as_ref() {
            Some(bar) => bar.suspend(|| screen::remark(text)),
            None => screen::remark(text),
        }
    }
}
