//! How each kind of text is drawn, with colours and without.

use compartment_admin::health::HealthState;
use ratatui::style::{Color, Modifier, Style};

/// The meaning of a text that its style supports. The words of the text say the same without it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Tone {
    #[default]
    Plain,
    Good,
    Warning,
    Bad,
    Strong,
    /// Of little weight, or no longer true.
    Faint,
    /// The row, the tab or the answer that is chosen.
    Chosen,
}

impl Tone {
    /// That of a check.
    pub(crate) fn of(state: HealthState) -> Self {
        match state {
            HealthState::Ok => Self::Good,
            HealthState::Unknown => Self::Faint,
            HealthState::Warning => Self::Warning,
            HealthState::Critical => Self::Bad,
        }
    }
}

/// The styles of one terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Palette {
    has_colors: bool,
}

impl Palette {
    pub(crate) fn new(has_colors: bool) -> Self {
        Self { has_colors }
    }

    pub(crate) fn style(self, tone: Tone) -> Style {
        let style = Style::new();
        let colored = |color: Color| if self.has_colors { style.fg(color) } else { style };
        match tone {
            Tone::Plain => style,
            Tone::Good => colored(Color::Green),
            Tone::Warning => colored(Color::Yellow),
            Tone::Bad => colored(Color::Red).add_modifier(Modifier::BOLD),
            Tone::Strong => style.add_modifier(Modifier::BOLD),
            Tone::Faint => style.add_modifier(Modifier::DIM),
            Tone::Chosen => style.add_modifier(Modifier::REVERSED),
        }
    }
}
