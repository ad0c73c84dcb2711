//! Plans changes of the memory limit and the eviction policy of a server.

use std::time::Duration;

use compartment_admin::{
    DeployedServer, LimitOptions, LimitReport, MemorySettings, limit, places, size,
};
use serde_json::{Value, json};

use super::counted::{Bound, Counted, digest};
use super::{Change, ChangeError, Changes};

/// A request takes the server longer than this only when it is in trouble.
const RESPONSE_TIMEOUT: Duration = Duration::from_secs(10);
const MIB: u64 = 1024 * 1024;

/// The limits that are wanted.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wanted<'a> {
    pub(super) instance: Option<&'a str>,
    pub(super) max_memory_mb: u64,
    pub(super) policy: &'a str,
    pub(super) force: bool,
}

impl<'a> Wanted<'a> {
    pub(super) fn of(change: &'a Change) -> Option<Self> {
        let Change::SetMemoryLimit { instance, max_memory_mb, policy, force } = change else {
            return None;
        };
        Some(Self {
            instance: instance.as_deref(),
            max_memory_mb: *max_memory_mb,
            policy,
            force: *force,
        })
    }

    fn options(self) -> Result<LimitOptions, ChangeError> {
        let bytes =
            self.max_memory_mb.checked_mul(MIB).filter(|bytes| i64::try_from(*bytes).is_ok());
        let Some(bytes) = bytes else {
            let what = format!("{} MiB are more than a server can count", self.max_memory_mb);
            return Err(ChangeError::Invalid(what));
        };
        let mut options = LimitOptions::default();
        options.max_memory = Some(bytes);
        options.policy = Some(self.policy.to_owned());
        (options.below_usage, options.accept_eviction) = (self.force, self.force);
        Ok(options)
    }
}

impl Changes {
    pub(super) async fn count_limits(&self, wanted: Wanted<'_>) -> Result<Counted, ChangeError> {
        let options = wanted.options()?;
        let (name, server) = self.limited(wanted.instance).await?;
        let report = limit(&server, &options).await?;
        let settings: Vec<MemorySettings> =
            report.nodes.iter().map(|node| node.before.clone()).collect();
        let identity = digest(&server.server.info().identity);
        let bound_to = format!("{} run {}", server.server.url(), &identity[..12]);
        let parts = report.nodes.iter().flat_map(|node| {
            [node.location.clone(), node.before.max_memory.to_string(), node.before.policy.clone()]
        });
        let mut refusals = report.refusals.clone();
        if report.nodes.iter().all(|node| node.before == node.after) {
            refusals.push(format!("{name} has these limits already"));
        }
        let mut touches: Vec<String> = report
            .nodes
            .iter()
            .map(|node| {
                format!("{name} {}: {}", node.location, change_of(&node.before, &node.after))
            })
            .collect();
        touches.extend(report.notes.iter().cloned());
        touches.truncate(super::counted::MAX_TOUCHES);
        Ok(Counted {
            summary: format!(
                "set the memory limit of {name} to {} with {}, until the server restarts",
                limit_of(wanted.max_memory_mb * MIB),
                wanted.policy
            ),
            touches,
            count: report.nodes.len() as u64,
            digest: digest([bound_to.clone()].into_iter().chain(parts)),
            server: bound_to,
            refusals,
            before: json!(settings),
            dry_run: json!(report),
            bound: Bound::Settings(settings),
        })
    }

    /// Sets the limits, if the settings are still those that were looked at.
    pub(super) async fn set_limits(
        &self,
        wanted: Wanted<'_>,
        expected: &[MemorySettings],
    ) -> Result<(String, u64, Value, String), ChangeError> {
        let mut options = wanted.options()?;
        (options.apply, options.expected) = (true, Some(expected.to_vec()));
        let (name, server) = self.limited(wanted.instance).await?;
        let report = limit(&server, &options).await?;
        let after: Vec<&MemorySettings> = report.nodes.iter().map(|node| &node.after).collect();
        let text = format!(
            "the memory limit of {name} is {} with {}, until the server restarts",
            limit_of(wanted.max_memory_mb * MIB),
            wanted.policy
        );
        let after = json!(after);
        Ok((text, report.nodes.len() as u64, after, way_back(&name, &report)))
    }

    async fn limited(
        &self,
        instance: Option<&str>,
    ) -> Result<(String, DeployedServer), ChangeError> {
        let (name, instance) = places::server(self.map(), instance)?;
        let server = DeployedServer::connect(self.map(), name, instance, RESPONSE_TIMEOUT).await?;
        Ok((name.to_owned(), server))
    }
}

fn limit_of(bytes: u64) -> String {
    if bytes == 0 { "none".to_owned() } else { size(bytes) }
}

fn change_of(before: &MemorySettings, after: &MemorySettings) -> String {
    format!(
        "from {} with {} to {} with {}",
        limit_of(before.max_memory),
        before.policy,
        limit_of(after.max_memory),
        after.policy
    )
}

fn way_back(name: &str, report: &LimitReport) -> String {
    report.nodes.first().map_or_else(String::new, |node| {
        format!(
            "to take it back: compartment limit --instance {name} --max-memory {} --policy {} --below-usage --apply",
            node.before.max_memory, node.before.policy
        )
    })
}
