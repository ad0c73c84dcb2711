//! Keeps the processors awake with busy loops at the lowest priority.
//!
//! Without them, a single client's latency depends on the processors' sleep states between
//! requests.

use std::io::Read;
use std::process::{Child, Command, Stdio};

use crate::measure::Failure;

/// The processes with busy loops; killed on drop.
#[derive(Debug)]
pub(crate) struct Spinners(Vec<Child>);

impl Spinners {
    /// Starts one for each processor, scheduled only when nothing else runs.
    pub(crate) fn start() -> Result<Self, Failure> {
        let program = std::env::current_exe()?;
        let count = std::thread::available_parallelism()?.get();
        let mut spinners = Self(Vec::with_capacity(count));
        for _ in 0..count {
            // The idle class is better than a low priority, but not every system has it.
            let idle = Command::new("chrt").args(["--idle", "0"]).arg(&program).spin();
            let child =
                idle.or_else(|_| Command::new("nice").args(["-n", "19"]).arg(&program).spin());
            match child {
                Ok(child) => spinners.0.push(child),
                Err(error) => eprintln!("note: the processors may doze, which adds noise: {error}"),
            }
        }
        Ok(spinners)
    }
}

impl Drop for Spinners {
    fn drop(&mut self) {
        for child in &mut self.0 {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

trait Spin {
    fn spin(&mut self) -> std::io::Result<Child>;
}

impl Spin for Command {
    fn spin(&mut self) -> std::io::Result<Child> {
        self.arg("spin").stdin(Stdio::piped()).stdout(Stdio::null()).spawn()
    }
}

/// Runs a busy loop until the parent process ends, which closes this process's standard input.
pub(crate) fn spin() {
    std::thread::spawn(|| {
        loop {
            std::hint::spin_loop();
        }
    });
    let mut nothing = Vec::new();
    let _ = std::io::stdin().read_to_end(&mut nothing);
}
