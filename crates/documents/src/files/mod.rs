//! The files of documents: found below folders, read and named by their content, and written.

mod discover;
mod file_paths;
mod output;
mod source;

pub use discover::{Discovery, Found, discover};
pub(crate) use file_paths::FilePaths;
pub use output::{DocumentFile, ResolvedMention};
pub use source::document_id;
pub(crate) use source::{FileContent, hash_of};
