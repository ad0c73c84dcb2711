//! Sums of money, as currency and minor units.

use crate::model::{EntityKind, Mention};
use crate::static_regex::static_regex;

static_regex!(
    money_regex,
    r"(?P<cur>US\$|U\.S\.\s?\$|\$|£|€|₹|\bRs\.?\s?|\bINR\s|\bUSD\s|\bEUR\s|\bGBP\s)\s?(?P<n>\d{1,3}(?:,\d{2,3})+(?:\.\d{1,2})?|\d+(?:\.\d{1,3})?)(?:/-)?(?:\s?[-–]?\s?(?P<scale>(?i:thousand|million|billion|trillion|lakhs?|lacs?|crores?|mn|bn))\b)?"
);
static_regex!(
    worded_regex,
    r"\b(?P<n>\d{1,3}(?:,\d{3})+(?:\.\d{1,2})?|\d+(?:\.\d{1,2})?)(?:\s(?P<scale>(?i:thousand|million|billion|lakhs?|crores?)))?\s(?P<cur>(?i:dollars|rupees|euros|pounds\s+sterling|cents))\b"
);

/// Every sum of money in the text; the normal form is `USD 125000` for $1,250.00.
pub(super) fn money(text: &str) -> Vec<Mention> {
    let mut found = Vec::new();
    for captures in money_regex().captures_iter(text).chain(worded_regex().captures_iter(text)) {
        let Some(whole) = captures.get(0) else { continue };
        let scale = captures.name("scale").map(|m| m.as_str());
        let (currency, unit) = currency(&captures["cur"]);
        let Some(minor) = minor_units(&captures["n"], scale, unit) else { continue };
        let end = whole.start() + whole.as_str().trim_end().len();
        found.push(Mention::new(
            EntityKind::Money,
            text,
            whole.start(),
            end,
            format!("{currency} {minor}"),
        ));
    }
    found
}

/// ISO 4217 code, and the number of minor units in one of the named unit.
fn currency(symbol: &str) -> (&'static str, u128) {
    let lower = symbol.trim().to_lowercase();
    match lower.as_str() {
        "cents" => ("USD", 1),
        "£" | "gbp" => ("GBP", 100),
        "€" | "eur" | "euros" => ("EUR", 100),
        "₹" | "inr" | "rupees" => ("INR", 100),
        rs if rs.starts_with("rs") => ("INR", 100),
        pounds if pounds.starts_with("pounds") => ("GBP", 100),
        _ => ("USD", 100),
    }
}

/// The amount in minor units; `None` if it is too large to be money.
fn minor_units(number: &str, scale: Option<&str>, unit: u128) -> Option<u128> {
    let plain = number.replace(',', "");
    let (whole, fraction) = plain.split_once('.').unwrap_or((&plain, ""));
    let factor: u128 = match scale.map(str::to_lowercase).as_deref() {
        Some("thousand") => 1_000,
        Some("lakh" | "lakhs" | "lac" | "lacs") => 100_000,
        Some("million" | "mn") => 1_000_000,
        Some("crore" | "crores") => 10_000_000,
        Some("billion" | "bn") => 1_000_000_000,
        Some("trillion") => 1_000_000_000_000,
        _ => 1,
    };
    let digits: u128 = format!("{whole}{fraction}").parse().ok()?;
    let scaled = digits.checked_mul(factor)?.checked_mul(unit)?;
    Some(scaled / 10_u128.checked_pow(u32::try_from(fraction.len()).ok()?)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_become_minor_units() {
        let cases = [
            ("$1,250.50", "USD 125050"),
            ("$3.5 million", "USD 350000000"),
            ("Rs. 1,00,000/-", "INR 10000000"),
            ("Rs.2 crores", "INR 2000000000"),
            ("500 dollars", "USD 50000"),
            ("£20", "GBP 2000"),
        ];
        for (text, normal) in cases {
            assert_eq!(money(text)[0].normal, normal, "{text}");
        }
        assert!(money("the $ sign and Rs").is_empty());
    }
}
