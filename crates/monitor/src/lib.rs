//! The terminal dashboard `compartment monitor`: the figures of a deployment live, and changes that are planned first.
//!
//! The state and what it draws are pure; one loop, [`run`], reads keys, looks and answers.

// The futures of changes hold those of stores and ledgers, deeper than the compiler looks by itself.
#![recursion_limit = "256"]

mod action;
mod answers;
mod canvas;
mod dialogues;
mod draw;
mod error;
mod facts;
mod figures;
mod history;
mod input;
mod keys;
mod layout;
mod page;
mod palette;
mod reading;
mod run;
mod screens;
mod signals;
mod state;
mod table;
mod terminal;
#[cfg(test)]
mod tests;

pub use error::MonitorError;
pub use run::{MonitorOptions, run};
