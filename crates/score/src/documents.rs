//! Document-level gold: court, docket numbers, parties, judges, lawyers with their clients, dates.

use compartment_documents::entities::{court_key, mentions};
use compartment_documents::model::{EntityKind, Mention};
use serde_json::Value;

use crate::corpus::{Corpus, letters, list, plain_words, text};
use crate::tally::Report;

/// Scores `gold/documents.jsonl`: recall only, since the gold does not list everyone a document names.
pub(crate) fn documents(corpus: &Corpus, report: &mut Report) -> std::io::Result<()> {
    for line in corpus.gold("documents")? {
        // Uses the twin without tags if there is one, because the publisher's HTML classes would give the gold
        // away.
        let document =
            if line["also"].is_string() { text(&line, "also") } else { text(&line, "doc") };
        // A document that cannot be read misses everything that its gold lists.
        let found = match corpus.extracted(document) {
            Ok(read) => mentions(&read.text),
            Err(error) => {
                report.note("documents", "extract", "failed", &error.to_string());
                Vec::new()
            }
        };
        let gold = Gold {
            line: &line,
            source: short_source(text(&line, "gold")),
            found: &found,
            document,
        };
        gold.court(report);
        gold.texts(report, "docket no.", "docket_numbers", |wanted, mention| {
            mention.kind == EntityKind::DocketNumber && same_number(wanted, &mention.normal)
        });
        gold.parties(report);
        gold.judges(report);
        gold.represents(report);
        gold.dates(report);
        if gold.source == "doc: Juriscraper" {
            gold.precision(report);
        }
    }
    Ok(())
}

fn short_source(gold: &str) -> String {
    let short = match gold {
        "publisher metadata" => "Fastcase",
        "parser expectation (Juriscraper)" => "Juriscraper",
        "caption line matched mechanically" => "caption line*",
        other => other,
    };
    format!("doc: {short}")
}

struct Gold<'g> {
    line: &'g Value,
    source: String,
    found: &'g [Mention],
    document: &'g str,
}

