//! The terminal: taken over, drawn on, and given back as it was, whatever ends the program.

use std::io::{self, Stdout, Write};
use std::sync::atomic::{AtomicBool, Ordering};

use compartment_admin::printable;
use ratatui::backend::CrosstermBackend;
use ratatui::buffer::Buffer;
use ratatui::crossterm::cursor::{Hide, Show};
use ratatui::crossterm::execute;
use ratatui::crossterm::terminal::{
    EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode,
};
use ratatui::layout::Rect;

use crate::canvas::Canvas;
use crate::palette::Palette;

/// Whether the terminal is ours at this moment.
static IS_TAKEN: AtomicBool = AtomicBool::new(false);
/// Whether a part of the program has panicked.
static HAS_PANICKED: AtomicBool = AtomicBool::new(false);

/// How the terminal is drawn on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Look {
    pub(crate) palette: Palette,
    /// Only ASCII: the terminal's encoding is not UTF-8.
    pub(crate) is_ascii: bool,
}

/// The terminal while it is ours. Dropping it gives it back.
pub(crate) struct Terminal {
    screen: ratatui::Terminal<CrosstermBackend<Stdout>>,
    look: Look,
}

impl Terminal {
    /// Takes the terminal over. A panic, of any part of the program, gives it back before its message is printed.
    pub(crate) fn take(look: Look) -> io::Result<Self> {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            HAS_PANICKED.store(true, Ordering::SeqCst);
            give_back();
            before(panic);
        }));
        let screen = ratatui::Terminal::new(CrosstermBackend::new(io::stdout()))?;
        let mut terminal = Self { screen, look };
        terminal.take_again()?;
        Ok(terminal)
    }

    /// Takes the terminal over once more, after [`give_back`].
    pub(crate) fn take_again(&mut self) -> io::Result<()> {
        IS_TAKEN.store(true, Ordering::SeqCst);
        enable_raw_mode()?;
        execute!(io::stdout(), EnterAlternateScreen, Hide)?;
        self.redraw()
    }

    /// The next frame is drawn whole. The library's own way would ask the terminal for its cursor, and wait for an answer
    /// that some terminals never give.
    pub(crate) fn redraw(&mut self) -> io::Result<()> {
        let (columns, lines) = self.size()?;
        self.screen.resize(Rect::new(0, 0, columns, lines))
    }

    /// Columns and lines.
    pub(crate) fn size(&self) -> io::Result<(u16, u16)> {
        let size = self.screen.size()?;
        Ok((size.width, size.height))
    }

    /// Draws a frame. Does nothing if a part of the program has panicked: the terminal is the shell's again.
    pub(crate) fn draw(&mut self, draw: impl FnOnce(&mut Canvas<'_>)) -> io::Result<()> {
        if has_panicked() {
            return Ok(());
        }
        let Look { palette, is_ascii } = self.look;
        self.screen.draw(|frame| {
            draw(&mut Canvas::new(frame.buffer_mut(), palette));
            make_safe(frame.buffer_mut(), is_ascii);
        })?;
        Ok(())
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        give_back();
    }
}

pub(crate) fn has_panicked() -> bool {
    HAS_PANICKED.load(Ordering::SeqCst)
}

/// Gives the terminal back as it was. A second call does nothing. Errors are ignored: a terminal that is gone needs
/// nothing.
pub(crate) fn give_back() {
    if IS_TAKEN.swap(false, Ordering::SeqCst) {
        let _ = execute!(io::stdout(), Show, LeaveAlternateScreen);
        let _ = disable_raw_mode();
        let _ = io::stdout().flush();
    }
}

/// Every cell holds visible characters that change nothing around them, whatever was drawn: text of others cannot
/// control the terminal.
fn make_safe(buffer: &mut Buffer, is_ascii: bool) {
    for cell in &mut buffer.content {
        let symbol = cell.symbol();
        if symbol.len() == 1 && symbol.as_bytes()[0].is_ascii_graphic() || symbol == " " {
            continue;
        }
        if printable(symbol) != symbol {
            cell.set_symbol("?");
        } else if is_ascii {
            let plain = plain(cell.symbol());
            cell.set_symbol(plain);
        }
    }
}

/// The sign that stands for one of ours where there is only ASCII.
fn plain(symbol: &str) -> &'static str {
    match symbol {
        "█" | "▇" | "▆" => "#",
        "▅" | "▄" => "+",
        "▃" | "▂" => "-",
        "▁" | "░" | "…" => ".",
        "─" | "–" | "−" | "·" => "-",
        "│" | "▏" => "|",
        "┌" | "┐" | "└" | "┘" | "±" => "+",
        "›" => ">",
        "▲" | "↑" => "^",
        "▼" | "↓" => "v",
        "×" => "x",
        "µ" => "u",
        "≤" => "<",
        _ => "?",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn safe(symbols: &[&str], is_ascii: bool) -> String {
        let mut buffer = Buffer::empty(Rect::new(0, 0, symbols.len() as u16, 1));
        for (cell, symbol) in buffer.content.iter_mut().zip(symbols) {
            cell.set_symbol(symbol);
        }
        make_safe(&mut buffer, is_ascii);
        buffer.content.iter().map(|cell| cell.symbol()).collect()
    }

    #[test]
    fn no_cell_controls_the_terminal() {
        assert_eq!(
            safe(&["a", "\u{1b}", "\u{9b}", "e\u{202e}", "\n", "\t", "é"], false),
            "a?????é"
        );
        assert_eq!(safe(&["漢", "█", " "], false), "漢█ ");
    }

    #[test]
    fn without_utf_8_every_sign_has_one_of_ascii() {
        assert_eq!(safe(&["█", "░", "–", "›", "漢", "\u{1b}", "x"], true), "#.->??x");
    }
}
