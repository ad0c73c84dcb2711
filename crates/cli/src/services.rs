//! The services that read documents beside this program: a language model, OCR. From flags and `[documents]`.

use std::io::Read;
use std::path::Path;
use std::sync::Arc;

use compartment::DatabaseMap;
use compartment::database_map::{ModelSettings, OcrServiceSettings, ServiceUrl};
use compartment_documents::IngestOptions;
use compartment_documents::extractors::model::ModelExtractor;
use compartment_documents::ocr_service::OcrService;

use crate::args::ServiceOptions;
use crate::exit_code::{CliError, ExitCode};
use crate::settings::Settings;

/// What is known of the configuration that names services.
#[derive(Clone, Debug)]
pub(crate) struct Source {
    /// The file, if it was found and not named.
    found: Option<String>,
}

impl Source {
    pub(crate) fn of(settings: &Settings) -> Self {
        let file = settings.file.as_ref().filter(|_| !settings.is_named);
        Self { found: file.map(|file| file.display().to_string()) }
    }

    /// A file that was only found may have come with a folder of somebody else: it gets neither papers nor keys.
    fn check(&self, section: &str) -> Result<(), CliError> {
        let Some(file) = &self.found else { return Ok(()) };
        let what = format!("[{section}] of {file} is not used: the file was found and not named");
        Err(wrong(what)
            .hint(format!("name it with --config {file} or COMPARTMENT_CONFIG if you trust it")))
    }
}

/// Sets the services of a run that sends documents to them.
pub(crate) fn apply(
    options: &mut IngestOptions,
    flags: &ServiceOptions,
    map: &DatabaseMap,
    source: &Source,
) -> Result<(), CliError> {
    let settings = map.documents();
    if settings.model.is_some() && flags.model_url.is_none() && !flags.no_model {
        source.check("documents.model")?;
    }
    if settings.ocr_service.is_some() && flags.ocr_service.is_none() && !flags.no_ocr_service {
        source.check("documents.ocr_service")?;
    }
    set(options, flags, map, key)
}

/// Sets the services of a plan: which stages a batch has. Nothing is sent, and no key is read.
pub(crate) fn apply_to_plan(
    options: &mut IngestOptions,
    flags: &ServiceOptions,
    map: &DatabaseMap,
) -> Result<(), CliError> {
    set(options, flags, map, |_, _| Ok(None))
}

fn set(
    options: &mut IngestOptions,
    flags: &ServiceOptions,
    map: &DatabaseMap,
    key: impl Fn(&str, Option<&str>) -> Result<Option<String>, CliError>,
) -> Result<(), CliError> {
    if let Some(model) = model(flags, map.documents().model.as_ref())? {
        let instructions = model.prompt.as_deref().map(prompt).transpose()?;
        let key = key("the model", model.api_key_env.as_deref())?;
        let extractor = ModelExtractor::new(&model, key.as_deref(), instructions.as_deref())
            .map_err(|error| wrong(format!("the model at {}: {error}", model.url)))?;
        options.extractors.beside = vec![Arc::new(extractor)];
        options.extractors.window = model.window as usize;
        options.extractors.min_confidence = model.min_confidence;
    }
    if let Some(service) = ocr_service(flags, map.documents().ocr_service.as_ref())? {
        let key = key("the OCR service", service.api_key_env.as_deref())?;
        let service = OcrService::new(&service, key.as_deref())
            .map_err(|error| wrong(format!("the OCR service at {}: {error}", service.url)))?;
        options.ocr_service = Some(service);
    }
    Ok(())
}

fn wrong(what: String) -> CliError {
    CliError::new(ExitCode::Configuration, what)
}

fn address(flag: &str, url: &str) -> Result<ServiceUrl, CliError> {
    ServiceUrl::parse(url).map_err(|why| wrong(format!("{flag}: {why}")))
}

/// The model of the flags over the one of the configuration.
fn model(
    flags: &ServiceOptions,
    configured: Option<&ModelSettings>,
) -> Result<Option<ModelSettings>, CliError> {
    if flags.no_model {
        return Ok(None);
    }
    let url = flags.model_url.as_deref().map(|url| address("--model-url", url)).transpose()?;
    let mut model = match (configured, url, &flags.model) {
        (None, None, None) if flags.model_prompt.is_none() => return Ok(None),
        (Some(configured), None, _) => configured.clone(),
        (configured, Some(url), name) => {
            let name = name.clone().or_else(|| configured.map(|model| model.model.clone()));
            let name = name.ok_or_else(|| wrong("--model-url needs --model NAME".to_owned()))?;
            let mut model = ModelSettings::new(url.clone(), name).map_err(wrong)?;
            if let Some(configured) = configured {
                // The key of one service is not sent to another.
                model = ModelSettings::clone(configured);
                (model.url, model.api_key_env) = (url, None);
            }
            model
        }
        (None, None, _) => {
            let what =
                "--model needs the address of its service: --model-url URL, or [documents.model]";
            return Err(wrong(what.to_owned()));
        }
    };
    if let Some(name) = &flags.model {
        // It checks the name.
        ModelSettings::new(model.url.clone(), name.clone()).map_err(wrong)?;
        model.model.clone_from(name);
    }
    if flags.model_key_env.is_some() {
        model.api_key_env.clone_from(&flags.model_key_env);
    }
    if flags.model_prompt.is_some() {
        model.prompt.clone_from(&flags.model_prompt);
    }
    Ok(Some(model))
}

