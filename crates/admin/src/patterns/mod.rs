//! Patterns of key names: learnt from names, shown to users, turned into globs.

mod learner;
mod pattern;
mod selector;
mod token;

pub use learner::{Learned, Learner};
pub use pattern::Pattern;
pub use selector::{Selection, Selector};
pub use token::Class;
