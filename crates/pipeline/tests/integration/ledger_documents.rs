//! Documents are copied to the ledger each once and in order, whatever their sizes are.

use bytes::Bytes;
use compartment_core::Timestamp;
use compartment_pipeline::ledger::LedgerMirror;
use compartment_pipeline::{BatchRecord, BatchRegistry};

use crate::ledger_fixtures::batches::{in_memory, plan};
use crate::ledger_fixtures::in_a_file;

#[tokio::test]
async fn more_documents_than_one_copy_takes_arrive_in_order_from_wherever_it_begins() {
    let (batch, _clock) = in_memory().await;
    let (ledger, _folder) = in_a_file();
    batch.batch().create("papers", &plan()).await.unwrap();
    let record = BatchRecord::new("papers", "papers", Timestamp::from_millis(1_790_000_000_000));
    BatchRegistry::new(batch.clone()).add(&record).await.unwrap();
    let mirror = LedgerMirror::new(batch.clone(), ledger.clone());
    let mut submitted = Vec::new();
    // Short ones, the longest that there may be (two pages of which are one copy), and more short ones than one copy has.
    for (count, length) in [(1_500, 8), (6_700, 4_096), (17_300, 8)] {
        let from = submitted.len();
        submitted.extend((from..from + count).map(|ordinal| format!("{ordinal:0length$}")));
        for some in submitted[from..].chunks(1_000) {
            let entries = some.iter().map(|entry| Bytes::from(entry.clone())).collect();
            batch.batch().submit("papers", entries).await.unwrap();
        }
        let mirrored = mirror.mirror_once("papers").await.unwrap();
        assert_eq!(mirrored.documents, count as u64);
    }
    assert_eq!(mirror.mirror_once("papers").await.unwrap().documents, 0);
    let mut copied = Vec::new();
    ledger
        .each_document(|entry| copied.push(String::from_utf8(entry.to_vec()).unwrap()))
        .await
        .unwrap();
    assert_eq!(copied.len(), submitted.len());
    assert!(copied.iter().zip(&submitted).all(|(copied, entry)| copied == entry));
}
