//! The front: `[front]` and `[[front.route]]`, which say where each key of unchanged programs lives.

mod check;
mod environment;
mod foreign;
mod lists;
mod notes;
mod route;
mod section;
mod settings;
#[cfg(test)]
mod tests;
mod text;

pub use foreign::FrontContract;
pub use route::FrontRoute;
pub use settings::{FrontLogin, FrontSettings, FrontTls, FrontUser};

pub(super) use section::FrontSection;
