//! Concurrent threads: a key has one writer at a time, across all stores.
#![expect(clippy::unwrap_used, reason = "a failure here is a failed test")]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use compartment_core::backend::Backend;
use compartment_core::{
    Contract, CounterStoreExt, Database, DatabaseKind, Expiry, HashStoreExt, KeyValueStoreExt,
    SetOptions,
};
use compartment_memory::MemoryBackend;

async fn open() -> Database {
    let contract = Contract::new("results", DatabaseKind::Durable);
    MemoryBackend::default().open(contract).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 8)]
async fn many_threads_lose_no_increment() {
    let database = open().await;
    let tasks: Vec<_> = (0..64)
        .map(|task| {
            let database = database.clone();
            tokio::spawn(async move {
                for i in 0..500 {
                    database.counter().increment_one("sum").await.unwrap();
                    let field = format!("{}", (task + i) % 7);
                    database
                        .hash()
                        .increment_field("hash", &field, 1, Expiry::Never)
                        .await
                        .unwrap();
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    assert_eq!(database.counter().count("sum").await.unwrap(), Some(32_000));
    let fields = database.hash().get_all("hash").await.unwrap();
    let sum: i64 = fields
        .values()
        .map(|value| std::str::from_utf8(value).unwrap().parse::<i64>().unwrap())
        .sum();
    assert_eq!(sum, 32_000);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 8)]
async fn a_key_that_changes_its_type_is_never_half_of_two() {
    let database = open().await;
    let stop = Arc::new(AtomicBool::new(false));
    let mut tasks = Vec::new();
    for writer in 0..4 {
        let (database, stop) = (database.clone(), Arc::clone(&stop));
        tasks.push(tokio::spawn(async move {
            while !stop.load(Ordering::Relaxed) {
                match writer {
                    0 => drop(database.key_value().put("a", "7").await),
                    1 => drop(database.hash().set_field("a", "f", "v").await),
                    2 => drop(database.counter().increment_one("a").await),
                    _ => drop(database.key_value().remove("a").await),
                }
                tokio::task::yield_now().await;
            }
        }));
    }
    for _ in 0..20_000 {
        if let Ok(fields) = database.hash().get_all("a").await {
            assert!(fields.len() <= 1);
        }
        if let Ok(Some(value)) = database.key_value().get("a").await {
            let number: i64 = std::str::from_utf8(&value).unwrap().parse().unwrap();
            assert!(number >= 1);
        }
    }
    stop.store(true, Ordering::Relaxed);
    for task in tasks {
        task.await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 8)]
async fn a_scan_beside_writers_names_each_key_that_stays() {
    let database = open().await;
    for i in 0..2_000 {
        database.key_value().put(&format!("stays {i}"), "x").await.unwrap();
    }
    let stop = Arc::new(AtomicBool::new(false));
    let writers: Vec<_> = (0..4)
        .map(|writer| {
            let (database, stop) = (database.clone(), Arc::clone(&stop));
            tokio::spawn(async move {
                let mut i = 0_u64;
                while !stop.load(Ordering::Relaxed) {
                    // Remaining keys are rewritten too, and the table grows during the scan.
                    database.key_value().put(&format!("stays {}", i % 2_000), "y").await.unwrap();
                    let options = SetOptions::expiring(Duration::from_secs(60));
                    let key = format!("new {writer} {}", i % 5_000);
                    database.key_value().set(&key, "z".into(), options).await.unwrap();
                    i += 1;
                    tokio::task::yield_now().await;
                }
            })
        })
        .collect();
    for round in 0..30 {
        let names = database.key_value().keys("stays *").await.unwrap();
        assert_eq!(names.len(), 2_000, "round {round}");
    }
    stop.store(true, Ordering::Relaxed);
    for writer in writers {
        writer.await.unwrap();
    }
}
