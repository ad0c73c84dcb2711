//! The memory of this process, as the system reports it.

/// The memory of this process, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ProcessMemory {
    /// The resident memory at this moment.
    pub resident: u64,
    /// The highest resident memory since the process started, if the system reports it.
    pub peak: Option<u64>,
}

impl ProcessMemory {
    /// Reads `/proc/self/status`; `None` on systems without it.
    #[must_use]
    pub fn now() -> Option<Self> {
        let status = std::fs::read_to_string("/proc/self/status").ok()?;
        let bytes = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name))?;
            Some(line.split_whitespace().next()?.parse::<u64>().ok()? * 1_024)
        };
        Some(Self { resident: bytes("VmRSS:")?, peak: bytes("VmHWM:") })
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn memory_that_is_written_to_is_resident() {
        let before = ProcessMemory::now().unwrap();
        let block = vec![1_u8; 64 << 20];
        let after = ProcessMemory::now().unwrap();
        assert!(after.resident >= before.resident + (32 << 20), "{before:?} {after:?}");
        assert!(after.peak.is_none_or(|peak| peak >= after.resident));
        drop(block);
    }
}
