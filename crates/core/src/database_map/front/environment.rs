//! The variable of the environment that overrides `[front]`.

use super::super::DatabaseMapBuilder;
use super::lists::texts;

/// The addresses of the front, with commas between them.
const LISTEN: &str = "COMPARTMENT_FRONT_LISTEN";

impl DatabaseMapBuilder {
    /// Applies the variable; `get` returns one that is set. The addresses are checked with the rest of the map.
    pub(in super::super) fn apply_front<'a>(&mut self, get: &impl Fn(&str) -> Option<&'a str>) {
        let Some(value) = get(LISTEN) else { return };
        let addresses: Vec<String> =
            value.split(',').map(|address| address.trim().to_owned()).collect();
        self.note_override("front.listen", texts(&addresses), LISTEN);
        self.sections.front.listen = addresses;
    }
}
