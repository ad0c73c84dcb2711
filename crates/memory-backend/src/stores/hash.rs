//! Hashes in memory, changed in place.

use std::collections::BTreeMap;

use async_trait::async_trait;
use bytes::Bytes;
use compartment_core::backend::TtlRule;
use compartment_core::{ErrorKind, Expiry, HashStore, Result};

use crate::backend::MemoryStores;
use crate::error::Refusal;
use crate::stores::counter;
use crate::stores::keyspace::Change;
use crate::stores::value::{Entry, Fields, Shared, Value};

/// The fields of an entry; an error if it is not a hash.
pub(crate) fn fields_of(entry: Option<&Entry>) -> Result<Option<Shared<Fields>>, Refusal> {
    match entry.map(|entry| &entry.value) {
        Some(Value::Hash(fields)) => Ok(Some(fields.clone())),
        Some(other) => Err(Refusal::wrong_type(other, "a hash")),
        None => Ok(None),
    }
}

/// Whether a write to a hash changed it.
enum Wrote {
    Yes,
    /// The TTL then stays too.
    No,
}

impl MemoryStores {
    fn look<T>(
        &self,
        operation: &'static str,
        key: &str,
        at: impl FnOnce(&Fields) -> T,
    ) -> Result<Option<T>> {
        let fields = fields_of(self.read(key).as_ref()).map_err(self.refused(operation, key))?;
        Ok(fields.map(|fields| at(&fields.lock())))
    }

    fn write<T>(
        &self,
        operation: &'static str,
        key: &str,
        rule: TtlRule,
        write: impl FnOnce(&mut Fields) -> Result<(Wrote, T), Refusal>,
    ) -> Result<T> {
        self.update(operation, key, |old, now| {
            let fields = fields_of(old.as_ref())?.unwrap_or_default();
            let (wrote, answer) = write(&mut fields.lock())?;
            let is_empty = fields.lock().all().is_empty();
            let change = match wrote {
                Wrote::No => Change::Nothing,
                Wrote::Yes if is_empty => Change::Remove,
                Wrote::Yes => {
                    Change::Put(Value::Hash(fields), self.end_by(rule, old.as_ref(), now))
                }
            };
            Ok((change, answer))
        })
    }
}

#[async_trait]
impl HashStore for MemoryStores {
    async fn get_field(&self, key: &str, field: &str) -> Result<Option<Bytes>> {
        let value = self.look("get field of", key, |fields| fields.get(field).cloned())?;
        Ok(value.flatten())
    }

    async fn get_fields(&self, key: &str, fields: &[String]) -> Result<Vec<Option<Bytes>>> {
        if fields.is_empty() {
            return Ok(Vec::new());
        }
        let values = self.look("get fields of", key, |all| {
            fields.iter().map(|field| all.get(field).cloned()).collect()
        })?;
        Ok(values.unwrap_or_else(|| vec![None; fields.len()]))
    }

    async fn get_all(&self, key: &str) -> Result<BTreeMap<String, Bytes>> {
        Ok(self.look("get all fields of", key, |fields| fields.all().clone())?.unwrap_or_default())
    }

    async fn set_fields(
        &self,
        key: &str,
        fields: Vec<(String, Bytes)>,
        expiry: Expiry,
    ) -> Result<u64> {
        const OPERATION: &str = "set fields of";
        let rule = self.contract.on_update(OPERATION, key, expiry)?;
        if fields.is_empty() {
            return Err(self.contract.error(
                ErrorKind::InvalidArgument,
                OPERATION,
                key,
                "no fields were given",
            ));
        }
        self.contract.check_field_count(OPERATION, key, fields.len())?;
        self.write(OPERATION, key, rule, |all| {
            let new = fields.into_iter().map(|(field, value)| u64::from(all.set(field, value)));
            Ok((Wrote::Yes, new.sum()))
        })
    }

    async fn set_field_if_absent(
        &self,
        key: &str,
        field: &str,
        value: Bytes,
        expiry: Expiry,
    ) -> Result<bool> {
        const OPERATION: &str = "set absent field of";
        let rule = self.contract.on_update(OPERATION, key, expiry)?;
        self.write(OPERATION, key, rule, |all| {
            if all.get(field).is_some() {
                return Ok((Wrote::No, false));
            }
            all.set(field.to_owned(), value);
            Ok((Wrote::Yes, true))
        })
    }

    async fn delete_fields(&self, key: &str, fields: &[String]) -> Result<u64> {
        if fields.is_empty() {
            return Ok(0);
        }
        // A deletion neither needs nor changes a TTL.
        let rule = TtlRule::Keep { new_key: None };
        self.write("delete fields of", key, rule, |all| {
            let deleted: u64 = fields.iter().map(|field| u64::from(all.remove(field))).sum();
            Ok((if deleted > 0 { Wrote::Yes } else { Wrote::No }, deleted))
        })
    }

    async fn increment_field(
        &self,
        key: &str,
        field: &str,
        by: i64,
        expiry: Expiry,
    ) -> Result<i64> {
        const OPERATION: &str = "increment field of";
        let rule = self.contract.on_update(OPERATION, key, expiry)?;
        self.write(OPERATION, key, rule, |all| {
            let (sum, text) = counter::add(all.get(field).map(|value| value.as_ref()), by)?;
            all.set(field.to_owned(), text);
            Ok((Wrote::Yes, sum))
        })
    }

    async fn len(&self, key: &str) -> Result<u64> {
        Ok(self.look("count fields of", key, |fields| fields.all().len() as u64)?.unwrap_or(0))
    }
}
