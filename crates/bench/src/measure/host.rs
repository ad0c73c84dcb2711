//! Records where and when figures were measured, without which they mean nothing.

use std::fmt;
use std::process::Command;

use serde::Serialize;

/// The machine, the programs and the time.
#[derive(Debug, Serialize)]
pub(crate) struct Host {
    cpu: String,
    cores: usize,
    system: String,
    server: String,
    /// The commit; with `+` if files have changed since.
    revision: String,
    date: String,
    /// Whether it was measured in a fifth of the time, so that it must not be quoted.
    quick: bool,
}

impl Host {
    pub(crate) async fn look(quick: bool) -> Self {
        let unknown = || "unknown".to_owned();
        let changed =
            output("git", &["status", "--porcelain"]).is_some_and(|text| !text.is_empty());
        let revision = output("git", &["rev-parse", "--short", "HEAD"]).unwrap_or_else(unknown);
        Self {
            cpu: cpu().unwrap_or_else(unknown),
            cores: std::thread::available_parallelism().map_or(0, std::num::NonZero::get),
            system: output("uname", &["-sr"]).unwrap_or_else(unknown),
            server: output("redis-server", &["--version"])
                .and_then(|text| Some(text.split_once("v=")?.1.split(' ').next()?.to_owned()))
                .unwrap_or_else(unknown),
            revision: revision + if changed { "+" } else { "" },
            date: jiff::Timestamp::now().strftime("%Y-%m-%d").to_string(),
            quick,
        }
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { cpu, cores, system, server, revision, date, quick } = self;
        writeln!(f, "{cpu}, {cores} cores, {system}; redis-server {server} on loopback")?;
        write!(f, "revision {revision}, {date}")?;
        if *quick { write!(f, "; quick: not to be quoted") } else { Ok(()) }
    }
}

fn output(program: &str, arguments: &[&str]) -> Option<String> {
    let output = Command::new(program).args(arguments).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| text.trim().to_owned())
}

fn cpu() -> Option<String> {
    let from_file = std::fs::read_to_string("/proc/cpuinfo").ok().and_then(|text| {
        let line = text.lines().find(|line| line.starts_with("model name"))?;
        Some(line.split_once(':')?.1.trim().to_owned())
    });
    from_file.or_else(|| output("sysctl", &["-n", "machdep.cpu.brand_string"]))
}
