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
    let mut report = Report::begin(quick).await?;
    for (name, section) in sections {
        if only.is_none_or(|only| only == *name) {
            report.add(name, section(quick).await?);
        }
    }
    report.write(json)
}

/// Measures one section; prints its tables, writes the JSON.
pub(crate) async fn measure_one(
    name: &str,
    section: impl Future<Output = Result<Measured, Failure>>,
    quick: bool,
    json: Option<&Path>,
) -> Result<(), Failure> {
    let mut report = Report::begin(quick).await?;
    report.add(name, section.await?);
    report.write(json)
}

/// The figures of the sections, with the host that they are from.
struct Report(Map<String, Value>);

impl Report {
    async fn begin(quick: bool) -> Result<Self, Failure> {
        let host = host::Host::look(quick).await;
        println!("{host}\n");
        Ok(Self(Map::from_iter([("host".to_owned(), serde_json::to_value(host)?)])))
    }

    fn add(&mut self, name: &str, measured: Measured) {
        println!("{}", measured.text);
        self.0.insert(name.to_owned(), measured.figures);
    }

    fn write(self, json: Option<&Path>) -> Result<(), Failure> {
        if let Some(file) = json {
            std::fs::write(file, serde_json::to_string_pretty(&self.0)? + "\n")?;
        }
        Ok(())
    }
}
