//! Redis's protocol: requests of programs, replies of servers.

mod arguments;

pub use arguments::Arguments;
