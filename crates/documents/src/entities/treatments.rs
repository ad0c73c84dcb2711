//! What a text says was done to the authorities that it cites: affirmed, overruled, distinguished, quoted.

use super::parentheticals::parentheses_behind;
use super::treatment_words::{Verb, active, leads_to_agent, leads_to_object, own, passive, past};
use crate::model::{CitationForm, Evidence, Mention, TreatedBy, Treatment};

/// How far behind an authority, or behind a verb, the next authority may begin, in bytes: white space of court papers
/// included.
const REACH: usize = 240;

/// Most treatments that one citation has; no case has a history of so many steps.
const MOST: usize = 8;

/// Notes on each citation what the text says was done to its authority. `order` has the citations in text order.
pub(super) fn treatments(text: &str, mentions: &mut [Mention], order: &[usize]) {
    let cited: Vec<Cited> = order
        .iter()
        .filter_map(|at| {
            let parts = mentions[*at].citation()?;
            let end = parts.parenthetical_end.unwrap_or(parts.full_end);
            let (start, is_case) = (mentions[*at].start, is_case(parts.form));
            let named = parts.plaintiff.is_some() || parts.antecedent.is_some();
            let (full_start, full_end) = (parts.full_start, parts.full_end);
            Some(Cited { at: *at, start, full_start, full_end, end, is_case, named })
        })
        .collect();
    let reading = Reading { text, cited: &cited };
    let mut found: Vec<(usize, Treatment)> = Vec::new();
    for place in 0..cited.len() {
        reading.behind(place, &mut found);
    }
    reading.own(&mut found);
    for (at, treatment) in found {
        if let Some(parts) = mentions[at].attributes.citation.as_deref_mut()
            && parts.treatments.len() < MOST
            && !parts.treatments.contains(&treatment)
        {
            parts.treatments.push(treatment);
        }
    }
}

fn is_case(form: CitationForm) -> bool {
    use CitationForm::{FullCase, Id, Reference, ShortCase, Supra};
    matches!(form, FullCase | ShortCase | Id | Supra | Reference)
}

/// A citation's place.
struct Cited {
    /// Its index among the mentions.
    at: usize,
    start: usize,
    full_start: usize,
    full_end: usize,
    /// The end with its parenthesis.
    end: usize,
    is_case: bool,
    /// Whether a name stands before it.
    named: bool,
}

struct Reading<'t> {
    text: &'t str,
    cited: &'t [Cited],
}

