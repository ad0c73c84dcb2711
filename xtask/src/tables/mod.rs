//! `tables`: takes facts about courts and reporters from the field's data packages into the files that the stages read.

mod abbreviations;
mod court_strings;
mod courts;
mod laws;
mod reading;
mod reporters;

use std::path::{Path, PathBuf};

use clap::Args;

use crate::command::Failure;
use crate::packages::unpacked;
use crate::root;

/// Where the packages come from.
#[derive(Debug, Args)]
pub(crate) struct TablesArgs {
    /// Checks that the files are as the packages would make them, and writes nothing.
    #[arg(long)]
    check: bool,
}

/// The packages, at the versions that the files were made from. Both are BSD-2-Clause.
const PACKAGES: [&str; 2] = ["reporters-db==3.2.67", "courts-db==0.10.27"];

/// A file of `crates/documents/data`, and the function that makes it from the folder of the packages.
type Table = (&'static str, fn(&Path) -> Result<String, Failure>);

const TABLES: [Table; 5] = [
    ("abbreviations.txt", abbreviations::abbreviations),
    ("courts.tsv", courts::courts),
    ("journals.tsv", reporters::journals),
    ("laws.tsv", laws::laws),
    ("reporters.tsv", reporters::reporters),
];

/// Writes every table.
pub(crate) fn run_tables(args: &TablesArgs) -> Result<(), Failure> {
    let packages = packages()?;
    for (name, make) in TABLES {
        let path = root().join("crates/documents/data").join(name);
        let made = make(&packages)?;
        if args.check {
            let kept = std::fs::read_to_string(&path).unwrap_or_default();
            if kept != made {
                return Err(Failure::new(format!(
                    "{name} is not as the packages make it: run `cargo xtask tables`"
                )));
            }
        } else {
            std::fs::write(&path, &made).map_err(|error| {
                Failure(format!("{} could not be written: {error}", path.display()))
            })?;
            println!("{name}: {} lines, {} KiB", made.lines().count(), made.len() / 1024);
        }
    }
    Ok(())
}

/// A folder below `target` with the unpacked packages, fetched if they are not there.
fn packages() -> Result<PathBuf, Failure> {
    let folder = root().join("target/packages");
    for package in PACKAGES {
        unpacked(&folder, package, None, &[])?;
    }
    Ok(folder)
}
