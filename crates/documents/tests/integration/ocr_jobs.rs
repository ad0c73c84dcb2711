//! An OCR service that works in jobs, at an address of this machine: results, failures, and workers that die.

#![expect(clippy::unwrap_used, reason = "test support: a failure here is a failed test")]

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use compartment_core::{Backoff, Databases, OcrServiceSettings, ServiceUrl};
use compartment_documents::ingest::IngestReport;
use compartment_documents::ocr_service::{JOB_STATUS, JobState, OcrService};
use compartment_documents::{IngestOptions, ingest};
use compartment_pipeline::{Progress, Silent};
use serde_json::{Value, json};

use crate::service::{Reply, Request, Service, databases};

const KEY: &str = "k-93f1a7c2";

/// A PDF with one page for each text; a page without one is a picture of many shapes.
fn pdf(pages: &[Option<&str>]) -> Vec<u8> {
    let kids: Vec<String> = (0..pages.len()).map(|at| format!("{} 0 R", 4 + 2 * at)).collect();
    let mut objects = vec![
        "<< /Type /Catalog /Pages 2 0 R >>".to_owned(),
        format!("<< /Type /Pages /Kids [{}] /Count {} >>", kids.join(" "), pages.len()),
        "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>".to_owned(),
    ];
    for (at, page) in pages.iter().enumerate() {
        let content = match page {
            Some(text) => format!("BT /F1 12 Tf 72 700 Td ({text}) Tj ET"),
            None => (0..150).map(|n| format!("{n} {n} 9 9 re f\n")).collect(),
        };
        objects.push(format!(
            "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents {} 0 R \
             /Resources << /Font << /F1 3 0 R >> >> >>",
            5 + 2 * at
        ));
        objects.push(format!("<< /Length {} >>\nstream\n{content}\nendstream", content.len()));
    }
    let mut file = "%PDF-1.4\n".to_owned();
    let mut table = format!("xref\n0 {}\n0000000000 65535 f \n", objects.len() + 1);
    for (at, object) in objects.iter().enumerate() {
        table.push_str(&format!("{:010} 00000 n \n", file.len()));
        file.push_str(&format!("{} 0 obj\n{object}\nendobj\n", at + 1));
    }
    let (start, size) = (file.len(), objects.len() + 1);
    format!("{file}{table}trailer\n<< /Root 1 0 R /Size {size} >>\nstartxref\n{start}\n%%EOF\n")
        .into_bytes()
}

fn paper() -> Vec<u8> {
    pdf(&[Some("The first page of the paper."), None, Some("The third page of the paper."), None])
}

struct Run {
    databases: Databases,
    folder: tempfile::TempDir,
    options: IngestOptions,
}

impl Run {
    async fn with(service: &Service) -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("in")).unwrap();
        std::fs::create_dir(folder.path().join("out")).unwrap();
        std::fs::write(folder.path().join("in/scan.pdf"), paper()).unwrap();
        let mut options = IngestOptions::default();
        options.out = Some(folder.path().join("out"));
        let mut settings = OcrServiceSettings::new(
            ServiceUrl::parse(&format!("{}/ocr", service.address)).unwrap(),
        );
        settings.timeout = Duration::from_secs(10);
        options.ocr_service = Some(
            OcrService::new(&settings, Some(KEY))
                .unwrap()
                .with_pauses(Backoff::new(Duration::ZERO, Duration::ZERO)),
        );
        Self { databases: databases().await, folder, options }
    }

    async fn ingest(&self) -> IngestReport {
        let paths = [self.folder.path().join("in")];
        let progress = Progress::new(Arc::new(Silent));
        ingest(&self.databases, &paths, &self.options, &progress).await.unwrap()
    }

    fn output(&self) -> Value {
        let mut files = std::fs::read_dir(self.folder.path().join("out")).unwrap();
        serde_json::from_slice(&std::fs::read(files.next().unwrap().unwrap().path()).unwrap())
            .unwrap()
    }

    async fn state(&self, job: &str) -> Option<JobState> {
        let key = JOB_STATUS.key(&[job]).unwrap();
        assert_eq!(key.as_str(), format!("job:textract:status:{job}"));
        let job = self.databases.read(&key).await.unwrap()?;
        assert_eq!(job.pages, 2);
        Some(job.state)
    }
}

/// A service that has as many jobs as tokens, and ends each after some looks.
#[derive(Debug, Default)]
struct Jobs {
    by_token: Mutex<HashMap<String, String>>,
    looks: Mutex<usize>,
}

