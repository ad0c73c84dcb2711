//! The ledger on a PostgreSQL server.

#![expect(clippy::unwrap_used, reason = "a failure here is a failed test")]

use std::sync::{Arc, Mutex};
use std::time::Duration;

use compartment_core::{ErrorKind, Retry};
use compartment_pipeline::ledger::{Ledger, LedgerStatus};
use compartment_testkit::TestPostgres;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use crate::ledger_fixtures::{self, task};

#[tokio::test]
async fn a_ledger_keeps_its_promises_on_postgresql() {
    let Some(server) = TestPostgres::start().await else { return };
    let ledger = Ledger::at(&server.url()).unwrap();
    ledger_fixtures::a_ledger_keeps_its_promises(&ledger).await;
    assert_ne!(server.sql("SELECT COUNT(*) FROM compartment.processing_tasks"), "0");
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
    assert_eq!(server.sql("SELECT COUNT(*) FROM compartment.processing_tasks"), "2");
}

/// A server without TLS that asks for the password in this way; returns its port, and all that it is told.
async fn curious_server(way: u32) -> (u16, Arc<Mutex<Vec<u8>>>) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let (port, told) = (listener.local_addr().unwrap().port(), Arc::<Mutex<Vec<u8>>>::default());
    let heard = Arc::clone(&told);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let heard = Arc::clone(&heard);
            tokio::spawn(async move {
                let mut chunk = [0; 1024];
                while let Ok(length @ 1..) = stream.read(&mut chunk).await {
                    heard.lock().unwrap().extend_from_slice(&chunk[..length]);
                    let answer = match &chunk[..length] {
                        [0, 0, 0, 8, 4, 210, 22, 47] => vec![b'N'],
                        _ => [&b"R\0\0\0\x0c"[..], &way.to_be_bytes(), b"salt"].concat(),
                    };
                    let _ = stream.write_all(&answer).await;
                }
            });
        }
    });
    (port, told)
}

#[tokio::test]
async fn a_server_without_tls_is_told_no_password() {
    for way in [3, 5, 2, 99] {
        let (port, told) = curious_server(way).await;
        // The second host is this machine too, and not known to be.
        for host in ["127.0.0.1", "0.0.0.0"] {
            for query in [
                "",
                "?sslmode=prefer",
                "?sslmode=allow",
                "?sslmode=require",
                "?sslmode=verify-full",
            ] {
                let url = format!("postgres://anna:s3cret@{host}:{port}/tasks{query}");
                let ledger = Ledger::at(&url).unwrap().answering_within(Duration::from_secs(5));
                let error = ledger.open().await.unwrap_err().to_string();
                assert!(error.contains("TLS") && !error.contains("s3cret"), "{url}: {error}");
            }
        }
        let told = told.lock().unwrap();
        assert!(told.len() >= 80, "it was asked: {told:?}");
        let holds = |text: &[u8]| told.windows(text.len()).any(|part| part == text);
        assert!(!holds(b"s3cret") && !holds(b"md5"), "{}", told.escape_ascii());
    }
}

#[tokio::test]
async fn the_tables_have_a_schema_of_their_own_and_old_ones_stay_where_they_are() {
    let Some(server) = TestPostgres::start().await else { return };
    let count = |table: &str| server.sql(&format!("SELECT COUNT(*) FROM {table}"));
    let schemas = || server.sql("SELECT nspname FROM pg_namespace WHERE nspname = 'compartment'");
    let role = "CREATE ROLE anna LOGIN PASSWORD 'a'; CREATE ROLE mallory LOGIN PASSWORD 'm'; \
                GRANT CREATE ON DATABASE postgres TO anna; GRANT CREATE ON SCHEMA public TO anna";
    let _ = server.sql(role);
    let whole = server.url();
    let (_, place) = whole.split_once('@').unwrap();
    let url = format!("postgres://anna:a@{place}");
    // As an older version made them.
    let old = Ledger::at(&format!("{url}?options=-c%20search_path%3Dpublic")).unwrap();
    old.record_tasks(&[task(1, LedgerStatus::Done, 1)]).await.unwrap();
    assert_eq!((count("public.processing_tasks").as_str(), schemas().as_str()), ("1", ""));
    let ledger = Ledger::at(&url).unwrap();
    ledger.record_tasks(&[task(2, LedgerStatus::Done, 1)]).await.unwrap();
    assert_eq!((count("public.processing_tasks").as_str(), schemas().as_str()), ("2", ""));
    // Tables of somebody else are not written to.
    let tables = "batches, batch_documents, processing_tasks, unreadable_entries, _sqlx_migrations";
    let theirs = tables.split(", ").map(|table| format!("ALTER TABLE {table} OWNER TO mallory;"));
    let _ = server.sql(&theirs.collect::<String>());
    let ledger = Ledger::at(&url).unwrap();
    ledger.record_tasks(&[task(3, LedgerStatus::Done, 1)]).await.unwrap();
    assert_eq!(count("public.processing_tasks"), "2");
    assert_eq!(
        (count("compartment.processing_tasks").as_str(), schemas().as_str()),
        ("1", "compartment")
    );
    let again = Ledger::at(&url).unwrap();
    again.record_tasks(&[task(4, LedgerStatus::Done, 1)]).await.unwrap();
    assert_eq!(count("compartment.processing_tasks"), "2");
    // Nor is a schema that somebody else has made.
    let _ = server
        .sql("DROP SCHEMA compartment CASCADE; CREATE SCHEMA compartment AUTHORIZATION mallory");
    let error = Ledger::at(&url).unwrap().open().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Configuration);
    assert!(error.to_string().contains("belongs to a role"), "{error}");
}
