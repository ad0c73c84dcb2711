//! The location of keys: a server, an index, an optional prefix, and a label for messages.

use std::borrow::Cow;
use std::fmt;

use compartment_core::Result;
use compartment_redis::{Connection, Server};

use crate::own_name::own_name;

/// One database on a server.
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

    /// Its label in messages: a database's name, or `index 3`.
    #[must_use]
    pub fn label(&self) -> &str {
        &self.label
    }

    /// Its server.
    #[must_use]
    pub fn server(&self) -> &Server {
        &self.server
    }

    /// The index of the database.
    #[must_use]
    pub fn index(&self) -> u32 {
        self.index
    }

    /// Prefix of its keys on the server; empty if the index is its own.
    #[must_use]
    pub fn prefix(&self) -> &[u8] {
        &self.prefix
    }

    /// Whether both are on one server, by the server's own identity and never by its address, since
    /// a server has many. If the server hides its identity, a key is briefly written here and
    /// looked for there.
    ///
    /// # Errors
    /// The servers', and when neither an identity nor a key can be had.
    pub async fn is_on_server_of(&self, other: &Self) -> Result<bool> {
        let near = async { [self.names_of_keys().await, other.names_of_keys().await].concat() };
        self.server.is_same(&other.server, self.index, Box::pin(near)).await
    }

    /// Whether it is on `server`, found out as in [`Place::is_on_server_of`].
    ///
    /// # Errors
    /// As [`Place::is_on_server_of`].
    pub async fn is_on(&self, server: &Server) -> Result<bool> {
        self.server.is_same(server, self.index, Box::pin(self.names_of_keys())).await
    }

    /// Names that a restricted user may be allowed to write: the place's prefix, and some of its
    /// keys.
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

    /// Whether both are one place: the same server, index and prefix.
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

    /// Number of keys of its index on all nodes, including those outside the prefix. (In a cluster,
    /// a command without keys goes to one node only.)
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

    /// Number of its keys; `None` if only a walk could count them, or the server does not tell.
    pub async fn known_keys(&self) -> Option<u64> {
        match self.prefix.is_empty() {
            true => self.index_keys().await.ok(),
            false => None,
        }
    }

    /// The key `name` with the place's prefix, as on the server.
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
