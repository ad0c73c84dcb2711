//! A server that speaks Redis's protocol: programs keep their one URL, and each key lives in its named database.
//!
//! Routing and the table of commands are pure functions; sessions and connections to servers use them.

mod accounting;
pub mod commands;
mod database;
mod dry;
mod endpoint;
mod figures;
mod front;
mod listen;
mod observer;
mod passwords;
mod programs;
pub mod resp;
pub mod route;
mod server;
mod session;
mod socket;
mod table;
mod thread;
mod tls;
mod upstream;

pub use endpoint::Endpoint;
pub use figures::{DatabaseFigures, FrontFigures, Passed, ServerFigures, SlowRequest};
pub use listen::Socket;
pub use observer::Observed;
pub use passwords::Passwords;
pub use programs::ProgramFigures;
pub use server::{FrontHandle, FrontServer, Setup};
