//! The arguments of `compartment front`.

use clap::Args;

/// Serve programs that keep their one URL, and keep each key in its named database.
#[derive(Args, Debug)]
#[command(after_help = HELP)]
pub(crate) struct Front {
    /// Listen here instead of where the configuration says: host:port, or unix:/path; repeatable
    #[arg(long, value_name = "ADDRESS", conflicts_with = "explain")]
    pub(crate) listen: Vec<String>,

    /// Pass every request unchanged, and count what the routes would split, bring together or refuse
    #[arg(long, conflicts_with = "explain")]
    pub(crate) observe: bool,

    /// Say where this key lives, and why; \xNN is a byte
    #[arg(long, value_name = "KEY")]
    pub(crate) explain: Option<String>,

    #[command(flatten)]
    pub(crate) program: FrontProgram,

    /// Print JSON: of --explain, and of the figures at the end
    #[arg(long)]
    pub(crate) json: bool,
}

/// The program whose key is explained.
#[derive(Args, Debug)]
pub(crate) struct FrontProgram {
    /// The login of the program
    #[arg(long, value_name = "NAME", default_value = "default", requires = "explain")]
    pub(crate) user: String,

    /// The name that the program gives with CLIENT SETNAME
    #[arg(long, value_name = "NAME", default_value = "", requires = "explain")]
    pub(crate) client: String,

    /// The index that the program selects
    #[arg(long, value_name = "INDEX", default_value_t = 0, requires = "explain")]
    pub(crate) select: u32,
}

const HELP: &str = "Routes are [front] and [[front.route]] of compartment.toml; `compartment plan --front FILE` writes \
them. A changed file is taken on within two seconds, and at once with SIGHUP; connections stay. Ctrl-C and SIGTERM \
end it after the replies that are on their way. `health` in [front] is an address with /health, /metrics and /figures.

Exit codes: 0 it was stopped, or the key lives in a database; 4 configuration; 5 no server answers; 10 no route takes \
the key.

Examples:
  compartment front
  compartment front --observe --listen 127.0.0.1:6380
  compartment front --explain session:42
  compartment front --explain page:1 --user web --client django --select 1 --json";
