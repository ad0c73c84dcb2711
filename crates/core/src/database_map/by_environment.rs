//! A setting that may differ by environment: a single value, or a table with one for each name.

use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;
use std::time::Duration;

use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserialize, Deserializer, Error, IntoDeserializer, MapAccess, Visitor};

/// A value for each environment, for example a `default` and a shorter TTL in `production`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ByEnvironment<T> {
    default: Option<T>,
    by_environment: BTreeMap<String, T>,
}

/// A TTL for each environment.
pub type TtlByEnvironment = ByEnvironment<Duration>;

// By hand, because a derive would require `T: Default`.
impl<T> Default for ByEnvironment<T> {
    fn default() -> Self {
        Self { default: None, by_environment: BTreeMap::new() }
    }
}

impl<T> ByEnvironment<T> {
    /// A single value for all environments.
    #[must_use]
    pub fn everywhere(value: T) -> Self {
        Self { default: Some(value), by_environment: BTreeMap::new() }
    }

    /// Sets the value for one environment.
    #[must_use]
    pub fn in_environment(mut self, environment: impl Into<String>, value: T) -> Self {
        self.by_environment.insert(environment.into(), value);
        self
    }

    /// The value in `environment`, or that of `default` if it has none.
    #[must_use]
    pub fn get(&self, environment: &str) -> Option<T>
    where
        T: Copy,
    {
        self.by_environment.get(environment).copied().or(self.default)
    }

    /// Every value, of any environment.
    pub(super) fn values(&self) -> impl Iterator<Item = &T> {
        self.default.iter().chain(self.by_environment.values())
    }

    pub(super) fn map<U>(self, change: impl Fn(T) -> U) -> ByEnvironment<U> {
        let each = self.by_environment.into_iter();
        ByEnvironment {
            default: self.default.map(&change),
            by_environment: each.map(|(name, value)| (name, change(value))).collect(),
        }
    }

    /// The value as it is written in the file; `None` if there is none.
    pub(super) fn to_field(&self, write: impl Fn(&T) -> String) -> Option<String> {
        if self.by_environment.is_empty() {
            return self.default.as_ref().map(write);
        }
        let default = self.default.iter().map(|value| format!("default = {}", write(value)));
        let named = self.by_environment.iter().map(|(n, value)| format!("{n} = {}", write(value)));
        Some(format!("{{ {} }}", default.chain(named).collect::<Vec<_>>().join(", ")))
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for ByEnvironment<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(OneOrEach(PhantomData))
    }
}

/// Distinguishes a value from a table of values, so that an error about a value is reported unchanged.
struct OneOrEach<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> OneOrEach<T> {
    fn one<E: Error>(value: impl IntoDeserializer<'de, E>) -> Result<ByEnvironment<T>, E> {
        T::deserialize(value.into_deserializer()).map(ByEnvironment::everywhere)
    }
}

impl<'de, T: Deserialize<'de>> Visitor<'de> for OneOrEach<T> {
    type Value = ByEnvironment<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value, or one per environment, such as { default = …, production = … }")
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Self::Value, E> {
        Self::one(value)
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Self::Value, E> {
        Self::one(value)
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Self::Value, E> {
        Self::one(value)
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Self::Value, E> {
        Self::one(value.to_owned())
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
        let mut each = BTreeMap::<String, T>::deserialize(MapAccessDeserializer::new(map))?;
        Ok(ByEnvironment { default: each.remove("default"), by_environment: each })
    }
}
