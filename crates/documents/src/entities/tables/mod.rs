//! Tables of American and Indian law: states, reporters, codes, courts, words.

pub(crate) mod codes;
pub(crate) mod court_types;
pub(crate) mod courts;
mod further;
pub(crate) mod reporter_key;
pub(crate) mod reporters;
pub(crate) mod states;
pub(crate) mod words;
