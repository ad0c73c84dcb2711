//! Tests of a ledger that run on both SQLite and PostgreSQL.
#![expect(clippy::unwrap_used, reason = "a failure here is a failed test")]

pub(crate) mod batches;
pub(crate) mod dying;

use compartment_core::{FencingToken, TaskId, Timestamp};
use compartment_pipeline::ledger::{Ledger, LedgerStatus, LedgerTask, TaskFilter};
use tempfile::TempDir;

/// A ledger in a new file, removed with the folder.
pub(crate) fn in_a_file() -> (Ledger, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("tasks with 100% odd#name?.db");
    (Ledger::at(file.to_str().unwrap()).unwrap(), folder)
}

pub(crate) fn task(id: u64, status: LedgerStatus, token: u64) -> LedgerTask {
    let (id, token) = (TaskId::from_number(id), FencingToken::from_number(token));
    LedgerTask::of_queue("extract", id, status, token)
        .by("worker-1", 1)
        .between(Timestamp::from_millis(1_000), Timestamp::from_millis(1_250))
}

async fn of_queues(ledger: &Ledger) -> Vec<LedgerTask> {
    ledger.tasks(&TaskFilter::of_batch("")).await.unwrap()
}

pub(crate) async fn rows_read_back(ledger: &Ledger) {
    let (zero, quotes) = ("\0 zero", "'quotes\" {\"and\": [1]} \u{1f600}");
    let written = [
        task(1, LedgerStatus::Done, 7).document("case-1.pdf"),
        task(2, LedgerStatus::Failed, 8).by("w", 3).error(quotes),
        task(3, LedgerStatus::Dead, (1 << 53) - 1).error(zero),
    ];
    assert_eq!(ledger.record_tasks(&written).await.unwrap(), 3);
    let read = of_queues(ledger).await;
    assert_eq!(read[..2], written[..2]);
    // PostgreSQL does not store zero characters in text.
    assert_eq!(read[2].error.as_deref(), Some("\u{fffd} zero"));
    assert_eq!(read[2].took_ms(), Some(250));
}

pub(crate) async fn a_stale_owner_is_refused_by_its_token(ledger: &Ledger) {
    let by = |worker: &str, status, token| task(10, status, token).by(worker, 1).error(worker);
    ledger.record_tasks(&[by("first", LedgerStatus::Failed, 100)]).await.unwrap();
    ledger.record_tasks(&[by("second", LedgerStatus::Failed, 200)]).await.unwrap();
    for status in [LedgerStatus::Failed, LedgerStatus::Dead, LedgerStatus::Done] {
        assert_eq!(ledger.record_tasks(&[by("first", status, 100)]).await.unwrap(), 0, "{status}");
    }
    let row = |rows: Vec<LedgerTask>| rows.into_iter().find(|row| row.ordinal == 10).unwrap();
    assert_eq!(row(of_queues(ledger).await), by("second", LedgerStatus::Failed, 200));
    // The owner continues, and writes its row a second time.
    for _ in 0..2 {
        ledger.record_tasks(&[by("second", LedgerStatus::Dead, 200)]).await.unwrap();
    }
    assert_eq!(row(of_queues(ledger).await).status, LedgerStatus::Dead);
}

pub(crate) async fn what_is_done_is_never_taken_back(ledger: &Ledger) {
    ledger.record_tasks(&[task(20, LedgerStatus::Done, 100)]).await.unwrap();
    for status in [LedgerStatus::Failed, LedgerStatus::Dead, LedgerStatus::Retried] {
        assert_eq!(ledger.record_tasks(&[task(20, status, 900)]).await.unwrap(), 0, "{status}");
    }
    let read = of_queues(ledger).await;
    assert!(read.iter().any(|row| row.ordinal == 20 && row.status == LedgerStatus::Done));
}

pub(crate) async fn one_call_may_name_a_task_again(ledger: &Ledger) {
    let rows = [
        task(30, LedgerStatus::Failed, 1),
        task(31, LedgerStatus::Failed, 1),
        task(30, LedgerStatus::Failed, 2).by("worker-1", 2),
        task(30, LedgerStatus::Done, 3).by("worker-1", 3),
    ];
    assert_eq!(ledger.record_tasks(&rows).await.unwrap(), 4);
    let read = of_queues(ledger).await;
    let row = read.iter().find(|row| row.ordinal == 30).unwrap();
    assert_eq!((row.status, row.retry_count), (LedgerStatus::Done, 2));
}

pub(crate) async fn thousands_of_rows_arrive(ledger: &Ledger) {
    let rows: Vec<_> = (1_000..6_001).map(|id| task(id, LedgerStatus::Done, 5)).collect();
    assert_eq!(ledger.record_tasks(&rows).await.unwrap(), 5_001);
    let mut filter = TaskFilter::of_batch("");
    (filter.limit, filter.offset) = (3, 4_000);
    filter.status = Some(LedgerStatus::Done);
    filter.task_type = Some("extract".into());
    let page = ledger.tasks(&filter).await.unwrap();
    assert_eq!(page.len(), 3);
    assert!(page[0].ordinal < page[1].ordinal && page[1].ordinal < page[2].ordinal);
    let counts = ledger.counts("").await.unwrap();
    let done = counts.iter().find(|count| count.status == LedgerStatus::Done).unwrap();
    assert!(done.tasks >= 5_001);
}

