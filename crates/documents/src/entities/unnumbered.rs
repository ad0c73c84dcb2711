//! Finds citations that begin with the reporter: old single volumes, loose-leaf services, tax memoranda.

use super::abbreviation_ends::abbreviation_ends;
use super::core_citation::CoreCitation;
use super::tables::reporters::{Edition, choose, first_word, may_begin, spellings};
use super::tables::words::is_abbreviation;
use crate::model::CitationForm;
use crate::static_regex::static_regex;

static_regex!(
    /// A volume behind the name, and the page: `2019-23`, `1918F, 891`, `(1983) 5`.
    volume_after_regex,
    r"^,?\s{1,90}(?:No\.\s)?(?:(?P<volume>(?:1[789]|20)\d\d[A-F]?)(?:-|,\s?|\s)|\((?P<year>(?:1[789]|20)\d\d)\)\s)(?P<page>\d{1,4})\b"
);
static_regex!(
    /// A page, or a paragraph of a service, behind the name.
    page_after_regex,
    r"^(?:\s?\((?:CCH|BNA|P-H|RIA|C\.C\.H\.|Ed\.\s1[6-9]\d\d)\))?(?P<comma>[,.])?\s{1,90}(?:\((?:Ed\.\s)?1[6-9]\d\d,?\)\s+)?(?:\(?[A-Z][A-Za-z. ]{1,14}\)?\s)?(?P<sign>¶{1,2}\s?|P\.?\s?|par(?:a)?\.\s?|p\.\s)?(?P<page>\d[\d,]*(?:\.\d+)?[A-Za-z]?)"
);

/// The citations that begin with a reporter and are not part of a citation with a volume.
pub(super) fn unnumbered(text: &str, taken: &[CoreCitation]) -> Vec<CoreCitation> {
    let bytes = text.as_bytes();
    let mut found: Vec<CoreCitation> = Vec::new();
    let mut next = 0;
    let mut at = 0;
    while at < bytes.len() {
        let word = bytes[at].is_ascii_uppercase()
            && !at.checked_sub(1).is_some_and(|before| {
                bytes[before].is_ascii_alphanumeric()
                    || matches!(bytes[before], b'.' | b'\'' | b'-' | b'&')
            });
        if word
            && let Some(rest) = text.get(at..)
            && may_begin(first_word(rest))
        {
            while next < taken.len() && taken[next].end <= at {
                next += 1;
            }
            let until = taken.get(next).map_or(text.len(), |citation| citation.start);
            if until > at
                && let Some(citation) = citation_at(text, at, until)
            {
                at = citation.end;
                found.push(citation);
                continue;
            }
        }
        at += 1;
    }
    found
}

/// The citation whose reporter starts at `start`, if it ends before `until`.
fn citation_at(text: &str, start: usize, until: usize) -> Option<CoreCitation> {
    let mut ends: Vec<(usize, &'static Edition)> = Vec::new();
    abbreviation_ends(&text[start..], |key, _, length| {
        let raw = &text[start..start + length];
        let fits = |edition: &Edition| edition.may_lack_volume() || edition.has_volume_after();
        if let Some(edition) = choose(spellings(key), raw, None, None, fits) {
            ends.push((start + length, edition));
        }
    });
    ends.into_iter().rev().find_map(|(end, edition)| {
        let citation =
            if edition.has_volume_after() { volume_after(text, start, end, edition) } else { None };
        let citation = citation.or_else(|| {
            edition.may_lack_volume().then(|| page_after(text, start, end, edition)).flatten()
        })?;
        (citation.end <= until).then_some(citation)
    })
}

fn volume_after(text: &str, start: usize, end: usize, edition: &Edition) -> Option<CoreCitation> {
    let captures = volume_after_regex().captures(&text[end..])?;
    let length = captures.get(0).map_or(0, |whole| whole.end());
    let volume = captures.name("volume").or(captures.name("year"))?;
    let mut core = core(start, end + length, edition, &captures["page"]);
    core.year = volume.as_str().get(..4).and_then(|year| year.parse().ok());
    core.volume = Some(volume.as_str().to_owned());
    core.written = start..end;
    Some(core)
}

fn page_after(text: &str, start: usize, end: usize, edition: &Edition) -> Option<CoreCitation> {
    let captures = page_after_regex().captures(&text[end..])?;
    let page = captures["page"].trim_end_matches(',');
    let length = captures.name("page").map_or(0, |found| found.start()) + page.len();
    let after = text[end + length..].chars().next();
    if after.is_some_and(char::is_alphanumeric) {
        return None;
    }
    let digits = page.bytes().filter(u8::is_ascii_digit).count();
    let name = &text[start..end];
    if edition.has_paragraphs() {
        // A paragraph has a sign or many digits; a smaller number may be anything.
        if captures.name("sign").is_none() && digits < 4 {
            return None;
        }
    } else if digits > 4 && edition.form == CitationForm::FullCase
        || captures.name("sign").is_some_and(|sign| sign.as_str() != "p. ")
    {
        return None;
    } else if !name.contains(['.', ' ']) {
        // `Justice Holmes, 12 years` is no citation of Holmes's reports: a plain word counts only at the start of a
        // reference, with the page at its end.
        let before = text[..start].trim_end();
        let last = before.rsplit(char::is_whitespace).next().unwrap_or_default();
        let title = last.ends_with('.') && is_abbreviation(last);
        let begins =
            before.is_empty() || (before.ends_with(['.', ',', ';', ':', '(', '—', '“']) && !title);
        let ends = after.is_none_or(|c| matches!(c, '.' | ',' | ';' | ')' | ']'))
            || text[end + length..].starts_with(" (")
            || text[end + length..].starts_with(" [");
        if !begins || !ends {
            return None;
        }
    }
    let mut core = core(start, end + length, edition, page);
    core.written = start..end;
    Some(core)
}

fn core(start: usize, end: usize, edition: &Edition, page: &str) -> CoreCitation {
    CoreCitation {
        start,
        end,
        volume: None,
        reporter: edition.name.to_owned(),
        series_of: edition.series_of.to_owned(),
        written: 0..0,
        form: edition.form,
        court: edition.court(),
        page: Some(page.to_owned()),
        year: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn normals(text: &str) -> Vec<String> {
        unnumbered(text, &[]).iter().map(CoreCitation::normal).collect()
    }

    #[test]
    fn each_sort_is_found() {
        assert_eq!(normals("Baldw. 196"), ["Baldw. 196"]);
        assert_eq!(normals("Fed. Sec. L. Rep. (CCH) P97,410"), ["Fed. Sec. L. Rep. (CCH) 97,410"]);
        assert_eq!(normals("T.C. Memo. 2019-23"), ["2019 T.C. Memo. 23"]);
        assert_eq!(normals("L.R.A. 1917C, 33"), ["1917C L.R.A. 33"]);
    }

    #[test]
    fn names_of_people_are_no_reporters() {
        for text in [
            "He saw the bee 196 times, and Taney sat.",
            "Justice Holmes, 12 years on the court",
            "said Holmes, 5 of them",
            "Mr. Cooke 12 (twelve)",
        ] {
            assert!(normals(text).is_empty(), "{text}");
        }
    }
}
