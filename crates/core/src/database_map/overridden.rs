//! Settings that something else than the file has set, and by what.

use std::fmt;

use super::{DatabaseMap, DatabaseMapBuilder, InstanceUrl};
use crate::Result;

/// A setting that an environment variable or a flag has set, over the file.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Overridden {
    /// The setting by the names of the file, such as `cache.enabled`.
    pub setting: String,
    /// Its value; a password is `***`.
    pub value: String,
    /// The variable or the flag.
    pub by: String,
}

impl fmt::Display for Overridden {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} = {} by {}", self.setting, self.value, self.by)
    }
}

impl DatabaseMap {
    /// The settings that the environment or a flag has set, over the file.
    #[must_use]
    pub fn overridden(&self) -> &[Overridden] {
        &self.overridden
    }
}

impl DatabaseMapBuilder {
    /// As [`DatabaseMapBuilder::url`], by a variable or a flag that [`DatabaseMap::overridden`] then names.
    ///
    /// # Errors
    /// As [`DatabaseMapBuilder::url`].
    pub fn url_by(self, url: &str, by: &str) -> Result<Self> {
        let mut builder = self.url(url)?;
        if let Some(name) = builder.primary_name() {
            let shown = InstanceUrl::parse(url)?;
            builder.note_override(format!("instances.{name}.url"), shown, by);
        }
        Ok(builder)
    }

    /// Records that `by` has set a setting; the last of one setting counts. The value is shown to users, so a password
    /// does not belong there.
    pub(super) fn note_override(
        &mut self,
        setting: impl Into<String>,
        value: impl fmt::Display,
        by: impl Into<String>,
    ) {
        let (setting, by) = (setting.into(), by.into());
        self.overridden.retain(|one| one.setting != setting);
        self.overridden.push(Overridden { setting, value: value.to_string(), by });
    }
}
