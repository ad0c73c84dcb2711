//! A stage whose results also depend on the versions of stages before it.

use compartment_core::KeyTemplate;
use compartment_pipeline::{Stage, StageError};

/// The stage with a version that ends with that of what it works on. An empty one leaves the stage's keys as they are.
#[derive(Clone, Debug)]
pub(crate) struct Versioned<S> {
    pub(crate) stage: S,
    pub(crate) of: String,
}

impl<S: Stage> Stage for Versioned<S> {
    type Input = S::Input;
    type Output = S::Output;

    fn name(&self) -> &'static str {
        self.stage.name()
    }

    fn version(&self) -> String {
        match self.of.as_str() {
            "" => self.stage.version(),
            of => format!("{}-{of}", self.stage.version()),
        }
    }

    fn template(&self) -> KeyTemplate<S::Output> {
        self.stage.template()
    }

    fn run(&self, input: &S::Input) -> Result<S::Output, StageError> {
        self.stage.run(input)
    }
}
