//! Processor time of each stage on texts that are hard to divide, at 1 and at 8 MB: eight times the text may take twelve
//! times as long.
//!
//! Run it with `cargo run --release -p compartment-documents --example linear_time -- [PIECE [BYTES]]`: only texts of pieces
//! that contain PIECE, and BYTES for a megabyte.

#![expect(clippy::print_stdout, reason = "an example shows what it measures")]

use compartment_documents::model::{ExtractedText, PageSpan, TextSource};
use compartment_documents::{
    ChunkOptions, ExtractOptions, RelateOptions, chunk, extract, mentions, relate, resolve,
};

const MB: usize = 1_000_000;
/// Pieces that are repeated to a text; `#` is another name each time, and `%` another number.
const PIECES: [&str; 28] = [
    "a",
    ". . .",
    "§ 1983, ",
    "JOHN SMITH ",
    "word ",
    "Smith v. Jones, ",
    "123 U.S. 456 ",
    "$1,000,000 ",
    "January 1, 2020, ",
    "(((",
    "No. 12-cv-345 ",
    "the Honorable ",
    "# Smith, Plaintiff, v. Jones, ",
    "Smith # ",
    "Judge # Smith, ",
    "Hon. J. Smith, ",
    "Smith v. #, 1 U.S. % (1990). ",
    "Smith v. Jones, % U.S. % (1990). Id. at 5. ",
    "1 U.S. at %. ",
    "# Roe, Attorney for Plaintiff # Doe. ",
    "No. %-cv-% ",
    "\n\n# v. #\n\n",
    "\n\nSmith,\n\nPlaintiff,\n\nv.\n\n#,\n\nDefendant.\n\n# (the “Company”) paid. The Company # ",
    "Smith v. Jones, % U.S. %, aff'd, % U.S. % (1990), ",
    "See, e.g., % U.S. %; (quoting % U.S. % (citing ",
    "On May 3, 2020, # filed # on May 3, 2020 for $5 ",
    "\u{2028}1 See % U.S. %. Id.\u{2029}\n",
    "H.R. Rep. No. %, S. 47, 113th Cong. ",
];

fn document(piece: &str, bytes: usize) -> ExtractedText {
    let mut text = String::with_capacity(bytes + piece.len());
    let mut count = 0;
    while text.len() < bytes {
        for part in piece.chars() {
            match part {
                '#' => text.push_str(&name(count)),
                '%' => text.push_str(&(count + 1).to_string()),
                part => text.push(part),
            }
        }
        count += 1;
    }
    let pages = vec![PageSpan { start: 0, end: text.len() }];
    let (warnings, unread) = (Vec::new(), Vec::new());
    ExtractedText { text, pages, source: TextSource::PlainText, warnings, unread }
}

/// The name with this number, such as `Baab`.
fn name(number: usize) -> String {
    let letter = |at: u32| char::from(b'a' + (number / 26_usize.pow(at) % 26) as u8);
    ["B".to_owned(), (0..4).rev().map(letter).collect()].concat()
}

/// Seconds of processor that this thread has used; 0 on systems without `/proc`.
fn used() -> f64 {
    let text = std::fs::read_to_string("/proc/self/schedstat").unwrap_or_default();
    let nanos = text.split(' ').next().and_then(|nanos| nanos.parse::<f64>().ok());
    nanos.unwrap_or_default() / 1_000_000_000.0
}

/// Seconds of the stages extract, chunk, entities, resolve and relate.
fn times(piece: &str, bytes: usize) -> [f64; 5] {
    let document = document(piece, bytes);
    let mut times = [0.0; 5];
    let mut began = used();
    let mut note = |at: usize| {
        times[at] = used() - began;
        began = used();
    };
    let _ = extract(document.text.as_bytes(), "paper.txt", &ExtractOptions::default());
    note(0);
    let _ = chunk(&document, &ChunkOptions::default());
    note(1);
    let found = mentions(&document.text);
    note(2);
    let resolved = resolve("paper.txt", found);
    note(3);
    let _ = relate(&resolved, &RelateOptions::default());
    note(4);
    times
}

fn main() {
    let only = std::env::args().nth(1);
    let megabyte = std::env::args().nth(2).and_then(|bytes| bytes.parse().ok()).unwrap_or(MB);
    println!("{:<20} {:>10} {:>8} {:>8} {:>7}", "text", "stage", "1 MB", "8 MB", "ratio");
    for piece in PIECES {
        if only.as_ref().is_some_and(|only| !piece.contains(only.as_str())) {
            continue;
        }
        let (small, large) = (times(piece, megabyte), times(piece, 8 * megabyte));
        for (at, stage) in ["extract", "chunk", "entities", "resolve", "relate"].iter().enumerate()
        {
            // Less than a millisecond a megabyte is no time to compare.
            if large[at] < 0.02 {
                continue;
            }
            let ratio = large[at] / small[at];
            println!(
                "{piece:<20} {stage:>10} {:>6.2} s {:>6.2} s {ratio:>6.1}x",
                small[at], large[at]
            );
        }
    }
}
