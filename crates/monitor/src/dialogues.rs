//! Draws what stands above a screen: the help, a plan, an outcome.

use ratatui::layout::Rect;

use crate::canvas::{Canvas, lines};
use crate::figures::shown;
use crate::keys::HELP;
use crate::palette::Tone;
use crate::state::{Mode, Plan, State};

/// The widest dialogue.
const MAX_WIDTH: u16 = 90;
/// Lines of a plan that name what it touches.
const MAX_TOUCHES: usize = 12;

/// Draws the dialogue that is open, if one is.
pub(crate) fn draw(state: &State, canvas: &mut Canvas<'_>) {
    let room = canvas.area().width.saturating_sub(6).min(MAX_WIDTH - 4);
    let (title, text) = match &state.mode {
        Mode::Browse | Mode::Filter(_) => return,
        Mode::Help => ("keys", help()),
        Mode::Planning(what) => {
            let text = vec![
                (format!("planning to {}", shown(what)), Tone::Plain),
                blank(),
                key("Esc goes back"),
            ];
            ("plan", text)
        }
        Mode::Confirm(plan) => ("plan", confirm(plan, room)),
        Mode::Acting(plan) => ("acting", folded(&shown(&plan.summary), room, Tone::Plain)),
        Mode::Told(outcome) => {
            let (title, tone) =
                if outcome.is_good { ("done", Tone::Good) } else { ("not done", Tone::Bad) };
            let mut text = folded(&shown(&outcome.text), room, tone);
            text.extend([blank(), key("any key goes back")]);
            (title, text)
        }
    };
    framed(canvas, title, &text);
}

/// A line and its tone.
type Line = (String, Tone);

fn blank() -> Line {
    (String::new(), Tone::Plain)
}

fn key(text: &str) -> Line {
    (text.to_owned(), Tone::Faint)
}

fn folded(text: &str, room: u16, tone: Tone) -> Vec<Line> {
    lines(text, room).into_iter().map(|line| (line, tone)).collect()
}

fn help() -> Vec<Line> {
    HELP.iter().map(|(key, does)| (format!("{key:<13}{does}"), Tone::Plain)).collect()
}

/// What a plan will do and touch, or why it is refused.
fn confirm(plan: &Plan, room: u16) -> Vec<Line> {
    let mut text = folded(&shown(&plan.summary), room, Tone::Strong);
    if !plan.touches.is_empty() {
        text.push(blank());
    }
    for touched in plan.touches.iter().take(MAX_TOUCHES) {
        text.push((format!("  {}", shown(touched)), Tone::Plain));
    }
    text.push(blank());
    for refusal in &plan.refusals {
        text.extend(folded(&format!("refused: {}", shown(refusal)), room, Tone::Bad));
    }
    text.push(match plan.refusals.is_empty() {
        true => ("y does it; any other key does not".to_owned(), Tone::Strong),
        false => key("any key goes back"),
    });
    text
}

/// Draws lines in a frame in the middle of the screen. Of too many the last, which say what the keys do, are kept.
fn framed(canvas: &mut Canvas<'_>, title: &str, text: &[Line]) {
    let area = canvas.area();
    let widest = text.iter().map(|(line, _)| crate::canvas::width(line)).max().unwrap_or(0);
    let width = (widest + 4).clamp(30, MAX_WIDTH).min(area.width.saturating_sub(2));
    let room = usize::from(area.height.saturating_sub(2));
    let (first, last) = text.split_at(text.len().saturating_sub(2));
    let shown = first.iter().take(room.saturating_sub(last.len())).chain(last);
    let shown: Vec<&Line> = shown.take(room).collect();
    let height = shown.len() as u16 + 2;
    let (x, y) = ((area.width - width) / 2, (area.height - height) / 2);
    canvas.frame(Rect::new(x, y, width, height), title);
    for (at, (line, tone)) in shown.into_iter().enumerate() {
        canvas.text(x + 2, y + 1 + at as u16, width - 4, line, *tone);
    }
}
