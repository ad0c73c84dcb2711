//! Case and journal citations: volume, reporter, page, and the short form `495 U.S. at 602`.
//!
//! A scan looks up the text after every number in the reporter table. That is one bounded look-up per
//! number, so the cost grows only with the text; and spacing, line breaks and missing dots inside an
//! abbreviation (`556\n\nF.3d 351`) need no additional patterns.

use super::abbreviation_ends::abbreviation_ends;
use super::core_citation::CoreCitation;
use super::tables::reporter_key::reporter_key;
use super::tables::reporters::{Edition, Spelling, choose, first_word, spellings};
use crate::model::CitationForm;
use crate::static_regex::static_regex;

static_regex!(
    /// A volume: a number, perhaps with a letter or a part, at the end of the given text's head.
    volume_regex,
    r"^(?:\d{2,4}-\d{1,3}\s{1,90}|\d{1,4}[A-Z]?(?:\s(?:Suppl|Spec|Supp)\.)?(?:\s?-{1,2}\s?|–|\s{1,90})|(?:19|20)\d\d)"
);

static_regex!(
    /// Text between a reporter and its page.
    gap_regex,
    r"(?x)^,?\s{0,90}
      (?:Supp\.\s{1,90})?
      (?:[\(\[](?:\d{1,2}\s)?(?P<nominative>[A-Z][A-Za-z.'’&\s]{1,24}(?:\s\d{1,3},?)?|\d{1,3},?|N\.\s?S\.|CCH|BNA|P-H|RIA)[\)\]],?\s*)?
      (?:[\(\[]\s*(?:Ed\.\s)?(?P<year>1[6-9]\d\d|20\d\d),?\s*[\)\]],?\s*)?
      -?\s?
      (?:(?P<at>at)\s+)?
      (?:[Pp]ages?\s+|[Pp]p?\.\s*|No\.\s*|¶+\s*|par(?:a)?\.\s*|P\s?)?"
);

static_regex!(
    /// A page, or a blank one.
    page_regex,
    r"^(?:(?P<page>\*?\d{1,3}(?:,\d{3})+[A-Z]?\b|\*?[A-DS]?\d{1,7}(?:[.-]\d{1,4})?(?:\([A-Z]\)|\[[A-Z]\]|(?:WC(?:-[A-Z])?|-?[A-Za-z])?\b)|[ivxlc]{2,7}\b)|(?P<blank>_{2,8}|-{2,8}|—{1,4}|–{2,4}))"
);

/// Every volume–reporter–page in the text, in order, without overlaps.
pub(super) fn core_citations(text: &str) -> Vec<CoreCitation> {
    let mut found = numbered(text);
    let mut whole = super::indian_citations::indian_citations(text);
    whole.extend(super::docket_citations::docket_citations(text));
    if !whole.is_empty() {
        whole.sort_by_key(|citation| citation.start);
        let clash = |citation: &CoreCitation| {
            let at = whole.partition_point(|one| one.end <= citation.start);
            whole.get(at).is_some_and(|one| one.start < citation.end)
        };
        found.retain(|citation| !clash(citation));
        found.extend(whole);
        found.sort_by_key(|citation| citation.start);
    }
    let unnumbered = super::unnumbered::unnumbered(text, &found);
    if !unnumbered.is_empty() {
        found.extend(unnumbered);
        found.sort_by_key(|citation| citation.start);
    }
    found
}

/// The citations that begin with a volume.
fn numbered(text: &str) -> Vec<CoreCitation> {
    let bytes = text.as_bytes();
    let mut found = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        let byte = bytes[at];
        if byte.is_ascii_digit() || byte == b'-' || byte == b'_' {
            let before = at.checked_sub(1).map(|i| bytes[i]);
            let starts = !before.is_some_and(|b| {
                b.is_ascii_alphanumeric() || b == b'$' || b == byte || (b == b'.' && byte != b'-')
            });
            if starts && let Some(citation) = citation_at(text, at) {
                at = citation.end;
                found.push(citation);
                continue;
            }
            while at < bytes.len() && bytes[at].is_ascii_digit() {
                at += 1;
            }
            at += usize::from(!byte.is_ascii_digit());
        } else {
            at += 1;
        }
    }
    found
}

/// Reads a citation whose volume starts at byte `start`.
fn citation_at(text: &str, start: usize) -> Option<CoreCitation> {
    let rest = &text[start..];
    // A blank volume, `--- U.S. ---`, belongs to a decision that is not yet printed, and is ignored.
    let volume_match = volume_regex().find(rest)?;
    let raw = volume_match.as_str();
    let joined = raw.ends_with(['-', '–']) || raw.trim_end().ends_with('-');
    let volume = raw.trim_end_matches(|c: char| c.is_whitespace() || c == '-' || c == '–');
    let reporter_start = start + volume_match.end();
    let touching = volume_match.end() == volume.len();
    for candidate in reporters_at(text, reporter_start) {
        let fits = |edition: &Edition| {
            edition.may_have_volume(volume)
                && !edition.is_of_docket()
                // `2009 -Ohio- 2951`, `2015CO12`: hyphens, or nothing, only around a word between year and number.
                && (!(joined || touching) || edition.is_by_year())
        };
        let name = &text[candidate.start..candidate.end];
        let known = choose(candidate.spellings, name, None, None, fits);
        let found = match known {
            Some(edition) => Named::of(edition, &candidate),
            None if joined || touching => continue,
            None => match journal(&candidate.key, candidate.words, name) {
                Some(journal) => journal.at(&candidate),
                None => continue,
            },
        };
        if let Some(citation) = read_page(text, start, volume, &found) {
            return Some(citation);
        }
    }
    None
}

/// A known spelling in the text.
struct Candidate {
    start: usize,
    end: usize,
    key: String,
    words: usize,
    spellings: &'static [Spelling],
}

/// A reporter or journal found in the text.
pub(super) struct Named {
    pub(super) name: String,
    pub(super) series_of: String,
    pub(super) form: CitationForm,
    pub(super) court: Option<&'static str>,
    pub(super) is_by_year: bool,
    pub(super) written: std::ops::Range<usize>,
}

impl Named {
    fn of(edition: &Edition, candidate: &Candidate) -> Self {
        Self {
            name: edition.name.to_owned(),
            series_of: edition.series_of.to_owned(),
            form: edition.form,
            court: edition.court(),
            is_by_year: edition.is_by_year(),
            written: candidate.start..candidate.end,
        }
    }

    fn at(mut self, candidate: &Candidate) -> Self {
        self.written = candidate.start..candidate.end;
        self
    }
}

/// The reporters whose abbreviation starts at `start`, the longest first; among them what may be a journal.
fn reporters_at(text: &str, start: usize) -> Vec<Candidate> {
    let rest = &text[start..];
    // A few spellings begin with a small letter, as `wl`; none of these has a longer first word.
    let small = rest.starts_with(|c: char| c.is_ascii_lowercase()) && first_word(rest).len() <= 3;
    if !small && !rest.starts_with(|c: char| c.is_ascii_uppercase()) {
        return Vec::new();
    }
    let mut found = Vec::new();
    abbreviation_ends(rest, |key, words, length| {
        let spellings = spellings(key);
        if !spellings.is_empty() || is_journal(key, words, &rest[..length]) {
            found.push(Candidate {
                start,
                end: start + length,
                key: key.to_owned(),
                words,
                spellings,
            });
        }
    });
    found.reverse();
    found
}

/// Whether the key can be a law journal's that is not listed: there are too many, but their endings are usual.
fn is_journal(key: &str, words: usize, raw: &str) -> bool {
    const ENDINGS: [&str; 12] = [
        "lrev",
        "lj",
        "lawrev",
        "lawreview",
        "lawjournal",
        "lq",
        "jl",
        "intll",
        "jintll",
        "lrevonline",
        "lrevforum",
        "jl&poly",
    ];
    words >= 2
        && key.len() >= 4
        // Another citation may stand between: `37 Cal. 5 (1949). Roe, 8 Yale L.J.`
        && !raw.contains(|c: char| c.is_ascii_digit() || matches!(c, ',' | '(' | ')' | '[' | ']'))
        && ENDINGS.iter().any(|ending| key.ends_with(ending) && key.len() > ending.len())
}

fn journal(key: &str, words: usize, raw: &str) -> Option<Named> {
    let name = raw.split_whitespace().collect::<Vec<_>>().join(" ");
    is_journal(key, words, raw).then(|| Named {
        series_of: name.clone(),
        name,
        form: CitationForm::Journal,
        court: None,
        is_by_year: false,
        written: 0..0,
    })
}

fn read_page(text: &str, start: usize, volume: &str, found: &Named) -> Option<CoreCitation> {
    let name_end = found.written.end;
    let rest = &text[name_end..];
    let gap = gap_regex().captures(rest)?;
    let after = gap.get(0).map_or(0, |m| m.end());
    let page = page_regex().captures(&rest[after..])?;
    let short = gap.name("at").is_some();
    let matched = page.get(0)?;
    let end = name_end + after + matched.end();
    let value = page.name("page").map(|m| m.as_str().to_owned());
    if after == 0
        && value.is_some()
        && !rest[..matched.end()].starts_with(['_', '-', '—'])
        && !found.is_by_year
        && !text[..name_end].ends_with(['.', ')'])
    {
        // `U.S.1` is a typing error; `Ala1` is not a citation.
        return None;
    }
    if let Some(page) = &value {
        let following = &text[end..];
        // `111 S.W. 12th St.`: an ordinal is an address.
        let ordinal = ["th ", "st ", "nd ", "rd "].iter().any(|o| following.starts_with(o));
        // `1 Cal. 2 Cal.` and `5 F. 3d`: the number belongs to the following text.
        let unit = following.starts_with('%') || (page.len() == 1 && following.starts_with("d "));
        // `12 Am. Jur. 2d`: the number is that of a series.
        let series = page.len() <= 3 && page.ends_with('d');
        if ordinal || unit || series {
            return None;
        }
    }
    let form = match (found.form, short) {
        (CitationForm::FullCase | CitationForm::Journal, true) => CitationForm::ShortCase,
        (form, _) => form,
    };
    // A blank page counts only if a page is expected.
    if value.is_none() && form != CitationForm::FullCase {
        return None;
    }
    Some(CoreCitation {
        start,
        end,
        volume: Some(volume.to_owned()),
        reporter: found.name.clone(),
        series_of: found.series_of.clone(),
        written: found.written.clone(),
        form,
        court: found.court,
        page: value,
        year: match gap.name("year") {
            Some(year) => year.as_str().parse().ok(),
            // The volume of a neutral citation is the year.
            None if found.is_by_year => volume.parse().ok(),
            None => None,
        },
    })
}

/// The key of a citation for joining: equal for all spacings of volume, reporter and page.
pub(crate) fn citation_key(volume: Option<&str>, reporter: &str, page: Option<&str>) -> String {
    format!(
        "{}|{}|{}",
        volume.unwrap_or_default(),
        reporter_key(reporter),
        page.unwrap_or_default().replace(',', "")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn normals(text: &str) -> Vec<String> {
        core_citations(text).iter().map(CoreCitation::normal).collect()
    }

    #[test]
    fn spacing_and_line_breaks_do_not_matter() {
        assert_eq!(normals("Roe, 556\n\n            F.3d 351, 353"), ["556 F.3d 351"]);
        assert_eq!(normals("123 N. Y. S. 2d 456"), ["123 N.Y.S.2d 456"]);
        assert_eq!(normals("427 F Supp 2d 1084 [D Kan 2006]"), ["427 F. Supp. 2d 1084"]);
    }

    #[test]
    fn short_forms_and_blanks() {
        assert_eq!(normals("495 U.S. at 602; 1 U. S., at 2"), ["495 U.S. at 602", "1 U.S. at 2"]);
        assert_eq!(normals("576 U.S. ___, 13"), ["576 U.S. ___"]);
        assert_eq!(normals("2 F.3d 500, at 559"), ["2 F.3d 500"]);
    }

    #[test]
    fn neutral_citations_and_journals() {
        assert_eq!(normals("2014 IL App (2d) 120583-U"), ["2014 IL App (2d) 120583-U"]);
        assert_eq!(normals("2022-NCSC-1"), ["2022 NCSC 1"]);
        assert_eq!(normals("1 Minn. L. Rev. 1, 2-3 (2007)"), ["1 Minn. L. Rev. 1"]);
        assert_eq!(normals("2012 WL 1234567"), ["2012 WL 1234567"]);
        let text = "61 Maine B. L. Rev. 5 (1949). Alder, 61 Maine B. L. Rev. at 22";
        assert_eq!(normals(text), ["61 Maine B. L. Rev. 5", "61 Maine B. L. Rev. at 22"]);
    }

    #[test]
    fn addresses_and_amounts_are_not_citations() {
        assert!(normals("lorem 111 S.W. 12th St. and $5 F. 3").is_empty());
        assert!(normals("On 5 May 2010 at 12 noon").is_empty());
    }

    #[test]
    fn five_megabytes_of_almost_citations_take_linear_time() {
        let started = std::time::Instant::now();
        let text = "1 U.S. a. ".repeat(500_000);
        assert!(core_citations(&text).is_empty());
        assert!(started.elapsed().as_secs() < 60, "{:?}", started.elapsed());
    }
}
