//! Keeps the processors from dozing while something waits for an answer: a program that turns in
//! circles on each, at the lowest priority there is. Without it one client's latency depends on
//! how deep the machine sleeps between two requests.

use std::io::Read;
use std::process::{Child, Command, Stdio};

use crate::measure::Failure;

/// The programs that turn in circles; ended on drop.
#[derive(Debug)]
pub(crate) struct Spinners(Vec<Child>);

impl Spinners {
    /// One for each processor, scheduled only where nothing else is.
    pub(crate) fn start() -> Result<Self, Failure> {
        let program = std::env::current_exe()?;
        let count = std::thread::available_parallelism()?.get();
        let mut spinners = Self(Vec::with_capacity(count));
        for _ in 0..count {
            // The idle class is better than a low priority, and not every system has it.
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

/// What such a program does: turns in circles until the one that started it is gone, which closes
/// its standard input.
pub(crate) fn spin() {
    std::thread::spawn(|| {
        loop {
            std::hint::spin_loop();
        }
    });
    let mut nothing = Vec::new();
    let _ = std::io::stdin().read_to_end(&mut nothing);
}