/// The OCR service of the flags, or that of the configuration.
fn ocr_service(
    flags: &ServiceOptions,
    configured: Option<&OcrServiceSettings>,
) -> Result<Option<OcrServiceSettings>, CliError> {
    if flags.no_ocr_service {
        return Ok(None);
    }
    let mut service = match (&flags.ocr_service, configured) {
        (Some(url), _) => OcrServiceSettings::new(address("--ocr-service", url)?),
        (None, Some(configured)) => configured.clone(),
        (None, None) => return Ok(None),
    };
    if flags.ocr_service_key_env.is_some() {
        service.api_key_env.clone_from(&flags.ocr_service_key_env);
    }
    Ok(Some(service))
}

/// The key in an environment variable. A service that needs none names no variable.
fn key(whose: &str, variable: Option<&str>) -> Result<Option<String>, CliError> {
    let Some(variable) = variable else { return Ok(None) };
    match std::env::var(variable) {
        Ok(key) if !key.trim().is_empty() => Ok(Some(key.trim().to_owned())),
        _ => Err(wrong(format!(
            "the environment variable {variable:?}, which has the key of {whose}, is not set"
        ))),
    }
}

/// Bytes of a prompt.
const MAX_PROMPT: u64 = 64 * 1024;

fn prompt(path: &Path) -> Result<String, CliError> {
    let mut text = String::new();
    let read = std::fs::File::open(path)
        .and_then(|file| file.take(MAX_PROMPT + 1).read_to_string(&mut text));
    read.map_err(|error| CliError::files("read the prompt", path, &error))?;
    if text.len() as u64 > MAX_PROMPT || text.trim().is_empty() {
        let path = path.display();
        return Err(wrong(format!("the prompt {path} has to have 1 to {MAX_PROMPT} bytes")));
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use compartment::DatabaseMapBuilder;

    use super::*;

    const FILE: &str = "preset = \"pipeline\"\n[instances.primary]\nurl = \"memory://\"\n\
        [documents.model]\nurl = \"https://a.example/v1\"\nmodel = \"small-1\"\napi_key_env = \"A_KEY\"\n\
        min_confidence = 70\n[documents.ocr_service]\nurl = \"https://b.example\"\napi_key_env = \"B_KEY\"\n";

    fn settings() -> ModelSettings {
        let map = DatabaseMapBuilder::toml(FILE).unwrap().build().unwrap();
        map.documents().model.clone().unwrap()
    }

    #[test]
    fn flags_go_before_the_configuration_and_the_key_stays_with_its_service() {
        let mut flags = ServiceOptions { model: Some("large-1".to_owned()), ..Default::default() };
        let found = model(&flags, Some(&settings())).unwrap().unwrap();
        assert_eq!(
            (found.model.as_str(), found.api_key_env.as_deref()),
            ("large-1", Some("A_KEY"))
        );
        flags.model_url = Some("https://other.example".to_owned());
        let found = model(&flags, Some(&settings())).unwrap().unwrap();
        assert_eq!((found.url.as_str(), found.api_key_env), ("https://other.example", None));
        assert_eq!(found.min_confidence, 70);
        flags.no_model = true;
        assert_eq!(model(&flags, Some(&settings())).unwrap(), None);
    }

    #[test]
    fn a_model_has_an_address_and_a_name() {
        assert_eq!(model(&ServiceOptions::default(), None).unwrap(), None);
        for (name, url, says) in [
            (Some("m"), None, "--model-url"),
            (None, Some("https://a.example"), "--model NAME"),
            (Some("m"), Some("https://me:s3cret@a.example"), "--model-url"),
            (Some(""), Some("https://a.example"), "1 to 200"),
        ] {
            let flags = ServiceOptions {
                model: name.map(str::to_owned),
                model_url: url.map(str::to_owned),
                ..Default::default()
            };
            let error = model(&flags, None).unwrap_err().to_string();
            assert!(error.contains(says) && !error.contains("s3cret"), "{error}");
        }
    }

    #[test]
    fn a_file_that_was_only_found_gets_no_papers() {
        let map = DatabaseMapBuilder::toml(FILE).unwrap().build().unwrap();
        let found = Source { found: Some("compartment.toml".to_owned()) };
        let flags = ServiceOptions::default();
        let mut options = IngestOptions::default();
        let error = apply(&mut options, &flags, &map, &found).unwrap_err().to_string();
        assert!(error.contains("[documents.model] of compartment.toml is not used"), "{error}");
        let flags = ServiceOptions { no_model: true, ..Default::default() };
        let error = apply(&mut options, &flags, &map, &found).unwrap_err().to_string();
        assert!(error.contains("[documents.ocr_service]"), "{error}");
        let flags = ServiceOptions { no_model: true, no_ocr_service: true, ..Default::default() };
        apply(&mut options, &flags, &map, &found).unwrap();
        assert!(options.extractors.beside.is_empty() && options.ocr_service.is_none());
        // A plan sends nothing.
        apply_to_plan(&mut options, &ServiceOptions::default(), &map).unwrap();
        assert!(options.extractors.beside.len() == 1 && options.ocr_service.is_some());
    }

    #[test]
    fn a_key_that_is_not_set_is_named_by_its_variable() {
        let error = key("the model", Some("COMPARTMENT_NO_SUCH_KEY")).unwrap_err().to_string();
        assert!(error.contains("COMPARTMENT_NO_SUCH_KEY"), "{error}");
    }
}
