//! What a front counts, as figures of its databases: `stats`, `monitor`, `serve` and Prometheus show them.

use std::collections::BTreeMap;
use std::time::Duration;

use compartment::Databases;
use compartment::database_map::Role;
use compartment_front::{FrontHandle, Passed};

use crate::commands::operations;
use crate::commands::publishing::Publishing;
use crate::screen;
use crate::settings::Settings;

/// How often what was counted since is handed on.
const EVERY: Duration = Duration::from_secs(1);

/// Hands on what a front counts. Without a metrics database nothing is handed on.
pub(super) struct Traffic {
    front: FrontHandle,
    open: Option<(Databases, Publishing)>,
    said: BTreeMap<String, Passed>,
}

impl Traffic {
    pub(super) async fn open(settings: &Settings, front: FrontHandle) -> Self {
        let metrics = settings.map.roles().database(Role::Metrics);
        if settings.map.database(metrics).is_none() {
            return Self { front, open: None, said: BTreeMap::new() };
        }
        let opened = async {
            let databases = operations::of_work(settings, None)?.databases().await?;
            let publishing = Publishing::start(&databases);
            Ok::<_, crate::exit_code::CliError>((databases, publishing))
        };
        let open = match opened.await {
            Ok(open) => Some(open),
            Err(error) => {
                screen::remark(format!("`stats` will not show what passes here: {error}"));
                None
            }
        };
        Self { front, open, said: BTreeMap::new() }
    }

    /// Hands on, again and again.
    pub(super) async fn follow(&mut self) {
        loop {
            tokio::time::sleep(EVERY).await;
            self.hand_on();
        }
    }

    /// Hands on the rest.
    pub(super) async fn end(mut self) {
        self.hand_on();
        if let Some((_, publishing)) = self.open.take() {
            publishing.end().await;
        }
    }

    fn hand_on(&mut self) {
        let Some((databases, _)) = &self.open else { return };
        for (name, figures) in self.front.figures().databases {
            let Ok(database) = databases.get(&name) else { continue };
            let now = figures.passed;
            let before = self.said.insert(name, now.clone()).unwrap_or_default();
            let traffic = database.traffic();
            // Counters only grow.
            let more = |figure: fn(&Passed) -> u64| figure(&now).saturating_sub(figure(&before));
            traffic.reads(more(|it| it.hits), more(|it| it.misses));
            traffic.wrote(more(|it| it.writes));
            let lost = more(|it| it.lost);
            traffic.sent(more(|it| it.operations) + lost, more(|it| it.bytes_in));
            traffic.unanswered(lost);
            let counts = now.latencies.iter().zip(&before.latencies);
            let counts = counts.map(|(now, before)| now.saturating_sub(*before));
            let sum = Duration::from_micros(more(|it| it.micros));
            traffic.answered_many(more(|it| it.bytes_out), sum, Passed::limits().zip(counts));
        }
    }
}
