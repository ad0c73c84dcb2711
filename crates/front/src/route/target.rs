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
    /// On a cluster: the slot of the key, or [`ANY_SLOT`] without a key. `None` for a database on one server.
    pub slot: Option<u16>,
}

/// Stands for a slot where any node of the cluster will do.
pub const ANY_SLOT: u16 = compartment_redis::SLOTS;

impl Target {
    /// The target of a key: on a cluster the slot is the key's.
    #[must_use]
    pub fn of_key(self, key: &[u8]) -> Self {
        match self.slot {
            None => self,
            Some(_) => Self { slot: Some(compartment_redis::key_slot(key)), ..self },
        }
    }

    /// Whether keys of both are in one place: in one database, and on a cluster in one slot.
    #[must_use]
    pub fn is_beside(&self, other: &Self) -> bool {
        self.database == other.database && self.slot == other.slot
    }
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
