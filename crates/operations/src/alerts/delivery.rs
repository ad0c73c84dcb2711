//! Delivers alerts by webhook and command, each in a task of its own: a way that hangs or fails stops neither the other
//! nor whoever watches.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use compartment::database_map::AlertSettings;
use compartment::queue::Backoff;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::webhook::{NotSent, Sender};
use super::{Alert, command};
use crate::Result;

/// The environment variable with the bearer token of the webhook.
pub const TOKEN_VARIABLE: &str = "COMPARTMENT_ALERTS_TOKEN";

/// Alerts that wait for one way. Further ones are dropped, with a problem.
const MAX_WAITING: usize = 256;
/// Attempts to send one alert to the webhook, over about three minutes.
const ATTEMPTS: u32 = 8;
const PAUSES: Backoff = Backoff::new(Duration::from_secs(1), Duration::from_secs(60));
/// Problems that are kept until they are asked for.
const MAX_PROBLEMS: usize = 50;

/// Delivers alerts until it is dropped.
#[derive(Debug)]
pub struct Deliverer {
    ways: Vec<(mpsc::Sender<Arc<Alert>>, JoinHandle<()>)>,
    problems: Problems,
    logs: bool,
}

/// Deliveries that failed.
#[derive(Clone, Debug, Default)]
struct Problems(Arc<Mutex<Vec<String>>>);

impl Problems {
    fn tell(&self, problem: String) {
        tracing::warn!("{problem}");
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() < MAX_PROBLEMS {
            all.push(problem);
        }
    }
}

impl Deliverer {
    /// Begins to wait for alerts. `token` is sent to the webhook as a bearer token; by convention it comes from
    /// [`TOKEN_VARIABLE`]. Needs a tokio runtime.
    ///
    /// # Errors
    /// [`crate::OperationsError::Configuration`] for a webhook or a token that cannot be used.
    pub fn start(settings: &AlertSettings, token: Option<&str>) -> Result<Self> {
        Self::with_pauses(settings, token, PAUSES)
    }

    fn with_pauses(settings: &AlertSettings, token: Option<&str>, pauses: Backoff) -> Result<Self> {
        let problems = Problems::default();
        let mut ways = Vec::new();
        if let Some(webhook) = &settings.webhook {
            let sender = Sender::new(webhook, token, settings.timeout)?;
            let (queue, alerts) = mpsc::channel(MAX_WAITING);
            let task = send_on(sender, alerts, pauses, problems.clone());
            ways.push((queue, tokio::spawn(task)));
        }
        if !settings.command.is_empty() {
            let (queue, alerts) = mpsc::channel(MAX_WAITING);
            let task = run_on(settings.command.clone(), settings.timeout, alerts, problems.clone());
            ways.push((queue, tokio::spawn(task)));
        }
        Ok(Self { ways, problems, logs: settings.log })
    }

    /// Hands alerts over and returns at once.
    pub fn deliver(&self, alerts: &[Alert]) {
        for alert in alerts {
            if self.logs {
                tracing::warn!("alert: {}", alert.text());
            }
            let shared = Arc::new(alert.clone());
            for (queue, _) in &self.ways {
                if queue.try_send(Arc::clone(&shared)).is_err() {
                    let what = "an alert was not delivered: too many wait already";
                    self.problems.tell(format!("{what}: {}", alert.text()));
                }
            }
        }
    }

