//! The fields of docket sheets and forms that name judges: `Assigned to: Judge Ann Roe`.

/// Labels before a judge's name.
const LABELS: [&str; 17] = [
    "assigned to",
    "referred to",
    "trial judge",
    "ordering judge",
    "secondary judge",
    "presiding judge",
    "lower court judge",
    "sentencing judge",
    "originating judge",
    "magistrate judge",
    "bankruptcy judge",
    "panel",
    "presiding",
    "civil proceeding",
    "criminal proceeding",
    "judge",
    "magistrate",
];

/// Words before the name that are not part of it.
const TITLES: [&str; 18] = [
    "judge",
    "justice",
    "chief",
    "senior",
    "magistrate",
    "district",
    "circuit",
    "visiting",
    "the",
    "hon",
    "honorable",
    "us",
    "united",
    "states",
    "bankruptcy",
    "presiding",
    "associate",
    "mr",
];

/// The most lines below a label that go on with its list: a panel stands below its label.
const LIST: usize = 8;

/// The names in the fields, as places in the text.
pub(super) fn judge_fields(text: &str) -> Vec<(usize, usize)> {
    let mut found = Vec::new();
    let mut listing = 0;
    let mut at = 0;
    for piece in text.split(['\n', '\t']) {
        let start = at;
        at += piece.len() + 1;
        let line = piece.trim_start();
        let indent = start + (piece.len() - line.len());
        if line.trim().is_empty() {
            continue;
        }
        if let Some(value) = value_of(line) {
            let name = without_titles(value);
            let from = indent + line.len() - name.len();
            listing = LIST;
            if !name.trim().is_empty() {
                push(text, from, name, &mut found);
            }
        } else if listing > 0
            && super::persons::is_person(without_titles(line).trim())
            && !line.contains(':')
        {
            let name = without_titles(line);
            push(text, indent + line.len() - name.len(), name, &mut found);
            listing -= 1;
        } else {
            listing = 0;
        }
    }
    found
}

/// Adds the name, up to the title after it.
fn push(text: &str, start: usize, name: &str, found: &mut Vec<(usize, usize)>) {
    let end = name.find([',', '(', ';', '[']).unwrap_or(name.len());
    // A suffix is part of the name: `Roe, Jr.`
    let suffix = name[end..].trim_start_matches([',', ' ']);
    let whole = ["Jr", "Sr", "II", "III"].iter().any(|one| suffix.starts_with(one));
    let end =
        if whole { name[end + 1..].find(',').map_or(name.len(), |at| end + 1 + at) } else { end };
    let name = name[..end].trim_end();
    let words = name.split_whitespace().count();
    if (1..=6).contains(&words) && text.get(start..start + name.len()).is_some() {
        found.push((start, start + name.len()));
    }
}

/// The value after a label at the head of the line.
fn value_of(line: &str) -> Option<&str> {
    let (label, value) = line.split_once(':')?;
    if label.len() > 24 || !label.is_ascii() {
        return None;
    }
    let label = label.trim().to_ascii_lowercase();
    LABELS.contains(&label.as_str()).then_some(value)
}

fn without_titles(value: &str) -> &str {
    let mut rest = value.trim_start();
    loop {
        let word = rest.split_whitespace().next().unwrap_or_default();
        let bare: String =
            word.chars().filter(|c| c.is_alphabetic()).flat_map(char::to_lowercase).collect();
        if !TITLES.contains(&bare.as_str()) || word.is_empty() {
            return rest;
        }
        rest = rest[word.len()..].trim_start();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(text: &str) -> Vec<&str> {
        judge_fields(text).into_iter().map(|(start, end)| &text[start..end]).collect()
    }

    #[test]
    fn fields_name_judges() {
        assert_eq!(names("Assigned to: Judge Ann B Poe\nDemand: $1"), ["Ann B Poe"]);
        assert_eq!(names("Referred to: Magistrate Judge John A Roe\n"), ["John A Roe"]);
        assert_eq!(names("Trial Judge: Ann Roe-Poe, District Judge\n"), ["Ann Roe-Poe"]);
        assert_eq!(
            names("Panel: Ann B. Poe\nCarl Roe\nDora Moe\nLead Docket:\n"),
            ["Ann B. Poe", "Carl Roe", "Dora Moe"]
        );
        assert_eq!(names("Presiding Judge:\tHon. John Roe, Jr.\n"), ["John Roe, Jr."]);
        assert!(names("He was assigned to the case: it was hard.").is_empty());
    }
}
