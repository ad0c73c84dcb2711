//! Dates and sums as people write them; their names in results are ISO dates and minor units.

use crate::model::EntityKind;

/// The name of an entity as it is shown: `12 May 2021` for `2021-05-12`, `USD 1,200.50` for `USD 120050`.
#[must_use]
pub fn shown_name(kind: EntityKind, name: &str) -> String {
    let shown = match kind {
        EntityKind::Date => date(name),
        EntityKind::Money => sum(name),
        _ => None,
    };
    shown.unwrap_or_else(|| name.to_owned())
}

fn date(name: &str) -> Option<String> {
    const MONTHS: [&str; 12] = [
        "January",
        "February",
        "March",
        "April",
        "May",
        "June",
        "July",
        "August",
        "September",
        "October",
        "November",
        "December",
    ];
    let mut parts = name.splitn(3, '-');
    let (year, month, day) = (parts.next()?, parts.next()?, parts.next()?);
    let month = MONTHS.get(month.parse::<usize>().ok()?.checked_sub(1)?)?;
    Some(format!("{} {month} {year}", day.parse::<u8>().ok()?))
}

fn sum(name: &str) -> Option<String> {
    let (currency, minor) = name.split_once(' ')?;
    let minor: u128 = minor.parse().ok()?;
    let digits = (minor / 100).to_string();
    let mut whole = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            whole.push(',');
        }
        whole.push(digit);
    }
    Some(match minor % 100 {
        0 => format!("{currency} {whole}"),
        cents => format!("{currency} {whole}.{cents:02}"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_shown_as_people_write_them() {
        assert_eq!(shown_name(EntityKind::Date, "2021-05-12"), "12 May 2021");
        assert_eq!(shown_name(EntityKind::Money, "USD 120000050"), "USD 1,200,000.50");
        assert_eq!(shown_name(EntityKind::Money, "EUR 5000"), "EUR 50");
        assert_eq!(shown_name(EntityKind::Date, "soon"), "soon");
        assert_eq!(shown_name(EntityKind::Party, "2021-05-12"), "2021-05-12");
    }
}
