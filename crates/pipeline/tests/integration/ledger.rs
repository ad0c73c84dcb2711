//! The ledger in an SQLite file.

use std::time::Duration;

use compartment_core::ErrorKind;
use compartment_pipeline::ledger::{Ledger, LedgerStatus, TaskFilter};

use crate::ledger_fixtures::{self, in_a_file, task};

#[tokio::test]
async fn rows_read_back() {
    let (ledger, _folder) = in_a_file();
    ledger_fixtures::rows_read_back(&ledger).await;
}

#[tokio::test]
async fn a_stale_owner_is_refused_by_its_token() {
    let (ledger, _folder) = in_a_file();
    ledger_fixtures::a_stale_owner_is_refused_by_its_token(&ledger).await;
}

#[tokio::test]
async fn what_is_done_is_never_taken_back() {
    let (ledger, _folder) = in_a_file();
    ledger_fixtures::what_is_done_is_never_taken_back(&ledger).await;
}

#[tokio::test]
async fn one_call_may_name_a_task_again() {
    let (ledger, _folder) = in_a_file();
    ledger_fixtures::one_call_may_name_a_task_again(&ledger).await;
}

#[tokio::test]
async fn thousands_of_rows_arrive() {
    let (ledger, _folder) = in_a_file();
    ledger_fixtures::thousands_of_rows_arrive(&ledger).await;
}

#[tokio::test]
async fn runs_of_rows_that_are_alike_arrive_as_they_are() {
    let (ledger, _folder) = in_a_file();
    ledger_fixtures::runs_of_rows_that_are_alike_arrive_as_they_are(&ledger).await;
}

#[tokio::test]
async fn failures_are_found_and_grouped() {
    let (ledger, _folder) = in_a_file();
    ledger_fixtures::failures_are_found_and_grouped(&ledger).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_file_is_made_by_whoever_comes_first() {
    let (ledger, _folder) = in_a_file();
    let path = ledger.address().to_string();
    let openings: Vec<_> = (0..8_u64)
        .map(|id| {
            let other = Ledger::at(&path).unwrap();
            tokio::spawn(async move {
                other.record_tasks(&[task(id, LedgerStatus::Done, 1)]).await.unwrap();
            })
        })
        .collect();
    for opening in openings {
        opening.await.unwrap();
    }
    assert_eq!(ledger.tasks(&TaskFilter::default()).await.unwrap().len(), 8);
}

#[tokio::test]
async fn a_file_that_cannot_be_made_is_unavailable_and_says_where() {
    let ledger = Ledger::at("/nowhere/at/all/tasks.db").unwrap();
    let error = ledger.open().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
    assert!(error.to_string().contains("/nowhere/at/all/tasks.db"), "{error}");
}

#[tokio::test]
async fn a_server_that_is_not_there_is_unavailable_and_its_password_is_not_shown() {
    let ledger = Ledger::at("postgres://anna:s3cret@127.0.0.1:1/tasks").unwrap();
    let error = ledger.answering_within(Duration::from_secs(5)).open().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
    assert!(!format!("{error} {error:?} {ledger:?}").contains("s3cret"), "{error}");
}
