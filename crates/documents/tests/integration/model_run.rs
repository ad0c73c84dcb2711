//! Runs of papers with a language model at a service of this machine.

#![expect(clippy::unwrap_used, reason = "test support: a failure here is a failed test")]

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use compartment_core::{Backoff, Databases, ModelSettings, ServiceUrl};
use compartment_documents::extractors::model::ModelExtractor;
use compartment_documents::ingest::IngestReport;
use compartment_documents::model::Mention;
use compartment_documents::{IngestOptions, ingest};
use compartment_pipeline::{Progress, Silent};
use serde_json::{Value, json};

use crate::service::{Reply, Request, Service, databases};

/// A paper whose party the rules cannot know: nothing says that it is one.
pub(crate) const PAPER: &str = "On March 3, 2021, Harbor Works sold its boats to Quill.\n\nSee Poe v. Doe, 512 U.S. 100, 110 (1994).\n";

pub(crate) const KEY: &str = "k-93f1a7c2";

pub(crate) struct Run {
    pub(crate) databases: Databases,
    pub(crate) folder: tempfile::TempDir,
    pub(crate) options: IngestOptions,
}

impl Run {
    /// A run over one paper with the model at this service.
    pub(crate) async fn with(service: &Service, change: impl FnOnce(&mut ModelSettings)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("in")).unwrap();
        let mut options = IngestOptions::default();
        options.out = Some(folder.path().join("out"));
        std::fs::create_dir(folder.path().join("out")).unwrap();
        options.extractors.beside = vec![Arc::new(extractor(service, change))];
        let run = Self { databases: databases().await, folder, options };
        run.add("a.txt", PAPER);
        run
    }

    pub(crate) fn add(&self, name: &str, text: &str) {
        std::fs::write(self.folder.path().join("in").join(name), text).unwrap();
    }

    pub(crate) async fn ingest(&self) -> IngestReport {
        let paths = [self.folder.path().join("in")];
        let progress = Progress::new(Arc::new(Silent));
        ingest(&self.databases, &paths, &self.options, &progress).await.unwrap()
    }

    pub(crate) fn output(&self) -> Value {
        let mut files: Vec<PathBuf> = std::fs::read_dir(self.folder.path().join("out"))
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .collect();
        assert_eq!(files.len(), 1);
        serde_json::from_slice(&std::fs::read(files.remove(0)).unwrap()).unwrap()
    }

    pub(crate) fn mentions(&self) -> Vec<Mention> {
        serde_json::from_value(self.output()["mentions"].clone()).unwrap()
    }
}

pub(crate) fn extractor(
    service: &Service,
    change: impl FnOnce(&mut ModelSettings),
) -> ModelExtractor {
    let url = ServiceUrl::parse(&format!("{}/v1", service.address)).unwrap();
    let mut settings = ModelSettings::new(url, "small-1").unwrap();
    (settings.input_price, settings.output_price) = (2.0, 10.0);
    change(&mut settings);
    let extractor = ModelExtractor::new(&settings, Some(KEY), None).unwrap();
    extractor.with_pauses(Backoff::new(Duration::ZERO, Duration::ZERO))
}

/// A chat completion with this content.
pub(crate) fn completion(content: &str) -> Reply {
    Reply::ok(json!({
        "choices": [{"message": {"role": "assistant", "content": content}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 1000, "completion_tokens": 100, "total_tokens": 1100},
    }))
}

pub(crate) fn mentions_of(list: &[(&str, &str)]) -> Reply {
    let list: Vec<Value> = list
        .iter()
        .map(|(kind, quote)| json!({"kind": kind, "quote": quote, "around": ""}))
        .collect();
    completion(&json!({ "mentions": list }).to_string())
}

pub(crate) fn usual(_: usize, _: &Request) -> Reply {
    mentions_of(&[
        ("party", "Harbor Works"),
        ("date", "March 3, 2021"),
        ("citation", "Poe v. Doe, 512 U.S. 100, 110 (1994)"),
        ("judge", "Ann B. Roe"),
    ])
}

pub(crate) fn text_of(request: &Request) -> String {
    request.json()["messages"][1]["content"].as_str().unwrap().to_owned()
}
