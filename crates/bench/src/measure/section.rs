//! Benchmarks in sections, each of which returns a text to print and figures to write.

use std::path::Path;

use futures_util::future::LocalBoxFuture;
use serde::Serialize;
use serde_json::{Map, Value};

use super::{Failure, host};

/// The result of a section.
pub(crate) struct Measured {
    text: String,
    figures: Value,
}

impl Measured {
    pub(crate) fn new(text: String, figures: &impl Serialize) -> Result<Self, Failure> {
        Ok(Self { text, figures: serde_json::to_value(figures)? })
    }
}

/// A section's name, and its function, whose argument asks for a fifth of the time.
pub(crate) type Section =
    (&'static str, fn(bool) -> LocalBoxFuture<'static, Result<Measured, Failure>>);

/// Measures every section, or only one; prints tables, writes the JSON.
pub(crate) async fn measure(
    sections: &[Section],
    quick: bool,
    only: Option<&str>,
    json: Option<&Path>,
) -> Result<(), Failure> {
    let host = host::Host::look(quick).await;
    println!("{host}\n");
    let mut report = Map::new();
    report.insert("host".to_owned(), serde_json::to_value(host)?);
    for (name, section) in sections {
        if only.is_none_or(|only| only == *name) {
            let measured = section(quick).await?;
            println!("{}", measured.text);
            report.insert((*name).to_owned(), measured.figures);
        }
    }
    if let Some(file) = json {
        std::fs::write(file, serde_json::to_string_pretty(&report)? + "\n")?;
    }
    Ok(())
}
