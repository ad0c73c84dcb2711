//! How ages, rates and latencies read, and how texts of others are made safe to show.

use std::time::Duration;

use compartment_admin::{printable, size};

/// Characters of a text of others that are shown at most.
const MAX_SHOWN: usize = 2_000;

/// A text that others wrote, with every character that is not visible as an escape, and cut if it is very long.
pub(crate) fn shown(text: &str) -> String {
    match text.char_indices().nth(MAX_SHOWN) {
        Some((end, _)) => printable(&text[..end]) + "…",
        None => printable(text),
    }
}

/// How long ago a moment was: `7 s`, `3 m 20 s`. A moment in the future, by another machine's clock, is now.
pub(crate) fn age(now_ms: u64, then_ms: u64) -> String {
    long(Duration::from_millis(now_ms.saturating_sub(then_ms)))
}

/// A time in whole seconds.
pub(crate) fn long(time: Duration) -> String {
    match time.as_secs() {
        seconds @ 0..60 => format!("{seconds} s"),
        seconds => compartment_operations::time(Duration::from_secs(seconds)),
    }
}

/// Seconds that may be a fraction, or more than any clock has.
pub(crate) fn seconds(seconds: f64) -> String {
    Duration::try_from_secs_f64(seconds).map_or_else(|_| "very long".to_owned(), long)
}

/// `1,234`, `12.3`, `0.05`: a rate with as many digits as it needs.
pub(crate) fn rate(rate: f64) -> String {
    match rate {
        rate if rate >= 100.0 => compartment_operations::count(rate.round() as u64),
        rate if rate >= 1.0 || rate == 0.0 => format!("{rate:.1}"),
        rate => format!("{rate:.2}"),
    }
}

/// A time in microseconds: `340 µs`, `1.2 ms`, `2.50 s`.
pub(crate) fn micros(micros: u64) -> String {
    match micros {
        ..1_000 => format!("{micros} µs"),
        1_000..1_000_000 => format!("{:.1} ms", micros as f64 / 1_000.0),
        _ => compartment_operations::time(Duration::from_micros(micros)),
    }
}

/// How far the ends of an interval are from its middle, in parts of a hundred: `±3 %`.
pub(crate) fn plus_minus(bytes: u64, low: u64, high: u64) -> String {
    if low == high {
        return "exact".to_owned();
    }
    let half = high.saturating_sub(low) as f64 / 2.0;
    match 100.0 * half / (bytes as f64).max(1.0) {
        share if share < 1.0 => "±<1 %".to_owned(),
        share if share < 100.0 => format!("±{share:.0} %"),
        _ => "±100 %".to_owned(),
    }
}

/// `198.0–211.8 MiB`, or that every key was measured.
pub(crate) fn interval(low: u64, high: u64) -> String {
    if low == high {
        return "exact".to_owned();
    }
    let (low, high) = (size(low), size(high));
    match (low.split_once(' '), high.split_once(' ')) {
        (Some((number, unit)), Some((_, other))) if unit == other => format!("{number}–{high}"),
        _ => format!("{low}–{high}"),
    }
}

/// `+1,234 keys, −3.0 MiB`.
pub(crate) fn signed(figure: i64, show: impl Fn(u64) -> String) -> String {
    let sign = match figure {
        0 => "",
        1.. => "+",
        _ => "−",
    };
    format!("{sign}{}", show(figure.unsigned_abs()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_read_well_however_big_they_are() {
        assert_eq!(age(10_000, 3_000), "7 s");
        assert_eq!(age(3_000, 10_000), "0 s");
        assert_eq!(age(400_000, 200_000), "3 m 20 s");
        assert_eq!(seconds(f64::MAX), "very long");
        assert_eq!(
            [rate(0.0), rate(0.049), rate(12.34), rate(1_234.5)].join(" "),
            "0.0 0.05 12.3 1,235"
        );
        assert_eq!(rate(f64::MAX), "18,446,744,073,709,551,615");
        assert_eq!(
            [micros(340), micros(1_240), micros(2_500_000)].join(", "),
            "340 µs, 1.2 ms, 2.50 s"
        );
        assert_eq!(plus_minus(100, 97, 103), "±3 %");
        assert_eq!(plus_minus(0, 0, u64::MAX), "±100 %");
        assert_eq!(plus_minus(7, 7, 7), "exact");
        assert_eq!(interval(200 << 20, 210 << 20), "200.0–210.0 MiB");
        assert_eq!(signed(i64::MIN, compartment_operations::count), "−9,223,372,036,854,775,808");
    }

    #[test]
    fn texts_of_others_cannot_steer_the_terminal() {
        assert_eq!(shown("a\u{1b}[2Jb\u{202e}c\n"), r"a\x1b[2Jb\xe2\x80\xaec\x0a");
        assert_eq!(shown(&"x".repeat(9_999)).chars().count(), MAX_SHOWN + 1);
    }
}
