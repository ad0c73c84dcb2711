//! The facts of a connection by which routes choose programs.

/// A program as its connection tells it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Program<'a> {
    /// The name that it logged in with; `default` without a login.
    pub user: &'a str,
    /// The name that it gave with `CLIENT SETNAME`; empty without one.
    pub client: &'a [u8],
    /// The index that it selected.
    pub select: u32,
}

impl Default for Program<'_> {
    fn default() -> Self {
        Self { user: "default", client: b"", select: 0 }
    }
}
