//! A language model that is away, busy, slow, wrong or hostile.

use std::time::Duration;

use crate::model_run::{KEY, PAPER, Run, completion, usual};
use crate::service::{Reply, Service};

#[tokio::test]
async fn an_answer_that_cannot_be_used_leaves_the_rules_alone() {
    for wrong in [
        "no json at all",
        r#"{"mentions": [{"kind": "villain", "quote": "Harbor Works", "around": ""}]}"#,
        r#"{"mentions": [], "verdict": "guilty"}"#,
    ] {
        let service = Service::start(move |_, _| completion(wrong)).await;
        let run = Run::with(&service, |_| {}).await;
        let report = run.ingest().await;
        assert_eq!(report.documents.done, 1, "{:?}", report.failures);
        let extractors = report.extractors.unwrap();
        // It is asked once more, and both are paid for.
        assert_eq!((service.asked().len(), extractors.spent["model"].requests), (2, 2));
        assert_eq!((extractors.agreement.refused, extractors.agreement.both), (1, 0));
        assert!(run.mentions().iter().any(|mention| mention.text == "512 U.S. 100"));
        let warnings = run.output()["text"]["warnings"].to_string();
        assert!(warnings.contains("could not be used"), "{warnings}");
    }
}

#[tokio::test]
async fn the_second_answer_may_be_right() {
    let service = Service::start(|at, request| match at {
        0 => completion("{"),
        _ => usual(at, request),
    });
    let service = service.await;
    let run = Run::with(&service, |_| {}).await;
    let extractors = run.ingest().await.extractors.unwrap();
    assert_eq!((extractors.agreement.refused, extractors.agreement.both), (0, 2));
    assert_eq!(extractors.spent["model"].tokens_in, 2_000);
}

#[tokio::test]
async fn a_service_that_is_busy_or_breaks_is_asked_again() {
    let service = Service::start(|at, request| match at {
        0 => Reply::status("429 Slow\r\nretry-after: 0", "{}"),
        1 => Reply::Cut,
        2 => Reply::status("503 Busy", ""),
        3 => Reply::ok("<html>a proxy's page</html>"),
        _ => usual(at, request),
    });
    let service = service.await;
    let run = Run::with(&service, |_| {}).await;
    let report = run.ingest().await;
    assert_eq!(report.documents.done, 1, "{:?}", report.failures);
    let spent = report.extractors.unwrap().spent["model"];
    assert_eq!((service.asked().len(), spent.requests, spent.tokens_in), (5, 5, 1_000));
}

#[tokio::test]
async fn a_service_that_stays_away_fails_the_document_for_now() {
    let service = Service::start(|_, _| {
        Reply::status("500 Broken", r#"{"error": {"message": "out of order"}}"#)
    });
    let service = service.await;
    let run = Run::with(&service, |_| {}).await;
    let report = run.ingest().await;
    let failure = &report.failures[0];
    assert_eq!((failure.code.as_str(), failure.may_succeed_later), ("model_unavailable", true));
    assert!(
        failure.reason.contains("out of order") && failure.reason.contains("500"),
        "{failure:?}"
    );
    assert_eq!(service.asked().len(), 5);
    // Failed requests are counted in the run.
    assert_eq!(report.extractors.unwrap().spent["model"].requests, 5);
}

#[tokio::test]
async fn a_service_that_wants_a_long_pause_is_left_alone() {
    let service = Service::start(|_, _| Reply::status("429 Slow\r\nretry-after: 86400", "")).await;
    let run = Run::with(&service, |_| {}).await;
    let failure = run.ingest().await.failures.remove(0);
    assert!(failure.may_succeed_later && service.asked().len() == 1, "{failure:?}");
}

#[tokio::test]
async fn a_refusal_is_permanent_and_shows_no_key() {
    for (head, body, says) in [
        (
            "401 No",
            format!(r#"{{"error": {{"message": "wrong key: ****{}"}}}}"#, &KEY[6..]),
            "not shown",
        ),
        (
            "404 None",
            r#"{"error": {"message": "no such model\u001b[31m"}}"#.to_owned(),
            "no such model[31m",
        ),
        ("302 Found\r\nlocation: http://127.0.0.1:1/", String::new(), "redirects are not followed"),
        ("413 Large", "<html>a page</html>".to_owned(), "413"),
    ] {
        let service = Service::start(move |_, _| Reply::status(head, &body)).await;
        let run = Run::with(&service, |_| {}).await;
        let failure = run.ingest().await.failures.remove(0);
        assert_eq!((failure.code.as_str(), failure.may_succeed_later), ("model_refused", false));
        assert!(failure.reason.contains(says), "{failure:?}");
        assert!(!failure.reason.contains("a7c2") && !failure.reason.contains('<'), "{failure:?}");
        assert_eq!(service.asked().len(), 1);
        assert!(!format!("{:?}", run.options).contains(KEY));
    }
}

#[tokio::test]
async fn a_service_without_schemas_is_asked_for_an_object() {
    let service =
        Service::start(|at, request| match request.json()["response_format"]["type"].as_str() {
            Some("json_schema") => Reply::status("400 Bad", r#"{"error": "response_format"}"#),
            _ => usual(at, request),
        });
    let service = service.await;
    let run = Run::with(&service, |_| {}).await;
    run.add("b.txt", &format!("{PAPER}again"));
    std::fs::remove_file(run.folder.path().join("in/b.txt")).unwrap();
    assert_eq!(run.ingest().await.extractors.unwrap().agreement.both, 2);
    std::fs::remove_file(run.folder.path().join("in/a.txt")).unwrap();
    run.add("b.txt", &format!("{PAPER}again"));
    assert_eq!(run.ingest().await.documents.done, 1);
    // The service is asked for a schema once.
    assert_eq!(service.asked().len(), 3);
}

#[tokio::test]
async fn what_any_request_is_refused_for_is_no_matter_of_schemas() {
    let service =
        Service::start(|_, _| Reply::status("400 Bad", r#"{"error": {"message": "too long"}}"#))
            .await;
    let run = Run::with(&service, |_| {}).await;
    let failure = run.ingest().await.failures.remove(0);
    assert!(failure.reason.contains("too long") && !failure.may_succeed_later, "{failure:?}");
    assert_eq!(service.asked().len(), 2);
}

#[tokio::test]
async fn a_flood_is_cut_off() {
    let service = Service::start(|_, _| Reply::Flood).await;
    let run = Run::with(&service, |_| {}).await;
    let report = run.ingest().await;
    assert_eq!(report.documents.done, 1, "{:?}", report.failures);
    let extractors = report.extractors.unwrap();
    assert_eq!((extractors.agreement.refused, extractors.spent["model"].unmetered), (1, 2));
}

#[tokio::test]
async fn a_service_that_hangs_is_given_up() {
    let service = Service::start(|_, _| Reply::Hang).await;
    let run = Run::with(&service, |model| model.timeout = Duration::from_millis(20)).await;
    let failure = run.ingest().await.failures.remove(0);
    assert!(failure.reason.contains("no answer within 20ms"), "{failure:?}");
    assert!(failure.may_succeed_later);
}
