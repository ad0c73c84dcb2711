//! Extractors of mentions: the rules, and others beside them that are combined with the rules by agreement.

mod agree_stage;
mod agreement;
mod extractor;
pub mod model;
mod normal;
mod options;
mod places;
mod rules;
mod spent;
mod stage;
mod windows;

pub use agree_stage::AgreeStage;
pub use agreement::{Agreement, Beside, agree};
pub use extractor::{Asked, Extractor, Findings, Outcome, Window};
pub use options::{Extractors, Spending};
pub use rules::Rules;
pub use spent::Spent;
pub use stage::MODEL_MENTIONS;
pub(crate) use stage::{ExtractorStage, Fleet};
pub(crate) use windows::WindowStage;
