//! The passwords that no answer may have: a second line of defence behind types that do not show them.

use std::borrow::Cow;

use compartment::database_map::LedgerAddress;
use compartment_operations::Operations;

/// Shorter passwords are also parts of words.
const SHORTEST: usize = 4;
/// What stands for a password.
const HIDDEN: &str = "***";

/// The passwords of a deployment, by which answers are searched.
#[derive(Clone, Default)]
pub(crate) struct Secrets(Vec<String>);

// Nobody prints them.
impl std::fmt::Debug for Secrets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Secrets").field(&self.0.len()).finish()
    }
}

impl Secrets {
    pub(crate) fn of(operations: &Operations) -> Self {
        let map = operations.map();
        let mut found = Vec::new();
        for instance in map.instances().values() {
            found.extend(instance.url.password().map(str::to_owned));
            found.extend(of_url(instance.url.reveal()));
        }
        if let Some(LedgerAddress::Postgres(url)) = &operations.options().ledger {
            found.extend(of_url(url));
        }
        let is_name = |text: &String| {
            map.database(text).is_some()
                || map.instances().contains_key(text)
                || map.keys().contains_key(text)
        };
        found.retain(|secret| secret.len() >= SHORTEST && !is_name(secret));
        found.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
        found.dedup();
        Self(found)
    }

    /// The text without passwords.
    pub(crate) fn hide<'a>(&self, text: &'a str) -> Cow<'a, str> {
        let mut shown = Cow::Borrowed(text);
        for secret in &self.0 {
            if shown.contains(secret.as_str()) {
                shown = Cow::Owned(shown.replace(secret.as_str(), HIDDEN));
            }
        }
        shown
    }
}

/// The passwords in a URL, as they are written there.
fn of_url(url: &str) -> Vec<String> {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let (place, query) = rest.split_once('?').unwrap_or((rest, ""));
    let login = place.rsplit_once('@').map_or("", |(login, _)| login);
    let of_login = login.split_once(':').map(|(_, password)| password.to_owned());
    let of_query = query.split('&').filter_map(|part| part.split_once('='));
    let of_query = of_query.filter(|(name, _)| name.contains("password"));
    of_login.into_iter().chain(of_query.map(|(_, value)| value.to_owned())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_are_found_in_the_login_and_in_the_query() {
        assert_eq!(of_url("redis://anna:s%40cret@h:1/2"), ["s%40cret"]);
        assert_eq!(of_url("redis://:s3@cret@h"), ["s3@cret"]);
        assert_eq!(of_url("redis+unix:///s?db=3&password=secret"), ["secret"]);
        assert!(of_url("redis://h").is_empty());
    }

    #[test]
    fn a_password_is_hidden_wherever_it_is() {
        let secrets = Secrets(vec!["tops3cret".to_owned()]);
        assert_eq!(secrets.hide("AUTH tops3cret failed"), "AUTH *** failed");
        assert_eq!(secrets.hide("all is well"), "all is well");
        assert!(!format!("{secrets:?}").contains("tops3cret"));
    }
}
