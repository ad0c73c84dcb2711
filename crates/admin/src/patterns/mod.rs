//! Patterns of key names: learnt from names, shown to users, turned into globs.

mod learner;
mod pattern;
mod selector;
mod token;

pub(crate) use learner::Learner;
pub(crate) use pattern::Pattern;
pub(crate) use selector::{Selection, Selector};
pub(crate) use token::Class;
