//! One metric in Prometheus's text format, with its values.

use std::fmt::Write;

/// Values of one metric: a subject that is not listed has none.
const MAX_SERIES: usize = 1_000;

/// One metric, with a value for each subject that has it.
pub(super) struct Family {
    pub(super) name: &'static str,
    /// `gauge`, `counter` or `histogram`.
    pub(super) form: &'static str,
    pub(super) help: &'static str,
    /// Labels and value. Of a histogram the labels begin with the suffix of the name, as in `_bucket{…}`.
    pub(super) values: Vec<(String, f64)>,
}

impl Family {
    pub(super) fn gauge(
        name: &'static str,
        help: &'static str,
        values: Vec<(String, f64)>,
    ) -> Self {
        Self { name, form: "gauge", help, values }
    }

    /// Appends the family, unless it has no value.
    pub(super) fn write(&self, text: &mut String) {
        let Self { name, form, help, values } = self;
        if values.is_empty() {
            return;
        }
        // Writing to a string cannot fail.
        let _ =
            writeln!(text, "# HELP compartment_{name} {help}\n# TYPE compartment_{name} {form}");
        for (labels, value) in values.iter().take(MAX_SERIES) {
            let _ = match labels.strip_prefix('_') {
                Some(part) => writeln!(text, "compartment_{name}_{part} {value}"),
                None if labels.is_empty() => writeln!(text, "compartment_{name} {value}"),
                None => writeln!(text, "compartment_{name}{{{labels}}} {value}"),
            };
        }
    }
}

/// Labels with their values, escaped.
pub(super) fn labels(pairs: &[(&str, &str)]) -> String {
    let escape = |text: &str| text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
    let pairs: Vec<String> =
        pairs.iter().map(|(name, value)| format!("{name}=\"{}\"", escape(value))).collect();
    pairs.join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_cannot_end_its_quotes() {
        let text = labels(&[("database", "a\"b\\c\nd"), ("index", "3")]);
        assert_eq!(text, r#"database="a\"b\\c\nd",index="3""#);
    }

    #[test]
    fn the_series_of_a_metric_are_bounded() {
        let values = (0..5_000).map(|at| (labels(&[("queue", &at.to_string())]), 1.0)).collect();
        let mut text = String::new();
        Family::gauge("queue_tasks", "Tasks.", values).write(&mut text);
        assert_eq!(text.lines().count(), MAX_SERIES + 2);
    }
}
