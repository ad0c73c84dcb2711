//! Redis's protocol: requests of programs, replies of servers.

mod arguments;
mod tree;
mod tree_read;
mod tree_write;
mod version;

pub use arguments::Arguments;
pub use tree::Tree;
pub use tree_read::Malformed;
pub use version::Resp;
