//! The arguments of `compartment front`.

use clap::Args;

/// Serve programs that keep their one URL, and keep each key in its named database.
#[derive(Args, Debug)]
#[command(after_help = HELP)]
pub(crate) struct Front {
    /// Say where this key lives, and why; \xNN is a byte
    #[arg(long, value_name = "KEY")]
    pub(crate) explain: String,

    #[command(flatten)]
    pub(crate) program: FrontProgram,

    /// Print JSON
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
them.

Exit codes: 0 the key lives in a database, 4 configuration, 10 no route takes the key.

Examples:
  compartment front --explain session:42
  compartment front --explain page:1 --user web --client django --select 1 --json";
