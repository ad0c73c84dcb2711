//! The file in which figures are kept from look to look.

use std::path::{Path, PathBuf};

use compartment_admin::Deployment;
use compartment_admin::stats::Past;

/// The file; none where there is no folder for it.
#[derive(Debug)]
pub(crate) struct Kept(Option<PathBuf>);

impl Kept {
    pub(crate) fn of(folder: Option<&Path>, deployment: &Deployment) -> Self {
        let addresses = deployment.instances.iter().map(|one| one.address.as_str());
        let name = format!("stats-{:016x}.json", hash(addresses));
        Self(folder.map(|folder| folder.join(name)))
    }

    pub(crate) fn read(&self) -> Option<Past> {
        Past::read(self.0.as_deref()?)
    }

    /// Writes the file; why that failed, if it did, which only means that the next look begins anew.
    pub(crate) fn write(&self, past: &Past) -> Option<String> {
        let path = self.0.as_ref()?;
        let folder = path.parent().unwrap_or(Path::new("."));
        let written = compartment_files::create_folders(folder)
            .map_err(|error| error.to_string())
            .and_then(|()| past.write(path).map_err(|error| error.to_string()));
        written.err()
    }
}

/// Where figures are kept unless somebody names a folder, as the XDG base directory specification has it.
#[must_use]
pub fn default_state_folder() -> Option<PathBuf> {
    let folder =
        |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let state = folder("XDG_STATE_HOME").or_else(|| Some(folder("HOME")?.join(".local/state")))?;
    Some(state.join("compartment"))
}

/// FNV-1a, which is the same on every machine and in every version.
fn hash<'a>(texts: impl Iterator<Item = &'a str>) -> u64 {
    let bytes = texts.flat_map(|text| text.bytes().chain([0]));
    bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}
