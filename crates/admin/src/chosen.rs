//! The names of one database that an operator chose by globs.

use crate::patterns::{Selection, Selector};
use crate::read_glob;

/// The chosen names.
pub(crate) struct Chosen {
    /// The glob that the server filters by.
    glob: Option<Vec<u8>>,
    selector: Option<Selector>,
}

impl Chosen {
    /// Globs as [`read_glob`] reads them; every name if there are none.
    pub(crate) fn new(patterns: &[String]) -> Self {
        let mut globs: Vec<Vec<u8>> = patterns.iter().map(|text| read_glob(text)).collect();
        match globs.len() {
            0 => Self { glob: None, selector: None },
            1 => Self { glob: globs.pop(), selector: None },
            _ => {
                let selection = Selection { globs, except: Vec::new() };
                Self { glob: None, selector: Some(Selector::new(&[selection])) }
            }
        }
    }

    pub(crate) fn glob(&self) -> Option<&[u8]> {
        self.glob.as_deref()
    }

    pub(crate) fn takes(&self, name: &[u8]) -> bool {
        self.selector.as_ref().is_none_or(|selector| selector.first_match(name).is_some())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
}
