//! Pages a second of one processor: reading the text, and all stages after it. OCR is off.
//!
//! Run it with `cargo run --release -p compartment-documents --example pages_per_second -- FILE…`.

#![expect(clippy::print_stdout, reason = "an example shows what it measures")]

use std::time::{Duration, Instant};

use compartment_documents::{
    ChunkOptions, ExtractOptions, RelateOptions, chunk, extract, mentions, relate, resolve,
};

/// Rounds over all files; the first is not counted.
const ROUNDS: usize = 6;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut options = ExtractOptions::default();
    options.ocr = false;
    let mut files = Vec::new();
    for path in std::env::args_os().skip(1) {
        files.push((path.to_string_lossy().into_owned(), std::fs::read(&path)?));
    }
    let (mut pages, mut reading, mut stages) = (0, Duration::ZERO, Duration::ZERO);
    for round in 0..ROUNDS {
        for (name, bytes) in &files {
            let started = Instant::now();
            let text = extract(bytes, name, &options)?;
            let read = started.elapsed();
            let chunks = chunk(&text, &ChunkOptions::default());
            let document = resolve(name, mentions(&text.text));
            let found = relate(&document, &RelateOptions::default());
            std::hint::black_box((chunks, found));
            if round > 0 {
                pages += text.pages.len();
                reading += read;
                stages += started.elapsed().saturating_sub(read);
            }
        }
    }
    let rate = |time: Duration| pages as f64 / time.as_secs_f64().max(f64::MIN_POSITIVE);
    println!(
        "{pages} pages: text {:.0} pages/s, stages after it {:.0} pages/s, all {:.0} pages/s",
        rate(reading),
        rate(stages),
        rate(reading + stages)
    );
    Ok(())
}
