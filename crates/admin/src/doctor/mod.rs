//! Holds a deployment against the contracts of its databases, and names the cure of each fault.
//!
//! Reads only, unless [`DoctorOptions::writes_canary`] says otherwise. Of each numbered database a bounded
//! sample of keys is looked at, by commands that leave their idle times as they are. A command that a server
//! hides makes that part unknown, never a finding.

mod access;
mod acl;
mod code;
mod connections;
mod contracts;
mod cure;
mod facts;
mod finding;
mod hot_keys;
mod identity;
mod limit;
mod memory;
mod node;
mod options;
mod persistence;
mod programs;
mod protection;
mod queues;
mod replicas;
mod sample;
mod server;
mod settings;

use std::cmp::Reverse;

use serde::{Deserialize, Serialize};

pub use acl::{InstanceUsers, users};
pub use code::{Code, Severity};
pub use finding::Finding;
pub use options::{DoctorOptions, WrittenSecret};
pub use settings::{InstanceSettings, settings};

use crate::Deployment;
use facts::Facts;

/// The findings, and how much was looked at for them.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Examination {
    /// The findings, the most serious first.
    pub findings: Vec<Finding>,
    /// Parts that could not be looked at, and why, in a sentence each.
    pub unknown: Vec<String>,
    /// How many instances were examined.
    pub instances: usize,
    /// How many databases of the map are placed on them.
    pub databases: usize,
    /// How many keys were looked at.
    pub keys_looked_at: u64,
}

impl Examination {
    /// How serious the most serious finding is.
    #[must_use]
    pub fn worst(&self) -> Option<Severity> {
        self.findings.iter().map(|finding| finding.severity).max()
    }
}

/// Examines `deployment`. A part that cannot be looked at is in [`Examination::unknown`].
pub async fn examine(deployment: &Deployment, options: &DoctorOptions) -> Examination {
    let mut facts = Facts::gather(deployment, options).await;
    let mut findings = Vec::new();
    for server in &facts.servers {
        let found = [
            memory::check(server),
            contracts::check(&facts, server, options),
            hot_keys::check(server),
            persistence::check(server),
            identity::check_server(&facts, server),
            access::check(server),
            connections::check(server),
            programs::check(server),
        ];
        findings.extend(found.into_iter().flatten().map(|one| one.instance(server.name)));
    }
    let mut unknown = Vec::new();
    for server in &facts.servers {
        let mut found = replicas::check(server, &mut unknown).await;
        found.extend(identity::check_isolation(server, options, &mut unknown).await);
        found.extend(server::check(server, &mut unknown).await);
        found.extend(queues::check(server, &mut unknown).await);
        findings.extend(found.into_iter().map(|one| one.instance(server.name)));
    }
    findings.extend(identity::check_instances(&facts, options, &mut unknown).await);
    findings.extend(access::check_secrets(options));
    findings.sort_by(|a, b| {
        let key = |one: &Finding| (Reverse(one.severity), one.code);
        key(a).cmp(&key(b)).then_with(|| a.instance.cmp(&b.instance))
    });
    facts.unknown.append(&mut unknown);
    Examination {
        findings,
        instances: facts.servers.len(),
        databases: facts.servers.iter().map(|server| server.databases.len()).sum(),
        keys_looked_at: facts.keys_looked_at(),
        unknown: facts.unknown,
    }
}
