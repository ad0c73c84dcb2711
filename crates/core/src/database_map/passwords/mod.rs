//! Passwords that do not stand in the file: of the primary instance by a flag, and of any instance by its variable.

#[cfg(test)]
mod secrecy;

use std::collections::BTreeMap;

use super::problem::wrong;
use super::{DatabaseMap, DatabaseMapBuilder, Scheme};
use crate::Result;

/// The start of the variables with the passwords of single instances.
const PASSWORD_OF: &str = "REDIS_PASSWORD_";

impl DatabaseMap {
    /// The environment variable with the password of an instance: `REDIS_PASSWORD_`, and the name in capitals with `_`
    /// for characters that a variable cannot have.
    #[must_use]
    pub fn password_variable(instance: &str) -> String {
        let letter = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' };
        format!("{PASSWORD_OF}{}", instance.chars().map(letter).collect::<String>())
    }
}

impl DatabaseMapBuilder {
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
    fn set_password(&mut self, name: &str, password: &str, by: &str) {
        let Some(instance) = self.instances.get_mut(name) else { return };
        if instance.url.scheme() == Scheme::Memory {
            self.notes.push(format!("{by} is not used: {name} is memory, which has no password"));
            return;
        }
        instance.url = instance.url.with_password(password);
        let shown = instance.url.clone();
        self.note_override(format!("instances.{name}.url"), shown, by);
    }

    /// Sets the passwords of the instances that have a variable.
    pub(super) fn apply_passwords(&mut self, variables: &BTreeMap<String, String>) -> Result<()> {
        for (variable, password) in variables {
            if variable.starts_with(PASSWORD_OF) {
                self.apply_password(variable, password)?;
            }
        }
        Ok(())
    }

    fn apply_password(&mut self, variable: &str, password: &str) -> Result<()> {
        let is_meant = |name: &&String| DatabaseMap::password_variable(name) == variable;
        let named = self.instances.keys().filter(is_meant);
        let named: Vec<String> = named.cloned().collect();
        match named.as_slice() {
            [] => {
                let known: Vec<&str> = self.instances.keys().map(String::as_str).collect();
                self.notes.push(format!(
                    "{variable} is not used: there is no instance of that name (known: {})",
                    known.join(", ")
                ));
                Ok(())
            }
            [name] => {
                self.set_password(name, password, variable);
                Ok(())
            }
            several => Err(wrong(format!(
                "{variable} could be meant for the instances {}: rename one of them",
                several.join(" and ")
            ))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Instance, InstanceUrl, Preset};

    #[test]
    fn an_instance_of_any_kind_has_a_password_variable() {
        let map = |variables: &[(&str, &str)]| {
            let variables = variables.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned()));
            DatabaseMapBuilder::preset(Preset::Pipeline)
                .instance("primary", Instance::new("redis://me@a").unwrap())
                .instance("far-away", Instance::new("redis+cluster://:old@b,c").unwrap())
                .environment_variables(variables)
                .unwrap()
                .build()
                .unwrap()
        };
        let set = map(&[
            ("REDIS_PASSWORD", "common"),
            ("REDIS_PASSWORD_PRIMARY", "p@ss/w:rd"),
            ("REDIS_PASSWORD_FAR_AWAY", "a b"),
            ("REDIS_PASSWORD_NOBODY", "s3cret"),
        ]);
        assert_eq!(set.instances()["primary"].url.reveal(), "redis://me:p%40ss%2Fw%3Ard@a:6379");
        assert_eq!(set.instances()["far-away"].url.reveal(), "redis+cluster://:a%20b@b,c");
        assert_eq!(set.instances()["far-away"].url.password(), Some("a b"));
        assert_eq!(set.notes().len(), 1);
        assert!(set.notes()[0].contains("REDIS_PASSWORD_NOBODY"), "{:?}", set.notes());
        assert!(!format!("{set:?}").contains("s3cret"));
        assert!(set.overridden().iter().any(|one| one.by == "REDIS_PASSWORD_FAR_AWAY"));
        let in_query = InstanceUrl::parse("redis://a/0?password=old&db=0").unwrap();
        let changed = in_query.with_password("new");
        assert_eq!(InstanceUrl::parse(changed.reveal()).unwrap().password(), Some("new"));
    }
}
