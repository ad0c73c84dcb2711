//! The server programs that tests run on: the system's, and other versions of Redis and Valkey.

use std::path::{Path, PathBuf};

/// The variable with the path of the program that tests use instead of the system's `redis-server`.
pub const SERVER_VARIABLE: &str = "COMPARTMENT_TEST_SERVER";

/// The folder in which `cargo xtask servers` puts programs.
const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../target/servers/bin");

/// A program that serves Redis's protocol.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerProgram {
    name: String,
    path: PathBuf,
}

impl ServerProgram {
    /// The program that tests use unless they choose another: the one named by [`SERVER_VARIABLE`], or `redis-server`
    /// on `PATH`.
    #[must_use]
    pub fn usual() -> Self {
        match std::env::var_os(SERVER_VARIABLE).filter(|path| !path.is_empty()) {
            Some(path) => Self::at(Path::new(&path)),
            None => Self::system(),
        }
    }

    /// `redis-server` on `PATH`.
    #[must_use]
    pub fn system() -> Self {
        Self { name: "system".to_owned(), path: "redis-server".into() }
    }

    fn at(path: &Path) -> Self {
        let name = path.file_name().unwrap_or_default().display().to_string();
        Self { name, path: path.to_owned() }
    }

    /// A program that `cargo xtask servers` has fetched, for example `valkey-9.1`.
    ///
    /// # Panics
    /// If it was not fetched.
    #[must_use]
    pub fn named(name: &str) -> Self {
        let path = Path::new(FOLDER).join(name);
        assert!(path.is_file(), "there is no server {name}: run `cargo xtask servers`");
        Self::at(&path)
    }

    /// The system's program, and each that `cargo xtask servers` fetches.
    ///
    /// # Panics
    /// If they were not fetched.
    #[must_use]
    pub fn all() -> Vec<Self> {
        let fetched = ["redis-6.2", "redis-8.2", "valkey-8.1", "valkey-9.1"].map(Self::named);
        let mut all = vec![Self::system()];
        all.extend(fetched);
        all
    }

    /// Its name: `system`, or one of `cargo xtask servers --list`.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its version, for example `7.0.15`.
    ///
    /// # Panics
    /// If it cannot be started.
    #[must_use]
    pub fn version(&self) -> String {
        let output = std::process::Command::new(&self.path).arg("--version").output();
        let output = output.unwrap_or_else(|error| panic!("{}: {error}", self.path.display()));
        let text = String::from_utf8_lossy(&output.stdout);
        let version = text.split_whitespace().find_map(|word| word.strip_prefix("v="));
        version.unwrap_or_else(|| panic!("{} shows no version: {text}", self.name)).to_owned()
    }

    /// The first number of its version.
    ///
    /// # Panics
    /// As [`ServerProgram::version`].
    #[must_use]
    pub fn major(&self) -> u32 {
        let version = self.version();
        let major = version.split('.').next().and_then(|major| major.parse().ok());
        major.unwrap_or_else(|| panic!("{version} does not begin with a number"))
    }

    /// The highest version of the RDB format that it loads.
    ///
    /// # Panics
    /// As [`ServerProgram::version`].
    #[must_use]
    pub fn rdb_version(&self) -> u32 {
        let version = self.version();
        match (self.is_valkey(), self.major()) {
            (true, 9..) => 80,
            (true, _) => 11,
            (false, ..7) => 9,
            (false, 7) if version.starts_with("7.0") => 10,
            (false, 7) => 11,
            (false, _) => 12,
        }
    }

    /// Whether it is Valkey.
    #[must_use]
    pub fn is_valkey(&self) -> bool {
        self.name.starts_with("valkey")
    }

    /// Its path, or a name to be looked up on `PATH`.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }
}
