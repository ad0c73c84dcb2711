//! `compartment front --explain KEY`: where a key lives, and why.

use compartment_admin::unescape;
use compartment_front::route::Program;

use super::routes::router;
use crate::args::{FrontProgram, General};
use crate::exit_code::{CliError, ExitCode};
use crate::{screen, settings};

pub(super) fn run(
    general: &General,
    key: &str,
    program: &FrontProgram,
    json: bool,
) -> Result<ExitCode, CliError> {
    let settings = settings::load(general)?;
    let router = router(&settings.map)?;
    let (user, client) = (program.user.as_str(), unescape(&program.client));
    let program = Program { user, client: &client, select: program.select };
    let explanation = router.explain(&program, &unescape(key));
    match json {
        true => screen::say_json(&explanation),
        false => screen::say_lines(explanation.to_string().trim_end()),
    }
    Ok(match explanation.place {
        Some(_) => ExitCode::Success,
        None => ExitCode::Different,
    })
}
