//! Decides the target and the new name of each key.

use std::sync::Arc;

use compartment_core::backend::glob_matches;

use super::Rename;
use crate::{CountedNames, Place, Plan, Result, Verdict, read_glob};

/// The rules of a migration, tried in order for each key.
#[derive(Clone, Debug, Default)]
pub struct Routes {
    rules: Vec<Rule>,
    /// Prefixes of names that stay, since they belong to a target already.
    spared: Vec<Vec<u8>>,
    /// The names that may move; any by `None`.
    only: Option<Arc<CountedNames>>,
}

/// One group of keys and its target.
#[derive(Clone, Debug)]
struct Rule {
    /// The group's label.
    group: String,
    patterns: Vec<Vec<u8>>,
    except: Vec<Vec<u8>>,
    /// The index of the target; `None` for keys that stay.
    target: Option<usize>,
    rename: Option<Rename>,
}

impl Routes {
    /// All keys that match one of `patterns` (all keys if empty) go to the only target.
    #[must_use]
    pub fn single(group: &str, patterns: &[String], rename: Option<Rename>) -> Self {
        let patterns = match (patterns, &rename) {
            ([], Some(rename)) => vec![rename.pattern()],
            (patterns, _) => patterns.iter().map(|pattern| read_glob(pattern)).collect(),
        };
        let rule =
            Rule { group: group.to_owned(), patterns, except: Vec::new(), target: Some(0), rename };
        Self { rules: vec![rule], ..Self::default() }
    }

    /// The rules of a plan. Targets have the indexes of [`Plan::targets`]. A group moves if the
    /// plan says so and `takes_part` accepts it; the keys of other groups stay.
    #[must_use]
    pub fn of_plan(plan: &Plan, takes_part: impl Fn(&crate::Group) -> bool) -> Self {
        let rules = plan.groups.iter().map(|group| {
            let globs = |texts: &[String]| texts.iter().map(|text| read_glob(text)).collect();
            let goes = group.verdict != Verdict::Stay && takes_part(group);
            let place = |target: &crate::PlanTarget| target.database == group.database;
            Rule {
                group: group.name.clone(),
                patterns: globs(&group.patterns),
                except: globs(&group.except),
                target: if goes { plan.targets.iter().position(place) } else { None },
                rename: None,
            }
        });
        Self { rules: rules.collect(), ..Self::default() }
    }

    /// The rules of a journal, whose keys are listed by name with the index of their rule.
    pub(crate) fn of_groups(groups: &[(String, usize)], rename: Option<&Rename>) -> Self {
        let rules = groups.iter().map(|(group, target)| Rule {
            group: group.clone(),
            patterns: Vec::new(),
            except: Vec::new(),
            target: Some(*target),
            rename: rename.cloned(),
        });
        Self { rules: rules.collect(), ..Self::default() }
    }

    /// Moves only keys that were counted before, as by [`super::preview_names`].
    #[must_use]
    pub fn only(mut self, names: Arc<CountedNames>) -> Self {
        self.only = Some(names);
        self
    }

    /// The literal prefixes of the globs of keys that move.
    pub(crate) fn beginnings(&self) -> impl Iterator<Item = &[u8]> {
        let moving = self.rules.iter().filter(|rule| rule.target.is_some());
        moving.flat_map(|rule| &rule.patterns).map(|glob| {
            let end = glob.iter().position(|byte| b"*?[\\".contains(byte));
            &glob[..end.unwrap_or(glob.len())]
        })
    }

    /// Whether every key of the source moves.
    pub(crate) fn takes_all(&self) -> bool {
        self.only.is_none()
            && self.rules.iter().any(|rule| {
                let takes_all = rule.patterns.is_empty() && rule.except.is_empty();
                takes_all && rule.rename.is_none() && rule.target.is_some()
            })
    }

    /// Excludes names with this prefix from the move.
    pub(crate) fn spare(&mut self, beginning: &[u8]) {
        if !self.spared.iter().any(|known| known == beginning) {
            self.spared.push(beginning.to_vec());
        }
    }

    /// Excludes names that are in the target already, or that would be found again after their move.
    /// That happens if both places have one index, and one's prefix begins with the other's.
    ///
    /// # Errors
    /// The servers', and when it cannot be found out whether they are one server.
    pub(crate) async fn spare_shared(&mut self, source: &Place, target: &Place) -> Result<()> {
        let (from, to) = (source.prefix(), target.prefix());
        let inner = to.strip_prefix(from).or_else(|| from.strip_prefix(to)).unwrap_or_default();
        if inner.is_empty() || source.index() != target.index() {
            return Ok(());
        }
        if target.is_on_server_of(source).await? {
            self.spare(inner);
        }
        Ok(())
    }

