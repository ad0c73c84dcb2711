//! Every screen, page and dialogue as text, at two sizes, with and without colours.

use std::time::Duration;

use compartment::clock::Timestamp;
use compartment::database_map::AlertSettings;
use compartment_admin::printable;
use compartment_operations::alerts::{Alert, Alerting};
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::buffer::Buffer;
use ratatui::style::{Color, Modifier};

use super::looks::{self, NOW};
use crate::action::{Action, Verb};
use crate::answers::{BatchFigures, ChangeLine, FailureLine, Letter, RunningLine, SlowLine};
use crate::canvas::Canvas;
use crate::draw::draw;
use crate::palette::Palette;
use crate::screens::Screen;
use crate::state::{Answer, Outcome, Plan, State};

const SMALL: (u16, u16) = (80, 24);
const WIDE: (u16, u16) = (160, 50);

pub(super) fn letters() -> Vec<Letter> {
    let letter = |number: u64, stage: &str, error: &str| Letter {
        stage: stage.to_owned(),
        number,
        class: "normal".to_owned(),
        attempts: 5,
        lost: u32::from(number == 8),
        submitted_ms: NOW - 900_000,
        died_ms: NOW - 60_000 * number,
        error: error.to_owned(),
        data: "{\"name\": \"brief.pdf\"}".to_owned(),
    };
    vec![
        letter(7, "extract", "ocr_failed: page 3 cannot be read"),
        letter(8, "extract", "timeout: 30 s"),
        letter(9, "chunk", "too_large: 90 MiB"),
    ]
}

fn batch() -> BatchFigures {
    let failure = |documents, example: &str| FailureLine {
        stage: "extract".to_owned(),
        documents,
        example: example.to_owned(),
    };
    let running = |document: &str, for_ms| RunningLine {
        document: document.to_owned(),
        stage: "extract".to_owned(),
        worker: "host-1:4711".to_owned(),
        for_ms,
        is_stuck: for_ms > 120_000,
    };
    let slow = SlowLine {
        document: "appendix.pdf".to_owned(),
        stage: "extract".to_owned(),
        took_ms: 41_300,
    };
    BatchFigures {
        failures: vec![
            failure(9, "ocr_failed: page 3 cannot be read"),
            failure(3, "timeout: 30 s"),
        ],
        running: vec![running("exhibit-9.tif", 190_000), running("brief.pdf", 9_000)],
        slowest: vec![slow],
    }
}

fn changes() -> Vec<ChangeLine> {
    let change = |ago: u64, outcome: &str, summary: &str| ChangeLine {
        at_ms: NOW - ago,
        actor: "monitor anna".to_owned(),
        outcome: outcome.to_owned(),
        summary: summary.to_owned(),
        entry: format!("{{\n  \"outcome\": \"{outcome}\"\n}}"),
    };
    vec![
        change(60_000, "done", "retries 12 failed documents of smith-v-jones"),
        change(7_200_000, "refused", "flushes 1,200 keys of broker"),
    ]
}

/// The alerts of the health of a look that has lasted for a while.
fn alerts(look: &compartment_operations::Look) -> Vec<Alert> {
    let mut alerting = Alerting::new(&AlertSettings::default());
    let health = look.health.as_ref().unwrap();
    alerting.observe(health, Timestamp::from_millis(NOW - 60_000));
    alerting.observe(health, Timestamp::from_millis(NOW))
}

/// A state that has seen the ordinary deployment for a minute.
pub(super) fn state(size: (u16, u16)) -> State {
    let mut state = State::new(Duration::from_secs(5), size, NOW);
    for later in 0..12 {
        state.tick(NOW + later * 5_000);
        let look = looks::busy(later);
        let alerts = if later == 0 { alerts(&look) } else { Vec::new() };
        state.look(look, alerts);
    }
    state.answer(Answer::Letters(Ok(letters())));
    state.answer(Answer::Changes(Ok(changes())));
    state.answer(Answer::Batch("smith-v-jones".to_owned(), Ok(batch())));
    state
}

