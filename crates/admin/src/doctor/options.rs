//! How a deployment is examined.

/// How to examine a deployment.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct DoctorOptions {
    /// How many keys of each numbered database are looked at, at most.
    pub sample: usize,
    /// A key of this many bytes or more is a big one.
    pub big_key_bytes: u64,
    /// Whether a key may be written for a moment, to see whether numbered databases are apart and whether
    /// two instances are one server where the servers do not tell. It expires within 10 s by itself.
    pub writes_canary: bool,
    /// Passwords that stand in files.
    pub written_secrets: Vec<WrittenSecret>,
}

impl Default for DoctorOptions {
    fn default() -> Self {
        Self {
            sample: 1_000,
            big_key_bytes: 16 << 20,
            writes_canary: false,
            written_secrets: Vec::new(),
        }
    }
}

/// A password that stands in a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WrittenSecret {
    /// The instance whose URL holds it, or `the ledger`.
    pub instance: String,
    /// The file.
    pub file: String,
    /// Whether other users of the machine may read the file.
    pub others_may_read: bool,
}
