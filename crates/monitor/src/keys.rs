//! Which key does what.

use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use crate::action::{Action, Verb};
use crate::screens::Screen;
use crate::state::Mode;

/// The far end of a list.
const FAR: isize = 1_000_000;

/// The keys as the help shows them.
pub(crate) const HELP: [(&str, &str); 19] = [
    ("1 to 9, Tab", "the screens"),
    ("↑ ↓, k j", "one row up or down; PgUp PgDn, Home End too"),
    ("Enter", "open the page of a row, where it has one"),
    ("Esc", "close the page; without a page, drop filter and marks"),
    ("/", "filter the rows by a text"),
    ("s, S", "sort by the next column; turn the order round"),
    ("p, space", "pause the figures; again to go on"),
    ("r", "look now; on the doctor's screen, examine now"),
    ("R", "batches: retry what failed; dead letters: replay"),
    ("P, U, X", "batches: pause, resume, cancel"),
    ("X", "dead letters: remove"),
    ("m, M", "dead letters: mark one, mark all that are shown"),
    ("y", "act on a plan that is shown; any other key does not"),
    ("Ctrl-L", "draw the screen anew"),
    ("Ctrl-Z", "back to the shell; fg returns"),
    ("?", "this help"),
    ("q, Ctrl-C", "end"),
    ("! * ›", "old figures, for its server is away; marked; chosen"),
    ("", "Every change is planned first: it names what it will touch."),
];

/// What a key asks for, by what is on top of the screen.
pub(crate) fn action(mode: &Mode, key: KeyEvent) -> Option<Action> {
    if key.modifiers.contains(KeyModifiers::CONTROL) {
        return match key.code {
            KeyCode::Char('c') => Some(Action::Quit),
            KeyCode::Char('z') => Some(Action::Suspend),
            KeyCode::Char('l') => Some(Action::Redraw),
            KeyCode::Char('u') if matches!(mode, Mode::Filter(_)) => Some(Action::EraseAll),
            _ => None,
        };
    }
    match mode {
        Mode::Browse => browse(key.code),
        Mode::Filter(_) => typed(key.code),
        Mode::Confirm(_) if matches!(key.code, KeyCode::Char('y' | 'Y')) => Some(Action::Yes),
        Mode::Acting(_) => None,
        Mode::Help | Mode::Told(_) | Mode::Planning(_) | Mode::Confirm(_) => Some(Action::Back),
    }
}

fn browse(code: KeyCode) -> Option<Action> {
    Some(match code {
        KeyCode::Char(digit @ '1'..='9') => {
            let place = digit as usize - '1' as usize;
            Action::Show(*Screen::ALL.get(place)?)
        }
        KeyCode::Tab | KeyCode::Right => Action::NextScreen,
        KeyCode::BackTab | KeyCode::Left => Action::PreviousScreen,
        KeyCode::Down | KeyCode::Char('j') => Action::Go(1),
        KeyCode::Up | KeyCode::Char('k') => Action::Go(-1),
        KeyCode::PageDown => Action::Turn(1),
        KeyCode::PageUp => Action::Turn(-1),
        KeyCode::Home | KeyCode::Char('g') => Action::Go(-FAR),
        KeyCode::End | KeyCode::Char('G') => Action::Go(FAR),
        KeyCode::Enter => Action::Open,
        KeyCode::Esc | KeyCode::Backspace => Action::Back,
        KeyCode::Char('s') => Action::Sort,
        KeyCode::Char('S') => Action::Reverse,
        KeyCode::Char('/') => Action::Filter,
        KeyCode::Char('p' | ' ') => Action::Pause,
        KeyCode::Char('r') => Action::Refresh,
        KeyCode::Char('?') | KeyCode::F(1) => Action::Help,
        KeyCode::Char('m') => Action::Mark,
        KeyCode::Char('M') => Action::MarkAll,
        KeyCode::Char('R') => Action::Ask(Verb::Retry),
        KeyCode::Char('P') => Action::Ask(Verb::Pause),
        KeyCode::Char('U') => Action::Ask(Verb::Resume),
        KeyCode::Char('X') => Action::Ask(Verb::Remove),
        KeyCode::Char('q') => Action::Quit,
        _ => return None,
    })
}

fn typed(code: KeyCode) -> Option<Action> {
    Some(match code {
        KeyCode::Char(letter) => Action::Type(letter),
        KeyCode::Backspace => Action::Erase,
        KeyCode::Enter => Action::Accept,
        KeyCode::Esc => Action::Back,
        KeyCode::Down => Action::Go(1),
        KeyCode::Up => Action::Go(-1),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::Plan;

    fn press(mode: &Mode, code: KeyCode) -> Option<Action> {
        action(mode, KeyEvent::new(code, KeyModifiers::NONE))
    }

    #[test]
    fn only_y_acts_on_a_plan() {
        let mode = Mode::Confirm(Plan::default());
        assert_eq!(press(&mode, KeyCode::Char('y')), Some(Action::Yes));
        for code in [KeyCode::Enter, KeyCode::Esc, KeyCode::Char('n'), KeyCode::Char(' ')] {
            assert_eq!(press(&mode, code), Some(Action::Back), "{code:?}");
        }
        assert_eq!(press(&Mode::Browse, KeyCode::Char('y')), None);
        assert_eq!(press(&Mode::Acting(Plan::default()), KeyCode::Esc), None);
    }

    #[test]
    fn letters_are_typed_into_a_filter() {
        let mode = Mode::Filter(String::new());
        for letter in ['q', 'X', '1', '?', 'é'] {
            assert_eq!(press(&mode, KeyCode::Char(letter)), Some(Action::Type(letter)));
        }
        let quit = KeyEvent::new(KeyCode::Char('c'), KeyModifiers::CONTROL);
        assert_eq!(action(&mode, quit), Some(Action::Quit));
        assert_eq!(press(&Mode::Browse, KeyCode::Char('q')), Some(Action::Quit));
    }

    #[test]
    fn each_digit_is_a_screen() {
        for (place, screen) in Screen::ALL.into_iter().enumerate() {
            let digit = char::from(b'1' + place as u8);
            assert_eq!(press(&Mode::Browse, KeyCode::Char(digit)), Some(Action::Show(screen)));
            assert_eq!(screen.place(), place);
        }
        assert_eq!(press(&Mode::Browse, KeyCode::Char('0')), None);
    }
}
