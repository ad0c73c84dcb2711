//! Redis's protocol: requests of programs, replies of servers.

mod arguments;
mod inline;
mod malformed;
mod number;
pub mod request;
pub mod scanner;
pub mod write;

pub use arguments::Arguments;
pub use malformed::Malformed;

/// The version of the protocol that a program speaks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Resp {
    /// RESP2, which every connection begins with.
    #[default]
    Two,
    /// RESP3, after `HELLO 3`.
    Three,
}
