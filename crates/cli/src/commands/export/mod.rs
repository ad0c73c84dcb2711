//! Settings of other programs for the same databases, and client modules for other languages.

mod acl;
mod address;
mod celery;
mod django;
mod env;
mod laravel;
mod literal;
mod node;
mod python;
mod python_url;
mod rails;
mod ruby;
mod spring;

use compartment::DatabaseMap;

use crate::args::ExportFormat;
use crate::exit_code::{CliError, ExitCode};
pub(crate) use acl::{Rights, render as users};
use address::Address;

/// Renders the settings in the program's language. They never contain passwords: the program reads those from its
/// environment.
pub(crate) fn render(map: &DatabaseMap, format: ExportFormat) -> Result<String, CliError> {
    let knows_prefixes = match format {
        ExportFormat::Env | ExportFormat::Celery | ExportFormat::Django | ExportFormat::Rails => {
            false
        }
        ExportFormat::Python
        | ExportFormat::Node
        | ExportFormat::Ruby
        | ExportFormat::Laravel
        | ExportFormat::Spring
        | ExportFormat::Acl => true,
    };
    for contract in map.databases() {
        if !knows_prefixes && !contract.placement.prefix().is_empty() {
            return Err(CliError::new(
                ExitCode::Configuration,
                format!(
                    "{:?} is placed by a key prefix, which these settings cannot express",
                    contract.name
                ),
            )
            .hint("give it an index, or set the prefix in the program by hand"));
        }
        Address::of(map, contract)?;
    }
    match format {
        ExportFormat::Env => env::render(map),
        ExportFormat::Celery => celery::render(map),
        ExportFormat::Django => django::render(map),
        ExportFormat::Rails => rails::render(map),
        ExportFormat::Python => python::render(map),
        ExportFormat::Node => node::render(map),
        ExportFormat::Ruby => ruby::render(map),
        ExportFormat::Laravel => laravel::render(map),
        ExportFormat::Spring => spring::render(map),
        // Of a server that was not asked.
        ExportFormat::Acl => acl::render(map, |_| Rights::Key),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::ValueEnum;
    use compartment::{DatabaseMapBuilder, Preset};

    fn map(url: &str) -> DatabaseMap {
        DatabaseMap::preset(Preset::Pipeline, url).unwrap()
    }

    #[test]
    fn every_format_names_the_databases_and_never_the_password() {
        let map = map("rediss://me:s3cret@redis.example:7000");
        for format in ExportFormat::value_variants() {
            let text = render(&map, *format).unwrap();
            assert!(!text.contains("s3cret"), "{text}");
            assert!(text.contains("redis.example"), "{text}");
            insta::assert_snapshot!(format!("export_{format:?}").to_lowercase(), text);
        }
    }

    #[test]
    fn sessions_are_a_cache_of_django_with_a_name() {
        let file = "[instances.primary]\nurl = \"redis://h\"\n[databases]\n\
                    sessions = { index = 3, kind = \"durable\" }\n\
                    cache = { index = 2, kind = \"cache\", default_ttl = \"1h\" }\n";
        let map = DatabaseMapBuilder::toml(file).unwrap().build().unwrap();
        let text = render(&map, ExportFormat::Django).unwrap();
        let place = |what: &str| text.find(what).unwrap_or_else(|| panic!("{what}: {text}"));
        assert!(place("\"default\": {") < place("redis://h:6379/2"));
        assert!(place("redis://h:6379/2") < place("\"sessions\": {"));
        assert!(place("\"sessions\": {") < place("redis://h:6379/3"));
        place("SESSION_CACHE_ALIAS = \"sessions\"");
    }

    /// A map that uses every setting of a client module.
    const FULL: &str = r#"
        [instances.primary]
        url = "rediss://app%40eu:s3cret@[::1]:7000"
        [instances.other]
        url = "redis://:s3cret@other"
        [databases]
        main = { instance = "primary", index = 0, kind = "durable" }
        cache = { instance = "primary", index = 2, kind = "cache", default_ttl = "1500ms" }
        limits = { instance = "other", prefix = "it's #{x} \"limits\":", kind = "coordination" }
        [keys.page]
        template = "page:{url}"
        database = "cache"
        ttl = { default = "7d", production = "3d" }
    "#;

    fn full() -> DatabaseMap {
        DatabaseMapBuilder::toml(FULL).unwrap().build().unwrap()
    }

    #[test]
    fn client_modules_know_prefixes_templates_and_two_passwords() {
        for format in [
            ExportFormat::Python,
            ExportFormat::Node,
            ExportFormat::Ruby,
            ExportFormat::Laravel,
            ExportFormat::Spring,
        ] {
            let text = render(&full(), format).unwrap();
            assert!(!text.contains("s3cret"), "{text}");
            for variable in ["REDIS_PASSWORD_PRIMARY", "REDIS_PASSWORD_OTHER"] {
                assert!(text.contains(variable), "{variable}: {text}");
            }
            insta::assert_snapshot!(format!("full_{format:?}").to_lowercase(), text);
        }
    }

    #[test]
    fn settings_without_prefixes_refuse_a_prefix() {
        for format in
            [ExportFormat::Env, ExportFormat::Celery, ExportFormat::Django, ExportFormat::Rails]
        {
            let error = render(&full(), format).unwrap_err();
            assert_eq!(error.code(), ExitCode::Configuration);
            assert!(error.to_string().contains("\"limits\" is placed by a key prefix"), "{error}");
        }
    }

    #[test]
    fn a_part_of_a_second_is_not_rounded_to_no_ttl() {
        let file = "[instances.primary]\nurl = \"redis://h\"\n[databases]\n\
                    cache = { index = 2, kind = \"cache\", default_ttl = \"20ms\" }\n\
                    results = { index = 1, kind = \"durable\", default_ttl = \"20ms\" }\n";
        let map = DatabaseMapBuilder::toml(file).unwrap().build().unwrap();
        for (format, says) in [
            (ExportFormat::Celery, "result_expires = 1 "),
            (ExportFormat::Django, "\"TIMEOUT\": 1,"),
            (ExportFormat::Rails, "expires_in: 1,"),
            (ExportFormat::Python, "\"ttl\": 1}"),
            (ExportFormat::Node, "ttl: 1 }"),
            (ExportFormat::Ruby, "ttl: 1 }"),
            (ExportFormat::Laravel, "1 seconds by default"),
            (ExportFormat::Spring, "Duration.ofSeconds(1)"),
        ] {
            let text = render(&map, format).unwrap();
            assert!(text.contains(says), "{format:?} lacks {says:?}: {text}");
        }
    }

    #[test]
    fn logins_and_files_for_tls_are_in_every_url() {
        let file = "[instances.primary]\nurl = \"rediss://app%40eu:s3cret@h\"\n\
                    tls_ca = \"/etc/my ca.pem\"\n[databases]\n\
                    cache = { index = 2, kind = \"cache\", default_ttl = \"1h\" }\n";
        let map = DatabaseMapBuilder::toml(file).unwrap().build().unwrap();
        for (format, says) in [
            (
                ExportFormat::Django,
                "app%40eu:{PASSWORD}@h:6379/2?ssl_cert_reqs=required&ssl_ca_certs=/etc/my%20ca.pem",
            ),
            (ExportFormat::Rails, "ssl_params: { ca_file: '/etc/my ca.pem' }"),
            (ExportFormat::Python, "\"ssl_ca_certs\": \"/etc/my ca.pem\""),
            (ExportFormat::Node, "tls: {ca: readFileSync(\"/etc/my ca.pem\")}"),
            (ExportFormat::Ruby, "ssl_params: { ca_file: '/etc/my ca.pem' }"),
            (ExportFormat::Laravel, "['stream' => ['cafile' => '/etc/my ca.pem']]"),
        ] {
            let text = render(&map, format).unwrap();
            assert!(text.contains(says), "{format:?} lacks {says:?}: {text}");
        }
        let error = render(&map, ExportFormat::Spring).unwrap_err();
        assert!(error.to_string().contains("files for TLS"), "{error}");
    }

    #[test]
    fn only_a_single_server_is_exported() {
        for (url, says) in [
            ("memory://", "is in this process"),
            ("redis+unix:///run/redis.sock", "is a socket"),
            ("redis+sentinel://h/mymaster", "more than one server"),
            ("redis+cluster://h", "more than one server"),
        ] {
            for format in ExportFormat::value_variants() {
                let error = render(&map(url), *format).unwrap_err();
                assert_eq!(error.code(), ExitCode::Configuration);
                assert!(error.to_string().contains(says), "{error}");
            }
        }
    }
}
