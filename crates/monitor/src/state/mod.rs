//! The state of the monitor. Keys, looks and answers change it; it says what is to be done outside.

mod dialogue;
mod list;
mod verbs;

use std::sync::Arc;
use std::time::Duration;

use compartment_operations::Look;
use compartment_operations::alerts::Alert;

pub(crate) use dialogue::{Answer, Mode, Outcome, Plan, Request};
pub(crate) use list::List;

use crate::action::{Action, Verb};
use crate::facts::Facts;
use crate::layout::Layout;
use crate::page::Page;
use crate::palette::Tone;
use crate::screens::Screen;
use crate::table::Table;

/// A page that is open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Open {
    pub(crate) id: String,
    /// Lines that are scrolled past.
    pub(crate) skip: u16,
}

/// The state of the monitor.
#[derive(Debug)]
pub(crate) struct State {
    pub(crate) facts: Facts,
    pub(crate) screen: Screen,
    pub(crate) mode: Mode,
    pub(crate) open: Option<Open>,
    pub(crate) is_paused: bool,
    /// A line for the user until the next key.
    pub(crate) message: Option<(String, Tone)>,
    /// The table of the screen.
    pub(crate) table: Table,
    /// The time between looks.
    pub(crate) interval: Duration,
    /// Columns and rows of the terminal.
    pub(crate) size: (u16, u16),
    lists: [List; 9],
    /// The newest look while the screen is paused.
    waiting: Option<Arc<Look>>,
    /// When the screen last asked for what a look does not have.
    asked_ms: u64,
}

/// Failures and dead letters may be many: however often is looked, they are read at most this often.
const ASKS_EVERY_MS: u64 = 5_000;

impl State {
    pub(crate) fn new(interval: Duration, size: (u16, u16), now_ms: u64) -> Self {
        let facts = Facts { now_ms, ..Facts::default() };
        let screen = Screen::Databases;
        let table = screen.table(&facts);
        Self {
            facts,
            screen,
            mode: Mode::default(),
            open: None,
            is_paused: false,
            message: None,
            table,
            interval,
            size,
            lists: Default::default(),
            waiting: None,
            asked_ms: 0,
        }
    }

    pub(crate) fn list(&self) -> &List {
        &self.lists[self.screen.place()]
    }

    fn list_mut(&mut self) -> &mut List {
        &mut self.lists[self.screen.place()]
    }

    /// What a change is of: the open page, or the chosen row.
    pub(crate) fn subject(&self) -> Option<String> {
        match &self.open {
            Some(open) => Some(open.id.clone()),
            None => self.list().chosen(&self.table),
        }
    }

    /// The page that is open.
    pub(crate) fn page(&self) -> Option<Page> {
        let open = self.open.as_ref()?;
        self.screen.page(&self.facts, &open.id)
    }

    /// Time has passed.
    pub(crate) fn tick(&mut self, now_ms: u64) {
        self.facts.now_ms = now_ms;
        self.refresh();
    }

    pub(crate) fn resize(&mut self, size: (u16, u16)) {
        self.size = size;
    }

    /// A look has come, with the alerts that it raised.
    pub(crate) fn look(&mut self, look: Arc<Look>, alerts: Vec<Alert>) -> Vec<Request> {
        self.facts.known.note(&look);
        self.facts.note_alerts(alerts);
        if self.is_paused {
            self.waiting = Some(look);
            return Vec::new();
        }
        self.facts.look = Some(look);
        self.refresh();
        match self.facts.now_ms.saturating_sub(self.asked_ms) >= ASKS_EVERY_MS {
            true => self.needs(),
            false => Vec::new(),
        }
    }

    /// An answer has come.
    pub(crate) fn answer(&mut self, answer: Answer) -> Vec<Request> {
        let mut requests = Vec::new();
        match answer {
            Answer::Batch(name, found) => self.facts.batch = Some((name, found)),
            Answer::Letters(found) => self.facts.letters = Some(found),
            Answer::Changes(found) => self.facts.changes = Some(found),
            Answer::Planned(plan) if matches!(self.mode, Mode::Planning(_)) => {
                self.mode = match plan {
                    Ok(plan) => Mode::Confirm(plan),
                    Err(text) => Mode::Told(Outcome { is_good: false, text }),
                };
            }
            // The user has gone back meanwhile: a plan changes nothing.
            Answer::Planned(_) => {}
            Answer::Acted(outcome) => {
                self.list_mut().unmark_all();
                self.mode = Mode::Told(outcome);
                requests = self.needs();
                requests.push(Request::Look);
            }
        }
        self.refresh();
        requests
    }

    /// What the screen shows that a look does not have.
    fn needs(&mut self) -> Vec<Request> {
        self.asked_ms = self.facts.now_ms;
        match (self.screen, &self.open) {
            (Screen::Batches, Some(open)) => vec![Request::Batch(open.id.clone())],
            (Screen::DeadLetters, _) => vec![Request::Letters],
            (Screen::Changes, _) => vec![Request::Changes],
            _ => Vec::new(),
        }
    }

    /// Makes the table anew.
    fn refresh(&mut self) {
        self.table = self.screen.table(&self.facts);
        let body = self.layout().body;
        if let Some(height) = self.page().map(|page| page.height(self.size.0))
            && let Some(open) = &mut self.open
        {
            open.skip = open.skip.min(height.saturating_sub(body));
        }
    }

