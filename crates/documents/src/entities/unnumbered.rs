//! Finds citations without a volume: old reporters, loose-leaf services, tax memoranda.

use super::core_citation::CoreCitation;
use super::tables::reporter_key::reporter_key;
use super::tables::reporters::reporter;
use crate::model::CitationForm;
use crate::static_regex::static_regex;

static_regex!(
    /// Single-volume reporters of the early courts (Bluebook table T1), by page.
    nominative_regex,
    r"\b(?P<name>Abb\.\s?Adm\.|Baldw\.|Bee|Blatchf\.\s?Pr\.\s?Cas\.|Brunn\.\s?Col(?:l)?\.\s?Cas?\.|Burnett|Cooke|Coxe|Crabbe|Cranch,?\s?Pat\.\s?Dec\.|Dallam|Deady|Dudl\.(?:\s?\(Ga\.\))?|Gilmer|Gilp\.|Hask\.|Hempst\.|Hoff\.\s?Dec\.|Hoff\.\s?Land\s?Cas\.|Hoff\.\s?Op\.|Jeff\.|Kirby|Litt\.\s?Sel\.\s?Cas\.|McAll\.|McCahon|Minor|Myrick|Newb\.\s?Adm\.|Olc\.|Olcott|Peck|Penning\.|Pet\.\s?C\.\s?C\.|Robards|R\.M\.\s?Charlt\.|T\.U\.P\.\s?Charlt\.|Smith\s?\(N\.\s?H\.\)|Taney|Thompson\s?Unrep\.|Van\s?Ness|Walk\.\s?Ch\.|Wall\.\s?Jr\.|Whart\.\s?St\.\s?Tr\.|Woolw\.|Car\.\s?Law\s?Repos\.|Bankr\.\s?Reg\.\s?Supp\.|Mass\.\s?App\.\s?Div\.\s?Adv\.\s?Sh\.)(?:\s?\([A-Z][a-z]+\.\))?,?\s+(?:\((?:Ed\.\s)?1[6-9]\d\d\)\s+)?(?P<page>\d{1,4})\b"
);
static_regex!(
    /// Loose-leaf services, cited by paragraph.
    service_regex,
    r"\b(?P<name>(?:CCH\s)?(?:Bankr\.\s?L\.\s?Rep\.|Blue\s?Sky\s?L\.\s?Rep\.|Copyright\s?L\.\s?(?:Rep\.|Dec\.)|Energy\s?Mg(?:m)?t\.|Fed\.\s?Sec\.\s?L\.\s?Rep\.|Fed\.\s?Carr\.\s?Cas\.|Ins\.\s?L\.\s?Rep\.|Lab\.\s?L\.\s?Rep\.|NLRB\s?Dec\.|Nuclear\s?Reg\.\s?Rep\.|OSHD|O\.S\.H\.\s?Dec\.|Pension\s?Plan\s?Guide|Prod\.\s?Liab\.\s?Rep\.|Prods?\.\s?Safety\s?&\s?Liab\.\s?Rep\.|RICO\s?Bus\.\s?Disp\.\s?Guide|Stand\.\s?Fed\.\s?Tax\s?Rep\.|Trade\s?Reg\.\s?Rep\.|Unempl(?:oyment)?\.?\s?Ins\.\s?Rep\.))(?:\s?\((?:CCH|BNA|P-H|RIA)\))?,?\s*(?:¶{1,2}\s?|P\.?\s?|par(?:a)?\.\s?)?(?P<page>\d{1,3}(?:,\d{3})+|\d{4,6})\b"
);
static_regex!(
    /// Judges' notebooks, of Delaware and elsewhere, cited by owner and page.
    notebook_regex,
    r"\b(?P<volume>\d{1,2}\s)?(?P<name>[A-Z][a-z]+['’]s\s(?:Notebook|Notes|Red\sBook|Forms|Trial\sof(?:\s[A-Z][a-z]+){1,3}))(?:\s(?P<roman>[IVX]+))?(?:\s\(Ed\.\s1[6-9]\d\d\))?[,.]?\s(?P<page>\d{1,4})\b"
);
static_regex!(
    memorandum_regex,
    r"\b(?P<name>T\.?\s?C\.?\s(?:Memo(?:randum)?\.?|Summ(?:ary|\.)\s?Op(?:inion|\.))|SCDB)\s(?:No\.\s)?(?P<volume>(?:1[789]|20)\d\d)-(?P<page>\d{1,4})\b"
);

static_regex!(
    /// The All India Reporter: year, court, page.
    air_regex,
    r"\b(?:AIR|A\.I\.R\.|Air),?\s(?P<volume>1[89]\d\d|20\d\d),?\s(?P<name>[A-Z][A-Za-z&.]{0,8}(?:\s?\([A-Z]{1,4}\))?)\s(?P<page>\d{1,5})\b"
);

/// Citations of the All India Reporter, which name the reporter first.
pub(super) fn all_india(text: &str) -> Vec<CoreCitation> {
    air_regex()
        .captures_iter(text)
        .filter_map(|captures| {
            let whole = captures.get(0)?;
            Some(CoreCitation {
                start: whole.start(),
                end: whole.end(),
                volume: Some(captures["volume"].to_owned()),
                reporter: format!("AIR {}", &captures["name"]),
                form: CitationForm::FullCase,
                court: None,
                page: Some(captures["page"].to_owned()),
                year: captures["volume"].parse().ok(),
            })
        })
        .collect()
}

/// The citations without a volume that are not part of a citation with a volume.
pub(super) fn unnumbered(text: &str, taken: &[CoreCitation]) -> Vec<CoreCitation> {
    let mut found: Vec<CoreCitation> = Vec::new();
    for regex in [nominative_regex(), service_regex(), notebook_regex(), memorandum_regex()] {
        for captures in regex.captures_iter(text) {
            let (Some(whole), Some(name)) = (captures.get(0), captures.name("name")) else {
                continue;
            };
            let (start, end) = (whole.start(), whole.end());
            let at = taken.partition_point(|citation| citation.end <= start);
            let clash = taken.get(at).is_some_and(|citation| citation.start < end)
                || found.iter().any(|citation| citation.start < end && start < citation.end);
            if clash {
                continue;
            }
            let spelled =
                name.as_str().split_whitespace().collect::<Vec<_>>().join(" ").replace('’', "'");
            let usual = reporter(&reporter_key(&spelled)).map_or(spelled, |known| known.name);
            let volume = captures.name("volume").or(captures.name("roman"));
            found.push(CoreCitation {
                start,
                end,
                volume: volume.map(|volume| volume.as_str().trim().to_owned()),
                reporter: usual,
                form: CitationForm::FullCase,
                court: None,
                page: Some(captures["page"].to_owned()),
                year: None,
            });
        }
    }
    found
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
        assert_eq!(normals("Roe's Notebook IV, 5"), ["IV Roe's Notebook 5"]);
        assert_eq!(normals("T.C. Memo. 2019-23"), ["2019 T.C. Memo. 23"]);
        assert!(normals("He saw the bee 196 times, and Taney sat.").is_empty());
    }
}
