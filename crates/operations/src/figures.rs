//! How counts, times and shares read.

use std::time::Duration;

/// `1,234,567`.
#[must_use]
pub fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `1 key`, `1,234 keys`: a count with its noun, whose plural ends in `s`.
#[must_use]
pub fn counted(number: u64, noun: &str) -> String {
    format!("{} {noun}{}", count(number), if number == 1 { "" } else { "s" })
}

/// A duration, such as `12 ms`, `1.25 s`, `3 m 20 s`, `2 h 5 m` or `56 d 9 h`.
#[must_use]
pub fn time(duration: Duration) -> String {
    let (seconds, whole) = (duration.as_secs_f64(), duration.as_secs());
    if seconds < 1.0 {
        format!("{} ms", duration.as_millis())
    } else if seconds < 60.0 {
        format!("{seconds:.2} s")
    } else if whole < 3_600 {
        format!("{} m {} s", whole / 60, whole % 60)
    } else if whole < 2 * 86_400 {
        format!("{} h {} m", whole / 3_600, whole / 60 % 60)
    } else {
        format!("{} d {} h", whole / 86_400, whole / 3_600 % 24)
    }
}

/// A share, such as `87 %`, or a dash where it is not known.
#[must_use]
pub fn percent(share: Option<f64>) -> String {
    share.map_or_else(|| "–".into(), |share| format!("{:.0} %", share * 100.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_read_well() {
        assert_eq!(count(0), "0");
        assert_eq!(count(123), "123");
        assert_eq!(count(1_234_567), "1,234,567");
        assert_eq!(counted(1, "key"), "1 key");
        assert_eq!(counted(1_234, "key"), "1,234 keys");
        assert_eq!(time(Duration::from_millis(12)), "12 ms");
        assert_eq!(time(Duration::from_millis(1_250)), "1.25 s");
        assert_eq!(time(Duration::from_secs(200)), "3 m 20 s");
        assert_eq!(time(Duration::from_secs(30 * 3_600)), "30 h 0 m");
        assert_eq!(time(Duration::from_secs(1_353 * 3_600)), "56 d 9 h");
        assert_eq!(percent(Some(0.875)), "88 %");
        assert_eq!(percent(None), "–");
    }
}
