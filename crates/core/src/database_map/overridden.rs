//! Settings that something else than the file has set, and by what.

use std::fmt;

use super::problem::wrong;
use super::{DatabaseMap, DatabaseMapBuilder, InstanceUrl, Scheme};
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

    /// Sets the password of the primary instance, by a flag that [`DatabaseMap::overridden`] then names. An instance
    /// in memory has none, which becomes a note.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Configuration`] if there are several instances and none is called `primary`.
    pub fn password_by(mut self, password: &str, by: &str) -> Result<Self> {
        let Some(name) = self.primary_name() else {
            return Err(wrong(format!(
                "{by} is for the instance \"primary\", but there are several of other names: set \
                 REDIS_PASSWORD_<INSTANCE>"
            )));
        };
        self.set_password(&name, password, by);
        Ok(self)
    }

    /// Sets the password of an instance, which exists.
    pub(super) fn set_password(&mut self, name: &str, password: &str, by: &str) {
        let Some(instance) = self.instances.get_mut(name) else { return };
        if instance.url.scheme() == Scheme::Memory {
            self.notes.push(format!("{by} is not used: {name} is memory, which has no password"));
            return;
        }
        instance.url = instance.url.with_password(password);
        let shown = instance.url.clone();
        self.note_override(format!("instances.{name}.url"), shown, by);
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