impl Jobs {
    /// Answers as the protocol says; a job succeeds at look number `after`.
    fn answer(&self, request: &Request, after: usize) -> Reply {
        let line = request.line();
        if line.starts_with("post ") {
            let token =
                request.head.lines().find_map(|line| line.strip_prefix("idempotency-key: "));
            let mut jobs = self.by_token.lock().unwrap();
            let next = format!("job-{}", jobs.len() + 1);
            let job = jobs.entry(token.unwrap().to_owned()).or_insert(next);
            return Reply::status("202 Accepted", &json!({ "job_id": job }).to_string());
        }
        if let Some((_, page)) = line.split_once("/pages/") {
            let page: usize = page.parse().unwrap();
            let text = format!("Read page {page}: Poe v. Doe, 512 U.S. 100 (1994).\n\u{c}");
            return Reply::ok(json!({ "page": page, "text": text }));
        }
        let mut looks = self.looks.lock().unwrap();
        *looks += 1;
        Reply::ok(json!({ "status": if *looks < after { "in_progress" } else { "succeeded" } }))
    }
}

async fn usual(after: usize) -> Service {
    let jobs = Jobs::default();
    Service::start(move |_, request| jobs.answer(request, after)).await
}

fn lines(service: &Service) -> Vec<String> {
    service.asked().iter().map(|request| request.line().to_owned()).collect()
}

#[tokio::test]
async fn the_pages_without_text_are_read_by_the_service() {
    let service = usual(3).await;
    let run = Run::with(&service).await;
    let report = run.ingest().await;
    assert_eq!(report.documents.done, 1, "{:?}", report.failures);
    let submit = "post /ocr/jobs?pages=2,4&language=eng";
    let (look, page) = ("get /ocr/jobs/job-1", |n: usize| format!("get /ocr/jobs/job-1/pages/{n}"));
    assert_eq!(lines(&service), [submit, look, look, look, &page(2), &page(4)]);
    let first = &service.asked()[0];
    assert!(first.body == paper() && first.head.contains("content-type: application/pdf"));
    assert!(first.head.contains(&format!("authorization: bearer {KEY}")));

    let output = run.output();
    assert_eq!((&output["text"]["pages"], &output["text"]["source"]), (&4.into(), &"mixed".into()));
    let found: Vec<&Value> = output["mentions"].as_array().unwrap().iter().collect();
    let citations = found.iter().filter(|mention| mention["text"] == "512 U.S. 100").count();
    assert_eq!(citations, 2);
    assert_eq!(run.state("job-1").await, Some(JobState::Succeeded));

    // The result is kept.
    run.ingest().await;
    assert_eq!(service.asked().len(), 6);
}

#[tokio::test]
async fn a_document_with_text_is_sent_nowhere() {
    let service = usual(1).await;
    let run = Run::with(&service).await;
    std::fs::write(run.folder.path().join("in/scan.pdf"), pdf(&[Some("All of it is text.")]))
        .unwrap();
    assert_eq!(run.ingest().await.documents.done, 1);
    assert!(service.asked().is_empty());
}

#[tokio::test]
async fn with_and_without_the_service_have_results_of_their_own() {
    let service = usual(1).await;
    let mut run = Run::with(&service).await;
    run.options.extract.ocr = false;
    assert_eq!(run.ingest().await.documents.done, 1);
    assert!(run.output()["mentions"].as_array().unwrap().is_empty() && service.asked().is_empty());
    run.options.extract.ocr = true;
    run.ingest().await;
    assert!(!run.output()["mentions"].as_array().unwrap().is_empty());
}

/// The worker dies while the service works, and another one goes on with the job: nothing is submitted and paid again.
#[tokio::test]
async fn a_worker_that_dies_leaves_its_job_to_the_next() {
    let jobs = Jobs::default();
    let (looked, mut seen) = tokio::sync::mpsc::unbounded_channel();
    let service = Service::start(move |at, request| {
        let _ = looked.send(());
        match at {
            // The second look of the first worker never ends.
            2 => Reply::Hang,
            _ => jobs.answer(request, 3),
        }
    });
    let service = service.await;
    let mut run = Run::with(&service).await;
    // A load of the cache belongs to all who want it and would outlive this worker, as long as the process lives.
    run.options.cache = false;
    let dies = async {
        for _ in 0..3 {
            seen.recv().await.unwrap();
        }
    };
    tokio::select! {
        report = run.ingest() => panic!("{:?}", report.failures),
        () = dies => {}
    }
    assert_eq!(run.state("job-1").await, Some(JobState::InProgress));
    let report = run.ingest().await;
    assert_eq!(report.documents.done, 1, "{:?}", report.failures);
    let (submit, look) = ("post /ocr/jobs?pages=2,4&language=eng", "get /ocr/jobs/job-1");
    let pages = ["get /ocr/jobs/job-1/pages/2", "get /ocr/jobs/job-1/pages/4"];
    let first = [submit, look, look];
    assert_eq!(lines(&service), [&first[..], &[look, look], &pages].concat());
    assert_eq!(run.state("job-1").await, Some(JobState::Succeeded));
}

