//! Which tools the servers' own access rules forbid.

use std::collections::BTreeSet;
use std::time::Duration;

use compartment_admin::may_run;
use compartment_operations::Operations;
use tokio::sync::Mutex;
use tokio::time::Instant;

use crate::catalog::TOOLS;

/// How long an answer of the servers holds: rules change seldom.
const HOLDS: Duration = Duration::from_secs(60);
/// A server that does not answer does not keep a client waiting for the list of tools.
const TIMEOUT: Duration = Duration::from_secs(5);

/// The tools that no server allows, as far as the servers tell.
#[derive(Debug, Default)]
pub(crate) struct Rights {
    known: Mutex<Option<(Instant, BTreeSet<&'static str>)>>,
}

impl Rights {
    /// The names of forbidden tools. A server that is away, or does not tell, forbids none.
    pub(crate) async fn forbidden(&self, operations: &Operations) -> BTreeSet<&'static str> {
        let mut known = self.known.lock().await;
        if let Some((at, forbidden)) = known.as_ref()
            && at.elapsed() < HOLDS
        {
            return forbidden.clone();
        }
        let asked = tokio::time::timeout(TIMEOUT, ask(operations)).await.unwrap_or_default();
        *known = Some((Instant::now(), asked.clone()));
        asked
    }
}

async fn ask(operations: &Operations) -> BTreeSet<&'static str> {
    let needs: Vec<(&'static str, &[&str])> =
        TOOLS.iter().flat_map(|tool| tool.needs.iter().map(|need| (tool.name, *need))).collect();
    let commands: Vec<&[&str]> = needs.iter().map(|(_, command)| *command).collect();
    let Ok(deployment) = operations.deployment().await else { return BTreeSet::new() };
    let mut forbidden: Option<BTreeSet<&'static str>> = None;
    for (_, server) in deployment.servers() {
        let rights = may_run(&server.server, &commands).await;
        let here = needs.iter().zip(rights).filter(|(_, right)| *right == Some(false));
        let here: BTreeSet<&'static str> = here.map(|((tool, _), _)| *tool).collect();
        // A tool that one server allows is of use there.
        forbidden = Some(match forbidden {
            Some(before) => before.intersection(&here).copied().collect(),
            None => here,
        });
    }
    forbidden.unwrap_or_default()
}
