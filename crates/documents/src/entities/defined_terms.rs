//! Terms that a paper defines for its parties: `Quillon Freight, Inc. (the "Company")`, `(collectively, the "Lenders")`.

use std::collections::HashSet;
use std::ops::Range;

use super::legal_forms::is_legal_form;
use super::sentences::sentence_before;
use crate::model::{EntityKind, Mention};
use crate::static_regex::static_regex;

/// Most definitions of a paper that are read, and most names they are compared with.
pub(super) const MOST: usize = 400;
/// How far a list of parties reaches back from the term for them, in bytes.
const LONGEST_LIST: usize = 500;

static_regex!(
    /// A parenthesis with terms in quotes.
    definition_regex,
    r#"^\((?P<lead>(?:(?:hereinafter|hereafter|herein|collectively|together|jointly|individually|each|also|sometimes|referred|known|defined|called|to|as|and|or|with|an?|the|,|;)[\s,]*){0,8})["“”‘'](?P<terms>[^()"“”]{1,60}[,.]?["”“’'](?:[\s,]{0,3}(?:and|or)?\s{0,3}(?:(?:individually|collectively|the)[\s,]*){0,3}["“”‘'][^()"“”]{1,60}["”“’']){0,2})[^()]{0,40}\)"#
);
static_regex!(
    /// A definition without a parenthesis: `, hereinafter referred to as "Smith"`.
    hereinafter_regex,
    r#"\b(?P<lead>(?:[Hh]ereinafter|[Hh]ereafter|HEREINAFTER)\b[^"“”()\n]{0,40}?)\s["“](?P<terms>[^"“”]{1,60}["”])"#
);
static_regex!(
    /// What may stand between a name and the term for it: `, a Delaware corporation`.
    described_regex,
    r"(?:,\s+(?:an?|its|the|his|her)\s[^(),;]{2,80}|,\s+(?:individually|as\s[^(),;]{2,60})|,?\s+(?:d/b/a|a/k/a|f/k/a)\s[^(),;]{2,60})$"
);
static_regex!(quoted_regex, r#"["“”‘'](?P<term>[^"“”]{1,60}?)[,.]?["”“’']"#);

/// Nouns that a paper defines for things, not for parties.
const THINGS: &str = "account accounts act action agreement agreements amendment answer appeal application award bill \
    board's bond brief case claim claims class code complaint contract contracts date debt decision declaration deed \
    deposition documents event exhibit facility filing incident indenture information injunction judgment law lease \
    lawsuit letter license loan loans mark marks merger mortgage motion note notes notice opinion order orders patent \
    patents period petition plan policies policy premises procedure proceeding proceedings product products program \
    project property proposal record regulation regulations release report request response rule rules sale schedule \
    security securities services settlement shares site software statement statute stay subpoena suit term terms \
    transaction transactions treaty trial vehicle vessel warrant website work";

/// Nouns that stand for whoever bears a part in a paper.
const PARTIES: &str = "agency agent appellant appellee applicant association bank board borrower buyer captain carrier church city \
    claimant commission company contractor corporation county creditor debtor decedent defendant department developer \
    district employee employer estate executor father firm foundation franchisee franchisor fund government grantor \
    guarantor holder hospital husband individual insured insurer intervenor investor issuer landlord lender lessee \
    lessor licensee licensor manager manufacturer mother movant officer operator owner parent partnership petitioner \
    plaintiff principal purchaser receiver relator respondent school secretary seller servicer shareholder state \
    subcontractor subsidiary supplier tenant town township trust trustee union university vendor village wife";

/// A definition of a term.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Definition {
    /// The term, without its article.
    pub(super) term: String,
    /// Whether the article belongs to it: `the "Company"`.
    pub(super) has_article: bool,
    /// Where the definition stands.
    pub(super) place: Range<usize>,
    /// The first bytes of the mentions of everyone that it stands for, of whom the paper has a mention.
    pub(super) members: Vec<usize>,
    /// Whether it stands for several together.
    pub(super) is_group: bool,
}

