//! The documents that benchmarks take through the stages.

use std::path::{Path, PathBuf};

/// The shared corpus if it exists, otherwise the samples.
pub(crate) fn corpus() -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let shared = std::env::var_os("COMPARTMENT_SHARED")
        .map_or_else(|| root.join("../shared"), PathBuf::from)
        .join("corpus");
    if shared.is_dir() { shared } else { root.join("samples") }
}
