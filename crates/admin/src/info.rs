//! The answer of `INFO`, by field.

use std::collections::BTreeMap;
use std::str::FromStr;

use compartment_core::Result;
use compartment_redis::Connection;

/// The fields of one server, or of one node of a cluster.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Info {
    fields: BTreeMap<String, String>,
    /// The values of fields that stand there more than once, such as `module`.
    repeated: Vec<(String, String)>,
}

impl Info {
    /// Asks a node for sections of `INFO` (`everything`, `keysizes`, …); for the default ones by none.
    ///
    /// # Errors
    /// The server's, if it hides `INFO`, and the connection's.
    pub(crate) async fn ask(node: &mut Connection, sections: &[&str]) -> Result<Self> {
        let text: String = node.ask("read INFO", redis::cmd("INFO").arg(sections)).await?;
        Ok(Self::read(&text))
    }

    /// Reads the text of an answer.
    pub(crate) fn read(text: &str) -> Self {
        let fields = text.lines().filter(|line| !line.starts_with('#'));
        let mut info = Self::default();
        for (name, value) in fields.filter_map(|line| line.trim_end().split_once(':')) {
            if let Some(before) = info.fields.insert(name.to_owned(), value.to_owned()) {
                info.repeated.push((name.to_owned(), before));
            }
        }
        info
    }

    /// A field as text.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.fields.get(name).map(String::as_str)
    }

    /// Every value of a field, such as `module`.
    pub(crate) fn all(&self, name: &str) -> impl Iterator<Item = &str> {
        let before = self.repeated.iter().filter(move |(known, _)| known == name);
        self.get(name).into_iter().chain(before.map(|(_, value)| value.as_str()))
    }

    /// A field as a number; `None` too where it is not one.
    pub(crate) fn number<T: FromStr>(&self, name: &str) -> Option<T> {
        self.get(name)?.parse().ok()
    }

    /// A part of a field such as `db0:keys=1,expires=0,avg_ttl=0`.
    pub(crate) fn part<T: FromStr>(&self, name: &str, part: &str) -> Option<T> {
        let parts = self.get(name)?.split(',').filter_map(|one| one.split_once('='));
        let mut values = parts.filter_map(|(known, value)| (known == part).then_some(value));
        values.next()?.parse().ok()
    }

    /// The keys of each numbered database that has any.
    pub(crate) fn keys_by_index(&self) -> BTreeMap<u32, u64> {
        let databases = self.beginning("db").filter_map(|(name, _)| {
            let index = name.strip_prefix("db")?.parse().ok()?;
            Some((index, self.part(name, "keys")?))
        });
        databases.collect()
    }

    /// The fields whose names begin with `prefix`, in the order of their names.
    pub(crate) fn beginning(&self, prefix: &str) -> impl Iterator<Item = (&str, &str)> {
        let all = self.fields.iter().filter(move |(name, _)| name.starts_with(prefix));
        all.map(|(name, value)| (name.as_str(), value.as_str()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_and_their_parts_are_read() {
        let text = "# Memory\r\nused_memory:1024\r\nmaxmemory_policy:noeviction\r\n\r\n\
                    # Keyspace\r\ndb0:keys=3,expires=1,avg_ttl=200\r\ndb11:keys=1,expires=0,avg_ttl=0\r\n";
        let info = Info::read(text);
        assert_eq!(info.number::<u64>("used_memory"), Some(1_024));
        assert_eq!(info.get("maxmemory_policy"), Some("noeviction"));
        assert_eq!(info.number::<u64>("maxmemory_policy"), None);
        assert_eq!(info.part::<u64>("db0", "expires"), Some(1));
        assert_eq!(info.part::<u64>("db0", "subexpiry"), None);
        assert_eq!(info.keys_by_index(), BTreeMap::from([(0, 3), (11, 1)]));
        let modules = Info::read("module:name=lua,ver=1\r\nmodule:name=search,ver=8\r\n");
        assert_eq!(modules.all("module").count(), 2);
        assert_eq!(modules.all("run_id").count(), 0);
    }
}
