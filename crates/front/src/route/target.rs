//! Where a key goes: numbers of databases and routes, which cost nothing to copy.

/// The number of a database: its position in [`crate::route::Router::databases`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DatabaseId(u16);

/// The number of a route. Rules of `[keys]` and the default have one too, since keys are counted by route.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RouteId(u16);

/// Where a key lives, and the route that says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Target {
    /// The database.
    pub database: DatabaseId,
    /// The route.
    pub route: RouteId,
}

impl DatabaseId {
    /// The database at this position.
    #[must_use]
    pub const fn new(position: u16) -> Self {
        Self(position)
    }

    /// Its position.
    #[must_use]
    pub fn position(self) -> usize {
        usize::from(self.0)
    }
}

impl RouteId {
    /// The route with this number.
    #[must_use]
    pub const fn new(number: u16) -> Self {
        Self(number)
    }

    /// Its number, below [`crate::route::Router::routes`].
    #[must_use]
    pub fn position(self) -> usize {
        usize::from(self.0)
    }
}
