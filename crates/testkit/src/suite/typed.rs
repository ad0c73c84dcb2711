//! Typed keys through [`compartment_core::Databases`], on the backend's databases.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use compartment_core::backend::{Backend, Capabilities};
use compartment_core::{
    Codec, Contract, Database, DatabaseKind, DatabaseMap, DatabaseMapBuilder, Databases, Error,
    ErrorKind, Expiry, Instance, KeyTemplate, KeyValueStoreExt, Result, TtlByEnvironment,
};
use serde::{Deserialize, Serialize};

use super::databases::{MINUTE, expect_ttl};
use crate::Harness;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Page {
    number: u32,
    text: String,
}

const PAGE: KeyTemplate<Page> =
    KeyTemplate::new("page", "doc:{document}:page:{number}", "cache").with_ttl(MINUTE);
const PACKED: KeyTemplate<Page> =
    KeyTemplate::new("packed", "doc:{document}:packed", "results").with_codec(Codec::MESSAGE_PACK);
const STRAY: KeyTemplate<Page> = KeyTemplate::new("stray", "stray:{id}", "caches");

/// Returns the databases that the harness opened before.
#[derive(Debug)]
struct OpenAlready {
    databases: BTreeMap<String, Database>,
    capabilities: Capabilities,
}

#[async_trait]
impl Backend for OpenAlready {
    async fn open(&self, contract: Contract) -> Result<Database> {
        self.databases.get(&contract.name).cloned().ok_or_else(|| {
            Error::new(ErrorKind::Unknown, "open database", "the harness did not open it")
        })
    }

    fn capabilities(&self) -> Capabilities {
        self.capabilities
    }

    fn location(&self) -> String {
        "under test".to_owned()
    }
}

fn map() -> DatabaseMapBuilder {
    DatabaseMap::builder()
        .instance("primary", Instance::new("memory://").unwrap())
        .database(Contract::new("cache", DatabaseKind::Cache).with_index(2).default_ttl(MINUTE * 9))
        .database(Contract::new("results", DatabaseKind::Durable).with_index(1))
}

async fn open(harness: &dyn Harness, map: DatabaseMap) -> Databases {
    let mut databases = BTreeMap::new();
    for contract in map.databases() {
        databases.insert(contract.name.clone(), harness.open(contract.clone()).await);
    }
    let backend = OpenAlready { databases, capabilities: harness.capabilities() };
    let backends: BTreeMap<String, Arc<dyn Backend>> =
        BTreeMap::from([("primary".to_owned(), Arc::new(backend) as Arc<dyn Backend>)]);
    Databases::open(map, &backends).await.unwrap()
}

fn page(length: usize) -> Page {
    Page { number: 7, text: "überall ".repeat(length) }
}

/// A value is written to its template's database with its codec, small or large.
pub async fn a_typed_value_reads_back(harness: &dyn Harness) {
    let databases = open(harness, map().build().unwrap()).await;
    for length in [0, 1, 10_000] {
        let (page, key) = (page(length), PAGE.key(&["7f3a", "7"]).unwrap());
        databases.write(&key, &page).await.unwrap();
        assert_eq!(databases.read(&key).await.unwrap(), Some(page.clone()));
        let packed = PACKED.key(&["7f3a"]).unwrap();
        databases.write(&packed, &page).await.unwrap();
        assert_eq!(databases.read(&packed).await.unwrap(), Some(page));
    }
    let keys = |name: &'static str| {
        let database = databases.get(name).unwrap().clone();
        async move { database.key_value().keys("*").await.unwrap() }
    };
    assert_eq!(keys("cache").await, ["doc:7f3a:page:7"]);
    assert_eq!(keys("results").await, ["doc:7f3a:packed"]);
    let key = PAGE.key(&["7f3a", "7"]).unwrap();
    assert!(databases.remove(&key).await.unwrap());
    assert!(!databases.remove(&key).await.unwrap());
    assert_eq!(databases.read(&key).await.unwrap(), None);
}

/// The TTL of `[keys]` for this environment comes first, then the template's, then the database's default.
pub async fn a_typed_key_gets_its_ttl(harness: &dyn Harness) {
    let key = PAGE.key(&["a", "1"]).unwrap();
    let ttl = TtlByEnvironment::everywhere(MINUTE * 7).in_environment("production", MINUTE * 3);
    let ruled = || map().key("page", "doc:{document}:page:{number}", "cache", ttl.clone()).unwrap();
    for (map, minutes) in [(map(), 1), (ruled(), 7), (ruled().environment("production"), 3)] {
        let databases = open(harness, map.build().unwrap()).await;
        databases.write(&key, &page(1)).await.unwrap();
        let cache = databases.get("cache").unwrap();
        expect_ttl(harness, cache, key.as_str(), MINUTE * minutes).await;
    }
    let databases = open(harness, map().build().unwrap()).await;
    let plain: KeyTemplate<u8> = KeyTemplate::new("plain", "plain:{id}", "cache");
    let key = plain.key(&["1"]).unwrap();
    assert_eq!(databases.expiry_of(&key), Expiry::DatabaseDefault);
    databases.write(&key, &1).await.unwrap();
    expect_ttl(harness, databases.get("cache").unwrap(), key.as_str(), MINUTE * 9).await;
    harness.advance(MINUTE * 9 + Duration::from_secs(1)).await;
    assert_eq!(databases.read(&key).await.unwrap(), None);
}

/// The error names the database and the key.
pub async fn a_value_of_another_type_is_a_decode_error(harness: &dyn Harness) {
    let databases = open(harness, map().build().unwrap()).await;
    let key = PAGE.key(&["a", "1"]).unwrap();
    databases.get("cache").unwrap().key_value().put(key.as_str(), "no JSON").await.unwrap();
    let error = databases.read(&key).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Decode);
    assert_eq!((error.database(), error.key()), (Some("cache"), Some(key.as_str())));
}

/// An unknown database is an error that suggests the nearest name of the map.
pub async fn a_key_of_an_unknown_database_names_the_nearest(harness: &dyn Harness) {
    let databases = open(harness, map().build().unwrap()).await;
    let error = databases.read(&STRAY.key(&["1"]).unwrap()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unknown);
    assert!(error.message().contains(r#"did you mean "cache"?"#), "{error}");
}

suite! { typed as typed_suite, needs Nothing:
    a_typed_value_reads_back
    a_typed_key_gets_its_ttl
    a_value_of_another_type_is_a_decode_error
    a_key_of_an_unknown_database_names_the_nearest
}
