//! What keys do, from the key to the request.

use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use compartment_operations::changes::Change;

use super::looks::{self, NOW};
use super::screens::{letters, state, text};
use crate::keys::action;
use crate::screens::Screen;
use crate::state::{Answer, Mode, Outcome, Plan, Request, State};

fn press(state: &mut State, keys: &str) -> Vec<Request> {
    let mut all = Vec::new();
    for letter in keys.chars() {
        let code = match letter {
            '\n' => KeyCode::Enter,
            '\u{1b}' => KeyCode::Esc,
            '\u{8}' => KeyCode::Backspace,
            letter => KeyCode::Char(letter),
        };
        if let Some(action) = action(&state.mode, KeyEvent::new(code, KeyModifiers::NONE)) {
            all.extend(state.act(action));
        }
    }
    all
}

fn rows(state: &State) -> Vec<String> {
    state.list().shown(&state.table).iter().map(|row| row.id.clone()).collect()
}

#[test]
fn lists_are_sorted_and_filtered_by_keys() {
    let mut state = state((80, 24));
    press(&mut state, "ss");
    assert_eq!(rows(&state), ["cache", "broker", "rate_limit"], "by keys, the most first");
    press(&mut state, "S");
    assert_eq!(rows(&state), ["rate_limit", "broker", "cache"]);
    press(&mut state, "/CAch");
    assert_eq!(rows(&state), ["cache"], "while it is typed");
    press(&mut state, "x");
    assert_eq!(rows(&state), [""; 0]);
    assert!(text(&state).contains("no row matches the filter"));
    press(&mut state, "\u{8}\n");
    assert_eq!((rows(&state).len(), &state.mode), (1, &Mode::Browse));
    press(&mut state, "/q\u{1b}");
    assert_eq!(rows(&state), ["cache"], "Esc restores the filter before");
    press(&mut state, "\u{1b}");
    assert_eq!(rows(&state).len(), 3);
}

#[test]
fn a_page_is_opened_scrolled_within_its_bounds_and_closed() {
    let mut state = state((80, 12));
    press(&mut state, "j\n");
    assert_eq!(state.open.as_ref().map(|open| open.id.as_str()), Some("cache"));
    assert!(text(&state).contains("database cache"));
    press(&mut state, &"j".repeat(500));
    let last = state.open.as_ref().unwrap().skip;
    assert!(last > 0 && last < 60, "{last}");
    press(&mut state, "k");
    assert_eq!(state.open.as_ref().unwrap().skip, last - 1);
    press(&mut state, "\u{1b}");
    assert_eq!((&state.open, state.screen), (&None, Screen::Databases));
    assert_eq!(state.subject().as_deref(), Some("cache"), "the row stays chosen");
}

#[test]
fn screens_ask_for_what_a_look_does_not_have() {
    let mut state = state((80, 24));
    assert_eq!(press(&mut state, "5"), [Request::Letters]);
    assert_eq!(press(&mut state, "9"), [Request::Changes]);
    assert_eq!(press(&mut state, "2"), []);
    assert_eq!(press(&mut state, "\n"), [Request::Batch("smith-v-jones".to_owned())]);
    assert_eq!(state.look(looks::busy(20), Vec::new()), [], "at most every 5 s");
    state.tick(state.facts.now_ms + 5_000);
    let again = state.look(looks::busy(21), Vec::new());
    assert_eq!(again, [Request::Batch("smith-v-jones".to_owned())], "as long as it is open");
    assert_eq!(press(&mut state, "6r"), [Request::Look, Request::Examine]);
    assert_eq!(press(&mut state, "q"), [Request::Quit]);
}

#[test]
fn paused_figures_stand_still_until_they_go_on() {
    let mut state = state((80, 24));
    let number = |state: &State| state.facts.look.as_ref().unwrap().number;
    assert_eq!(number(&state), 12);
    press(&mut state, "p");
    assert!(text(&state).contains("PAUSED"));
    state.look(looks::busy(40), Vec::new());
    assert_eq!(number(&state), 12);
    press(&mut state, " ");
    assert_eq!(number(&state), 41);
    assert!(!text(&state).contains("PAUSED"));
}