    /// The deliveries that failed since the last call, in a line each. Paths of webhooks are left out.
    #[must_use]
    pub fn problems(&self) -> Vec<String> {
        std::mem::take(&mut *self.problems.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Waits until every alert has been delivered or given up, for at most `within`.
    pub async fn finish(mut self, within: Duration) -> Vec<String> {
        let (queues, tasks): (Vec<_>, Vec<_>) = std::mem::take(&mut self.ways).into_iter().unzip();
        drop(queues);
        let still: Vec<_> = tasks.iter().map(JoinHandle::abort_handle).collect();
        let all = async {
            for task in tasks {
                let _ = task.await;
            }
        };
        if tokio::time::timeout(within, all).await.is_err() {
            still.iter().for_each(tokio::task::AbortHandle::abort);
            self.problems.tell("alerts were not delivered: the program ended before".to_owned());
        }
        self.problems()
    }
}

impl Drop for Deliverer {
    fn drop(&mut self) {
        self.ways.iter().for_each(|(_, task)| task.abort());
    }
}

async fn send_on(
    sender: Sender,
    mut alerts: mpsc::Receiver<Arc<Alert>>,
    pauses: Backoff,
    problems: Problems,
) {
    while let Some(alert) = alerts.recv().await {
        for attempt in 1..=ATTEMPTS {
            let Err(NotSent { why, is_worth_another }) = sender.send(&alert).await else { break };
            if is_worth_another && attempt < ATTEMPTS {
                tracing::debug!("alerts.webhook {}: {why}; attempt {attempt}", sender.shown);
                tokio::time::sleep(pauses.after(attempt)).await;
                continue;
            }
            let what = format!("an alert was not delivered to {}: {why}", sender.shown);
            problems.tell(format!("{what}; it was {}", alert.text()));
            break;
        }
    }
}

async fn run_on(
    program: Vec<String>,
    timeout: Duration,
    mut alerts: mpsc::Receiver<Arc<Alert>>,
    problems: Problems,
) {
    while let Some(alert) = alerts.recv().await {
        if let Err(why) = command::run(&program, &alert, timeout).await {
            let name = program.first().map_or("", String::as_str);
            let what = format!("the command {name:?} did not take an alert: {why}");
            problems.tell(format!("{what}; it was {}", alert.text()));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc as blocking;

    use compartment::clock::Timestamp;
    use compartment::{DatabaseMap, DatabaseMapBuilder};
    use compartment_admin::health::{Check, Health, HealthState};
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;
    use crate::alerts::Alerting;

    const AT_ONCE: Backoff = Backoff::new(Duration::ZERO, Duration::ZERO);

    fn settings(lines: &str) -> AlertSettings {
        let text = format!(
            "preset = \"pipeline\"\n[instances.primary]\nurl = \"memory://\"\n[alerts]\n\
             raise_after = \"0s\"\n{lines}"
        );
        let map: DatabaseMap = DatabaseMapBuilder::toml(&text).unwrap().build().unwrap();
        map.alerts().clone()
    }

    fn alerts(settings: &AlertSettings, subjects: &[&str]) -> Vec<Alert> {
        let checks = subjects.iter().map(|subject| {
            Check::new("memory", *subject, HealthState::Critical, "95 % in use; raise maxmemory")
        });
        let health = Health::of(checks.collect());
        Alerting::new(settings).observe(&health, Timestamp::from_millis(5_000))
    }

    /// A server that answers each request with the next of these statuses and passes on what it got.
    async fn server(statuses: Vec<&'static str>) -> (String, blocking::Receiver<String>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}/hook/s3cret", listener.local_addr().unwrap());
        let (got, requests) = blocking::channel();
        tokio::spawn(async move {
            for status in statuses {
                let (mut stream, _) = listener.accept().await.unwrap();
                let mut request = Vec::new();
                while !is_whole(&request) {
                    let mut part = [0; 4_096];
                    let read = stream.read(&mut part).await.unwrap();
                    assert!(read > 0, "the request breaks off");
                    request.extend_from_slice(&part[..read]);
                }
                got.send(String::from_utf8(request).unwrap()).unwrap();
                let answer =
                    format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
                stream.write_all(answer.as_bytes()).await.unwrap();
            }
        });
        (address, requests)
    }

    fn is_whole(request: &[u8]) -> bool {
        let text = String::from_utf8_lossy(request);
        let Some((head, body)) = text.split_once("\r\n\r\n") else { return false };
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
        length.is_some_and(|length| length.parse() == Ok(body.len()))
    }

    const PATIENCE: Duration = Duration::from_secs(60);

    #[tokio::test]
    async fn a_webhook_that_fails_for_a_moment_gets_the_alert_again() {
        let (address, requests) = server(vec!["503 Busy", "429 Slow", "200 OK"]).await;
        let settings = settings(&format!("webhook = \"{address}\""));
        let deliverer = Deliverer::with_pauses(&settings, Some("t0ken"), AT_ONCE).unwrap();
        deliverer.deliver(&alerts(&settings, &["primary"]));
        assert_eq!(deliverer.finish(PATIENCE).await, [""; 0]);
        let requests: Vec<String> = requests.iter().collect();
        assert_eq!(requests.len(), 3);
        let (head, body) = requests[2].split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with("POST /hook/s3cret HTTP/1.1"), "{head}");
        assert!(head.contains("authorization: Bearer t0ken"), "{head}");
        let body: serde_json::Value = serde_json::from_str(body).unwrap();
        assert_eq!((&body["check"], &body["state"]), (&"memory".into(), &"raised".into()));
        assert!(body["text"].as_str().unwrap().ends_with("95 % in use; raise maxmemory"), "{body}");
    }

    #[tokio::test]
    async fn a_webhook_that_refuses_is_not_asked_again_and_the_next_alert_is_sent() {
        let (address, requests) = server(vec!["404 Gone", "302 Moved", "200 OK"]).await;
        let settings = settings(&format!("webhook = \"{address}\""));
        let deliverer = Deliverer::with_pauses(&settings, None, AT_ONCE).unwrap();
        deliverer.deliver(&alerts(&settings, &["a", "b", "c"]));
        let problems = deliverer.finish(PATIENCE).await;
        assert_eq!(problems.len(), 2, "{problems:?}");
        assert!(problems[0].contains("404") && problems[1].contains("302"), "{problems:?}");
        assert!(!problems.concat().contains("s3cret"), "{problems:?}");
        assert_eq!(requests.iter().count(), 3);
    }

    #[tokio::test(start_paused = true)]
    async fn a_webhook_that_hangs_is_given_up_and_the_watcher_goes_on() {
        // It listens, and accepts nobody.
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let settings = settings(&format!("webhook = \"http://{address}\""));
        let deliverer = Deliverer::start(&settings, None).unwrap();
        let many: Vec<String> = (0..MAX_WAITING + 9).map(|number| number.to_string()).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        // Returns although nothing can be delivered.
        deliverer.deliver(&alerts(&settings, &many));
        let dropped = deliverer.problems();
        assert!((8..=9).contains(&dropped.len()), "{}", dropped.len());
        assert!(dropped[0].contains("too many wait"), "{dropped:?}");
        let given_up = deliverer.finish(Duration::from_secs(600)).await;
        assert!(given_up[0].contains("no answer within 10.00 s"), "{given_up:?}");
    }

    #[tokio::test]
    async fn a_token_goes_over_tls_only() {
        let settings = settings("webhook = \"http://hooks.example.com/s3cret\"");
        let error = Deliverer::start(&settings, Some("t0ken")).unwrap_err().to_string();
        assert!(error.contains("without TLS") && !error.contains("s3cret"), "{error}");
        assert!(!error.contains("t0ken"), "{error}");
        assert!(Deliverer::start(&settings, None).is_ok());
    }

    #[cfg(unix)]
    mod commands {
        use super::*;

        /// A program that writes its input and its variables into a file.
        fn program(script: &str, file: &std::path::Path) -> String {
            let parts = ["/bin/sh", "-c", script, &file.display().to_string()];
            format!("command = {}", serde_json::json!(parts))
        }

        #[tokio::test]
        async fn a_program_gets_the_alert_and_no_secrets() {
            let folder = tempfile::tempdir().unwrap();
            let file = folder.path().join("got");
            let settings = settings(&program("cat > \"$0\"; echo >> \"$0\"; env >> \"$0\"", &file));
            let deliverer = Deliverer::start(&settings, Some("t0ken")).unwrap();
            deliverer.deliver(&alerts(&settings, &["primary\u{1b}[2J $(rm -rf x)"]));
            assert_eq!(deliverer.finish(PATIENCE).await, [""; 0]);
            let got = std::fs::read_to_string(file).unwrap();
            let (json, variables) = got.split_once('\n').unwrap();
            let json: serde_json::Value = serde_json::from_str(json).unwrap();
            assert_eq!(json["subject"], "primary\u{1b}[2J $(rm -rf x)");
            let subject = r"COMPARTMENT_ALERT_SUBJECT=primary\x1b[2J $(rm -rf x)";
            assert!(variables.lines().any(|line| line == subject), "{variables}");
            assert!(!got.contains("t0ken") && !variables.contains("CARGO"), "{variables}");
        }

        #[tokio::test]
        async fn a_program_that_hangs_is_killed_with_those_it_started() {
            let folder = tempfile::tempdir().unwrap();
            let hangs = program("sleep 600 & sleep 600", &folder.path().join("x"));
            let settings = settings(&format!("timeout = \"100ms\"\n{hangs}"));
            let deliverer = Deliverer::start(&settings, None).unwrap();
            deliverer.deliver(&alerts(&settings, &["primary"]));
            // The task waits for the end of the program.
            let problems = deliverer.finish(PATIENCE).await;
            assert!(problems[0].contains("it was killed"), "{problems:?}");
        }

        #[tokio::test]
        async fn a_program_that_fails_or_is_missing_is_told() {
            let folder = tempfile::tempdir().unwrap();
            let of = |line: &str| {
                let settings = settings(line);
                let deliverer = Deliverer::start(&settings, None).unwrap();
                deliverer.deliver(&alerts(&settings, &["primary"]));
                deliverer.finish(PATIENCE)
            };
            let failed = of(&program("exit 3", &folder.path().join("x"))).await;
            assert!(failed[0].contains("exit status: 3"), "{failed:?}");
            let missing = of("command = [\"/nowhere/pager\"]").await;
            assert!(missing[0].contains("does not start"), "{missing:?}");
        }
    }
}
