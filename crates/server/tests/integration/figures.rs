//! The data of the API: looks, history, metrics, batches, changes with their log.

#![expect(clippy::unwrap_used, reason = "a failure here is a failed test")]

use compartment::batch::BatchPlan;
use compartment::clock::{Clock, SystemClock};
use compartment::database_map::Role;
use compartment::pipeline::{BatchRecord, BatchRegistry};
use compartment_operations::history::{HistoryPoint, KEPT, history, write};
use compartment_testkit::{eventually, run_test};
use serde_json::json;

use crate::http::Running;

const MINUTE_MS: u64 = 60_000;

#[test]
#[ignore = "needs redis-server"]
fn a_look_has_databases_servers_checks_and_findings() {
    run_test(async {
        let server = Running::start(|_| ()).await;
        server.redis.command_in(0, &["SET", "session:1", "x"]).await;
        eventually("the key in a look", || async {
            let look = server.get("/api/look").await.json();
            look["stats"]["databases"]
                .as_array()
                .unwrap()
                .iter()
                .any(|one| one["name"] == "broker" && one["content"]["keys"] == 1)
        })
        .await;
        eventually("the doctor", || async {
            server.get("/api/look").await.json()["doctor"]["findings"].is_array()
        })
        .await;
        let look = server.get("/api/look").await.json();
        assert!(
            look["health"]["checks"].is_array() && look["work"]["batches"].is_array(),
            "{look}"
        );
        let database = server.get("/api/databases/cache").await.json();
        assert_eq!(database["kind"], "cache");
        let unknown = server.get("/api/databases/nothing").await;
        assert_eq!(unknown.status, 404);
        assert!(unknown.body.contains("broker"), "{}", unknown.body);
        let description = server.get("/api/openapi.json").await.json();
        assert_eq!(description["openapi"], "3.1.0");
        let metrics = server.get("/metrics").await.body;
        assert!(metrics.contains("compartment_instance_up{instance=\"primary\"} 1"), "{metrics}");
        assert!(metrics.contains("compartment_health_state{"), "{metrics}");
    });
}

#[test]
#[ignore = "needs redis-server"]
fn a_page_that_is_opened_at_noon_shows_the_night() {
    run_test(async {
        let server = Running::start(|_| ()).await;
        // The server itself writes a point a minute, the first at once.
        for (subject, figure) in [("broker", "keys"), ("@primary", "bytes")] {
            eventually("the first point", || async {
                let course = server.get(&format!("/api/history/{subject}")).await.json();
                course["points"][0][figure].is_number()
            })
            .await;
        }
        // A night that passed before this server was started.
        let metrics = server.operations.metrics_database().await.unwrap().unwrap();
        let noon = 20_000 * 24 * 60 * MINUTE_MS + 12 * 60 * MINUTE_MS;
        for minute in 0..12 * 60 {
            let mut point = HistoryPoint::default();
            point.at_ms = noon - (12 * 60 - minute) * MINUTE_MS;
            point.keys = Some(minute as f32);
            write(&metrics, "cache", &point).await.unwrap();
        }
        let path = format!("/api/history/cache?to={noon}&max=100");
        let course = server.get(&path).await.json();
        let points = course["points"].as_array().unwrap();
        assert!((50..=100).contains(&points.len()), "{}", points.len());
        assert_eq!(points.last().unwrap()["keys"], 719.0);
        assert_eq!(server.get("/api/history/nothing").await.status, 404);
        assert_eq!(server.get("/api/history/cache?from=2&to=1").await.status, 400);
    });
}

#[test]
#[ignore = "needs redis-server"]
fn seven_days_of_a_database_take_less_than_two_mebibytes() {
    run_test(async {
        let server = Running::start(|_| ()).await;
        let metrics = server.operations.metrics_database().await.unwrap().unwrap();
        let minutes = KEPT.as_secs() / 60;
        let from = 20_000 * 24 * 60 * MINUTE_MS;
        for minute in 0..minutes {
            let mut point = HistoryPoint::default();
            point.at_ms = from + minute * MINUTE_MS;
            point.keys = Some(1_000_000.0 + minute as f32);
            point.bytes = Some(123_456_789.0);
            point.hit_rate = Some(0.97);
            write(&metrics, "archive", &point).await.unwrap();
        }
        let script = "
            local sum, keys = 0, redis.call('KEYS', 'compartment:history:archive:*')
            for _, name in ipairs(keys) do
              sum = sum + redis.call('MEMORY', 'USAGE', name, 'SAMPLES', 0)
            end
            return {sum, #keys}";
        let answer = server.redis.command_in(5, &["EVAL", script, "0"]).await;
        let [sum, hours] = answer.array() else { unreachable!("{answer:?}") };
        assert_eq!(hours.integer(), Some(168));
        let bytes = sum.integer().unwrap();
        assert!(bytes < 2 * 1024 * 1024, "{bytes} bytes");
        // Each hour goes by itself when its last point is seven days old.
        let ttl = server
            .redis
            .command_in(
                5,
                &["PTTL", &format!("compartment:history:archive:{}", from / (60 * MINUTE_MS))],
            )
            .await;
        let ttl = u64::try_from(ttl.integer().unwrap()).unwrap();
        assert!(
            (KEPT.as_millis() as u64..=KEPT.as_millis() as u64 + 60 * MINUTE_MS).contains(&ttl)
        );
        let to = from + minutes * MINUTE_MS;
        let read = history(&metrics, "archive", from, to, 20_000).await.unwrap();
        assert_eq!(read.len() as u64, minutes);
    });
}

#[test]
#[ignore = "needs redis-server"]
fn a_batch_is_paused_by_its_plan_once_and_the_log_has_it() {
    run_test(async {
        let server = Running::with_token().await;
        let databases = server.operations.databases().await.unwrap();
        let batch = databases.role(Role::Batch).unwrap();
        make_batch(batch, "papers").await;
        let plan = server
            .post("/api/changes/plan", &json!({"change": "pause_batch", "batch": "papers"}))
            .await;
        assert_eq!(plan.status, 200, "{}", plan.body);
        let is_paused =
            || async { batch.batch().progress("papers").await.unwrap().unwrap().is_paused };
        assert!(!is_paused().await, "a plan changes nothing");
        let id = plan.json()["id"].as_str().unwrap().to_owned();
        let done = server.post("/api/changes/act", &json!({"id": id})).await;
        assert_eq!(done.status, 200, "{}", done.body);
        assert!(is_paused().await);
        let again = server.post("/api/changes/act", &json!({"id": id})).await;
        assert_eq!(again.status, 404, "{}", again.body);
        let forged = server.post("/api/changes/act", &json!({"id": "f".repeat(32)})).await;
        assert_eq!(forged.status, 404, "{}", forged.body);
        // The page may not do what is not the page's.
        let flush = json!({"change": "flush_database", "database": "cache"});
        assert_eq!(server.post("/api/changes/plan", &flush).await.status, 403);
        let log = server.get("/api/audit").await.json();
        assert_eq!(log["entries"][0]["plan_id"], json!(id), "{log}");
        let shown = server.get("/api/batches/papers").await.json();
        assert_eq!(shown["status"], "paused");
    });
}

async fn make_batch(batch: &compartment::Database, name: &str) {
    let record = BatchRecord::new(name, "legal", SystemClock.now());
    BatchRegistry::new(batch.clone()).add(&record).await.unwrap();
    batch
        .batch()
        .create(name, &BatchPlan::new().stage("extract", &[]).stage("chunk", &[]))
        .await
        .unwrap();
}