/// The definitions of a paper, in text order. One whose bearer is not known has no members: it ends another of its term.
pub(super) fn definitions(text: &str, mentions: &[Mention]) -> Vec<Definition> {
    let names = Names::read(mentions);
    let mut found = Vec::new();
    let hereinafter = hereinafter_regex()
        .captures_iter(text)
        .take(MOST)
        .filter_map(|captures| Some((0, captures.get(0)?.range(), captures)));
    for (from, whole, captures) in parentheses(text).take(MOST).chain(hereinafter) {
        let Some(terms) = captures.name("terms") else { continue };
        let terms = from + terms.start()..from + terms.end();
        let lead = captures["lead"].to_lowercase();
        let head = sentence_before(text, whole.start, LONGEST_LIST);
        let is_group =
            ["collectively", "together", "jointly"].iter().any(|word| lead.contains(word));
        // The regex of the terms begins behind the first quotation mark.
        let from = text[..terms.start].char_indices().next_back().map_or(0, |(at, _)| at);
        for quoted in quoted_regex().captures_iter(&text[from..terms.end]) {
            let Some(term) = quoted.name("term") else { continue };
            let before = &text[whole.start..from + term.start()];
            let before = before.trim_end_matches(['"', '“', '”', '‘', '\'']).trim_end();
            let plain = term.as_str().split_whitespace().collect::<Vec<_>>().join(" ");
            let own = ["the ", "The "].iter().find_map(|article| plain.strip_prefix(article));
            let has_article = own.is_some() || before.to_lowercase().ends_with("the");
            let term = own.unwrap_or(&plain).to_owned();
            if !is_term(&term) {
                continue;
            }
            let members = match is_group {
                true => names.all_in(head),
                false => names.before(text, head, whole.start).into_iter().collect(),
            };
            let fits = is_group || members.iter().all(|at| names.fits(*at, &term, has_article));
            let members = if fits { members } else { Vec::new() };
            let place = whole.clone();
            found.push(Definition { term, has_article, place, members, is_group });
        }
    }
    found.sort_by_key(|one| one.place.start);
    // `(hereinafter "Smith")` has both forms.
    found.dedup_by(|b, a| a.term == b.term && b.place.start < a.place.end);
    found
}

/// The longest parenthesis of a definition, in bytes.
const LONGEST: usize = 360;

/// The parentheses that define terms: where the text of the match begins, where the parenthesis lies, and the match.
fn parentheses(text: &str) -> impl Iterator<Item = (usize, Range<usize>, regex::Captures<'_>)> {
    text.match_indices('(').filter_map(|(at, _)| {
        let window = &text[at..text.floor_char_boundary((at + LONGEST).min(text.len()))];
        // Most parentheses have no quotation mark, which is quicker to see than to match.
        let inside = &window[..window.find(')')?];
        inside.contains(['"', '“', '”', '‘', '\'']).then_some(())?;
        let captures = definition_regex().captures(window)?;
        let whole = captures.get(0)?.range();
        Some((at, at + whole.start..at + whole.end, captures))
    })
}

/// Whether the words can be a term: they begin with a capital or a digit, and there are few of them.
fn is_term(term: &str) -> bool {
    term.starts_with(|c: char| c.is_uppercase() || c.is_ascii_digit())
        && term.chars().filter(|c| c.is_alphabetic()).count() > 1
        && term.split(' ').count() <= 6
        && !term.ends_with(['!', '?'])
}

/// Words in lower case, apart by one blank, without punctuation.
fn folded(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '.' | '\'' | '’' => {}
            c if c.is_alphanumeric() => out.extend(c.to_lowercase()),
            _ if out.ends_with(' ') || out.is_empty() => {}
            _ => out.push(' '),
        }
    }
    out.truncate(out.trim_end().len());
    out
}

/// The names of a paper's parties, people and courts.
struct Names<'m> {
    mentions: &'m [Mention],
    /// Each name in its folded form, with the first byte of the mention that has it first; the longest first.
    names: Vec<(String, usize)>,
}

impl<'m> Names<'m> {
    fn read(mentions: &'m [Mention]) -> Self {
        let mut seen: HashSet<String> = HashSet::new();
        let mut names = Vec::new();
        for one in mentions.iter().filter(|one| one.kind == EntityKind::Party) {
            let name = folded(&one.normal);
            let name = name.strip_prefix("the ").unwrap_or(&name).to_owned();
            // A name may lack its legal form where it is repeated.
            let short = name.rsplit_once(' ').filter(|(_, form)| is_legal_form(form));
            let short = short.map(|(short, _)| short.to_owned()).filter(|short| short.len() > 4);
            for name in [Some(name.clone()), short].into_iter().flatten() {
                if name.len() > 2 && names.len() < MOST && seen.insert(name.clone()) {
                    names.push((name, one.start));
                }
            }
        }
        names.sort_by_key(|(name, _)| std::cmp::Reverse(name.len()));
        Self { mentions, names }
    }

    /// The one whose name ends where the parenthesis at `end` begins.
    fn before(&self, text: &str, head: &str, end: usize) -> Option<usize> {
        let plain = head.trim_end_matches(|c: char| c.is_whitespace() || c == ',');
        // A name that is a mention: a party in the caption, a lawyer, a judge, a court.
        let edge = end - (head.len() - plain.len());
        let near = self.mentions.partition_point(|one| one.start < edge.saturating_sub(200));
        let named = self.mentions[near..].iter().take_while(|one| one.start < edge).find(|one| {
            let is_named = matches!(
                one.kind,
                EntityKind::Party | EntityKind::Judge | EntityKind::Lawyer | EntityKind::Court
            );
            is_named
                && text
                    .get(one.end..edge)
                    .is_some_and(|gap| gap.trim_matches(['.', ',']).is_empty())
        });
        if let Some(named) = named {
            return Some(named.start);
        }
        let tail = &plain[plain.floor_char_boundary(plain.len().saturating_sub(200))..];
        self.ends_with(tail).or_else(|| {
            let described = described_regex().find(tail)?;
            self.ends_with(&tail[..described.start()])
        })
    }