    /// Whether any keys are renamed.
    pub(crate) fn renames(&self) -> bool {
        self.rules.iter().any(|rule| rule.rename.is_some())
    }

    /// The groups by index, each with the index of its target.
    pub(crate) fn groups(&self) -> Vec<(String, usize)> {
        let group = |rule: &Rule| (rule.group.clone(), rule.target.unwrap_or(0));
        self.rules.iter().map(group).collect()
    }

    /// The renaming, if there is one.
    pub(crate) fn rename(&self) -> Option<&Rename> {
        self.rules.iter().find_map(|rule| rule.rename.as_ref())
    }

    /// The single glob that all moving keys match; `None` if there are several or none. It may
    /// match more keys than move.
    #[must_use]
    pub fn only_pattern(&self) -> Option<&[u8]> {
        match self.rules.as_slice() {
            [Rule { patterns, .. }] => match patterns.as_slice() {
                [pattern] => Some(pattern),
                _ => None,
            },
            _ => None,
        }
    }

    /// The index of the rule for `name`; `None` for a key that stays.
    pub(crate) fn rule_of(&self, name: &[u8]) -> Option<usize> {
        if self.spared.iter().any(|beginning| name.starts_with(beginning))
            || self.only.as_ref().is_some_and(|names| !names.contains(name))
        {
            return None;
        }
        let at = self.rules.iter().position(|rule| rule.takes(name))?;
        let rule = &self.rules[at];
        let fits = rule.rename.as_ref().is_none_or(|rename| rename.apply(name).is_some());
        (rule.target.is_some() && fits).then_some(at)
    }

    /// The target of a rule from [`Routes::rule_of`].
    pub(crate) fn target(&self, rule: usize) -> usize {
        self.rules.get(rule).and_then(|rule| rule.target).unwrap_or(0)
    }

    /// The name in the target for a key of `rule`.
    pub(crate) fn new_name(&self, rule: usize, name: &[u8]) -> Vec<u8> {
        let rename = self.rules.get(rule).and_then(|rule| rule.rename.as_ref());
        rename.and_then(|rename| rename.apply(name)).unwrap_or_else(|| name.to_vec())
    }
}

impl Rule {
    fn takes(&self, name: &[u8]) -> bool {
        let any = |globs: &[Vec<u8>]| globs.iter().any(|glob| glob_matches(glob, name));
        (self.patterns.is_empty() || any(&self.patterns)) && !any(&self.except)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::counted::NameCounter;

    #[test]
    fn the_first_group_that_matches_decides_and_the_rest_stays() {
        let plan = Plan::parse(
            r#"
            version = 1
            source = { server = "redis://x", index = 0, keys = 9, made = "now" }
            targets = [{ database = "cache", server = "redis://x", index = 2 },
                       { database = "broker", server = "redis://x", index = 1 }]
            [[groups]]
            name = "locks"
            verdict = "stay"
            patterns = ["page:lock:*"]
            [[groups]]
            name = "pages"
            verdict = "move"
            database = "cache"
            patterns = ["page:*"]
            except = ["page:\\x00*"]
            [[groups]]
            name = "queues"
            verdict = "drain"
            database = "broker"
            patterns = ["celery"]
            "#,
        )
        .unwrap();
        let routes = Routes::of_plan(&plan, |group| group.verdict == Verdict::Move);
        assert_eq!(routes.rule_of(b"page:lock:1"), None);
        assert_eq!(routes.rule_of(b"page:1"), Some(1));
        assert_eq!(routes.target(1), 0);
        assert_eq!(routes.rule_of(b"page:\x001"), None);
        assert_eq!(routes.rule_of(b"celery"), None, "it has not been drained");
        assert_eq!(routes.rule_of(b"other"), None);
        let all = Routes::of_plan(&plan, |_| true);
        assert_eq!(all.rule_of(b"celery").map(|rule| all.target(rule)), Some(1));
        let mut counter = NameCounter::new(1);
        counter.add(b"page:1");
        let counted = all.only(counter.finish().map(Arc::new).unwrap());
        assert_eq!(counted.rule_of(b"page:1"), Some(1));
        assert_eq!(counted.rule_of(b"page:2"), None, "it was not counted");
    }
}
