//! The limits that a process sets on itself before it reads what others wrote.
//!
//! The process is our own program, so it can limit itself: code between `fork` and `exec` would be unsafe. Whatever it
//! starts inherits the limits.

use std::io::Result;

/// Address space beyond the memory limit: the program itself, and what allocators reserve without using it.
#[cfg(unix)]
const RESERVED_BYTES: u64 = 1024 * 1024 * 1024;
/// Stack of the main thread; parsers that recurse run on threads with a stack of their own.
#[cfg(unix)]
const STACK_BYTES: u64 = 64 * 1024 * 1024;
/// Size of a file that an OCR program may write as scratch. A reader itself writes none.
#[cfg(unix)]
const FILE_BYTES: u64 = 64 * 1024 * 1024;
/// Files open at a time.
#[cfg(unix)]
const FILES: u64 = 64;
/// Bytes of a core dump. A size of 1, unlike 0, also keeps the kernel from handing the dump to a program.
#[cfg(unix)]
const CORE_BYTES: u64 = 1;

/// Limits this process to `memory` bytes, and takes its means to gain privileges, to leave a core dump and to outlive
/// the thread that started it.
#[cfg(unix)]
pub(crate) fn confine(memory: u64) -> Result<()> {
    use rustix::process::Resource;

    lower(Resource::Data, memory)?;
    lower(Resource::As, memory.saturating_add(RESERVED_BYTES))?;
    lower(Resource::Stack, STACK_BYTES)?;
    lower(Resource::Fsize, FILE_BYTES)?;
    lower(Resource::Nofile, FILES)?;
    lower(Resource::Core, CORE_BYTES)?;
    #[cfg(target_os = "linux")]
    {
        use rustix::process::{DumpableBehavior, Signal};

        rustix::thread::set_no_new_privs(true)?;
        rustix::process::set_dumpable_behavior(DumpableBehavior::NotDumpable)?;
        rustix::process::set_parent_process_death_signal(Some(Signal::KILL))?;
    }
    Ok(())
}

/// Nothing can be limited here: the process is killed at its time-out, and ends with its input.
#[cfg(not(unix))]
pub(crate) fn confine(_memory: u64) -> Result<()> {
    Ok(())
}

/// Lets this process use `seconds` of processor time beyond those used so far; after that, the system ends it.
#[cfg(unix)]
pub(crate) fn allow_processor_time(seconds: u64) -> Result<()> {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    use rustix::time::{ClockId, clock_gettime};

    let used = u64::try_from(clock_gettime(ClockId::ProcessCPUTime).tv_sec).unwrap_or_default();
    let wanted = used.saturating_add(seconds).saturating_add(1);
    let maximum = getrlimit(Resource::Cpu).maximum;
    let current = Some(maximum.map_or(wanted, |maximum| maximum.min(wanted)));
    Ok(setrlimit(Resource::Cpu, Rlimit { current, maximum })?)
}

/// Processor time cannot be limited here.
#[cfg(not(unix))]
pub(crate) fn allow_processor_time(_seconds: u64) -> Result<()> {
    Ok(())
}

/// Lowers a limit for good; a lower one stays.
#[cfg(unix)]
fn lower(resource: rustix::process::Resource, to: u64) -> Result<()> {
    use rustix::process::{Rlimit, getrlimit, setrlimit};

    let before = getrlimit(resource);
    let lower = |limit: Option<u64>| Some(limit.map_or(to, |limit| limit.min(to)));
    let limit = Rlimit { current: lower(before.current), maximum: lower(before.maximum) };
    Ok(setrlimit(resource, limit)?)
}
