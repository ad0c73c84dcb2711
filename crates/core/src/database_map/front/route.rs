//! One route of the front: which programs and which keys it takes, and to which database.

use super::foreign::FrontContract;

/// A route: the keys and the programs that it takes, and their database.
///
/// A condition that is empty does not count; a route takes a key if all the others fit. A route that names neither
/// keys, programs, keys that belong together nor scripts takes every key of the programs that it fits.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct FrontRoute {
    /// The route's name in figures and messages; by default the database's.
    pub name: String,
    /// The database.
    pub to: String,
    /// Patterns of keys, as [`crate::KeyPattern`] reads them.
    pub keys: Vec<String>,
    /// Known programs whose keys it takes, by name: `celery`, `bullmq`.
    pub programs: Vec<String>,
    /// Patterns of keys that scripts use together. They go to this route before the other patterns of any route.
    pub together: Vec<String>,
    /// Globs of login names.
    pub users: Vec<String>,
    /// Globs of the names that programs give with `CLIENT SETNAME`.
    pub clients: Vec<String>,
    /// The indexes that programs select. A route without them is for index 0.
    pub select: Vec<u32>,
    /// Globs of the names of functions, and of the SHA-1 of scripts, that name no key.
    pub scripts: Vec<String>,
    /// The databases that `FLUSHDB` of these programs empties; `None` leaves it to other routes and to `[front]`.
    pub flush: Option<Vec<String>>,
    /// What happens to keys that are written without the lifetime that the database requires; `None` as in `[front]`.
    pub contract: Option<FrontContract>,
}

impl FrontRoute {
    /// A route without conditions to a database, with the database's name.
    #[must_use]
    pub fn new(to: impl Into<String>) -> Self {
        let to = to.into();
        Self {
            name: to.clone(),
            to,
            keys: Vec::new(),
            programs: Vec::new(),
            together: Vec::new(),
            users: Vec::new(),
            clients: Vec::new(),
            select: Vec::new(),
            scripts: Vec::new(),
            flush: None,
            contract: None,
        }
    }

    /// Whether it takes every key of the programs that it fits.
    #[must_use]
    pub fn takes_every_key(&self) -> bool {
        self.keys.is_empty()
            && self.programs.is_empty()
            && self.together.is_empty()
            && self.scripts.is_empty()
    }
}
