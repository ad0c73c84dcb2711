//! Resolves citations, short and back references included, to their sources within a document.

use super::authorities::Authorities;
use crate::model::{CitationForm, EntityKind, Mention};

/// For each citation, the index of the full citation (or statute, or named case) that it refers to.
///
/// References look back. A short citation means the full one with its volume and reporter; name and page decide
/// between several. `supra` and a name with a page mean the only case of that name. A reference that fits two
/// authorities stays unresolved (Bluebook rules 4.1, 4.2 and 10.9).
///
/// `Id.` means the authority cited just before. A citation inside the parenthesis of another is passed over. `Id.` has no
/// source if its pin cannot lie in that authority, or if the citation before it has none. Footnotes are apart: `Id.` in
/// the body passes them over, and `Id.` in a footnote means an authority of that footnote, or the only one of the footnote
/// before (Bluebook rule 4.1).
pub(super) fn sources(mentions: &[Mention]) -> Vec<Option<usize>> {
    let mut order: Vec<usize> = (0..mentions.len())
        .filter(|at| {
            matches!(mentions[*at].kind, EntityKind::Citation | EntityKind::Case)
                && mentions[*at].citation().is_some()
        })
        .collect();
    order.sort_by_key(|at| (mentions[*at].start, mentions[*at].end));
    let mut authorities = Authorities::read(mentions, &order);
    // A name with a page may stand before the citation, as in a syllabus; supra and short forms may not.
    let mut whole = Authorities::read(mentions, &order);
    order.iter().for_each(|at| whole.cite(mentions, *at));
    let mut sources: Vec<Option<usize>> = vec![None; mentions.len()];
    let mut body = Thread::default();
    let mut notes = Notes::default();
    for &at in &order {
        let Some(parts) = mentions[at].citation() else { continue };
        let thread = match parts.footnote {
            Some(number) => notes.thread(number),
            None => &mut body,
        };
        thread.close(mentions[at].start);
        let named = || parts.antecedent.as_deref().and_then(|name| authorities.named(name));
        let source = match parts.form {
            CitationForm::ShortCase => authorities.short(mentions, parts),
            CitationForm::Supra => named(),
            CitationForm::Reference if mentions[at].kind == EntityKind::Citation => {
                named().or_else(|| parts.antecedent.as_deref().and_then(|name| whole.named(name)))
            }
            CitationForm::Id => thread
                .last
                .filter(|source| authorities.has_pin(mentions, *source, parts.pin_cite.as_deref())),
            _ => {
                authorities.cite(mentions, at);
                authorities.group(at)
            }
        };
        sources[at] = source;
        // A bare name in running text does not come between a citation and its `Id.`
        if mentions[at].kind == EntityKind::Citation {
            thread.last = source;
            thread.cited.push(source);
            if let Some(end) = parts.parenthetical_end {
                thread.explained.push((end, source));
            }
        }
    }
    sources
}

/// The citations of the body, or of a footnote, as `Id.` sees them.
#[derive(Default)]
struct Thread {
    /// The source of the previous citation, none if that is unresolved.
    last: Option<usize>,
    /// Explanations that are still open, with the source of the citation that they explain.
    explained: Vec<(usize, Option<usize>)>,
    /// The sources so far.
    cited: Vec<Option<usize>>,
}

impl Thread {
    /// Closes the explanations that end before byte `start`.
    fn close(&mut self, start: usize) {
        while let Some((_, source)) = self.explained.pop_if(|(end, _)| *end <= start) {
            self.last = source;
        }
    }

    /// The only source that was cited.
    fn only(&self) -> Option<usize> {
        let first = *self.cited.first()?;
        first.filter(|_| self.cited.iter().all(|other| *other == first))
    }
}

/// The footnote that is being read.
#[derive(Default)]
struct Notes {
    number: u32,
    thread: Thread,
}