#[test]
fn a_change_is_planned_confirmed_and_made_once() {
    let mut state = state((80, 24));
    let wanted =
        Change::RetryFailed { batch: "smith-v-jones".to_owned(), stage: None, error: None };
    assert_eq!(press(&mut state, "2R"), [Request::Plan(wanted)]);
    assert_eq!(press(&mut state, "y"), [], "there is no plan yet");
    assert_eq!(
        press(&mut state, "R"),
        [Request::Plan(Change::RetryFailed {
            batch: "smith-v-jones".to_owned(),
            stage: None,
            error: None,
        })],
        "the key went back"
    );
    let plan = Plan { id: "p1".to_owned(), summary: "Retries.".to_owned(), ..Plan::default() };
    state.answer(Answer::Planned(Ok(plan.clone())));
    assert_eq!(press(&mut state, "\n"), [], "Enter is no yes");
    assert_eq!(state.mode, Mode::Browse);
    press(&mut state, "R");
    state.answer(Answer::Planned(Ok(plan)));
    assert_eq!(press(&mut state, "yyyy"), [Request::Act("p1".to_owned())]);
    let outcome = Outcome { is_good: true, text: "12 documents wait again".to_owned() };
    assert_eq!(state.answer(Answer::Acted(outcome)), [Request::Look]);
    assert!(text(&state).contains("12 documents wait again"));
}

#[test]
fn a_refused_plan_cannot_be_acted_on_and_a_late_one_opens_nothing() {
    let mut state = state((80, 24));
    press(&mut state, "2P");
    let refused = Plan { refusals: vec!["it is over".to_owned()], ..Plan::default() };
    state.answer(Answer::Planned(Ok(refused)));
    assert!(text(&state).contains("refused: it is over"));
    assert_eq!(press(&mut state, "y"), []);
    press(&mut state, "\u{1b}X\u{1b}");
    state.answer(Answer::Planned(Ok(Plan { id: "late".to_owned(), ..Plan::default() })));
    assert_eq!(state.mode, Mode::Browse);
    press(&mut state, "U");
    state.answer(Answer::Planned(Err("the server is away".to_owned())));
    assert!(text(&state).contains("the server is away"));
}

#[test]
fn dead_letters_are_changed_one_by_one_or_by_marks_of_one_stage() {
    let mut state = state((80, 24));
    let purge = |ids: &[u64]| {
        Request::Plan(Change::PurgeDeadLetters {
            stage: Some("extract".to_owned()),
            error: None,
            ids: ids.to_vec(),
        })
    };
    assert_eq!(press(&mut state, "5X"), [Request::Letters, purge(&[7])]);
    press(&mut state, "\u{1b}mm");
    assert_eq!(press(&mut state, "X"), [purge(&[7, 8])]);
    press(&mut state, "\u{1b}M");
    assert_eq!(press(&mut state, "X"), [], "marks of two stages");
    assert!(text(&state).contains("several stages"));
    press(&mut state, "/extract\n");
    let replay = Change::ReplayDeadLetters {
        stage: Some("extract".to_owned()),
        error: None,
        ids: vec![7, 8],
    };
    assert_eq!(press(&mut state, "R"), [Request::Plan(replay)]);
    press(&mut state, "\u{1b}P");
    assert!(text(&state).contains("replayed (R) or removed (X)"));
    state.answer(Answer::Letters(Ok(letters()[2..].to_vec())));
    press(&mut state, "1R");
    assert!(text(&state).contains("can be changed here"));
}

#[test]
fn a_look_that_does_not_come_is_told() {
    let mut state = state((80, 24));
    let last = NOW + 11 * 5_000;
    state.tick(last + 19_000);
    assert!(text(&state).contains("19 s ago"), "{}", text(&state));
    state.tick(last + 21_000);
    assert!(text(&state).contains("no look for 21 s"));
}
