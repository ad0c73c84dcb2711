//! A Rails initializer, including Sidekiq.

use compartment::{Contract, DatabaseKind, DatabaseMap};

use super::address::{Address, named, seconds};
use super::literal::single;
use crate::exit_code::CliError;

/// A URL as a Ruby expression.
fn ruby_url(map: &DatabaseMap, contract: &Contract) -> Result<String, CliError> {
    let at = Address::of(map, contract)?;
    let login = match &at.password_variable {
        None => String::new(),
        Some(variable) => {
            let user = at.user_in_url();
            format!("{user}:#{{ERB::Util.url_encode(ENV.fetch('{variable}'))}}@")
        }
    };
    let (scheme, host, port) = (at.scheme(), at.host_in_url(), at.port);
    Ok(format!("\"{scheme}://{login}{host}:{port}/{}\"", contract.placement.index()))
}

/// The TLS files as an additional option; empty if there are none.
fn tls(at: &Address<'_>) -> String {
    let files = at.files_as(["ca_file", "cert", "key"]);
    let files: Vec<_> =
        files.iter().map(|(name, path)| format!("{name}: {}", single(path))).collect();
    if files.is_empty() {
        String::new()
    } else {
        format!(", ssl_params: {{ {} }}", files.join(", "))
    }
}

pub(super) fn render(map: &DatabaseMap) -> Result<String, CliError> {
    let mut text = String::new();
    if let Some(cache) =
        map.databases().iter().find(|contract| contract.kind == DatabaseKind::Cache)
    {
        text.push_str("# config/environments/production.rb\n");
        text.push_str(&format!(
            "config.cache_store = :redis_cache_store, {{\n  url: {}{},\n",
            ruby_url(map, cache)?,
            tls(&Address::of(map, cache)?)
        ));
        if let Some(ttl) = cache.default_ttl {
            text.push_str(&format!(
                "  expires_in: {}, # seconds; without it Rails keeps entries for ever\n",
                seconds(ttl)
            ));
        }
        text.push_str("}\n\n");
    }
    if let Some(broker) = named(map, &["broker", "queue", "main"]) {
        let url = ruby_url(map, broker)? + &tls(&Address::of(map, broker)?);
        text.push_str("# config/initializers/sidekiq.rb\n");
        for side in ["server", "client"] {
            text.push_str(&format!(
                "Sidekiq.configure_{side} {{ |config| config.redis = {{ url: {url} }} }}\n"
            ));
        }
    }
    Ok(text)
}