impl Gold<'_> {
    fn kind(&self, kind: EntityKind) -> impl Iterator<Item = &Mention> {
        self.found.iter().filter(move |mention| mention.kind == kind)
    }

    fn count(&self, report: &mut Report, kind: &str, wanted: &str, hit: bool) {
        report.add_recall(&self.source, kind, 1, usize::from(hit));
        if !hit {
            report.note(&self.source, kind, "missed", &format!("{wanted} IN {}", self.document));
        }
    }

    fn court(&self, report: &mut Report) {
        let wanted = text(self.line, "court");
        let key = court_key(wanted);
        let hit = key.is_some()
            && self.kind(EntityKind::Court).any(|mention| Some(&mention.normal) == key.as_ref());
        self.count(report, "court", &format!("{wanted} {key:?}"), hit);
    }

    fn texts(
        &self,
        report: &mut Report,
        kind: &str,
        field: &str,
        same: impl Fn(&str, &Mention) -> bool,
    ) {
        for wanted in list(self.line, field).iter().filter_map(Value::as_str) {
            let hit = self.found.iter().any(|mention| same(wanted, mention));
            self.count(report, kind, wanted, hit);
        }
    }

    fn parties(&self, report: &mut Report) {
        for pair in list(self.line, "parties") {
            let (name, role) =
                (pair[0].as_str().unwrap_or_default(), pair[1].as_str().unwrap_or_default());
            let hits: Vec<&Mention> =
                self.kind(EntityKind::Party).filter(|m| same_party(name, &m.text)).collect();
            self.count(report, "party", name, !hits.is_empty());
            if !role.is_empty() && !hits.is_empty() {
                let wanted = letters(role);
                let right = hits.iter().any(|m| {
                    m.attributes.role.as_deref().is_some_and(|ours| {
                        let ours = letters(ours);
                        wanted.contains(&ours) || ours.contains(&wanted)
                    })
                });
                self.count(
                    report,
                    "party role",
                    &format!(
                        "{name}: {role}, ours {:?}",
                        hits.iter().map(|m| &m.attributes.role).collect::<Vec<_>>()
                    ),
                    right,
                );
            }
        }
        // A publisher's caption is one string: the names of its short form must be among the
        // parties.
        if list(self.line, "parties").is_empty() && self.line["parties_text"].is_string() {
            for side in text(self.line, "case_name_short").split(" v. ") {
                let words = plain_words(side);
                let Some(word) = words
                    .split(' ')
                    .filter(|w| w.len() > 3 && *w != "state" && *w != "people")
                    .max_by_key(|w| w.len())
                else {
                    continue;
                };
                let hit = self
                    .kind(EntityKind::Party)
                    .any(|m| plain_words(&m.text).split(' ').any(|ours| ours == word));
                self.count(report, "party", side, hit);
            }
        }
    }

    fn judges(&self, report: &mut Report) {
        let mut names: Vec<String> = Vec::new();
        for name in list(self.line, "judges").iter().filter_map(Value::as_str) {
            names.extend(people(name));
        }
        for field in ["assigned_judge", "referred_judge"] {
            if self.line[field].is_string() {
                names.push(text(self.line, field).to_owned());
            }
        }
        for name in names {
            let hit = self.kind(EntityKind::Judge).any(|m| same_person(&name, &m.text));
            self.count(report, "judge", &name, hit);
        }
    }

    fn represents(&self, report: &mut Report) {
        for pair in list(self.line, "represents") {
            let (lawyer, party) =
                (pair[0].as_str().unwrap_or_default(), pair[1].as_str().unwrap_or_default());
            let hits: Vec<&Mention> =
                self.kind(EntityKind::Lawyer).filter(|m| same_person(lawyer, &m.text)).collect();
            self.count(report, "lawyer", lawyer, !hits.is_empty());
            let linked = hits.iter().any(|m| {
                m.attributes.represents.iter().any(|client| self.is_client(client, party))
            });
            self.count(
                report,
                "represents",
                &format!(
                    "{lawyer} → {party}, ours {:?}",
                    hits.iter().map(|m| &m.attributes.represents).collect::<Vec<_>>()
                ),
                linked,
            );
        }
        // In a publisher's text on counsel it is unknown which capitalised words are names, so only the
        // first name of each sentence is scored.
        if list(self.line, "represents").is_empty() && self.line["attorneys_text"].is_string() {
            let counsel = text(self.line, "attorneys_text");
            for sentence in counsel.split(" for ").map(|s| s.rsplit(". ").next().unwrap_or(s)) {
                let first: Vec<&str> =
                    sentence.split(',').next().unwrap_or_default().split_whitespace().collect();
                let person = (2..=4).contains(&first.len())
                    && first.iter().all(|w| w.starts_with(|c: char| c.is_uppercase()))
                    && !first.iter().any(|w| NOT_PEOPLE.contains(w));
                if person {
                    let name = first.join(" ");
                    let hit = self.kind(EntityKind::Lawyer).any(|m| same_person(&name, &m.text));
                    self.count(report, "lawyer", &name, hit);
                }
            }
        }
    }

    /// Whether `client` is the party: by name, or by the role of a party with that name.
    fn is_client(&self, client: &str, party: &str) -> bool {
        same_party(party, client)
            || self.kind(EntityKind::Party).any(|m| {
                same_party(party, &m.text)
                    && m.attributes.role.as_deref().is_some_and(|role| {
                        let client = client.to_lowercase();
                        role.split([' ', '-', ','])
                            .any(|word| word.len() > 5 && client.contains(word))
                    })
            })
    }

    /// Precision: a docket sheet lists everybody, so whoever else is found is wrong. Each name counts once.
    fn precision(&self, report: &mut Report) {
        let parties: Vec<&str> =
            list(self.line, "parties").iter().filter_map(|pair| pair[0].as_str()).collect();
        let lawyers: Vec<&str> =
            list(self.line, "represents").iter().filter_map(|pair| pair[0].as_str()).collect();
        let mut count = |kind: EntityKind, name: &str, listed: &dyn Fn(&str) -> bool| {
            let mut ours: Vec<&Mention> = self.kind(kind).collect();
            ours.sort_by(|a, b| a.normal.cmp(&b.normal));
            ours.dedup_by(|a, b| a.normal == b.normal);
            let wrong: Vec<&&Mention> =
                ours.iter().filter(|mention| !listed(&mention.text)).collect();
            for mention in &wrong {
                let place = format!("{} IN {}", mention.text, self.document);
                report.note(&self.source, name, "in vain", &place);
            }
            report.add(&self.source, name, 0, ours.len(), ours.len() - wrong.len());
        };
        count(EntityKind::Party, "party, listed", &|name| {
            parties.iter().any(|party| same_party(party, name))
        });
        count(EntityKind::Lawyer, "lawyer, listed", &|name| {
            lawyers.iter().any(|lawyer| same_person(lawyer, name))
        });
    }

    fn dates(&self, report: &mut Report) {
        let fields = ["date_filed", "date_decided", "date_argued"];
        let single = fields
            .iter()
            .filter(|f| self.line[**f].is_string())
            .map(|f| text(self.line, f).to_owned());
        let entries =
            list(self.line, "entry_dates").iter().filter_map(Value::as_str).map(str::to_owned);
        for wanted in single.chain(entries) {
            let hit = self.kind(EntityKind::Date).any(|m| m.normal == wanted);
            self.count(report, "date", &wanted, hit);
        }
    }
}

