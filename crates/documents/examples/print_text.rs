//! Prints the text of documents as the pipeline reads them: `print_text FILE…`, one JSON object a line.

#![expect(clippy::print_stdout, reason = "an example prints its result")]

use std::path::Path;

use compartment_documents::{ExtractOptions, extract};

fn main() -> std::io::Result<()> {
    let mut options = ExtractOptions::default();
    options.ocr = false;
    for path in std::env::args_os().skip(1) {
        let path = Path::new(&path);
        let line = match extract(&std::fs::read(path)?, &path.to_string_lossy(), &options) {
            Ok(read) => serde_json::json!({
                "path": path,
                "text": read.text,
                "pages": read.pages.len(),
                "warnings": read.warnings,
            }),
            Err(error) => serde_json::json!({ "path": path, "error": error.to_string() }),
        };
        println!("{line}");
    }
    Ok(())
}
