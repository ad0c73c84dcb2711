//! Drops mentions of judges and lawyers that name no such person: the beginning of a company's name (`Ann Roe` of
//! `Ann Roe Inc.`), and a single word that is the given name of a lawyer.

use super::legal_forms::ends_company;
use crate::model::{EntityKind, Mention};

/// Removes the judges and lawyers whose name is a company's, or the given name of a lawyer.
pub(super) fn drop_namesakes(found: &mut Vec<Mention>) {
    let companies: Vec<Vec<String>> = distinct(found, EntityKind::Party)
        .into_iter()
        .filter(|words| words.last().is_some_and(|last| ends_company(last)))
        .collect();
    let lawyers = distinct(found, EntityKind::Lawyer);
    let judges = distinct(found, EntityKind::Judge);
    let is_family =
        |word: &String| judges.iter().any(|judge| judge.len() > 1 && judge.last() == Some(word));
    found.retain(|mention| {
        if !matches!(mention.kind, EntityKind::Judge | EntityKind::Lawyer) {
            return true;
        }
        let words = words(&mention.normal);
        let company =
            words.len() > 1 && companies.iter().any(|company| company.starts_with(&words));
        let given = mention.kind == EntityKind::Judge
            && words.len() == 1
            && !is_family(&words[0])
            && lawyers.iter().any(|lawyer| lawyer.len() > 1 && lawyer.first() == words.first());
        !company && !given
    });
}

/// The most different names that are compared.
const MAX: usize = 200;

fn distinct(found: &[Mention], kind: EntityKind) -> Vec<Vec<String>> {
    let mut all: Vec<Vec<String>> = found
        .iter()
        .filter(|mention| mention.kind == kind)
        .map(|mention| words(&mention.normal))
        .collect();
    all.sort_unstable();
    all.dedup();
    all.truncate(MAX);
    all
}

fn words(name: &str) -> Vec<String> {
    name.split_whitespace()
        .map(|word| {
            word.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
        })
        .filter(|word: &String| !word.is_empty())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn companies_and_given_names_are_no_people() {
        let mention = |kind, name: &str| Mention::new(kind, name, 0, name.len(), name);
        let mut found = vec![
            mention(EntityKind::Party, "Acme Cold Storage LLC"),
            mention(EntityKind::Lawyer, "Acme Cold Storage"),
            mention(EntityKind::Lawyer, "Rosa J. Roe"),
            mention(EntityKind::Judge, "Rosa"),
            mention(EntityKind::Judge, "Poe"),
        ];
        drop_namesakes(&mut found);
        let left: Vec<&str> = found.iter().map(|mention| mention.normal.as_str()).collect();
        assert_eq!(left, ["Acme Cold Storage LLC", "Rosa J. Roe", "Poe"]);
    }
}
