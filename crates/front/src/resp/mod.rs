//! Redis's protocol: requests of programs, replies of servers.

mod arguments;
mod inline;
mod number;
mod protocol_error;
pub mod request;
pub mod scanner;
mod tree;
mod tree_read;
mod tree_write;
mod version;
pub mod write;

pub(crate) use number::number as whole_number;

pub use arguments::Arguments;
pub use protocol_error::ProtocolError;
pub use tree::Tree;
pub use tree_read::Malformed;
pub use version::Resp;