/// The worker dies after the service took the document and before its job was noted: the service knows the token.
#[tokio::test]
async fn a_job_that_was_not_noted_is_found_by_its_token() {
    let jobs = Jobs::default();
    let service = Service::start(move |at, request| match (at, jobs.answer(request, 1)) {
        (0, _) => Reply::Cut,
        (_, reply) => reply,
    });
    let service = service.await;
    let run = Run::with(&service).await;
    assert_eq!(run.ingest().await.documents.done, 1);
    let asked = service.asked();
    let token = |at: usize| {
        asked[at].head.lines().find(|line| line.starts_with("idempotency-key")).unwrap().to_owned()
    };
    assert_eq!(token(0), token(1));
    assert_eq!(run.state("job-1").await, Some(JobState::Succeeded));
    assert_eq!(run.state("job-2").await, None);
}

#[tokio::test]
async fn a_job_that_the_service_has_lost_is_submitted_anew() {
    let jobs = Jobs::default();
    let service = Service::start(move |at, request| match at {
        1 => Reply::status("404 Not Found", ""),
        _ => jobs.answer(request, 1),
    });
    let service = service.await;
    let run = Run::with(&service).await;
    assert_eq!(run.ingest().await.documents.done, 1);
    assert_eq!(run.state("job-2").await, Some(JobState::Succeeded));
    // One that loses every job is not followed for ever.
    let jobs = Jobs::default();
    let service = Service::start(move |_, request| match request.line().starts_with("get") {
        true => Reply::status("410 Gone", ""),
        false => jobs.answer(request, 1),
    });
    let service = service.await;
    let failure = Run::with(&service).await.ingest().await.failures.remove(0);
    assert!(failure.reason.contains("loses its jobs") && !failure.may_succeed_later, "{failure:?}");
    assert_eq!(service.asked().len(), 6);
}

#[tokio::test]
async fn a_failed_job_fails_its_document_and_the_next_attempt_has_another() {
    let jobs = Jobs::default();
    let service = Service::start(move |at, request| match at {
        1 => Reply::ok(json!({"status": "failed", "message": format!("blank\u{1b}[31m {KEY}")})),
        _ => jobs.answer(request, 1),
    });
    let service = service.await;
    let run = Run::with(&service).await;
    let failure = run.ingest().await.failures.remove(0);
    assert_eq!((failure.code.as_str(), failure.may_succeed_later), ("ocr_failed", false));
    assert!(failure.reason.contains("not shown") && !failure.reason.contains(KEY), "{failure:?}");
    assert_eq!(run.state("job-1").await, Some(JobState::Failed));
    assert_eq!(run.ingest().await.documents.done, 1);
    assert_eq!(run.state("job-2").await, Some(JobState::Succeeded));
}

#[tokio::test]
async fn a_service_that_is_busy_is_asked_again_and_one_that_is_away_is_left() {
    let jobs = Jobs::default();
    let service = Service::start(move |at, request| match at {
        0 | 2 => Reply::status("429 Slow\r\nretry-after: 0", ""),
        3 | 6 => Reply::status("503 Busy", ""),
        4 => Reply::Cut,
        _ => jobs.answer(request, 1),
    });
    let service = service.await;
    let run = Run::with(&service).await;
    let report = run.ingest().await;
    assert_eq!(report.documents.done, 1, "{:?}", report.failures);

    let service = Service::start(|_, _| Reply::status("500 Broken", "")).await;
    let run = Run::with(&service).await;
    let failure = run.ingest().await.failures.remove(0);
    assert_eq!((failure.code.as_str(), failure.may_succeed_later), ("ocr_unavailable", true));
    assert_eq!(service.asked().len(), 6);
}