/// Rows that differ only in attempts and times are written in another way than mixed ones.
pub(crate) async fn runs_of_rows_that_are_alike_arrive_as_they_are(ledger: &Ledger) {
    let at = |id: u64| Timestamp::from_millis(1_000 + id);
    let alike = |id: u64, worker: &str, token| {
        let retries = u32::try_from(id % 3).unwrap();
        let task = task(id, LedgerStatus::Done, token).by(worker, retries + 1);
        task.between(at(id), at(2 * id))
    };
    let mut rows: Vec<LedgerTask> = (20_000..20_050).map(|id| alike(id, "first", 7)).collect();
    rows.push(task(20_050, LedgerStatus::Dead, 7).error("it cannot be read"));
    rows.extend((20_051..20_100).map(|id| alike(id, "second", 8)));
    rows.push(task(20_100, LedgerStatus::Failed, 8).error("again"));
    rows.extend((20_101..20_400).map(|id| alike(id, "third", 9).document("its name")));
    rows.extend((20_400..20_700).map(|id| alike(id, "fourth", 10)));
    assert_eq!(ledger.record_tasks(&rows).await.unwrap(), rows.len() as u64);
    assert_eq!(ledger.record_tasks(&rows).await.unwrap(), 2, "done stays as it is");
    let mut filter = TaskFilter::of_batch("");
    filter.limit = 1_000_000;
    let read = ledger.tasks(&filter).await.unwrap();
    let read: Vec<_> =
        read.into_iter().filter(|row| (20_000..20_700).contains(&row.ordinal)).collect();
    assert_eq!(read, rows);
}

pub(crate) async fn failures_are_found_and_grouped(ledger: &Ledger) {
    let odd = "100% of a_b\\c is unreadable";
    let mut rows: Vec<_> =
        (10_000..10_005).map(|id| task(id, LedgerStatus::Dead, 5).error(odd)).collect();
    rows.push(task(10_005, LedgerStatus::Failed, 5).error("a service did not answer"));
    ledger.record_tasks(&rows).await.unwrap();
    for (text, found) in [("100% OF A_B\\C", 5), ("100x of", 0), ("did not", 1)] {
        let mut filter = TaskFilter::of_batch("");
        filter.error = Some(text.into());
        assert_eq!(ledger.tasks(&filter).await.unwrap().len(), found, "{text}");
    }
    // By status and error; and one task of whatever stage.
    for (status, error, found) in [
        (LedgerStatus::Dead, Some("unreadable"), 5),
        (LedgerStatus::Failed, Some("did not"), 1),
        (LedgerStatus::Failed, Some("unreadable"), 0),
        (LedgerStatus::Done, Some("unreadable"), 0),
    ] {
        let mut filter = TaskFilter::of_batch("");
        (filter.status, filter.error) = (Some(status), error.map(str::to_owned));
        let tasks = ledger.tasks(&filter).await.unwrap();
        assert_eq!(tasks.len(), found, "{status} {error:?}");
        assert!(tasks.iter().all(|task| task.status == status));
        filter.batch = None;
        assert_eq!(ledger.tasks(&filter).await.unwrap().len(), found, "{status} {error:?}");
    }
    let one = ledger.task("", 10_003).await.unwrap();
    assert_eq!((one.len(), one[0].ordinal), (1, 10_003));
    assert!(ledger.task("", 99_999).await.unwrap().is_empty());
    let groups = ledger.failures("", 50).await.unwrap();
    let group = groups.iter().find(|group| group.error == odd).unwrap();
    assert_eq!((group.tasks, group.first, group.status), (5, 10_000, LedgerStatus::Dead));
    let error = ledger.counts("nowhere").await.unwrap_err();
    assert!(error.to_string().contains("has no batch \"nowhere\""), "{error}");
}

/// Runs all of the above in one ledger.
pub(crate) async fn a_ledger_keeps_its_promises(ledger: &Ledger) {
    rows_read_back(ledger).await;
    a_stale_owner_is_refused_by_its_token(ledger).await;
    what_is_done_is_never_taken_back(ledger).await;
    one_call_may_name_a_task_again(ledger).await;
    thousands_of_rows_arrive(ledger).await;
    runs_of_rows_that_are_alike_arrive_as_they_are(ledger).await;
    failures_are_found_and_grouped(ledger).await;
}

/// Executes a statement without the ledger.
pub(crate) async fn execute(ledger: &Ledger, statement: &'static str) {
    use compartment_pipeline::ledger::LedgerAddress;
    use sqlx::Connection;
    match ledger.address() {
        LedgerAddress::Sqlite(path) => {
            let options = sqlx::sqlite::SqliteConnectOptions::new().filename(path);
            let mut connection =
                sqlx::sqlite::SqliteConnection::connect_with(&options).await.unwrap();
            sqlx::raw_sql(statement).execute(&mut connection).await.unwrap();
        }
        LedgerAddress::Postgres(url) => {
            let mut connection = sqlx::postgres::PgConnection::connect(url).await.unwrap();
            let schema = sqlx::raw_sql("SET search_path = compartment");
            schema.execute(&mut connection).await.unwrap();
            sqlx::raw_sql(statement).execute(&mut connection).await.unwrap();
        }
        _ => {}
    }
}
