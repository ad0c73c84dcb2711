//! Removes page furniture from laid-out pages: line numbers, running heads, page numbers.

use std::collections::HashMap;

use super::layout::Line;

/// Minimum number of numbered lines on a page of pleading paper or a transcript.
const MIN_NUMBERED_LINES: usize = 8;

/// Drops the line numbers that pleading paper and transcripts print in the margin.
pub(super) fn drop_margin_numbers(lines: &mut Vec<Line>) {
    let number = |line: &Line| -> Option<u32> {
        let first = line.segments.first()?;
        (first.text.len() <= 2).then(|| first.text.parse().ok()).flatten()
    };
    let numbered: Vec<(f64, u32)> = lines
        .iter()
        .filter_map(|line| Some((line.segments.first()?.end_x, number(line)?)))
        .collect();
    // The numbers are right-aligned in one column, which is at the most frequent right edge.
    let column = numbered
        .iter()
        .map(|(edge, _)| (numbered.iter().filter(|(e, _)| (e - edge).abs() < 8.0).count(), *edge))
        .max_by(|a, b| a.0.cmp(&b.0).then(b.1.total_cmp(&a.1)));
    let Some((count, edge)) = column else { return };
    let in_column: Vec<u32> =
        numbered.iter().filter(|(e, _)| (e - edge).abs() < 8.0).map(|(_, n)| *n).collect();
    let rising = in_column.windows(2).filter(|pair| pair[1] == pair[0] + 1).count();
    // Nearly all other lines begin to the right of the numbers; a footer may be an exception.
    let joined = |line: &Line| {
        let first = line.segments.first().and_then(|segment| segment.text.split_once(' '));
        first.is_some_and(|(head, _)| head.len() <= 2 && head.bytes().all(|b| b.is_ascii_digit()))
    };
    let others = lines.iter().filter(|line| !joined(line)).filter_map(|line| {
        let skip = usize::from(number(line).is_some());
        line.segments.get(skip).map(|segment| segment.x)
    });
    let (inside, outside): (Vec<f64>, Vec<f64>) = others.partition(|x| *x > edge);
    if count < MIN_NUMBERED_LINES
        || rising * 10 < in_column.len() * 6
        || outside.len() * 5 > inside.len()
    {
        return;
    }
    for line in lines.iter_mut() {
        // A number close to its line was laid out as the line's first word.
        if let Some(first) = line.segments.first_mut()
            && first.x < edge
            && let Some((digits, rest)) = first.text.split_once(' ')
            && digits.len() <= 2
            && digits.bytes().all(|byte| byte.is_ascii_digit())
        {
            first.text = rest.to_owned();
            first.x = edge;
        }
        if number(line).is_some() && (line.segments[0].end_x - edge).abs() < 8.0 {
            line.segments.remove(0);
        }
    }
    lines.retain(|line| !line.segments.is_empty());
}

/// Number of lines at the top and bottom of a page that may be running heads or feet.
const EDGE_LINES: usize = 3;

/// Drops running heads and feet: lines at the edge of a page that occur on three pages, ignoring
/// numbers. The first occurrence is kept, since a running head often has the docket number.
pub(super) fn drop_running_heads(pages: &mut [Vec<Line>]) {
    if pages.len() < 3 {
        return;
    }
    let mut seen: HashMap<String, usize> = HashMap::new();
    for page in pages.iter() {
        let mut keys: Vec<String> =
            edges(page.len()).filter_map(|at| running_key(&page[at].text())).collect();
        keys.sort_unstable();
        keys.dedup();
        for key in keys {
            *seen.entry(key).or_default() += 1;
        }
    }
    let mut kept: HashMap<String, ()> = HashMap::new();
    for page in pages.iter_mut() {
        let drop: Vec<usize> = edges(page.len())
            .filter(|&at| {
                running_key(&page[at].text()).is_some_and(|key| {
                    let repeated = seen.get(&key).is_some_and(|&count| count >= 3);
                    repeated && (key == "#" || kept.insert(key, ()).is_some())
                })
            })
            .collect();
        let mut at = 0;
        page.retain(|_| {
            at += 1;
            !drop.contains(&(at - 1))
        });
    }
}

fn edges(lines: usize) -> impl Iterator<Item = usize> {
    (0..lines).filter(move |&at| at < EDGE_LINES || at + EDGE_LINES >= lines)
}

/// A line with its numbers masked; `None` for lines too long to be furniture.
fn running_key(text: &str) -> Option<String> {
    let mut key = String::new();
    for c in text.chars().filter(|c| c.is_alphanumeric()) {
        if c.is_ascii_digit() {
            if !key.ends_with('#') {
                key.push('#');
            }
        } else {
            key.extend(c.to_lowercase());
        }
    }
    (!key.is_empty() && text.len() <= 140).then_some(key)
}

#[cfg(test)]
mod tests {
    use super::super::layout::Segment;
    use super::*;

    fn line(y: f64, parts: &[(f64, &str)]) -> Line {
        let segments = parts
            .iter()
            .map(|&(x, text)| Segment {
                x,
                end_x: x + 5.0 * text.len() as f64,
                y,
                size: 10.0,
                letters: (10.0, 1),
                text: text.to_owned(),
            })
            .collect();
        Line { y, size: 10.0, segments }
    }

    #[test]
    fn pleading_numbers_go_and_other_numbers_stay() {
        let mut lines: Vec<Line> = (1..=20)
            .map(|n| {
                let number = n.to_string();
                line(f64::from(n) * 12.0, &[(20.0, number.as_str()), (60.0, "the court finds")])
            })
            .collect();
        lines.push(line(300.0, &[(60.0, "42"), (90.0, "people")]));
        drop_margin_numbers(&mut lines);
        assert_eq!(lines[4].text(), "the court finds");
        assert_eq!(lines[20].text(), "42   people");
    }

    #[test]
    fn a_running_head_is_kept_once() {
        let mut pages: Vec<Vec<Line>> = (1..=4)
            .map(|n| {
                let head = format!("Case 1:20-cv-00001 Page {n} of 4");
                let mut page = vec![line(10.0, &[(20.0, head.as_str())])];
                page.extend((0..8).map(|i| {
                    line(
                        30.0 + f64::from(i),
                        &[(20.0, &*format!("{}prose", "x".repeat(n * 9 + i as usize)))],
                    )
                }));
                page.push(line(700.0, &[(300.0, n.to_string().as_str())]));
                page
            })
            .collect();
        drop_running_heads(&mut pages);
        assert_eq!(pages.iter().map(Vec::len).collect::<Vec<_>>(), [9, 8, 8, 8]);
    }
}
