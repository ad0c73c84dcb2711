//! Mentions of lawyers, with the client if the text names one.

use super::persons::normal_name;
use crate::model::{EntityKind, Mention};
use crate::visible::visible;

/// Adds a lawyer, with the client if known.
pub(super) fn push(
    text: &str,
    start: usize,
    end: usize,
    client: Option<&str>,
    found: &mut Vec<Mention>,
) {
    let mut mention =
        Mention::new(EntityKind::Lawyer, text, start, end, normal_name(&text[start..end]));
    if let Some(client) = client {
        mention.attributes.represents.push(visible(&client_name(client)).into_owned());
    }
    found.push(mention);
}

fn client_name(client: &str) -> String {
    let joined = client.split_whitespace().collect::<Vec<_>>().join(" ");
    let mut joined =
        joined.trim_matches([' ', ',', ':', ';', '-', '/']).trim_start_matches(['.', ')', '(']);
    // The mark at the end belongs to `Acme, Inc.` and to `Roe (TR)`, not to a role.
    let last = joined.rsplit(' ').next().unwrap_or_default();
    if joined.ends_with('.') && !super::tables::words::is_abbreviation(last) {
        joined = joined.trim_end_matches('.');
    }
    if joined.ends_with(['(', ')']) && joined.matches('(').count() != joined.matches(')').count() {
        joined = joined.trim_end_matches(['(', ')', ' ']);
    }
    joined.strip_prefix("the ").unwrap_or(joined).to_owned()
}
