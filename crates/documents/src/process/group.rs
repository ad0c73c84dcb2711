//! Process groups: a program is ended together with the programs that it started.

use std::process::{Child, Command};

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
