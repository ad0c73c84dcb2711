//! Courts abbreviated as in the parenthesis of a citation.

use super::tables::reporter_key::reporter_key;
use super::tables::states::STATES;

/// The key of a court abbreviated as in the parenthesis of a citation: `9th Cir.`, `S.D.N.Y.`, `Pa. Super.`
pub(crate) fn abbreviated_court(text: &str) -> Option<String> {
    let text = text.trim().trim_end_matches(',');
    if text.is_empty() || text.len() > 60 {
        return None;
    }
    let key = reporter_key(text);
    if let Some(circuit) = key.strip_suffix("cir") {
        let digits: String = circuit.chars().take_while(char::is_ascii_digit).collect();
        if !digits.is_empty() && circuit.len() <= digits.len() + 2 {
            return Some(format!("us/appeals/{digits}"));
        }
        match circuit {
            "dc" => return Some("us/appeals/dc".to_owned()),
            "fed" => return Some("us/appeals/fed".to_owned()),
            _ => {}
        }
    }
    let states = STATES
        .iter()
        .flat_map(|state| state.abbreviations.iter().map(move |form| (state, reporter_key(form))));
    let mut best: Option<(usize, String)> = None;
    let mut offer = |length: usize, key: String| {
        if best.as_ref().is_none_or(|(max, _)| length > *max) {
            best = Some((length, key));
        }
    };
    for (state, form) in states {
        let code = state.code;
        if let Some(district) = key.strip_suffix(form.as_str()) {
            let bankruptcy = district.strip_prefix("bankr");
            let kind = if bankruptcy.is_some() { "bankruptcy" } else { "district" };
            match bankruptcy.unwrap_or(district) {
                "d" => offer(form.len(), format!("us/{kind}/{code}")),
                d if d.len() == 2 && d.ends_with('d') && "nsewmc".contains(&d[..1]) => {
                    offer(form.len(), format!("us/{kind}/{code}/{}", &d[..1]));
                }
                _ => {}
            }
        }
        if let Some(rest) = key.strip_prefix(form.as_str()) {
            let kind = match rest {
                "" => "supreme",
                "app" | "ctapp" | "appct" | "apps" => "appeals",
                "super" | "superct" => "superior",
                "commwct" | "cmwlth" | "commw" => "commonwealth",
                "crimapp" | "cr" | "crim" | "ctcrimapp" => "criminal-appeals",
                "civapp" => "appeals",
                "appdiv" | "superctappdiv" => "appellate-division",
                "supct" if code == "ny" => "supreme",
                "supct" => "supreme",
                "ch" | "chct" => "chancery",
                "tax" | "taxct" => "tax",
                "ctspecapp" | "specapp" => "special-appeals",
                r if r.starts_with("app") || r.starts_with("ctapp") => "appeals",
                _ => continue,
            };
            let kind = if code == "ny" && rest.is_empty() { "appeals" } else { kind };
            offer(form.len(), format!("{code}/{kind}"));
        }
    }
    best.map(|(_, key)| key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parentheses_are_read() {
        let cases = [
            ("9th Cir.", "us/appeals/9"),
            ("S.D.N.Y.", "us/district/ny/s"),
            ("D Kan", "us/district/ks"),
            ("Pa.Super.", "pa/superior"),
            ("Bankr. D. Del.", "us/bankruptcy/de"),
            ("Cal. Ct. App.", "ca/appeals"),
            ("D.C. Cir.", "us/appeals/dc"),
        ];
        for (text, key) in cases {
            assert_eq!(abbreviated_court(text).as_deref(), Some(key), "{text}");
        }
        assert_eq!(abbreviated_court("emphasis added"), None);
    }
}
