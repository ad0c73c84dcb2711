//! Reads keys and changes of the terminal's size, in a thread of its own.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use ratatui::crossterm::event::{self, Event, KeyEvent, KeyEventKind};
use tokio::sync::mpsc;

/// How often the thread looks whether it is still wanted.
const PAUSE: Duration = Duration::from_millis(200);
/// Keys that may wait: a paste is slower than it was typed, and loses nothing.
const MAX_WAITING: usize = 1_024;

/// What the terminal tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Input {
    Key(KeyEvent),
    /// Columns and lines.
    Size(u16, u16),
}

/// The thread that reads. It ends when this is dropped, or when the terminal is gone.
#[derive(Debug)]
pub(crate) struct Reader {
    pub(crate) inputs: mpsc::Receiver<Input>,
    is_over: Arc<AtomicBool>,
}

impl Reader {
    pub(crate) fn start() -> Self {
        let (told, inputs) = mpsc::channel(MAX_WAITING);
        let is_over = Arc::new(AtomicBool::new(false));
        let ends = Arc::clone(&is_over);
        std::thread::spawn(move || while !ends.load(Ordering::Relaxed) && read(&told).is_some() {});
        Self { inputs, is_over }
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Relaxed);
    }
}

/// Reads what comes next; `None` if nothing can come any more.
fn read(told: &mpsc::Sender<Input>) -> Option<()> {
    if !event::poll(PAUSE).ok()? {
        return Some(());
    }
    let input = match event::read().ok()? {
        // Some terminals tell when a key is let go, too.
        Event::Key(key) if key.kind != KeyEventKind::Release => Input::Key(key),
        Event::Resize(columns, lines) => Input::Size(columns, lines),
        _ => return Some(()),
    };
    told.blocking_send(input).ok()
}