    /// How the lines of the terminal are shared out.
    pub(crate) fn layout(&self) -> Layout {
        Layout::of(&self.facts, self.screen, self.open.is_some(), self.size.1)
    }

    /// Does what a key asks for.
    pub(crate) fn act(&mut self, action: Action) -> Vec<Request> {
        self.message = None;
        let requests = match action {
            Action::Show(screen) => self.show(screen),
            Action::NextScreen => self.show_by(1),
            Action::PreviousScreen => self.show_by(Screen::ALL.len() - 1),
            Action::Go(by) => self.go(by),
            Action::Turn(by) => self.go(by * isize::try_from(self.layout().rows()).unwrap_or(1)),
            Action::Open => self.open_chosen(),
            Action::Back => self.back(),
            Action::Pause => self.pause(),
            Action::Refresh => self.look_again(),
            Action::Ask(verb) => self.ask(verb),
            Action::Yes => self.yes(),
            Action::Redraw => vec![Request::Redraw],
            Action::Suspend => vec![Request::Suspend],
            Action::Quit => vec![Request::Quit],
            other => self.choose(other),
        };
        self.refresh();
        requests
    }

    /// Actions on the list that need nothing from outside.
    fn choose(&mut self, action: Action) -> Vec<Request> {
        let table = std::mem::replace(&mut self.table, Table::new(&[], Vec::new(), ""));
        let list = &mut self.lists[self.screen.place()];
        match action {
            Action::Sort => list.sort(&table),
            Action::Reverse => list.reverse(),
            Action::Mark => {
                list.mark(&table);
                list.go(&table, 1);
            }
            Action::MarkAll => list.mark_all(&table),
            Action::Filter => self.mode = Mode::Filter(list.filter.clone()),
            Action::Type(letter) => list.filter.push(letter),
            Action::Erase => drop(list.filter.pop()),
            Action::EraseAll => list.filter.clear(),
            Action::Accept => self.mode = Mode::Browse,
            Action::Help => self.mode = Mode::Help,
            _ => {}
        }
        self.table = table;
        Vec::new()
    }

    fn show(&mut self, screen: Screen) -> Vec<Request> {
        (self.screen, self.open) = (screen, None);
        self.needs()
    }

    fn show_by(&mut self, by: usize) -> Vec<Request> {
        let next = (self.screen.place() + by) % Screen::ALL.len();
        self.show(Screen::ALL[next])
    }

    fn go(&mut self, by: isize) -> Vec<Request> {
        match &mut self.open {
            // `refresh` keeps it within the page.
            Some(open) => {
                let by = i16::try_from(by).unwrap_or(if by < 0 { i16::MIN } else { i16::MAX });
                open.skip = open.skip.saturating_add_signed(by);
            }
            None => self.lists[self.screen.place()].go(&self.table, by),
        }
        Vec::new()
    }

    fn open_chosen(&mut self) -> Vec<Request> {
        if self.open.is_some() {
            return Vec::new();
        }
        let chosen = self.list().chosen(&self.table);
        let has_page = |id: &String| self.screen.page(&self.facts, id).is_some();
        self.open = chosen.filter(has_page).map(|id| Open { id, skip: 0 });
        if self.open.is_some() { self.needs() } else { Vec::new() }
    }

    /// Closes what is on top: a dialogue, a filter that is typed, a page, a filter.
    fn back(&mut self) -> Vec<Request> {
        match std::mem::take(&mut self.mode) {
            Mode::Browse if self.open.is_some() => self.open = None,
            Mode::Browse => {
                self.list_mut().filter.clear();
                self.list_mut().unmark_all();
            }
            Mode::Filter(before) => self.list_mut().filter = before,
            // A change that has begun is not taken back by looking away.
            Mode::Acting(plan) => self.mode = Mode::Acting(plan),
            _ => {}
        }
        Vec::new()
    }

    fn pause(&mut self) -> Vec<Request> {
        self.is_paused = !self.is_paused;
        if self.is_paused {
            return Vec::new();
        }
        if let Some(look) = self.waiting.take() {
            self.facts.look = Some(look);
        }
        self.needs()
    }

    fn look_again(&mut self) -> Vec<Request> {
        self.message = Some(("looking".to_owned(), Tone::Faint));
        let mut requests = self.needs();
        requests.push(Request::Look);
        if self.screen == Screen::Doctor {
            requests.push(Request::Examine);
            self.message = Some(("the doctor examines the deployment".to_owned(), Tone::Faint));
        }
        requests
    }

    fn ask(&mut self, verb: Verb) -> Vec<Request> {
        match self.change(verb) {
            Ok((change, what)) => {
                self.mode = Mode::Planning(what);
                vec![Request::Plan(change)]
            }
            Err(why) => {
                self.message = Some((why, Tone::Warning));
                Vec::new()
            }
        }
    }

    fn yes(&mut self) -> Vec<Request> {
        match std::mem::take(&mut self.mode) {
            Mode::Confirm(plan) if plan.refusals.is_empty() => {
                let id = plan.id.clone();
                self.mode = Mode::Acting(plan);
                vec![Request::Act(id)]
            }
            other => {
                self.mode = other;
                Vec::new()
            }
        }
    }
}
