//! Process groups: a program is ended together with the programs that it started.

use std::process::{Child, Command};
use std::time::Duration;

/// Starts a command in a process group of its own, which a terminal's Ctrl-C does not reach.
pub(crate) fn in_own_group(command: &mut Command) {
    #[cfg(unix)]
    std::os::unix::process::CommandExt::process_group(command, 0);
    #[cfg(not(unix))]
    let _ = command;
}

/// Kills a process that leads a group, with its group; call it before the process is waited for, while its number
/// belongs to it.
pub(crate) fn kill_group(child: &mut Child) {
    #[cfg(unix)]
    {
        use rustix::process::{Pid, Signal, kill_process_group};

        // An error means that nobody is left in the group.
        let _ = kill_process_group(Pid::from_child(child), Signal::KILL);
    }
    // Where there are no groups, and for a process that is not a leader; one that has ended is not an error.
    let _ = child.kill();
}

/// How long a process that has closed its output may take to end.
const LAST_MOMENT: Duration = Duration::from_millis(500);

/// Whether a process that has closed its output ends by itself. It is not waited for: its number, and that of its group,
/// still belong to it.
#[cfg(unix)]
pub(crate) fn ends_by_itself(child: &mut Child) -> bool {
    use rustix::process::{Pid, WaitId, WaitIdOptions, waitid};

    const LOOK_EVERY: Duration = Duration::from_millis(1);
    let id = WaitId::Pid(Pid::from_child(child));
    let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
    let started = std::time::Instant::now();
    while started.elapsed() < LAST_MOMENT {
        match waitid(id.clone(), options) {
            Ok(None) => std::thread::sleep(LOOK_EVERY),
            ended => return ended.is_ok(),
        }
    }
    false
}

/// Whether a process that has closed its output ends by itself.
#[cfg(not(unix))]
pub(crate) fn ends_by_itself(child: &mut Child) -> bool {
    std::thread::sleep(LAST_MOMENT);
    matches!(child.try_wait(), Ok(Some(_)))
}
