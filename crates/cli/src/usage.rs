//! Shows the help, the version and the errors of wrong arguments. An error quotes an argument, which somebody else may
//! have named, as with `*`, and which may hold a password.

use compartment::database_map::InstanceUrl;
use compartment_admin::printable;

use crate::exit_code::ExitCode;
use crate::screen;

/// Prints clap's text without trailing blanks.
pub(crate) fn show(answer: &clap::Error) -> ExitCode {
    let said = arguments();
    let text = match said.iter().any(|text| is_odd(text)) {
        // Styles of an argument could not be told from clap's.
        true => screen::visible_lines(&without_logins(answer.render().to_string(), &said)),
        false => answer.render().ansi().to_string(),
    };
    let lines: Vec<&str> = text.trim_end().lines().map(str::trim_end).collect();
    let text = lines.join("\n");
    // The help and the version were asked for.
    if answer.exit_code() == 0 {
        screen::say_own(&text);
        return ExitCode::Success;
    }
    screen::remark_own(&text);
    ExitCode::Usage
}

/// The texts that an error may quote: arguments, their values, and values of variables that set one.
fn arguments() -> Vec<String> {
    let variables = std::env::vars_os().filter(|(name, _)| {
        let name = name.to_string_lossy();
        name.starts_with("COMPARTMENT_")
    });
    let said = std::env::args_os().chain(variables.map(|(_, value)| value));
    let mut texts = Vec::new();
    for text in said {
        let text = text.to_string_lossy().into_owned();
        texts.extend(text.split_once('=').map(|(_, value)| value.to_owned()));
        texts.push(text);
    }
    texts
}

fn is_odd(text: &str) -> bool {
    text.contains('@') || printable(text) != text
}

/// The text with the logins of these arguments hidden.
fn without_logins(mut text: String, said: &[String]) -> String {
    let mut with_login: Vec<&String> = said.iter().filter(|one| one.contains('@')).collect();
    // A value is part of its argument.
    with_login.sort_by_key(|one| std::cmp::Reverse(one.len()));
    for one in with_login {
        text = text.replace(one.as_str(), &InstanceUrl::hide_login(one));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_login_in_an_argument_is_hidden() {
        let said = ["--limit=redis://:s3cret@h".to_owned(), "redis://:s3cret@h".to_owned()];
        let text = "invalid value 'redis://:s3cret@h' for '--limit', or --limit=redis://:s3cret@h";
        assert_eq!(
            without_logins(text.to_owned(), &said),
            "invalid value 'redis://***@h' for '--limit', or --limit=redis://***@h"
        );
    }
}
