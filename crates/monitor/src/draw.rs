//! Draws the state: head, tabs, the list or the page, the keys.

use ratatui::layout::Rect;

use crate::canvas::{Canvas, width};
use crate::dialogues;
use crate::figures::{age, long, shown};
use crate::page::{write_header, write_row};
use crate::palette::Tone;
use crate::screens::{Screen, servers};
use crate::state::{Mode, State};

/// The terminal has to have so many columns and lines.
const LEAST: (u16, u16) = (40, 10);

/// Draws a frame.
pub(crate) fn draw(state: &State, canvas: &mut Canvas<'_>) {
    let area = canvas.area();
    if area.width < LEAST.0 || area.height < LEAST.1 {
        let text = format!("the terminal is smaller than {} × {}", LEAST.0, LEAST.1);
        canvas.text(0, 0, area.width, &text, Tone::Plain);
        return;
    }
    head(state, canvas);
    tabs(state, canvas);
    let layout = state.layout();
    away(state, canvas, layout.away);
    title(state, canvas, layout.title());
    for (at, (line, tone)) in servers(&state.facts).iter().take(layout.servers.into()).enumerate() {
        canvas.text(0, layout.title() + 1 + at as u16, area.width, line, *tone);
    }
    let body = Rect::new(0, layout.top(), area.width, layout.body);
    match (&state.open, state.page()) {
        (Some(open), Some(page)) => page.draw(canvas, body, open.skip),
        (Some(_), None) => {
            canvas.text(0, body.y, area.width, "it has gone; Esc goes back", Tone::Faint)
        }
        (None, _) => list(state, canvas, body),
    }
    foot(state, canvas, area.bottom() - 1);
    dialogues::draw(state, canvas);
}

fn head(state: &State, canvas: &mut Canvas<'_>) {
    let all = canvas.area().width;
    let facts = &state.facts;
    let look = facts.look.as_deref();
    let since = look.map(|look| facts.now_ms.saturating_sub(look.at_ms));
    let patience = 3 * state.interval.as_millis() as u64 + 5_000;
    let (when, tone) = match (look, since) {
        (Some(look), Some(since)) if since > patience && !state.is_paused => {
            (format!("no look for {}", age(facts.now_ms, look.at_ms)), Tone::Bad)
        }
        (Some(look), _) => {
            let ago = age(facts.now_ms, look.at_ms);
            let text = format!("look {}, {ago} ago, every {}", look.number, long(state.interval));
            (text, Tone::Faint)
        }
        (None, _) => ("looking for the first time".to_owned(), Tone::Faint),
    };
    canvas.right(0, 0, all, &when, tone);
    let mut x = 0;
    let mut say = |text: &str, tone: Tone| {
        canvas.text(x, 0, all.saturating_sub(x + width(&when) + 1), text, tone);
        x += width(text) + 1;
    };
    say("compartment monitor", Tone::Strong);
    if state.is_paused {
        say("· PAUSED", Tone::Warning);
    }
    if let Some(health) = look.and_then(|look| look.health.as_ref()) {
        say(&format!("· health {}", health.state), Tone::of(health.state));
    }
    if let Some(doctor) =
        look.and_then(|look| look.doctor.as_ref()).filter(|one| !one.findings.is_empty())
    {
        let findings = compartment_operations::counted(doctor.findings.len() as u64, "finding");
        say(&format!("· {findings}"), Tone::Plain);
    }
}

fn tabs(state: &State, canvas: &mut Canvas<'_>) {
    let all = canvas.area().width;
    let line = |title: fn(Screen) -> &'static str| {
        Screen::ALL.map(|screen| format!("{} {}", screen.place() + 1, title(screen)))
    };
    let needs = |titles: &[String]| titles.iter().map(|one| width(one) + 1).sum::<u16>();
    let long = line(Screen::title);
    let titles = if needs(&long) <= all { long } else { line(Screen::short) };
    let mut x = 0;
    for (screen, title) in Screen::ALL.into_iter().zip(&titles) {
        let tone = if screen == state.screen { Tone::Chosen } else { Tone::Plain };
        canvas.text(x, 1, all.saturating_sub(x), title, tone);
        x += width(title) + 1;
    }
}

