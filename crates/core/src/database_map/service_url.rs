//! The address of a service over HTTP that gets its key from the environment.

use std::fmt;

/// The address of a service, without a slash at its end. It has no login and no query: a key comes from a variable of
/// the environment, so that the address can be shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceUrl(String);

impl ServiceUrl {
    /// Reads an address such as `https://api.example.com/v1`.
    ///
    /// # Errors
    /// What is wrong with it, without quoting it: it may hold a key.
    pub fn parse(url: &str) -> Result<Self, String> {
        let wrong = |why: &str| Err(format!("url is not an address that can be used: {why}"));
        let rest = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"));
        let Some(rest) = rest else {
            return wrong("it begins with neither https:// nor http://");
        };
        let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
        if host.is_empty() {
            return wrong("it names no host");
        }
        if host.contains('@') || rest.contains(['?', '#']) {
            return wrong(
                "it has a login or a query; a key belongs into the variable that api_key_env names",
            );
        }
        if url.contains(|letter: char| !letter.is_ascii_graphic()) {
            return wrong("characters other than visible ones of ASCII are written as %XX");
        }
        Ok(Self(url.trim_end_matches('/').to_owned()))
    }

    /// The address.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ServiceUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// Checks the name of a variable of the environment that holds a secret. The message does not quote it: somebody may
/// have written the secret itself.
pub(super) fn check_variable(
    field: &str,
    example: &str,
    secret: &str,
    name: &str,
) -> Result<(), String> {
    let is_letter = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let is_name = name.len() <= 100
        && name.starts_with(|c: char| c.is_ascii_uppercase() || c == '_')
        && name.chars().all(|c| is_letter(c) && !c.is_ascii_lowercase());
    if is_name {
        return Ok(());
    }
    Err(format!(
        "{field} is the name of an environment variable, such as {example}, and not the {secret}"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_shown_because_it_holds_no_key() {
        let url = ServiceUrl::parse("https://api.example.com/v1/").unwrap();
        assert_eq!(
            (url.as_str(), url.to_string().as_str()),
            ("https://api.example.com/v1", "https://api.example.com/v1")
        );
        for url in [
            "ftp://k3y",
            "k3y",
            "https:///k3y",
            "https://me:k3y@h",
            "https://h?key=k3y",
            "https://h#k3y",
            "https://h/ k3y",
        ] {
            let error = ServiceUrl::parse(url).unwrap_err();
            assert!(!error.contains("k3y"), "{error}");
        }
    }

    #[test]
    fn a_key_in_place_of_its_variable_is_refused_and_not_shown() {
        let check_variable = |name| check_variable("api_key_env", "OPENAI_API_KEY", "key", name);
        assert_eq!(check_variable("OPENAI_API_KEY"), Ok(()));
        for name in ["sk-proj-k3y", "", "k3y", "A B", "9A"] {
            assert!(!check_variable(name).unwrap_err().contains("k3y"), "{name}");
        }
    }
}
