//! Finds lawyers by `Esq.` after their names, as in the appearances of bankruptcy opinions.

use super::counsel_names::names_in;
use super::lawyer_mention::push;
use crate::model::Mention;
use crate::static_regex::static_regex;

static_regex!(esquire_regex, r",?\s+(?:Esq|ESQ|Esqs|ESQS|Esquire|ESQUIRE)\b\.?");
static_regex!(
    client_regex,
    r"(?i)\b(?:attorneys?|counsel|for)\s+(?:for\s+|to\s+)?(?:the\s+)?(?P<client>(?:(?:chapter\s+\d+|united\s+states|u\.s\.|foreign|official|liquidating|individual|third[- ]party)\s+)*(?:plaintiff|defendant|appell(?:ant|ee)|petitioner|respondent|claimant|intervenor|debtor|movant|applicant|trustee|creditor|committee|receiver)(?:s|-in-possession)?)\b"
);

/// The bytes before `Esq.` in which its name stands.
const NAME: usize = 60;

/// The bytes around a name in which the client is looked for.
const CLIENT: usize = 260;

/// Adds everybody with `Esq.` after the name.
pub(super) fn esquires(text: &str, found: &mut Vec<Mention>) {
    let mut floor = 0;
    for mark in esquire_regex().find_iter(text) {
        let from = text.ceil_char_boundary(mark.start().saturating_sub(NAME)).max(floor);
        floor = mark.end();
        // The name is the last before the mark, and the window begins at a word.
        let window = &text[from..mark.start()];
        let cut =
            if from == 0 { 0 } else { window.find(char::is_whitespace).unwrap_or(window.len()) };
        let Some((at, name)) = names_in(&window[cut..]).into_iter().last() else { continue };
        let start = from + cut + at;
        if start + name.len() + 2 < mark.start() {
            continue;
        }
        push(text, start, start + name.len(), client(text, start, mark.end()), found);
    }
}

/// The client named before the firm's address, or after the name.
fn client(text: &str, start: usize, end: usize) -> Option<&str> {
    let from = text.ceil_char_boundary(start.saturating_sub(CLIENT));
    let before = text[from..start].rfind("\n\n").map_or(from, |at| from + at);
    let to = text.floor_char_boundary((end + CLIENT / 2).min(text.len()));
    let after = text[end..to].find("\n\n").map_or(to, |at| end + at);
    let of = |range: std::ops::Range<usize>, last: bool| {
        let mut all = client_regex().captures_iter(&text[range.clone()]);
        let one = if last { all.last() } else { all.next() };
        one.and_then(|captures| captures.name("client"))
            .map(|client| &text[range.start + client.start()..range.start + client.end()])
    };
    // `Ann Roe, Esq., for the plaintiff` is nearer than a client before.
    let near = text.floor_char_boundary((end + 40).min(after));
    of(end..near, false).or_else(|| of(before..start, true)).or_else(|| of(end..after, false))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(text: &str) -> Vec<(String, String)> {
        let mut found = Vec::new();
        esquires(text, &mut found);
        found.into_iter().map(|m| (m.normal, m.attributes.represents.join("+"))).collect()
    }

    #[test]
    fn esquires_are_lawyers_of_the_client_beside_them() {
        let text = "ROE & POE LLP, Attorneys for the Debtor, 1 Main Street, Utopia, NY 10022, By: Ann V. Roe, Esq., Carl Moe, Esq., Of Counsel\n\nMOE PC, Counsel to the Chapter 7 Trustee, 2 Main St, By: Dora Q. Poe, Esq.\n";
        let pair = |a: &str, b: &str| (a.to_owned(), b.to_owned());
        assert_eq!(
            pairs(text),
            [
                pair("Ann V. Roe", "Debtor"),
                pair("Carl Moe", "Debtor"),
                pair("Dora Q. Poe", "Chapter 7 Trustee")
            ]
        );
        assert_eq!(
            pairs("John A. Doe, Esq., for the plaintiff."),
            [pair("John A. Doe", "plaintiff")]
        );
        assert!(pairs("The title Esq. is given to lawyers.").is_empty());
    }
}
