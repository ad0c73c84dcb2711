//! A volume, reporter and page, before the text around them is read.

use std::ops::Range;

use crate::model::CitationForm;

/// A volume, reporter and page found in the text, before its surroundings are read.
#[derive(Clone, Debug)]
pub(super) struct CoreCitation {
    pub(super) start: usize,
    pub(super) end: usize,
    pub(super) volume: Option<String>,
    pub(super) reporter: String,
    /// The reporter that the series belongs to: `Ill.` for `Ill. 2d`.
    pub(super) series_of: String,
    /// The reporter's name as written, for the choice between namesakes; empty if it has none.
    pub(super) written: Range<usize>,
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

/// The year of a date's digits, two or four.
pub(super) fn year(digits: &str) -> Option<u16> {
    let year: u16 = digits.parse().ok()?;
    match year {
        // `12/15/95`: two digits from 30 on are years of the last century.
        30..=99 => Some(1900 + year),
        0..=29 => Some(2000 + year),
        year => Some(year),
    }
}
