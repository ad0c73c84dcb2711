//! The files of documents: found below folders, read and named by their content, and written.

mod decisions_file;
mod discover;
mod file_paths;
mod opening;
mod output;
mod roots;
mod source;

pub use decisions_file::{
    DECISIONS_FILE, decisions_in, decisions_path, read_decisions, write_decisions,
};
pub use discover::{Discovery, Found, Links, discover};
pub(crate) use file_paths::FilePaths;
pub use output::{DocumentFile, ResolvedMention};
pub use roots::DocumentRoots;
pub(crate) use roots::OUTSIDE;
pub use source::document_id;
pub(crate) use source::{FileContent, hash_of};