fn cells(state: &State, has_colors: bool) -> Buffer {
    let mut terminal = Terminal::new(TestBackend::new(state.size.0, state.size.1)).unwrap();
    let palette = Palette::new(has_colors);
    terminal.draw(|frame| draw(state, &mut Canvas::new(frame.buffer_mut(), palette))).unwrap();
    terminal.backend().buffer().clone()
}

pub(super) fn text(state: &State) -> String {
    lines(&cells(state, false), |cell| cell.symbol().to_owned())
}

fn lines(buffer: &Buffer, show: impl Fn(&ratatui::buffer::Cell) -> String) -> String {
    let rows = buffer.content().chunks(buffer.area.width.into());
    let rows = rows.map(|row| row.iter().map(&show).collect::<String>().trim_end().to_owned());
    rows.collect::<Vec<_>>().join("\n")
}

/// A letter for the style of each cell.
fn styles(state: &State, has_colors: bool) -> String {
    lines(&cells(state, has_colors), |cell| {
        let letter = match (cell.fg, cell.modifier) {
            (_, modifier) if modifier.contains(Modifier::REVERSED) => "#",
            (Color::Red, _) => "R",
            (Color::Green, _) => "G",
            (Color::Yellow, _) => "Y",
            (Color::Reset, Modifier::BOLD) => "b",
            (Color::Reset, Modifier::DIM) => "d",
            (Color::Reset, _) => " ",
            _ => "?",
        };
        letter.to_owned()
    })
}

#[test]
fn every_screen_at_both_sizes() {
    for screen in Screen::ALL {
        for size in [SMALL, WIDE] {
            let mut state = state(size);
            state.act(Action::Show(screen));
            let name = format!("{}-{}", screen.title().replace(' ', "-"), size.0);
            insta::assert_snapshot!(name, text(&state));
        }
    }
}

#[test]
fn every_page() {
    for screen in Screen::ALL.into_iter().filter(|screen| *screen != Screen::Queues) {
        for size in [SMALL, WIDE] {
            let mut state = state(size);
            state.act(Action::Show(screen));
            if screen == Screen::Databases {
                state.act(Action::Go(1));
            }
            state.act(Action::Open);
            assert!(state.open.is_some(), "{screen:?}");
            let name = format!("page-{}-{}", screen.title().replace(' ', "-"), size.0);
            insta::assert_snapshot!(name, text(&state));
        }
    }
}

#[test]
fn nothing_is_anywhere_and_nothing_is_known_yet() {
    let mut first = State::new(Duration::from_secs(5), SMALL, NOW);
    let mut empty = State::new(Duration::from_secs(5), SMALL, NOW);
    empty.look(looks::empty(), Vec::new());
    empty.answer(Answer::Letters(Ok(Vec::new())));
    empty.answer(Answer::Changes(Err("failed to read: away".to_owned())));
    let mut all = Vec::new();
    for state in [&mut first, &mut empty] {
        for screen in Screen::ALL {
            state.act(Action::Show(screen));
            let shown = text(state);
            let body: Vec<&str> = shown.lines().skip(2).take(3).collect();
            all.push(body.join("\n").trim_end().to_owned());
        }
    }
    insta::assert_snapshot!("empty", all.join("\n---\n"));
}

#[test]
fn a_server_that_is_away_keeps_its_last_figures_and_says_since_when() {
    let mut state = state(SMALL);
    for later in 12..30 {
        state.tick(NOW + later * 5_000);
        state.look(looks::away(later), Vec::new());
    }
    insta::assert_snapshot!("away", text(&state));
    insta::assert_snapshot!("away-styles", styles(&state, true));
    state.act(Action::Go(1));
    state.act(Action::Open);
    insta::assert_snapshot!("away-page", text(&state));
    state.tick(NOW + 30 * 5_000);
    state.look(looks::busy(30), Vec::new());
    assert!(!text(&state).contains("away"), "it is back");
}

