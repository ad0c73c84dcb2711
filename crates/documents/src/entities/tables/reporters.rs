//! The reporters and journals with all their spellings, and the choice between those of one spelling.
//!
//! The tables are read once, in milliseconds, from the compact files that `cargo xtask tables` writes.

use std::collections::{HashMap, HashSet};
use std::sync::LazyLock;

use super::further;
use super::reporter_key::{LONGEST_KEY, reporter_key};
use crate::model::CitationForm;

/// A series of volumes that citations point into.
#[derive(Clone, Debug)]
pub(crate) struct Edition {
    /// The usual abbreviation.
    pub(crate) name: &'static str,
    /// The reporter that the series belongs to: `Ill.` for `Ill. 2d`.
    pub(crate) series_of: &'static str,
    /// The form of its citations.
    pub(crate) form: CitationForm,
    /// The first year it reports; 0 if unknown.
    first: u16,
    /// The last year it reports.
    last: u16,
    /// The states whose courts it reports, `us` for those of the nation.
    places: &'static str,
    /// Letters for the parts of its citations besides volume, reporter and page.
    shape: &'static str,
}

impl Edition {
    /// Whether its citations may have no volume.
    pub(crate) fn may_lack_volume(&self) -> bool {
        self.shape.contains('n')
    }

    /// Whether its pages are paragraphs of a loose-leaf service.
    pub(crate) fn has_paragraphs(&self) -> bool {
        self.shape.contains('p')
    }

    /// Whether its volumes are years, as in neutral citations.
    pub(crate) fn is_by_year(&self) -> bool {
        self.shape.contains('y')
    }

    /// Whether the volume follows the name: `T.C. Memo. 2019-23`.
    pub(crate) fn has_volume_after(&self) -> bool {
        self.shape.contains('a')
    }

    /// Whether it reports courts of India or of the Commonwealth.
    pub(crate) fn is_foreign(&self) -> bool {
        self.shape.contains('f')
    }

    /// Whether a docket number stands before it, and a date behind it in one parenthesis.
    pub(crate) fn is_of_docket(&self) -> bool {
        self.shape.contains('l')
    }

    /// Whether a volume of this many digits can be one of its volumes.
    pub(crate) fn may_have_volume(&self, volume: &str) -> bool {
        let digits = volume.bytes().take_while(u8::is_ascii_digit).count();
        let year =
            digits == 4 && volume.len() == 4 && matches!(&volume[..2], "17" | "18" | "19" | "20");
        if self.is_by_year() { year } else { digits < 4 || !self.shape.contains('s') }
    }

    /// Key of its court, if it reports only one.
    pub(crate) fn court(&self) -> Option<&'static str> {
        match self.name {
            "U.S." | "S. Ct." | "L. Ed." | "L. Ed. 2d" | "U.S. LEXIS" | "U.S.L.W." | "Cranch"
            | "Wheat." | "Dall." => Some("scotus"),
            "IL" => Some("ill"),
            "Fed. Cl." => Some("uscfc"),
            "Cal. 4th" | "Cal. 5th" | "Cal. 3d" | "Cal. 2d" => Some("cal"),
            "N.Y.2d" | "N.Y.3d" => Some("ny"),
            _ => None,
        }
    }

    /// 0 if it reports this state only, 1 if among others, 2 if not.
    fn distance_to(&self, place: &str) -> u8 {
        match self.places {
            only if only == place => 0,
            places if places.split(' ').any(|one| one == place) => 1,
            _ => 2,
        }
    }

    fn reports(&self, year: u16) -> bool {
        self.first <= year && year <= self.last
    }
}

/// A spelling of an edition's name.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Spelling {
    /// The edition.
    pub(crate) edition: &'static Edition,
    written: &'static str,
    /// Whether it is not the usual abbreviation.
    is_variation: bool,
}

impl Spelling {
    /// How far the text is from this spelling: less than 4 if only white space differs. Odd numbers are variations.
    ///
    /// A word as in a sentence is `None` unless it is written so: `In` and `At` are no abbreviations without their
    /// full stop.
    fn distance(&self, raw: &str) -> Option<u8> {
        let variation = u8::from(self.is_variation);
        if raw == self.written {
            return Some(variation);
        }
        if same_but_blanks(raw, self.written) {
            return Some(2 + variation);
        }
        if raw.starts_with(char::is_lowercase) {
            return None;
        }
        let plain = raw.len() <= 5
            && raw.starts_with(|c: char| c.is_ascii_uppercase())
            && raw[1..].bytes().all(|b| b.is_ascii_lowercase());
        (!plain).then_some(4 + variation)
    }
}