impl Notes {
    /// The thread of the footnote with this number.
    fn thread(&mut self, number: u32) -> &mut Thread {
        if number != self.number {
            // The only authority of the footnote before is the one that an `Id.` here continues.
            let before = self.thread.only().filter(|_| number == self.number + 1);
            self.thread = Thread { last: before, ..Thread::default() };
            self.number = number;
        }
        &mut self.thread
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// For each citation of the text, the number of its source among the sources, in the order of the text.
    fn numbers(text: &str) -> Vec<Option<usize>> {
        let mentions = crate::entities::mentions(text);
        let sources = sources(&mentions);
        let mut known: Vec<usize> = Vec::new();
        let mut numbers = Vec::new();
        for (mention, source) in mentions.iter().zip(sources) {
            if mention.kind != EntityKind::Citation {
                continue;
            }
            numbers.push(source.map(|source| {
                known.iter().position(|other| *other == source).unwrap_or_else(|| {
                    known.push(source);
                    known.len() - 1
                })
            }));
        }
        numbers
    }

    const TWO: &str =
        "Morrow v. Teller, 31 F.3d 40 (1st Cir. 1994). Vance v. Yost, 31 F.3d 90 (1st Cir. 1994). ";

    #[test]
    fn short_citations_need_a_name_where_the_volume_has_two() {
        for (short, source) in [
            ("Teller, 31 F.3d at 45.", Some(0)),
            ("Vance, 31 F.3d at 95.", Some(1)),
            ("31 F.3d at 95.", None),
            ("31 F.3d at 45.", Some(0)),
            ("Alder, 31 F.3d at 95.", None),
        ] {
            assert_eq!(numbers(&format!("{TWO}{short}"))[2], source, "{short}");
        }
    }

    #[test]
    fn supra_means_the_only_case_of_the_name_cited_before() {
        let text = "Yost, supra, at 3. ".to_owned() + TWO;
        assert_eq!(numbers(&text)[0], None);
        for (back, source) in [
            ("Teller, supra, at 44.", Some(0)),
            ("Vance v. Yost, supra.", Some(1)),
            ("Alder, supra.", None),
            ("See supra.", None),
        ] {
            assert_eq!(numbers(&format!("{TWO}{back}"))[2], source, "{back}");
        }
        let text = format!("{TWO}Teller v. Ames, 9 F.2d 8. Teller, supra.");
        assert_eq!(numbers(&text)[3], None, "two cases have a Teller");
    }

    #[test]
    fn part_of_a_company_name_is_enough() {
        let text = "Dorn Mill & Supply Co. v. Roe Bros., Inc., 12 A.2d 9. Dorn Mill, supra, at 11. Roe Bros., 12 A.2d at 12.";
        assert_eq!(numbers(text), [Some(0), Some(0), Some(0)]);
    }

    #[test]
    fn id_means_the_citation_before_if_its_page_can_lie_there() {
        for (id, source) in [
            ("Id.", Some(1)),
            ("Id. at 92.", Some(1)),
            ("Id. at 41.", None),
            ("Id. at 2000.", None),
            ("Id. at ¶ 4.", None),
            ("Morrow, 31 F.3d at 44. Ibid.", Some(0)),
            ("Alder, supra. Id.", None),
            ("See § 9. Id.", None),
            ("5 U.S.C. § 3. Id. at 92.", Some(2)),
            ("Morrow, 31 F.3d at 44 (quoting Vance, 31 F.3d at 91). Id. at 45.", Some(0)),
            ("Morrow, 31 F.3d at 44 (quoting Vance, 31 F.3d at 91; id. at 92).", Some(1)),
        ] {
            assert_eq!(*numbers(&format!("{TWO}{id}")).last().unwrap(), source, "{id}");
        }
    }

    #[test]
    fn footnotes_are_apart() {
        let note = |text: &str| format!("\u{2028}{text}\u{2029}\n");
        let one = "Morrow v. Teller, 31 F.3d 40 (1st Cir. 1994).";
        let two = "Vance v. Yost, 31 F.3d 90 (1st Cir. 1994).";
        // The body passes over the note at the foot of the page before.
        let text = format!("{one}\n{}Id. at 42.", note(&format!("1 See {two}")));
        assert_eq!(numbers(&text), [Some(0), Some(1), Some(0)]);
        // A note begins anew, and continues only the sole authority of the one before.
        let text = format!("{one}\n{}{}", note(&format!("1 {two}")), note("2 Id. at 95."));
        assert_eq!(numbers(&text), [Some(0), Some(1), Some(1)]);
        let text = format!("{one}\n{}", note("1 Id. at 42."));
        assert_eq!(numbers(&text), [Some(0), None]);
        let text = format!("{}{}", note(&format!("1 {one} {two}")), note("2 Id. at 95."));
        assert_eq!(numbers(&text), [Some(0), Some(1), None]);
        let text = format!("{}{}", note(&format!("1 {one} Id. at 43.")), note("2 None. "));
        assert_eq!(numbers(&text), [Some(0), Some(0)]);
    }

    #[test]
    fn the_page_may_lie_in_any_of_the_parallel_reports() {
        let text = "Morrow v. Teller, 31 Cal. 3d 40, 200 Cal. Rptr. 500 (1982). Id. at 505. Id. at 44. Id. at 450.";
        assert_eq!(numbers(text), [Some(0), Some(0), Some(0), Some(0), None]);
    }

    #[test]
    fn one_name_in_two_places_of_a_reporter_is_two_cases() {
        let text = "Morrow v. Teller, 31 F.3d 40. Morrow v. Teller, 35 F.3d 7. Morrow v. Teller, 31 F. 3d 40.";
        assert_eq!(numbers(text), [Some(0), Some(1), Some(0)]);
    }
}