#[test]
fn colours_say_nothing_that_words_do_not() {
    let mut state = state(SMALL);
    insta::assert_snapshot!("styles-databases", styles(&state, true));
    insta::assert_snapshot!("styles-databases-plain", styles(&state, false));
    state.act(Action::Show(Screen::Health));
    insta::assert_snapshot!("styles-health", styles(&state, true));
    // Every style of a terminal without colours is one of intensity.
    for screen in Screen::ALL {
        state.act(Action::Show(screen));
        let plain = cells(&state, false);
        assert!(
            plain.content().iter().all(|cell| cell.fg == Color::Reset && cell.bg == Color::Reset)
        );
    }
}

#[test]
fn dialogues_name_what_they_will_touch() {
    let mut state = state(SMALL);
    state.act(Action::Help);
    insta::assert_snapshot!("help", text(&state));
    state.act(Action::Back);
    state.act(Action::Show(Screen::Batches));
    state.act(Action::Ask(Verb::Retry));
    insta::assert_snapshot!("planning", text(&state));
    let plan = Plan {
        id: "p1".to_owned(),
        summary: "Retries 12 failed documents of batch smith-v-jones.".to_owned(),
        touches: vec![
            "extract: 9 documents, ocr_failed".to_owned(),
            "extract: 3 documents, timeout".to_owned(),
        ],
        refusals: Vec::new(),
    };
    state.answer(Answer::Planned(Ok(plan)));
    insta::assert_snapshot!("confirm", text(&state));
    state.act(Action::Yes);
    state.answer(Answer::Acted(Outcome {
        is_good: true,
        text: "12 documents wait again.".to_owned(),
    }));
    insta::assert_snapshot!("done", text(&state));
    state.act(Action::Back);
    state.act(Action::Ask(Verb::Pause));
    let refused = Plan {
        summary: "Pauses smith-v-jones.".to_owned(),
        refusals: vec!["it is paused already".to_owned()],
        ..Plan::default()
    };
    state.answer(Answer::Planned(Ok(refused)));
    insta::assert_snapshot!("refused", text(&state));
}

#[test]
fn names_of_others_cannot_steer_the_terminal_on_any_screen() {
    for size in [SMALL, WIDE, (40, 10), (1, 1), (300, 100)] {
        let mut state = State::new(Duration::from_secs(5), size, NOW);
        let look = looks::hostile();
        state.look(look.clone(), alerts(&look));
        let mut letter = letters().remove(0);
        letter.error = "\u{1b}[2J\u{202e}".to_owned();
        state.answer(Answer::Letters(Ok(vec![letter])));
        state.answer(Answer::Changes(Ok(vec![ChangeLine {
            summary: "\u{9b}2J\n".to_owned(),
            ..changes().remove(0)
        }])));
        for screen in Screen::ALL {
            state.act(Action::Show(screen));
            for open in [false, true] {
                if open {
                    state.act(Action::Open);
                }
                for cell in cells(&state, true).content() {
                    assert_eq!(printable(cell.symbol()), cell.symbol(), "{screen:?} {open}");
                }
                let shown = text(&state);
                assert!(
                    size.0 < 40 || !shown.contains("evil\\x0d\\x0a") || shown.contains(r"\x1b"),
                    "{shown}"
                );
            }
        }
        for mode in ["\u{1b}[2J", "evil\u{202e}"] {
            state.act(Action::Show(Screen::DeadLetters));
            state.act(Action::Filter);
            mode.chars().for_each(|letter| drop(state.act(Action::Type(letter))));
            for cell in cells(&state, true).content() {
                assert_eq!(printable(cell.symbol()), cell.symbol());
            }
            state.act(Action::Back);
        }
    }
}
