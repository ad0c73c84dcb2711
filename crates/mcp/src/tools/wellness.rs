//! Health and findings.

use std::time::Duration;

use compartment_operations::counted;

use super::Said;
use super::arguments::Nothing;
use super::results::{CheckLine, DoctorReport, FindingLine, HealthReport};
use crate::answer::{Answer, first};
use crate::serving::Serving;

/// A server that takes longer for an answer does not answer.
const TIMEOUT: Duration = Duration::from_secs(10);
const MAX_CHECKS: usize = 100;
const MAX_FINDINGS: usize = 50;
const MAX_NAMES: usize = 10;

pub(crate) async fn health(server: &Serving, _: Nothing) -> Answer<Said> {
    let found = server.operations().health(TIMEOUT).await?;
    let line = |check: &compartment_admin::health::Check| CheckLine {
        name: check.name.clone(),
        subject: check.subject.clone(),
        state: check.state.to_string(),
        figure: check.figure,
        threshold: check.threshold,
        message: check.message.clone(),
    };
    let (checks, more_checks) = first(found.checks.iter().map(line).collect(), MAX_CHECKS);
    let fields = HealthReport {
        state: found.state.to_string(),
        made: found.made.clone(),
        checks,
        more_checks,
    };
    let sentence = format!(
        "The deployment is {}, by {}.",
        fields.state,
        counted(fields.checks.len() as u64 + more_checks, "check")
    );
    let said = Said::new(sentence, &fields)?;
    server.reports().keep("health", &said.1);
    Ok(said)
}

pub(crate) async fn doctor(server: &Serving, _: Nothing) -> Answer<Said> {
    let found = server.operations().examine().await?;
    let line = |finding: &compartment_admin::doctor::Finding| FindingLine {
        code: word(&finding.code),
        severity: word(&finding.severity),
        instance: finding.instance.clone(),
        databases: first(finding.databases.clone(), MAX_NAMES).0,
        keys: first(finding.keys.clone(), MAX_NAMES).0,
        what: finding.what.clone(),
        why: finding.why.clone(),
        cure: finding.cure.clone(),
    };
    let (findings, more_findings) = first(found.findings.iter().map(line).collect(), MAX_FINDINGS);
    let fields = DoctorReport {
        findings,
        more_findings,
        unknown: first(found.unknown.clone(), MAX_FINDINGS).0,
        instances: found.instances as u64,
        databases: found.databases as u64,
        keys_looked_at: found.keys_looked_at,
    };
    let all = fields.findings.len() as u64 + more_findings;
    let said = Said::new(format!("The doctor has {}.", counted(all, "finding")), &fields)?;
    server.reports().keep("doctor", &said.1);
    Ok(said)
}

/// The word for a code or a severity, as in its JSON.
fn word<T: serde::Serialize>(value: &T) -> String {
    let value = serde_json::to_value(value).unwrap_or_default();
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}
