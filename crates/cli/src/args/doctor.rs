//! The arguments of `compartment doctor`.

use clap::{Args, ValueEnum};
use compartment_admin::doctor::Severity;

/// Hold the servers against the contracts of their databases, and name the cure of each fault.
#[derive(Args, Debug)]
#[command(after_help = HELP)]
pub(crate) struct Doctor {
    /// From which severity on the exit code is not 0
    #[arg(long, value_name = "SEVERITY", default_value = "warning")]
    pub(crate) fail_on: FailOn,

    /// Look at up to this many keys of each numbered database
    #[arg(long, value_name = "N", default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub(crate) sample: u32,

    /// Write a key for a moment, to prove that numbered databases are apart and instances are not one
    /// server where the servers do not tell; it expires within 10 s by itself
    #[arg(long)]
    pub(crate) canary: bool,

    /// Print users for the databases instead, as lines of redis.conf or of an ACL file
    #[arg(long, conflicts_with_all = ["emit_config", "canary"])]
    pub(crate) emit_acl: bool,

    /// Print the settings under which the contracts are kept instead, as lines of redis.conf
    #[arg(long, conflicts_with = "canary")]
    pub(crate) emit_config: bool,

    /// Print as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// The least severity that counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum FailOn {
    /// Any finding.
    Notice,
    /// A contract is broken, or will be.
    Warning,
    /// Keys are lost or refused, or will be.
    Critical,
    /// The exit code is 0 whatever is found.
    Never,
}

impl FailOn {
    /// Whether a finding of this severity counts.
    pub(crate) fn counts(self, severity: Severity) -> bool {
        match self {
            Self::Notice => true,
            Self::Warning => severity >= Severity::Warning,
            Self::Critical => severity >= Severity::Critical,
            Self::Never => false,
        }
    }
}

const HELP: &str = "Changes nothing, and leaves the idle time of keys as it is. A command that a server \
hides makes that part unknown, never a finding. Findings about keys are from a sample: keys that were \
not looked at may have the fault too. The page docs/doctor.md explains each code.

The exit code is that of the most serious finding, from --fail-on on: 20 notice, 21 warning, 22 critical.

Examples:
  compartment doctor --backend redis://127.0.0.1:6379
  compartment doctor --fail-on critical --json > findings.json
  compartment doctor --sample 100000
  compartment doctor --emit-config > redis.conf.d/compartment.conf
  compartment doctor --emit-acl";
