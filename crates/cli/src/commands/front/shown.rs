//! The figures of a front, as text.

use compartment_front::FrontFigures;

use crate::screen;

/// The figures to show.
pub(super) struct Shown<'a>(pub(super) &'a FrontFigures);

impl Shown<'_> {
    pub(super) fn say(&self, json: bool) {
        if json {
            screen::say_json(self.0);
            return;
        }
        if let Some(observed) = &self.0.observed {
            let all = observed.whole + observed.split + observed.together + observed.refused;
            screen::say(format!(
                "{all} requests: {} would pass whole, {} in parts, {} brought together, {} refused",
                observed.whole, observed.split, observed.together, observed.refused
            ));
            for (database, keys) in &observed.keys {
                screen::say(format!("  {keys:>10} keys in {database}"));
            }
            for refusal in &observed.refusals {
                screen::say(format!("  refused: {refusal}"));
            }
            return;
        }
        if self.0.databases.is_empty() {
            screen::say("nothing has passed");
            return;
        }
        let header = ["database", "requests", "hits", "errors", "lost", "median", "99 %"];
        let mut table = screen::table(&header, &[1, 2, 3, 4, 5, 6]);
        for (name, figures) in &self.0.databases {
            let passed = &figures.passed;
            let reads = passed.hits + passed.misses;
            let hits = (reads > 0).then(|| passed.hits as f64 / reads as f64);
            let within = |share| {
                passed
                    .percentile(share)
                    .map_or_else(|| "-".to_owned(), |time| format!("≤ {time:?}"))
            };
            table.add_row([
                name.clone(),
                screen::count(passed.operations),
                screen::percent(hits),
                screen::count(passed.errors),
                screen::count(passed.lost),
                within(0.5),
                within(0.99),
            ]);
        }
        screen::say_lines(table.to_string());
    }
}
