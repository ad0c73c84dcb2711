//! In-process benchmarks: the memory backend beside moka, codecs, key templates, globs.
#![expect(clippy::unwrap_used, reason = "a benchmark that fails has to end")]

use std::hint::black_box;
use std::time::Duration;

use bytes::Bytes;
use compartment_core::backend::{Backend, glob_matches};
use compartment_core::{Codec, Contract, Database, DatabaseKind, KeyValueStoreExt, Template};
use compartment_memory::MemoryBackend;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use futures_util::FutureExt;
use serde::{Deserialize, Serialize};

const KEYS: usize = 10_000;
const TTL: Duration = Duration::from_secs(3_600);
const BUDGET: u64 = 1 << 30;
const VALUE: &[u8] = &[b'v'; 100];

fn keys() -> Vec<String> {
    (0..KEYS).map(|n| format!("bench:value:{n:08}")).collect()
}

/// The memory backend answers without waiting.
fn now<T>(future: impl Future<Output = compartment_core::Result<T>>) -> T {
    future.now_or_never().unwrap().unwrap()
}

fn memory_database() -> Database {
    let contract =
        Contract::new("bench", DatabaseKind::Cache).default_ttl(TTL).memory_budget(BUDGET);
    now(MemoryBackend::default().open(contract))
}

fn memory(criterion: &mut Criterion) {
    let (keys, database) = (keys(), memory_database());
    let weigh = |key: &String, value: &Bytes| (key.len() + value.len()) as u32;
    let builder = moka::sync::Cache::builder().max_capacity(BUDGET).weigher(weigh);
    let moka = builder.time_to_live(TTL).build();
    for key in &keys {
        now(database.key_value().put(key, VALUE));
        moka.insert(key.clone(), Bytes::from_static(VALUE));
    }
    let mut turn = 0;
    let mut next = || {
        turn = (turn + 7_919) % KEYS;
        keys[turn].as_str()
    };
    let mut group = criterion.benchmark_group("memory");
    group.bench_function("get/compartment", |b| {
        b.iter(|| now(database.key_value().get(black_box(next()))));
    });
    group.bench_function("get/moka", |b| b.iter(|| moka.get(black_box(next()))));
    group.bench_function("set/compartment", |b| {
        b.iter(|| now(database.key_value().put(black_box(next()), VALUE)));
    });
    group.bench_function("set/moka", |b| {
        b.iter(|| moka.insert(black_box(next()).to_owned(), Bytes::from_static(VALUE)));
    });
    group.finish();
}

/// A page of recognised text, as stored by a pipeline.
#[derive(Serialize, Deserialize)]
struct Page {
    uuid: String,
    number: u32,
    words: Vec<String>,
    text: String,
}

impl Page {
    fn of(sentences: usize) -> Self {
        let words = ["motion", "summary", "judgment", "granted"].map(str::to_owned).to_vec();
        let sentence = |n| format!("On page {n} the motion came on for hearing before the court. ");
        let text = (0..sentences).map(sentence).collect();
        Self { uuid: "7f3a0c9e-5d8e-4c55-9d4f-6a4c2f4f9b11".to_owned(), number: 27, words, text }
    }
}

fn codec(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("codec");
    let json = Codec::JSON.compress_from(None);
    let message_pack = Codec::MESSAGE_PACK.compress_from(None);
    for (size, page) in [("1 KB", Page::of(14)), ("32 KB", Page::of(530))] {
        let codecs = [("JSON", json), ("MessagePack", message_pack)];
        let compressed = ("JSON zstd", json.compress_from(Some(0)));
        for (name, codec) in codecs.into_iter().chain([compressed]) {
            let bytes = codec.encode(&page).unwrap();
            group.throughput(Throughput::Bytes(page.text.len() as u64));
            group.bench_function(format!("encode {size}/{name}"), |b| {
                b.iter(|| codec.encode(black_box(&page)).unwrap());
            });
            group.bench_function(format!("decode {size}/{name}"), |b| {
                b.iter(|| Codec::decode::<Page>(black_box(&bytes)).unwrap());
            });
        }
    }
    group.finish();
}

fn names(criterion: &mut Criterion) {
    let template = Template::parse("doc:ocr_result:{document_uuid}:{page}").unwrap();
    let values = ["7f3a0c9e-5d8e-4c55-9d4f-6a4c2f4f9b11", "27"];
    let key = template.fill(&values).unwrap();
    criterion.bench_function("template/fill", |b| {
        b.iter(|| template.fill(black_box(&values)).unwrap());
    });
    criterion.bench_function("template/matches", |b| b.iter(|| template.matches(black_box(&key))));
    criterion.bench_function("glob", |b| {
        b.iter(|| glob_matches(b"doc:*:7f3a*:2[0-9]", black_box(key.as_bytes())));
    });
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(2));
    targets = memory, codec, names
}
criterion_main!(benches);
