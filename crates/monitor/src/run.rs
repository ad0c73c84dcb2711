//! The loop: what comes in changes the state, the state is drawn, and what it asks for is done.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use compartment::clock::Timestamp;
use compartment_operations::alerts::{Alert, Alerting};
use compartment_operations::changes::{Actor, Allowed, ChangeOptions, Changes, Tier};
use compartment_operations::{Look, Operations, WatchOptions, Watcher};
use tokio::sync::mpsc;

use crate::MonitorError;
use crate::draw::draw;
use crate::input::{Input, Reader};
use crate::keys;
use crate::palette::Palette;
use crate::reading::Asker;
use crate::signals::{Asked, Signals, stop};
use crate::state::{Request, State};
use crate::terminal::{self, Terminal};

/// How the monitor looks and draws.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct MonitorOptions {
    /// The time between two looks.
    pub interval: Duration,
    /// Whether colours are drawn.
    pub has_colors: bool,
    /// Whether only ASCII is drawn, because the terminal does not show UTF-8.
    pub is_ascii: bool,
}

impl MonitorOptions {
    /// With colours and UTF-8.
    #[must_use]
    pub const fn new(interval: Duration) -> Self {
        Self { interval, has_colors: true, is_ascii: false }
    }
}

/// Ages on the screen are as old as this.
const TICK: Duration = Duration::from_secs(1);
/// Answers that may wait.
const MAX_ANSWERS: usize = 64;

/// Shows a deployment on the terminal until the user or a signal ends it, and gives the terminal back as it was.
///
/// # Errors
/// [`MonitorError::Terminal`] for a terminal that cannot be used, [`MonitorError::Ended`] after a panic.
pub async fn run(operations: Operations, options: MonitorOptions) -> Result<(), MonitorError> {
    let mut signals = Signals::new()?;
    let look =
        terminal::Look { palette: Palette::new(options.has_colors), is_ascii: options.is_ascii };
    let mut terminal = Terminal::take(look)?;
    let mut monitor = Monitor::start(operations, options, terminal.size()?);
    let mut reader = Reader::start();
    let mut tick = tokio::time::interval(TICK);
    let result = loop {
        if terminal::has_panicked() {
            break Err(MonitorError::Ended);
        }
        terminal.draw(|canvas| draw(&monitor.state, canvas))?;
        let requests = tokio::select! {
            // A key is answered before the figures are.
            biased;
            asked = signals.next() => match asked {
                Asked::End => break Ok(()),
                Asked::Suspend => vec![Request::Suspend],
            },
            input = reader.inputs.recv() => match input {
                Some(input) => monitor.input(input),
                // The terminal is gone.
                None => break Ok(()),
            },
            Some(answer) = monitor.answers.recv() => monitor.state.answer(answer),
            change = monitor.looks.changed() => match change {
                Ok(()) => monitor.look(),
                Err(_) => break Err(MonitorError::Ended),
            },
            _ = tick.tick() => {
                monitor.state.tick(now_ms());
                Vec::new()
            }
        };
        if monitor.follow(requests, &mut terminal)? {
            break Ok(());
        }
    };
    monitor.asker.finish().await;
    result
}

/// What the loop holds.
struct Monitor {
    state: State,
    watcher: Watcher,
    looks: tokio::sync::watch::Receiver<Option<Arc<Look>>>,
    alerting: Alerting,
    asker: Asker,
    answers: mpsc::Receiver<crate::state::Answer>,
}

impl Monitor {
    fn start(operations: Operations, options: MonitorOptions, size: (u16, u16)) -> Self {
        let watching = WatchOptions::default().interval(options.interval);
        let watcher = Watcher::start(operations.clone(), watching);
        let alerting = Alerting::new(operations.map().alerts());
        let allowed = Allowed::of([Tier::Batches]);
        let changes = Changes::new(operations.clone(), ChangeOptions::new(allowed));
        let user = std::env::var("USER").unwrap_or_default();
        let session = format!("{} {}", std::process::id(), now_ms());
        let actor = Actor::new(format!("monitor {user}").trim_end(), session);
        let (told, answers) = mpsc::channel(MAX_ANSWERS);
        let asker = Asker::new(operations, changes, actor, told);
        let state = State::new(options.interval, size, now_ms());
        Self { state, looks: watcher.looks(), watcher, alerting, asker, answers }
    }

    fn look(&mut self) -> Vec<Request> {
        let Some(look) = self.looks.borrow_and_update().clone() else { return Vec::new() };
        self.state.tick(now_ms());
        let alerts = self.alerts(&look);
        self.state.look(look, alerts)
    }

    fn alerts(&mut self, look: &Look) -> Vec<Alert> {
        let Some(health) = &look.health else { return Vec::new() };
        self.alerting.observe(health, Timestamp::from_millis(look.at_ms))
    }

    fn input(&mut self, input: Input) -> Vec<Request> {
        match input {
            Input::Key(key) => match keys::action(&self.state.mode, key) {
                Some(action) => self.state.act(action),
                None => Vec::new(),
            },
            Input::Size(columns, lines) => {
                self.state.resize((columns, lines));
                Vec::new()
            }
        }
    }

    /// Does what the state asks for. `true` ends the monitor.
    fn follow(&mut self, requests: Vec<Request>, terminal: &mut Terminal) -> std::io::Result<bool> {
        for request in requests {
            match request {
                Request::Quit => return Ok(true),
                Request::Look => self.watcher.look_now(),
                Request::Examine => self.watcher.examine_now(),
                Request::Redraw => terminal.redraw()?,
                Request::Suspend => {
                    terminal::give_back();
                    stop();
                    // The user has returned.
                    terminal.take_again()?;
                    self.state.resize(terminal.size()?);
                    self.state.tick(now_ms());
                }
                request => self.asker.ask(request),
            }
        }
        Ok(false)
    }
}

fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
