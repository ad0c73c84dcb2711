//! Gives an alert to a program: as JSON on its standard input, and in environment variables. No shell reads either.

use std::process::Stdio;
use std::time::Duration;

use compartment_admin::printable;
use tokio::io::AsyncWriteExt;
use tokio::process::{Child, Command};

use super::Alert;

/// Variables of this process that the program gets. Passwords and URLs of servers are in others.
const PASSED_ON: [&str; 9] =
    ["PATH", "HOME", "USER", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "TMPDIR", "SYSTEMROOT"];

/// Runs the program once and waits for its end.
pub(super) async fn run(
    program: &[String],
    alert: &Alert,
    timeout: Duration,
) -> Result<(), String> {
    let Some((name, arguments)) = program.split_first() else { return Ok(()) };
    let mut command = Command::new(name);
    command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
    command.env_clear().kill_on_drop(true);
    command.envs(PASSED_ON.iter().filter_map(|name| Some((name, std::env::var_os(name)?))));
    command.envs(variables(alert));
    #[cfg(unix)]
    command.process_group(0);
    let mut child = command.spawn().map_err(|error| format!("it does not start: {error}"))?;
    let input = alert.as_json().to_string();
    match tokio::time::timeout(timeout, fed(&mut child, input.as_bytes())).await {
        Ok(Ok(status)) if status.success() => Ok(()),
        Ok(Ok(status)) => Err(format!("it ends with {status}")),
        Ok(Err(error)) => Err(format!("it cannot be waited for: {error}")),
        Err(_) => {
            kill(&mut child).await;
            Err(format!("it was killed, because it had not ended within {}", crate::time(timeout)))
        }
    }
}

/// The alert in environment variables, which hold no control characters.
fn variables(alert: &Alert) -> [(&'static str, String); 7] {
    [
        ("COMPARTMENT_ALERT_STATE", alert.state.to_string()),
        ("COMPARTMENT_ALERT_CHECK", printable(&alert.check)),
        ("COMPARTMENT_ALERT_SUBJECT", printable(&alert.subject)),
        ("COMPARTMENT_ALERT_SEVERITY", alert.severity.to_string()),
        ("COMPARTMENT_ALERT_MESSAGE", printable(&alert.message)),
        ("COMPARTMENT_ALERT_TEXT", printable(&alert.text())),
        ("COMPARTMENT_ALERT_SINCE_MS", alert.since_ms.to_string()),
    ]
}

async fn fed(child: &mut Child, input: &[u8]) -> std::io::Result<std::process::ExitStatus> {
    if let Some(mut pipe) = child.stdin.take() {
        // A program may end, or close its input, without reading it.
        let _ = pipe.write_all(input).await;
    }
    child.wait().await
}

/// Ends the program, and the programs that it started.
async fn kill(child: &mut Child) {
    #[cfg(unix)]
    if let Some(group) = child.id().and_then(|id| rustix::process::Pid::from_raw(id.cast_signed()))
    {
        // An error means that nobody is left in the group.
        let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
    }
    let _ = child.kill().await;
}