/// Equality without regard to white space and the form of apostrophes.
fn same_but_blanks(a: &str, b: &str) -> bool {
    let plain = |c: char| if c == '’' { '\'' } else { c };
    let mut a = a.chars().filter(|c| !c.is_whitespace()).map(plain);
    let mut b = b.chars().filter(|c| !c.is_whitespace()).map(plain);
    loop {
        match (a.next(), b.next()) {
            (None, None) => return true,
            (a, b) if a != b => return false,
            _ => {}
        }
    }
}

/// The spellings with this key.
pub(crate) fn spellings(key: &str) -> &'static [Spelling] {
    if key.len() > LONGEST_KEY {
        return &[];
    }
    TABLE.by_key.get(key).map(Vec::as_slice).unwrap_or_default()
}

/// Whether a citation without a volume may begin with this word.
pub(crate) fn may_begin(word: &str) -> bool {
    TABLE.beginnings.contains(word)
}

/// The edition that the text names, where its spelling is one of several editions'.
///
/// The year of the decision decides, then the closest spelling, then the state of the court in the parenthesis, then
/// the order: series of the nation before those of a state, and the one with more spellings, which is the commoner.
pub(crate) fn choose(
    spellings: &'static [Spelling],
    raw: &str,
    year: Option<u16>,
    place: Option<&str>,
    fits: impl Fn(&Edition) -> bool,
) -> Option<&'static Edition> {
    spellings
        .iter()
        .filter(|spelling| fits(spelling.edition))
        .filter_map(|spelling| {
            let edition = spelling.edition;
            let distance = spelling.distance(raw)?;
            let wrong_year = year.is_some_and(|year| !edition.reports(year));
            let wrong_place = place.map_or(0, |place| edition.distance_to(place));
            Some(((wrong_year, distance, wrong_place), edition))
        })
        .min_by_key(|(rank, _)| *rank)
        .map(|(_, edition)| edition)
}

struct Table {
    by_key: HashMap<String, Vec<Spelling>>,
    /// First words of the series whose citations may begin with the name.
    beginnings: HashSet<&'static str>,
}

static TABLE: LazyLock<Table> = LazyLock::new(|| {
    let mut table =
        Table { by_key: HashMap::with_capacity(5_000), beginnings: HashSet::with_capacity(200) };
    table.read(include_str!("../../../data/reporters.tsv"), CitationForm::FullCase);
    table.list(further::CASES, CitationForm::FullCase, "");
    table.laws(include_str!("../../../data/laws.tsv"));
    table.list(further::LAWS, CitationForm::Statute, "");
    table.list(further::REGISTERS, CitationForm::Regulation, "");
    table.read(include_str!("../../../data/journals.tsv"), CitationForm::Journal);
    table.list(further::JOURNALS, CitationForm::Journal, "");
    table.list(further::FOREIGN, CitationForm::FullCase, "f");
    table.list(further::NEUTRAL, CitationForm::FullCase, "y");
    table.list(further::FOREIGN_NEUTRAL, CitationForm::FullCase, "fy");
    table
});

