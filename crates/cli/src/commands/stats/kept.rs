//! The file in which figures are kept from look to look.

use std::path::{Path, PathBuf};

use compartment_admin::Deployment;
use compartment_admin::stats::Past;

use crate::args::StateFolder;
use crate::screen::{self, STRONG};

/// The file; none where there is no folder for it.
pub(crate) struct Kept(Option<PathBuf>);

impl Kept {
    pub(crate) fn of(state: &StateFolder, deployment: &Deployment) -> Self {
        let folder = state.folder.clone().or_else(default_folder);
        let addresses = deployment.instances.iter().map(|one| one.address.as_str());
        let name = format!("stats-{:016x}.json", hash(addresses));
        Self(folder.map(|folder| folder.join(name)))
    }

    pub(crate) fn read(&self) -> Option<Past> {
        Past::read(self.0.as_deref()?)
    }

    /// Writes the file. A folder that cannot be written only means that the next look begins anew.
    pub(crate) fn write(&self, past: &Past) {
        let Some(path) = &self.0 else { return };
        let folder = path.parent().unwrap_or(Path::new("."));
        let written = compartment_files::create_folders(folder)
            .map_err(|error| error.to_string())
            .and_then(|()| past.write(path).map_err(|error| error.to_string()));
        if let Err(error) = written {
            screen::remark(format!(
                "{STRONG}note:{STRONG:#} figures are not kept for the next look: {error}; --state names \
                 another folder"
            ));
        }
    }
}

/// As the XDG base directory specification has it.
fn default_folder() -> Option<PathBuf> {
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
