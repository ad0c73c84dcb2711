//! The stage that combines the mentions of all extractors.

use std::sync::Arc;

use compartment_core::KeyTemplate;
use compartment_pipeline::{Stage, StageError};

use super::agreement::{Beside, agree};
use crate::model::ExtractedText;
use crate::stages::{ALL_EXTRACTED_MENTIONS, ExtractedMentions};

/// The stage that combines the mentions of all extractors.
#[derive(Clone, Debug)]
pub struct AgreeStage {
    /// Mentions of less confidence are dropped, in percent.
    pub min_confidence: u8,
    /// The versions of what is combined.
    pub of: String,
}

impl Stage for AgreeStage {
    /// The text, the mentions of the rules, and what others found.
    type Input = (Arc<ExtractedText>, Arc<ExtractedMentions>, Vec<Beside>);
    type Output = ExtractedMentions;

    fn name(&self) -> &'static str {
        "agree"
    }

    fn version(&self) -> String {
        format!("1-{}-{}", self.min_confidence, self.of)
    }

    fn template(&self) -> KeyTemplate<ExtractedMentions> {
        ALL_EXTRACTED_MENTIONS
    }

    fn run(&self, (text, rules, beside): &Self::Input) -> Result<ExtractedMentions, StageError> {
        let found = rules.mentions.clone();
        let (mentions, agreement) = agree(&text.text, found, beside, self.min_confidence);
        let mut summary = rules.text.clone();
        if agreement.refused > 0 {
            summary.warnings.push(format!(
                "{} answers of a model could not be used: there only the rules looked for mentions",
                agreement.refused
            ));
        }
        Ok(ExtractedMentions { text: summary, mentions, agreement: Some(agreement) })
    }
}
