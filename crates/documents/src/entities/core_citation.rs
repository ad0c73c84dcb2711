//! A volume, reporter and page, before the text around them is read.

use crate::model::CitationForm;

/// A volume, reporter and page found in the text, before its surroundings are read.
#[derive(Clone, Debug)]
pub(super) struct CoreCitation {
    pub(super) start: usize,
    pub(super) end: usize,
    pub(super) volume: Option<String>,
    pub(super) reporter: String,
    pub(super) form: CitationForm,
    pub(super) court: Option<&'static str>,
    /// `None` if the text leaves the page blank.
    pub(super) page: Option<String>,
    /// Year given between reporter and page: `126 S. Ct. (2006) 1910`.
    pub(super) year: Option<u16>,
}

impl CoreCitation {
    /// The citation in normal form.
    pub(super) fn normal(&self) -> String {
        let page = self.page.as_deref().unwrap_or("___");
        let at = if self.form == CitationForm::ShortCase { "at " } else { "" };
        match &self.volume {
            Some(volume) => format!("{volume} {} {at}{page}", self.reporter),
            None => format!("{} {at}{page}", self.reporter),
        }
    }
}