    fn ends_with(&self, text: &str) -> Option<usize> {
        let text = folded(text);
        let ends = |name: &str| {
            text.strip_suffix(name).is_some_and(|rest| rest.is_empty() || rest.ends_with(' '))
        };
        self.names.iter().find(|(name, _)| ends(name)).map(|(_, start)| *start)
    }

    /// Everyone who is named in the text, in the order of their first mentions.
    fn all_in(&self, text: &str) -> Vec<usize> {
        let mut rest = format!(" {} ", folded(text));
        let mut found: Vec<usize> = Vec::new();
        for (name, start) in &self.names {
            let words = format!(" {name} ");
            if rest.contains(&words) {
                // A shorter name within a longer one is not named itself.
                rest = rest.replace(&words, " | ");
                if !found.contains(start) {
                    found.push(*start);
                }
            }
        }
        found.sort_unstable();
        found
    }

    /// Whether the term can stand for the one whose mention begins at `start`: it has words or initials of the name, or
    /// is a noun for parties, or at least none for things.
    fn fits(&self, start: usize, term: &str, has_article: bool) -> bool {
        let name = self.mentions.iter().find(|one| one.start == start);
        let name = folded(name.map_or("", |one| one.normal.as_str()));
        let term = folded(term);
        let Some(last) = term.split(' ').next_back() else { return false };
        let is = |list: &str, word: &str| list.split_whitespace().any(|one| one == word);
        let single = last.strip_suffix('s').unwrap_or(last);
        if term.split(' ').any(|word| name.split(' ').any(|other| other == word)) {
            return !is(THINGS, last) || name.split(' ').any(|word| word == last);
        }
        let initials: String = name
            .split(' ')
            .filter(|word| !matches!(*word, "of" | "the" | "and" | "for"))
            .filter_map(|word| word.chars().next())
            .collect();
        let letters: String = term.chars().filter(|c| c.is_alphabetic()).collect();
        let is_initials = letters.len() > 1 && initials.starts_with(&letters);
        let is_party = is(PARTIES, last) || is(PARTIES, single);
        is_initials || is_party || !has_article && !is(THINGS, last) && !is(THINGS, single)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entities::mentions;

    const CAPTION: &str = "HARBORLINE SHIPPING, INC.,\n\nPlaintiff,\n\nv.\n\nALDER BANK, N.A., BIRCH BANK, N.A., and ROBERT SMITH,\n\nDefendants.\n\nNo. 20-1234\n\n";

    /// For each definition: the term, and the names that it stands for.
    fn read(body: &str) -> Vec<(String, Vec<String>)> {
        let text = format!("{CAPTION}{body}");
        let all = mentions(&text);
        let name = |start: &usize| {
            all.iter().find(|one| one.start == *start).map(|one| one.normal.clone()).unwrap()
        };
        definitions(&text, &all)
            .iter()
            .map(|one| (one.term.clone(), one.members.iter().map(name).collect()))
            .collect()
    }

    #[test]
    fn each_form_of_a_definition_is_read() {
        for (body, term, name) in [
            (
                r#"Harborline Shipping, Inc. (the "Company") sails."#,
                "Company",
                "Harborline Shipping Inc.",
            ),
            (
                "Harborline Shipping, Inc. (“Harborline”) sails.",
                "Harborline",
                "Harborline Shipping Inc.",
            ),
            ("Harborline Shipping (hereinafter “HSI”) sails.", "HSI", "Harborline Shipping Inc."),
            (
                r#"Robert Smith (hereinafter referred to as "Defendant Smith") ran."#,
                "Defendant Smith",
                "Robert Smith",
            ),
            (
                "Robert Smith, hereinafter referred to as the “Captain,” ran.",
                "Captain",
                "Robert Smith",
            ),
            (
                "Harborline Shipping, Inc., a Delaware corporation (the “Company”), sails.",
                "Company",
                "Harborline Shipping Inc.",
            ),
        ] {
            assert_eq!(read(body), [(term.to_owned(), vec![name.to_owned()])], "{body}");
        }
        let both = read("Harborline Shipping, Inc. (“Harborline” or the “Company”) sails.");
        assert_eq!(both.len(), 2, "{both:?}");
        assert!(both.iter().all(|(_, names)| names == &["Harborline Shipping Inc."]), "{both:?}");
    }

    #[test]
    fn a_term_for_several_is_a_group() {
        let body = "Alder Bank, N.A. and Birch Bank, N.A. (collectively, the “Lenders”) lend.";
        let found = read(body);
        assert_eq!(found[0].1.len(), 2, "{found:?}");
    }

    #[test]
    fn terms_for_things_and_strangers_have_no_party() {
        for body in [
            "He signed a contract with Harborline Shipping, Inc. (the “Agreement”).",
            "He wrote to the Department of Justice (“DOJ”).",
            "He read the report of Harborline Shipping, Inc. (the “Narrative”).",
        ] {
            assert!(read(body).iter().all(|(_, names)| names.is_empty()), "{body}");
        }
        assert_eq!(read("Harborline Shipping, Inc. (see \"below\") sails."), []);
    }
}