#[tokio::test]
async fn a_hostile_service_fails_the_document_only() {
    let long = "x".repeat(2 * 1024 * 1024);
    type Wrong = (&'static str, Box<dyn Fn(&Request) -> Option<Reply> + Send + Sync>);
    let is_page = |request: &Request| request.line().contains("/pages/");
    let wrongs: Vec<Wrong> = vec![
        ("protocol", Box::new(|_| Some(Reply::ok("no json")))),
        ("the id of its job", Box::new(|_| Some(Reply::ok(json!({"job_id": "../../x"}))))),
        ("the id of its job", Box::new(|_| Some(Reply::ok(json!({"job_id": ".."}))))),
        ("the id of its job", Box::new(|_| Some(Reply::ok(json!({"job_id": "x".repeat(129)}))))),
        ("more than", Box::new(|_| Some(Reply::Flood))),
        (
            "redirects",
            Box::new(|_| Some(Reply::status("302 Found\r\nlocation: http://127.0.0.1:1/", ""))),
        ),
        ("not shown", Box::new(|_| Some(Reply::status("403 No", KEY)))),
        ("address right", Box::new(|_| Some(Reply::status("404 No", "")))),
        (
            "another page",
            Box::new(move |one| is_page(one).then(|| Reply::ok(json!({"page": 9, "text": ""})))),
        ),
        (
            "more than",
            Box::new(move |one| is_page(one).then(|| Reply::ok(json!({"page": 2, "text": long})))),
        ),
        (
            "no text",
            Box::new(move |one| is_page(one).then(|| Reply::status("451 No", "no text for you"))),
        ),
    ];
    for (says, wrong) in wrongs {
        let jobs = Jobs::default();
        let service =
            Service::start(move |_, one| wrong(one).unwrap_or_else(|| jobs.answer(one, 1))).await;
        let failure = Run::with(&service).await.ingest().await.failures.remove(0);
        assert_eq!(
            (failure.code.as_str(), failure.may_succeed_later),
            ("ocr_failed", false),
            "{failure:?}"
        );
        assert!(
            failure.reason.contains(says) && !failure.reason.contains(KEY),
            "{says}: {failure:?}"
        );
        assert!(service.asked().len() <= 3);
    }
}

#[tokio::test]
async fn a_job_that_does_not_end_is_left_and_gone_on_with() {
    let service = usual(usize::MAX).await;
    let mut run = Run::with(&service).await;
    run.options.extract.document_timeout = Duration::from_millis(400);
    let settings =
        OcrServiceSettings::new(ServiceUrl::parse(&format!("{}/ocr", service.address)).unwrap());
    let pauses = Backoff::new(Duration::from_millis(50), Duration::from_millis(200));
    run.options.ocr_service = Some(OcrService::new(&settings, None).unwrap().with_pauses(pauses));
    let failure = run.ingest().await.failures.remove(0);
    assert_eq!(
        (failure.code.as_str(), failure.may_succeed_later),
        ("ocr_timed_out", true),
        "{failure:?}"
    );
    run.ingest().await;
    let submitted = lines(&service).iter().filter(|line| line.starts_with("post")).count();
    assert_eq!(submitted, 1);
}

#[tokio::test]
async fn an_attachment_is_not_sent_and_its_mail_says_so() {
    let service = usual(1).await;
    let run = Run::with(&service).await;
    std::fs::remove_file(run.folder.path().join("in/scan.pdf")).unwrap();
    let scan = pdf(&[Some("The first page of the paper."), None]);
    // A mail that shows `%PDF` would be read as a PDF with lines before it.
    let scan = String::from_utf8(scan).unwrap().replace('=', "=3D").replace('%', "=25");
    let mail = format!(
        "From: a@example.com\r\nTo: b@example.com\r\nSubject: Exhibit\r\nMIME-Version: 1.0\r\n\
         Content-Type: multipart/mixed; boundary=\"xyz\"\r\n\r\n--xyz\r\nContent-Type: text/plain\r\n\r\n\
         See the exhibit.\r\n--xyz\r\nContent-Type: application/pdf; name=\"e.pdf\"\r\n\
         Content-Transfer-Encoding: quoted-printable\r\nContent-Disposition: attachment; filename=\"e.pdf\"\r\n\r\n{scan}\r\n--xyz--\r\n"
    );
    std::fs::write(run.folder.path().join("in/m.eml"), mail).unwrap();
    let report = run.ingest().await;
    assert_eq!(report.documents.done, 1, "{:?}", report.failures);
    assert!(service.asked().is_empty());
    let warnings = run.output()["text"]["warnings"].to_string();
    assert!(warnings.contains("1 of 2 pages") && warnings.contains("attachments"), "{warnings}");
}