impl Reading<'_> {
    /// The text from byte `from` on, as far as it can matter.
    fn rest(&self, from: usize) -> &str {
        let to = self.text.floor_char_boundary((from + REACH).min(self.text.len()));
        self.text.get(from..to).unwrap_or_default()
    }

    /// The first citation that begins at byte `from` or later, if it is near, and the text before it.
    fn next(&self, from: usize) -> Option<(&Cited, &str)> {
        let first = self.cited.partition_point(|one| one.start < from);
        // The name of a citation belongs to it, so it may begin before `from`.
        let next = self.cited.get(first).filter(|next| next.full_start >= from)?;
        let gap = self.text.get(from..next.full_start).filter(|gap| gap.len() <= REACH)?;
        Some((next, gap))
    }

    /// What the text says of the authority behind its citation, and in its parentheses.
    fn behind(&self, place: usize, found: &mut Vec<(usize, Treatment)>) {
        let cited = &self.cited[place];
        // The last of parallel citations speaks for the decision.
        if self.cited.get(place + 1).is_some_and(|next| next.full_start == cited.full_start) {
            return;
        }
        let mut end = cited.end;
        for inner in parentheses_behind(self.text, cited.full_end) {
            self.phrase(cited, inner.start, true, found);
            end = end.max(inner.end + 1);
        }
        let rest = self.rest(end);
        if let Some(verb) = passive(rest).filter(|_| cited.is_case) {
            let by = self.agent(end + verb.length, false);
            let by = by.unwrap_or(if verb.is_now { TreatedBy::Paper } else { TreatedBy::Unnamed });
            found.push((cited.at, treatment(end, &verb, by)));
            return;
        }
        let blank = rest.len() - rest.trim_start_matches([' ', '\n', ',', ';', '\r', '\t']).len();
        let mut from = end + blank;
        for joint in ["and ", "but "] {
            from += usize::from(self.rest(from).starts_with(joint)) * joint.len();
        }
        let comma = self.text[end..from].contains([',', ';']);
        if from > end {
            self.phrase(cited, from, comma, found);
        }
    }

    /// What a phrase says that begins at `from`, behind an authority or in its parenthesis: `aff'd`, `quoting`. `apart` is whether a comma or a parenthesis
    /// separates it.
    fn phrase(&self, cited: &Cited, from: usize, apart: bool, found: &mut Vec<(usize, Treatment)>) {
        let rest = self.rest(from);
        if let Some(verb) = active(rest) {
            let by = TreatedBy::Citation(cited.start);
            self.objects(from, &verb, by, found);
            return;
        }
        let Some(verb) = past(rest) else { return };
        let behind = from + verb.length;
        if !verb.is_term
            && let Some((next, gap)) = self.next(behind)
            && leads_to_object(gap)
            && !gap.contains(',')
            && !gap.trim_start().starts_with("in ")
            && next.is_case
            && (next.named || !apart)
        {
            // `Roe v. Doe overruled Poe v. Moe`.
            let by = TreatedBy::Citation(cited.start);
            found.push((next.at, treatment(from, &verb, by)));
            return;
        }
        let agent = self.agent(behind, verb.is_term);
        let follows = self.rest(behind).trim_start();
        let ends = follows.is_empty() || follows.starts_with(['.', ';', ')', ']']);
        if agent.is_some() || verb.is_term || apart && ends {
            let by = agent.unwrap_or(TreatedBy::Unnamed);
            found.push((cited.at, treatment(from, &verb, by)));
        }
    }

    /// The authority that did it, behind a verb in the passive. A term may do without a comma: `aff'd 515 U.S. 90`.
    fn agent(&self, behind: usize, is_term: bool) -> Option<TreatedBy> {
        let (next, gap) = self.next(behind)?;
        let is_agent = leads_to_agent(gap) && (is_term || !gap.trim().is_empty());
        is_agent.then_some(TreatedBy::Citation(next.start))
    }

    /// The authorities that follow a participle: the first, and those that a semicolon or `and` joins to it.
    fn objects(
        &self,
        from: usize,
        verb: &Verb,
        by: TreatedBy,
        found: &mut Vec<(usize, Treatment)>,
    ) {
        let mut behind = from + verb.length;
        for step in 0..MOST {
            let Some((next, gap)) = self.next(behind) else { return };
            let joins = match step {
                0 => leads_to_object(gap),
                _ => matches!(gap.trim(), ";" | "and" | ", and" | "; and" | ";and"),
            };
            if !joins {
                return;
            }
            found.push((next.at, treatment(from, verb, by)));
            behind = next.end.max(behind + 1);
        }
    }

    /// What the court says that it does itself: `we overrule Roe v. Doe`, `we overruled Roe v. Doe in Poe v. Moe`.
    fn own(&self, found: &mut Vec<(usize, Treatment)>) {
        for (start, verb) in own(self.text) {
            let Some((next, gap)) = self.next(start + verb.length) else { continue };
            if !leads_to_object(gap) {
                continue;
            }
            let later =
                self.next(next.end).filter(|(_, gap)| gap.trim_matches([',', ' ', '\n']) == "in");
            let by = match later {
                Some((later, _)) => TreatedBy::Citation(later.start),
                None if verb.is_now => TreatedBy::Paper,
                None => TreatedBy::Unnamed,
            };
            found.push((next.at, treatment(start, &verb, by)));
        }
    }
}

/// The treatment that a verb states, read from byte `from` of the text.
fn treatment(from: usize, verb: &Verb, by: TreatedBy) -> Treatment {
    let evidence = Evidence { start: from + verb.start, end: from + verb.length };
    Treatment { what: verb.what.clone(), by, evidence }
}

#[cfg(test)]
mod tests {
    use crate::entities::mentions;
    use crate::model::TreatedBy;

    /// For each citation that has one: its text, what was done, and the text of the citation that did it.
    fn read(text: &str) -> Vec<(String, String, String)> {
        let all = mentions(text);
        let name = |start: usize| {
            let by = all.iter().find(|one| one.citation().is_some() && one.start == start);
            by.map(|one| one.text.clone()).unwrap_or_default()
        };
        let mut found = Vec::new();
        for one in &all {
            for treatment in
                one.citation().map(|parts| parts.treatments.clone()).unwrap_or_default()
            {
                let by = match treatment.by {
                    TreatedBy::Paper => "paper".to_owned(),
                    TreatedBy::Unnamed => "-".to_owned(),
                    TreatedBy::Citation(start) => name(start),
                };
                assert!(text.get(treatment.evidence.start..treatment.evidence.end).is_some());
                found.push((one.text.clone(), treatment.what, by));
            }
        }
        found
    }

