//! The ledger on a PostgreSQL server.

use std::time::Duration;

use compartment_core::{ErrorKind, Retry};
use compartment_pipeline::ledger::{Ledger, LedgerStatus};
use compartment_testkit::TestPostgres;

use crate::ledger_fixtures::{self, task};

#[tokio::test]
async fn a_ledger_keeps_its_promises_on_postgresql() {
    let Some(server) = TestPostgres::start().await else { return };
    let ledger = Ledger::at(&server.url()).unwrap();
    ledger_fixtures::a_ledger_keeps_its_promises(&ledger).await;
    assert_ne!(server.sql("SELECT COUNT(*) FROM processing_tasks"), "0");
    let wrong = server.url().replace("p%40ss", "pass");
    let error = Ledger::at(&wrong).unwrap().open().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Authentication, "{error}");
    assert!(!format!("{error} {error:?}").contains("pass-of-the-test"), "{error}");
}

#[tokio::test]
async fn a_server_that_stops_is_waited_for_only_so_long() {
    let Some(server) = TestPostgres::start().await else { return };
    let ledger = Ledger::at(&server.url()).unwrap().answering_within(Duration::from_secs(2));
    ledger.record_tasks(&[task(1, LedgerStatus::Done, 1)]).await.unwrap();
    server.freeze();
    let error = ledger.record_tasks(&[task(2, LedgerStatus::Done, 1)]).await.unwrap_err();
    assert_ne!(error.retry(), Retry::Never, "{error}");
    server.thaw();
    ledger.record_tasks(&[task(2, LedgerStatus::Done, 1)]).await.unwrap();
    assert_eq!(server.sql("SELECT COUNT(*) FROM processing_tasks"), "2");
}
