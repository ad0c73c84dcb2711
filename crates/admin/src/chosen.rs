//! The names of one database that an operator chose by globs.

use std::sync::Arc;

use crate::patterns::{Selection, Selector};
use crate::{CountedNames, read_glob};

/// The chosen names.
pub(crate) struct Chosen {
    /// The glob that the server filters by.
    glob: Option<Vec<u8>>,
    selector: Option<Selector>,
    except: Vec<Vec<u8>>,
    only: Option<Arc<CountedNames>>,
}

impl Chosen {
    /// Globs as [`read_glob`] reads them; every name if there are none.
    pub(crate) fn new(patterns: &[String]) -> Self {
        let mut globs: Vec<Vec<u8>> = patterns.iter().map(|text| read_glob(text)).collect();
        let (glob, selector) = match globs.len() {
            0 => (None, None),
            1 => (globs.pop(), None),
            _ => {
                let selection = Selection { globs, except: Vec::new() };
                (None, Some(Selector::new(&[selection])))
            }
        };
        Self { glob, selector, except: Vec::new(), only: None }
    }

    /// Leaves these names out.
    pub(crate) fn except(mut self, names: &[Vec<u8>]) -> Self {
        self.except = names.to_vec();
        self
    }

    /// Takes only names that were counted before; any name by `None`.
    pub(crate) fn only(mut self, names: Option<&Arc<CountedNames>>) -> Self {
        self.only = names.cloned();
        self
    }

    pub(crate) fn glob(&self) -> Option<&[u8]> {
        self.glob.as_deref()
    }

    pub(crate) fn takes(&self, name: &[u8]) -> bool {
        self.selector.as_ref().is_none_or(|selector| selector.first_match(name).is_some())
            && !self.except.iter().any(|kept| kept == name)
            && self.only.as_ref().is_none_or(|names| names.contains(name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::counted::NameCounter;

    #[test]
    fn names_are_chosen_by_any_of_the_globs() {
        let all = Chosen::new(&[]);
        assert!(all.takes(b"page:1") && all.glob().is_none());
        let one = Chosen::new(&["doc:*:temp".to_owned()]);
        assert_eq!(one.glob(), Some(b"doc:*:temp".as_slice()));
        let two = Chosen::new(&["doc:*:temp".to_owned(), "page:*".to_owned()]);
        assert!(two.glob().is_none());
        assert!(two.takes(b"doc:7:temp") && two.takes(b"page:1") && !two.takes(b"doc:7:text"));
    }

    #[test]
    fn kept_names_and_names_that_were_not_counted_are_not_chosen() {
        let kept = Chosen::new(&[]).except(&[b"log".to_vec()]);
        assert!(kept.takes(b"page:1") && !kept.takes(b"log"));
        let mut counter = NameCounter::new(1);
        counter.add(b"page:1");
        let counted = counter.finish().map(Arc::new);
        let only = Chosen::new(&[]).only(counted.as_ref());
        assert!(only.takes(b"page:1") && !only.takes(b"page:2"));
    }
}