/// Digits and letters of the number, without `No.` and the like before it.
fn same_number(wanted: &str, ours: &str) -> bool {
    let core = |text: &str| {
        let text = text.replace(['–', '—'], "-");
        let last: String =
            text.split_whitespace().filter(|w| w.chars().any(|c| c.is_ascii_digit())).collect();
        letters(if last.is_empty() { &text } else { &last })
    };
    let (wanted, ours) = (core(wanted), core(ours));
    !wanted.is_empty() && (wanted == ours || ours.starts_with(&wanted) && wanted.len() >= 7)
}

fn same_party(wanted: &str, ours: &str) -> bool {
    let clean = |text: &str| {
        let words = plain_words(text);
        words.trim_start_matches("the ").trim_end_matches(" et al").to_owned()
    };
    let (wanted, ours) = (clean(wanted), clean(ours));
    if wanted.is_empty() || ours.is_empty() {
        return false;
    }
    let (short, long) = if wanted.len() < ours.len() { (&wanted, &ours) } else { (&ours, &wanted) };
    // A name with an added description still counts; half a name does not.
    wanted == ours
        || long.starts_with(&format!("{short} ")) && short.len() * 10 >= long.len().min(40) * 6
}

/// The family name agrees, and every given name or initial that both have.
fn same_person(wanted: &str, ours: &str) -> bool {
    let names = |text: &str| -> Vec<String> {
        plain_words(text)
            .split(' ')
            .filter(|w| {
                !["jr", "sr", "ii", "iii", "iv", "junior", "judge", "j", "cj", "jj"].contains(w)
                    && !w.is_empty()
            })
            .map(str::to_owned)
            .collect()
    };
    let (wanted, ours) = (names(wanted), names(ours));
    let (Some(last), Some(our_last)) = (wanted.last(), ours.last()) else { return false };
    if last != our_last {
        return false;
    }
    match (wanted.len(), ours.len()) {
        (1, _) | (_, 1) => true,
        _ => wanted[0].starts_with(&ours[0][..1]),
    }
}

/// Words of firms and offices in a publisher's text on counsel.
const NOT_PEOPLE: [&str; 18] = [
    "LLP",
    "PLC",
    "P.C.",
    "General",
    "Law",
    "&",
    "Office",
    "Department",
    "Service",
    "State",
    "United",
    "Defender",
    "Attorney",
    "Attorneys",
    "County",
    "City",
    "Division",
    "Group",
];

/// The people of a publisher's judge line: `Fearing, C.J., and Korsmo, J., concur.`
///
/// The line is prose of a few words around the names; titles and verbs are left out.
fn people(line: &str) -> Vec<String> {
    const NOT_NAMES: &str = " present before justice justices judge judges per curiam jj j cj pj c p s associate \
delivered concur concurs concurred concurring chief opinion judgment court with the of and senior circuit district \
bankruptcy magistrate united states us presiding acting panel honorable hon by dissent dissents dissenting joined \
joins all not participating did participate vice president ";
    if line.to_lowercase().contains("per curiam") {
        return Vec::new();
    }
    line.replace(" and ", ",")
        .split([',', ':', ';'])
        .map(|piece| {
            piece
                .split_whitespace()
                .filter(|word| word.starts_with(|c: char| c.is_uppercase()))
                .filter(|word| !NOT_NAMES.contains(&format!(" {} ", letters(word))))
                .collect::<Vec<_>>()
                .join(" ")
        })
        .filter(|name| name.chars().filter(|c| c.is_alphabetic()).count() > 2)
        .collect()
}
