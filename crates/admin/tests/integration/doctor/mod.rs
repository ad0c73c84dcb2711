//! The doctor: each code on a real server that has the fault, and none on right ones.

#![expect(clippy::unwrap_used, reason = "test support: a failure here is a failed test")]

mod access;
mod contracts;
mod emitted;
mod identity;
mod memory;
mod persistence;
mod programs;
mod right;

use std::time::Duration;

use compartment_admin::Deployment;
use compartment_admin::doctor::{Code, DoctorOptions, Examination, Finding, Severity, examine};
use compartment_core::{DatabaseMap, DatabaseMapBuilder, Instance, Preset};
use compartment_testkit::TestRedis;

/// The databases of the preset on one server.
pub(crate) fn pipeline(url: &str) -> DatabaseMap {
    DatabaseMapBuilder::preset(Preset::Pipeline)
        .instance("primary", Instance::new(url).unwrap())
        .build()
        .unwrap()
}

pub(crate) async fn deployed(map: &DatabaseMap) -> Deployment {
    Deployment::connect(map, Duration::from_secs(20)).await
}

pub(crate) async fn examined(map: &DatabaseMap) -> Examination {
    examine(&deployed(map).await, &DoctorOptions::default()).await
}

pub(crate) fn codes(examination: &Examination) -> Vec<Code> {
    examination.findings.iter().map(|finding| finding.code).collect()
}

/// The finding of a code, which says all that a finding has to say.
pub(crate) fn found(examination: &Examination, code: Code) -> &Finding {
    let finding = examination.findings.iter().find(|finding| finding.code == code);
    let Some(finding) = finding else { unreachable!("no {code} in {examination:#?}") };
    for text in [&finding.instance, &finding.what, &finding.why, &finding.cure] {
        assert!(!text.is_empty() && !text.contains('\n'), "{finding:#?}");
    }
    finding
}

pub(crate) fn severity(examination: &Examination, code: Code) -> Severity {
    found(examination, code).severity
}

/// Sets the server as an operator does.
pub(crate) async fn set(server: &TestRedis, name: &str, value: &str) {
    let answer = server.command(&["CONFIG", "SET", name, value]).await;
    assert!(!answer.is_error(), "{name} {value}: {answer:?}");
}
