//! All open databases of a map, by name.

use std::collections::BTreeMap;
use std::sync::Arc;

#[cfg(feature = "tokio")]
use futures_util::future::join_all;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::backend::Backend;
use crate::database_map::nearest;
use crate::{
    Codec, Database, DatabaseMap, Error, ErrorKind, Expiry, Result, Role, SetOptions, TypedKey,
};

/// All open databases of a map, by name. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Databases {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    map: DatabaseMap,
    open: BTreeMap<String, Database>,
    locations: BTreeMap<String, String>,
}

impl Databases {
    /// Opens every database of `map` on the backend of its instance.
    ///
    /// # Errors
    /// [`ErrorKind::Unknown`] if an instance has no backend; the errors of opening.
    pub async fn open(
        map: DatabaseMap,
        backends: &BTreeMap<String, Arc<dyn Backend>>,
    ) -> Result<Self> {
        let mut open = BTreeMap::new();
        for contract in map.databases() {
            let instance = contract.placement.instance();
            let backend = backends.get(instance).ok_or_else(|| {
                Error::new(
                    ErrorKind::Unknown,
                    "open database",
                    format!("there is no backend for instance {instance:?}"),
                )
                .in_database(&contract.name)
            })?;
            let database = backend.open(contract.clone()).await?;
            #[cfg(feature = "trace")]
            let database = crate::backend::traced(database, &backend.location());
            open.insert(contract.name.clone(), database);
        }
        let locations = backends.iter().map(|(name, b)| (name.clone(), b.location())).collect();
        Ok(Self { inner: Arc::new(Inner { map, open, locations }) })
    }

    /// The database `name`.
    ///
    /// # Errors
    /// [`ErrorKind::Unknown`], naming the existing databases.
    pub fn get(&self, name: &str) -> Result<&Database> {
        self.inner.open.get(name).ok_or_else(|| {
            let known: Vec<&str> = self.inner.open.keys().map(String::as_str).collect();
            let hint = nearest(name, &known)
                .map(|near| format!("; did you mean {near:?}?"))
                .unwrap_or_default();
            Error::new(
                ErrorKind::Unknown,
                "open database",
                format!("there is no database {name:?}; known: {}{hint}", known.join(", ")),
            )
        })
    }

    /// The database that serves a role.
    ///
    /// # Errors
    /// [`ErrorKind::Unknown`], naming the existing databases.
    pub fn role(&self, role: Role) -> Result<&Database> {
        self.get(self.inner.map.roles().database(role))
    }

    /// The database that key templates refer to with `name`: see [`crate::Roles::resolve`].
    ///
    /// # Errors
    /// As [`Databases::get`].
    pub fn of_template(&self, name: &str) -> Result<&Database> {
        self.get(self.inner.map.roles().resolve(name))
    }

    /// Every database, by name.
    pub fn iter(&self) -> impl Iterator<Item = &Database> {
        self.inner.open.values()
    }

    /// Waits for background work, at most for `limit`: locks of dropped guards are released, claims and permits of
    /// callers that gave up are returned, and removals from caches and rows for the ledger are delivered.
    ///
    /// Removals whose runtime has ended continue in the calling runtime.
    ///
    /// Call it at the end of `main`: work that is unfinished when the process exits is lost, and its locks are free
    /// only when their leases expire. The databases remain usable.
    ///
    /// # Errors
    /// [`ErrorKind::Timeout`], naming the databases with unfinished work.
    #[cfg(feature = "tokio")]
    pub async fn close(&self, limit: std::time::Duration) -> Result<()> {
        let all = async {
            // Work on one database may start work on another: repeat until all have finished.
            while self.iter().any(|database| database.unfinished().count() > 0) {
                // Concurrently, so that an unavailable database does not hold up the others.
                join_all(self.iter().map(|database| database.unfinished().done())).await;
            }
        };
        if tokio::time::timeout(limit, all).await.is_ok() {
            return Ok(());
        }
        let left: Vec<String> = self
            .iter()
            .filter(|database| database.unfinished().count() > 0)
            .map(|database| format!("{} ({})", database.name(), database.unfinished().count()))
            .collect();
        Err(Error::new(
            ErrorKind::Timeout,
            "close",
            format!(
                "work in {} has not ended after {limit:?}: its locks are free when their leases expire",
                left.join(", ")
            ),
        ))
    }

    /// The map they were opened from.
    #[must_use]
    pub fn map(&self) -> &DatabaseMap {
        &self.inner.map
    }

    /// The location of each instance, for people and without secrets.
    #[must_use]
    pub fn locations(&self) -> &BTreeMap<String, String> {
        &self.inner.locations
    }

    /// The value of a typed key.
    ///
    /// # Errors
    /// [`ErrorKind::Unknown`] if the map does not have the key's database; as [`crate::KeyValueStore::get`];
    /// [`ErrorKind::Decode`].
    pub async fn read<V: DeserializeOwned>(&self, key: &TypedKey<V>) -> Result<Option<V>> {
        let database = self.of_template(key.template().database())?;
        let Some(bytes) = database.key_value().get(key.as_str()).await? else {
            return Ok(None);
        };
        Codec::decode(&bytes)
            .map(Some)
            .map_err(|error| error.in_database(database.name()).at_key(key.as_str()))
    }

    /// Writes a typed key with the TTL of its template in `[keys]` for this environment, else the template's own TTL,
    /// else the database's default.
    ///
    /// # Errors
    /// As [`Databases::read`] and [`crate::KeyValueStore::set`]; [`ErrorKind::Encode`].
    pub async fn write<V: Serialize>(&self, key: &TypedKey<V>, value: &V) -> Result<()> {
        let database = self.of_template(key.template().database())?;
        let bytes = key
            .template()
            .codec()
            .encode(value)
            .map_err(|error| error.in_database(database.name()).at_key(key.as_str()))?;
        let options = SetOptions::expiring(self.expiry_of(key));
        database.key_value().set(key.as_str(), bytes, options).await.map(drop)
    }

    /// Deletes a typed key; `false` if it did not exist.
    ///
    /// # Errors
    /// As [`Databases::read`] and [`crate::KeyValueStore::delete`].
    pub async fn remove<V>(&self, key: &TypedKey<V>) -> Result<bool> {
        let database = self.of_template(key.template().database())?;
        Ok(database.key_value().delete(&[key.as_str().to_owned()]).await? > 0)
    }

    /// The expiry of a typed key when it is written.
    #[must_use]
    pub fn expiry_of<V>(&self, key: &TypedKey<V>) -> Expiry {
        self.inner
            .map
            .ttl_of(key.template().name())
            .or(key.template().ttl())
            .map_or(Expiry::DatabaseDefault, Expiry::After)
    }
}
