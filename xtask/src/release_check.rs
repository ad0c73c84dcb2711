//! `release-check`: checks before publishing the crates. All of them run; failures are listed at the end.

use std::process::Command;

use clap::Args;

use crate::check::{Check, run_all};
use crate::command::{Failure, cargo, find, output, run as run_command};
use crate::manifest::{Manifest, published};
use crate::root;

/// The extent of the check.
#[derive(Debug, Args)]
pub(crate) struct ReleaseCheckArgs {
    /// Only the packages' files and the facade's features: under five minutes, for each change.
    #[arg(long)]
    quick: bool,
}

const QUICK: [Check; 3] = [
    ("package files", package_files),
    ("packages", || packages(&["--no-verify"])),
    ("features of the facade", || features(|manifest| manifest.name == FACADE)),
];

const ALL: [Check; 6] = [
    ("package files", package_files),
    ("publish", publish),
    ("features", || features(|_| true)),
    ("core without features", core_alone),
    ("public API", public_api),
    ("oldest Rust", oldest_rust),
];

/// The crate that users depend on.
const FACADE: &str = "compartment";

pub(crate) fn run(args: &ReleaseCheckArgs) -> Result<(), Failure> {
    run_all(if args.quick { &QUICK } else { &ALL })
}

/// Checks that each package has its manifest, README and sources, and prints the number of its files.
fn package_files() -> Result<(), Failure> {
    for manifest in published()? {
        let arguments = ["package", "--list", "--allow-dirty", "--package", &manifest.name];
        let listed = output(&mut cargo(arguments))?;
        let files: Vec<&str> = listed.lines().collect();
        for needed in ["Cargo.toml", "README.md"] {
            if !files.contains(&needed) {
                return Err(Failure(format!("the package {} has no {needed}", manifest.name)));
            }
        }
        if !files.iter().any(|file| *file == "src/lib.rs" || *file == "src/main.rs") {
            return Err(Failure(format!("the package {} has no sources", manifest.name)));
        }
        println!("{}: {} files", manifest.name, files.len());
    }
    Ok(())
}

/// Creates the packages; unpublished sibling crates are taken from the workspace.
fn packages(more: &[&str]) -> Result<(), Failure> {
    run_command(cargo(["package", "--allow-dirty", "--locked"]).args(picks()?).args(more))
}

/// Creates and builds the packages as crates.io would, without uploading them.
fn publish() -> Result<(), Failure> {
    run_command(cargo(["publish", "--dry-run", "--allow-dirty", "--locked"]).args(picks()?))
}

/// A `--package` argument for each published crate.
fn picks() -> Result<Vec<String>, Failure> {
    Ok(published()?.into_iter().flat_map(|manifest| ["--package".into(), manifest.name]).collect())
}

/// Compiles each crate without features, with each feature alone, and with its default features.
fn features(which: fn(&Manifest) -> bool) -> Result<(), Failure> {
    for manifest in published()?.iter().filter(|manifest| which(manifest)) {
        for choice in choices(&manifest.features) {
            let arguments = ["check", "--quiet", "--package", &manifest.name];
            run_command(cargo(arguments).args(choice))?;
        }
    }
    Ok(())
}

/// The arguments that select features, one set for each build.
fn choices(features: &[String]) -> Vec<Vec<String>> {
    let none = || vec!["--no-default-features".to_owned()];
    let mut all = vec![none()];
    for feature in features {
        let mut one = if feature == "default" { Vec::new() } else { none() };
        if feature != "default" {
            one.extend(["--features".to_owned(), feature.clone()]);
        }
        all.push(one);
    }
    all
}

/// Runs core's tests without compression and without a runtime.
fn core_alone() -> Result<(), Failure> {
    run_command(&mut cargo(["test", "--quiet", "--package", "compartment-core", "--lib"]))
}

/// Finds breaking changes since the last published version.
fn public_api() -> Result<(), Failure> {
    if find("cargo-semver-checks").is_none() {
        eprintln!(
            "note: cargo-semver-checks is not installed, so the public API was not compared; install it with \
             `cargo install --locked cargo-semver-checks`"
        );
        return Ok(());
    }
    for manifest in published()?.iter().filter(|manifest| manifest.is_library) {
        // Before the first release there is no version to compare with.
        let known = cargo(["info", "--quiet", "--registry", "crates-io", &manifest.name]).output();
        if known.is_ok_and(|known| known.status.success()) {
            run_command(&mut cargo(["semver-checks", "--package", &manifest.name]))?;
        } else {
            eprintln!(
                "note: {} is not published yet: there is no API to compare with",
                manifest.name
            );
        }
    }
    Ok(())
}

/// Compiles each crate with its declared minimum Rust, if that toolchain is installed.
fn oldest_rust() -> Result<(), Failure> {
    let installed = output(Command::new("rustup").args(["toolchain", "list"]))?;
    for manifest in published()? {
        let version = &manifest.rust_version;
        if !installed.lines().any(|line| line.starts_with(version.as_str())) {
            eprintln!(
                "note: Rust {version} is not installed, so {} was not built with it; install it with \
                 `rustup toolchain install {version} --profile minimal`",
                manifest.name
            );
            continue;
        }
        let mut command = Command::new("rustup");
        command.args(["run", version, "cargo", "check", "--quiet", "--package", &manifest.name]);
        run_command(command.current_dir(root()))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_feature_is_built_alone_and_none_at_all() {
        let features = ["default", "redis"].map(str::to_owned);
        let typed: Vec<String> = choices(&features).iter().map(|choice| choice.join(" ")).collect();
        assert_eq!(typed, ["--no-default-features", "", "--no-default-features --features redis"]);
    }

    #[test]
    fn the_facade_is_among_the_published() {
        let facade = published().unwrap().into_iter().find(|manifest| manifest.name == FACADE);
        assert!(facade.unwrap().features.contains(&"redis".to_owned()));
    }
}