/// The servers that do not answer: since when, and why.
fn away(state: &State, canvas: &mut Canvas<'_>, lines: u16) {
    let all = canvas.area().width;
    let now_ms = state.facts.now_ms;
    for (y, (name, away)) in (2..2 + lines).zip(&state.facts.known.away) {
        let since = age(now_ms, away.since_ms);
        let text = format!("! {} is away for {since}: {}", shown(name), shown(&away.why));
        canvas.text(0, y, all, &text, Tone::Bad);
    }
}

fn title(state: &State, canvas: &mut Canvas<'_>, y: u16) {
    let all = canvas.area().width;
    if let Some(page) = state.page() {
        canvas.text(0, y, all, &page.title, Tone::Strong);
        return;
    }
    let list = state.list();
    let (shown_rows, rows) = (list.shown(&state.table).len(), state.table.rows.len());
    let mut text =
        format!("{} · {}", state.screen.title(), compartment_operations::count(rows as u64));
    if !list.filter.is_empty() {
        text = format!("{text} · {shown_rows} with {:?}", shown(&list.filter));
    }
    if let Some((column, is_descending)) = list.order
        && let Some(column) = state.table.columns.get(column)
    {
        let sign = if is_descending { "▼" } else { "▲" };
        text = format!("{text} · by {} {sign}", column.title);
    }
    let place = list.place(&list.shown(&state.table)) + 1;
    let rows_shown = usize::from(state.layout().rows());
    if shown_rows > rows_shown {
        let page = (place - 1) / rows_shown + 1;
        let pages = shown_rows.div_ceil(rows_shown);
        text = format!("{text} · page {page} of {pages}");
    }
    canvas.text(0, y, all, &text, Tone::Strong);
}

fn list(state: &State, canvas: &mut Canvas<'_>, body: Rect) {
    let (list, table) = (state.list(), &state.table);
    let shown = list.shown(table);
    if shown.is_empty() {
        let text = if table.rows.is_empty() {
            table.empty.as_str()
        } else {
            "no row matches the filter; Esc drops it"
        };
        for (at, line) in crate::canvas::lines(text, body.width).iter().enumerate() {
            canvas.text(0, body.y + at as u16, body.width, line, Tone::Faint);
        }
        return;
    }
    // The signs of the chosen row and of marks are before the first column.
    let widths = table.widths(body.width.saturating_sub(2));
    let sorted =
        list.order.map(|(column, is_descending)| (column, if is_descending { "▼" } else { "▲" }));
    write_header(canvas, (2, body.y), table, &widths, sorted);
    let rows = usize::from(body.height.saturating_sub(1)).max(1);
    let place = list.place(&shown);
    let first = place / rows * rows;
    for (at, row) in shown.iter().enumerate().skip(first).take(rows) {
        let y = body.y + 1 + (at - first) as u16;
        write_row(canvas, (2, y), table, &widths, row);
        match row.is_old {
            true => canvas.text(1, y, 1, "!", Tone::Bad),
            false if list.is_marked(&row.id) => canvas.text(1, y, 1, "*", Tone::Strong),
            false => {}
        }
        if at == place {
            canvas.text(0, y, 1, "›", Tone::Strong);
            canvas.choose(0, y, body.width);
        }
    }
}

fn foot(state: &State, canvas: &mut Canvas<'_>, y: u16) {
    let all = canvas.area().width;
    if let Mode::Filter(_) = state.mode {
        let text = format!("/{}▏ Enter keeps it, Esc drops it", shown(&state.list().filter));
        canvas.text(0, y, all, &text, Tone::Plain);
        return;
    }
    if let Some((text, tone)) = &state.message {
        canvas.text(0, y, all, text, *tone);
        return;
    }
    let keys = match (state.screen, state.open.is_some()) {
        (Screen::Batches, _) => "R retry  P pause  U resume  X cancel  ",
        (Screen::DeadLetters, false) => "R replay  X remove  m mark  M mark all  ",
        (Screen::DeadLetters, true) => "R replay  X remove  ",
        (Screen::Doctor, false) => "r examine  ",
        _ => "",
    };
    let general = match state.open.is_some() {
        true => "Esc back  ↑↓ scroll  p pause",
        false => "Enter open  / filter  s sort  p pause",
    };
    canvas.text(0, y, all, &format!("? help  q end  {keys}{general}"), Tone::Faint);
}