    fn check(text: &str, wanted: &[(&str, &str, &str)]) {
        let wanted: Vec<(String, String, String)> =
            wanted.iter().map(|(a, b, c)| ((*a).into(), (*b).into(), (*c).into())).collect();
        assert_eq!(read(text), wanted, "{text}");
    }

    const ONE: &str = "Morrow v. Teller, 31 F.3d 40 (1st Cir. 1994)";
    const TWO: &str = "Vance v. Yost, 515 U.S. 90 (1995)";

    #[test]
    fn history_behind_a_citation() {
        check(
            &format!("{ONE}, aff'd, 515 U.S. 90 (1995)."),
            &[("31 F.3d 40", "affirmed", "515 U.S. 90")],
        );
        check(
            &format!("{ONE}, rev’d on other grounds sub nom. {TWO}."),
            &[("31 F.3d 40", "reversed on other grounds", "515 U.S. 90")],
        );
        check(
            &format!("{ONE} (en banc) (citing 9 F.2d 8), cert. denied, 515 U.S. 90 (1995)."),
            &[("31 F.3d 40", "cert. denied", "515 U.S. 90"), ("9 F.2d 8", "cited", "31 F.3d 40")],
        );
        check(
            &format!("{ONE}, aff'd 515 U.S. 90 (1995)."),
            &[("31 F.3d 40", "affirmed", "515 U.S. 90")],
        );
        check(&format!("{ONE}, cert. denied."), &[("31 F.3d 40", "cert. denied", "-")]);
        check(
            &format!("{ONE}, aff'd in part, rev'd in part, {TWO}."),
            &[("31 F.3d 40", "affirmed in part and reversed in part", "515 U.S. 90")],
        );
        check(
            &format!("{ONE}, superseded by statute, 5 U.S.C. § 3."),
            &[("31 F.3d 40", "superseded by statute", "5 U.S.C. § 3")],
        );
        check(
            &format!("{ONE}, overruled by {TWO}; see also 9 F.2d 8."),
            &[("31 F.3d 40", "overruled", "515 U.S. 90")],
        );
        check(&format!("{TWO}, rev'g {ONE}."), &[("31 F.3d 40", "reversed", "515 U.S. 90")]);
    }

    #[test]
    fn a_chain_gives_each_step_to_the_decision_before() {
        check(
            &format!("{ONE}, aff'd, 35 F.3d 7 (1st Cir. 1995), cert. denied, 515 U.S. 90 (1995)."),
            &[
                ("31 F.3d 40", "affirmed", "35 F.3d 7"),
                ("35 F.3d 7", "cert. denied", "515 U.S. 90"),
            ],
        );
    }

    #[test]
    fn parentheses_and_sentences() {
        check(&format!("{TWO} (quoting {ONE})."), &[("31 F.3d 40", "quoted", "515 U.S. 90")]);
        check(
            &format!("{ONE} (overruled on other grounds by {TWO})."),
            &[("31 F.3d 40", "overruled on other grounds", "515 U.S. 90")],
        );
        check(
            &format!("{ONE}, was later overruled by {TWO}."),
            &[("31 F.3d 40", "overruled", "515 U.S. 90")],
        );
        check(
            "Morrow v. Teller was abrogated by Vance v. Yost, and so on.",
            &[("Morrow v. Teller", "abrogated", "Vance v. Yost")],
        );
        check(&format!("{TWO}, overruled {ONE}."), &[("31 F.3d 40", "overruled", "515 U.S. 90")]);
    }

    #[test]
    fn what_the_court_does_itself() {
        check(
            &format!("We therefore overrule our decision in {ONE}."),
            &[("31 F.3d 40", "overruled", "paper")],
        );
        check(&format!("We decline to follow {ONE}."), &[("31 F.3d 40", "not followed", "paper")]);
        check(
            &format!("We overruled {ONE}, in {TWO}."),
            &[("31 F.3d 40", "overruled", "515 U.S. 90")],
        );
        check(&format!("{ONE}, is distinguishable."), &[("31 F.3d 40", "distinguished", "paper")]);
    }

    #[test]
    fn other_verbs_are_no_treatment() {
        for text in [
            format!("{ONE}, followed the road."),
            format!("In {ONE}, he reversed the car."),
            format!("We followed the road to {ONE}."),
            format!("{ONE}, affirmed the conviction."),
            format!("{ONE}, was not overruled by {TWO}."),
            format!("{ONE}; {TWO}."),
            format!("We do not overrule {ONE}."),
            format!("{ONE}. Limited by {TWO}, he paid."),
        ] {
            check(&text, &[]);
        }
    }
}
