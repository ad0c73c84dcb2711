//! Where keys are: a server, an index, perhaps a prefix, and what people call it.

use std::borrow::Cow;
use std::fmt;

use compartment_core::Result;
use compartment_redis::{Connection, Server};

use crate::own_name::own_name;

/// One database on a server, found by its place.
#[derive(Clone, Debug)]
pub struct Place {
    label: String,
    server: Server,
    index: u32,
    prefix: Vec<u8>,
}

impl Place {
    /// The numbered database `index` of `server`, called `label` in messages.
    #[must_use]
    pub fn new(label: impl Into<String>, server: Server, index: u32) -> Self {
        Self { label: label.into(), server, index, prefix: Vec::new() }
    }

    /// Limits the place to the keys that begin with `prefix`.
    #[must_use]
    pub fn with_prefix(mut self, prefix: impl Into<Vec<u8>>) -> Self {
        self.prefix = prefix.into();
        self
    }

    /// What people call it: a database's name, or `index 3`.
    #[must_use]
    pub fn label(&self) -> &str {
        &self.label
    }

    /// Its server.
    #[must_use]
    pub fn server(&self) -> &Server {
        &self.server
    }

    /// Redis's number of the database.
    #[must_use]
    pub fn index(&self) -> u32 {
        self.index
    }

    /// What its keys begin with on the server; empty where it has an index to itself.
    #[must_use]
    pub fn prefix(&self) -> &[u8] {
        &self.prefix
    }

    /// Whether both are on one server, by what the server says of itself and never by an address: a
    /// server has many. Where it hides its name, a key is written here for a moment and looked for
    /// there.
    ///
    /// # Errors
    /// The servers', and when they let nobody tell.
    pub async fn is_on_server_of(&self, other: &Self) -> Result<bool> {
        let near = async { [self.names_of_keys().await, other.names_of_keys().await].concat() };
        self.server.is_same(&other.server, self.index, Box::pin(near)).await
    }

    /// Whether it is on `server`, as [`Place::is_on_server_of`] tells it.
    ///
    /// # Errors
    /// As there.
    pub async fn is_on(&self, server: &Server) -> Result<bool> {
        self.server.is_same(server, self.index, Box::pin(self.names_of_keys())).await
    }

    /// Beginnings of names that a user may write who may write some names only: its prefix, and names
    /// of keys that it has.
    async fn names_of_keys(&self) -> Vec<Vec<u8>> {
        const KEYS: usize = 8;
        let mut names = vec![self.prefix.clone()];
        let Ok(mut connection) = self.open("identity").await else { return names };
        for _ in 0..KEYS {
            let pick = redis::cmd("RANDOMKEY");
            match connection.ask::<Option<Vec<u8>>>("find a name", &pick).await {
                Ok(Some(name)) => names.push([name.as_slice(), b":"].concat()),
                _ => break,
            }
        }
        names
    }

    /// Whether both are one place: on one server, at one index, behind one prefix.
    ///
    /// # Errors
    /// As [`Place::is_on_server_of`].
    pub async fn is(&self, other: &Self) -> Result<bool> {
        let could_be = self.index == other.index && self.prefix == other.prefix;
        Ok(could_be && self.is_on_server_of(other).await?)
    }

    /// A connection to it, which `CLIENT LIST` shows as `compartment-admin:<purpose>`.
    ///
    /// # Errors
    /// When the server cannot be reached or has no such index.
    pub async fn open(&self, purpose: &str) -> Result<Connection> {
        let name = own_name(purpose);
        let opened = self.server.open(self.index, &name).await;
        opened.map_err(|error| error.in_database(&self.label))
    }

    /// A connection to each node that has keys of it: one, or the masters of a cluster.
    ///
    /// # Errors
    /// As [`Place::open`].
    pub async fn open_nodes(&self, purpose: &str) -> Result<Vec<Connection>> {
        let opened = self.server.open_nodes(self.index, &own_name(purpose)).await;
        opened.map_err(|error| error.in_database(&self.label))
    }

    /// How many keys its index has on all nodes, those outside the prefix included. (A command
    /// without keys goes to one node of a cluster only.)
    ///
    /// # Errors
    /// When a node cannot be reached.
    pub(crate) async fn index_keys(&self) -> Result<u64> {
        let mut sum = 0;
        for mut node in self.open_nodes("count").await? {
            sum += node.ask::<u64>("count keys", &redis::cmd("DBSIZE")).await?;
        }
        Ok(sum)
    }

    /// How many keys it has, to show how far work is; `None` where only a walk would tell.
    pub(crate) async fn known_keys(&self) -> Option<u64> {
        match self.prefix.is_empty() {
            true => self.index_keys().await.ok(),
            false => None,
        }
    }

    /// The key `name` as it stands on the server.
    #[must_use]
    pub fn on_server<'a>(&self, name: &'a [u8]) -> Cow<'a, [u8]> {
        match self.prefix.as_slice() {
            [] => Cow::Borrowed(name),
            prefix => Cow::Owned([prefix, name].concat()),
        }
    }

    /// The name without the prefix of this place, or `None` for a key that is not in it.
    #[must_use]
    pub fn in_place<'a>(&self, on_server: &'a [u8]) -> Option<&'a [u8]> {
        on_server.strip_prefix(self.prefix.as_slice())
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({} index {}", self.label, self.server.url(), self.index)?;
        if !self.prefix.is_empty() {
            write!(f, " prefix {}", crate::escape(&self.prefix))?;
        }
        f.write_str(")")
    }
}