impl Table {
    /// Reads a table of reporters or journals.
    fn read(&mut self, lines: &'static str, form: CitationForm) {
        for line in lines.lines() {
            let mut fields = line.split('\t');
            let mut field = || fields.next().unwrap_or_default();
            let (series_of, _kind, places, editions, variations) =
                (field(), field(), field(), field(), field());
            let mut known: Vec<&'static Edition> = Vec::new();
            for edition in editions.split('|') {
                let mut parts = edition.split(';');
                let mut part = || parts.next().unwrap_or_default();
                let (name, first, last, shape) = (part(), part(), part(), part());
                let edition: &'static Edition = Box::leak(Box::new(Edition {
                    name,
                    series_of,
                    form,
                    first: first.parse().unwrap_or(0),
                    last: last.parse().unwrap_or(u16::MAX),
                    places,
                    shape,
                }));
                known.push(edition);
                self.add(edition, name, false);
            }
            for variation in variations.split('|').filter(|variation| !variation.is_empty()) {
                let (written, number) = variation.split_once(';').unwrap_or((variation, "0"));
                let number: usize = number.parse().unwrap_or(0);
                if let Some(edition) = known.get(number) {
                    self.add(edition, written, true);
                }
            }
        }
    }

    /// Reads the session laws and registers, whose citations have volume and page as a reporter's have.
    fn laws(&mut self, lines: &'static str) {
        for line in lines.lines() {
            let fields: Vec<&'static str> = line.split('\t').collect();
            let [name, kind, _, shape, variations] = fields[..] else { continue };
            if !shape.contains('p') {
                continue;
            }
            let form = if kind == "admin_register" {
                CitationForm::Regulation
            } else {
                CitationForm::Statute
            };
            let edition: &'static Edition = Box::leak(Box::new(Edition {
                // The table has the register's own initials; lawyers write it out.
                name: if name == "FR" { "Fed. Reg." } else { name },
                series_of: name,
                form,
                first: 0,
                last: u16::MAX,
                places: "",
                shape: if shape.contains('v') { "" } else { "n" },
            }));
            self.add(edition, name, false);
            for written in variations.split('|').filter(|written| !written.is_empty()) {
                self.add(edition, written, true);
            }
        }
    }

    /// Adds a list of `further`. An entry whose series is known adds its spellings to it.
    fn list(&mut self, list: &'static str, form: CitationForm, shape: &'static str) {
        for entry in list.split([';', '\n']).filter(|entry| !entry.is_empty()) {
            let name = entry.split('|').next().unwrap_or(entry);
            let known = self.by_key.get(&reporter_key(name)).and_then(|all| {
                all.iter().find(|one| one.edition.name == name && one.edition.form == form)
            });
            let edition: &'static Edition = match known {
                Some(known) if known.edition.shape == shape => known.edition,
                _ => Box::leak(Box::new(Edition {
                    name,
                    series_of: name,
                    form,
                    first: 0,
                    last: u16::MAX,
                    places: "",
                    shape,
                })),
            };
            for written in entry.split('|') {
                self.add(edition, written, written != edition.name);
            }
        }
    }

    fn add(&mut self, edition: &'static Edition, written: &'static str, is_variation: bool) {
        let key = reporter_key(written);
        if key.is_empty() || key.len() > LONGEST_KEY {
            return;
        }
        if edition.may_lack_volume() || edition.has_volume_after() {
            self.beginnings.insert(first_word(written));
        }
        self.by_key.entry(key).or_default().push(Spelling { edition, written, is_variation });
    }
}

/// The letters before the first blank, dot or other sign.
pub(crate) fn first_word(text: &str) -> &str {
    let end = text.find(|c: char| !c.is_alphabetic()).unwrap_or(text.len());
    &text[..end]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(raw: &str, year: Option<u16>, place: Option<&str>) -> &'static str {
        choose(spellings(&reporter_key(raw)), raw, year, place, |_| true).unwrap().name
    }

    #[test]
    fn spacing_and_dots_do_not_matter() {
        for spelling in ["F. Supp. 2d", "F.Supp.2d", "F Supp 2d", "F. Supp.2d"] {
            assert_eq!(named(spelling, None, None), "F. Supp. 2d", "{spelling}");
        }
        assert_eq!(named("Cal.App.4th", None, None), "Cal. App. 4th");
        assert_eq!(named("Ohio St.3d", None, None), "Ohio St. 3d");
    }

    #[test]
    fn the_year_and_then_the_court_decide_between_namesakes() {
        let bases =
            |year, place| choose(spellings("wash"), "Wash.", year, place, |_| true).unwrap().places;
        assert!(bases(Some(1791), None).contains("va"));
        assert_eq!(bases(Some(1950), None), "wa");
        assert_eq!(bases(None, Some("wa")), "wa");
    }

    #[test]
    fn words_of_a_sentence_are_no_abbreviations() {
        assert!(choose(spellings("at"), "At", None, None, |_| true).is_none());
        assert!(choose(spellings("at"), "At.", None, None, |_| true).is_some());
    }

    #[test]
    fn the_tables_are_whole() {
        assert!(TABLE.by_key.len() > 3_500, "{}", TABLE.by_key.len());
        assert!(TABLE.by_key.values().flatten().all(|one| !one.edition.name.is_empty()));
    }
}
