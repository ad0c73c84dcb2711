//! Names without characters that steer a terminal or the direction of writing. A paper of others may have any.

use std::borrow::Cow;

/// The name without control characters and marks of direction; line ends and tabs become blanks.
pub(crate) fn visible(name: &str) -> Cow<'_, str> {
    if !name.contains(|letter| is_control(letter) || is_blank(letter)) {
        return name.into();
    }
    let kept = name.chars().filter(|letter| !is_control(*letter));
    kept.map(|letter| if is_blank(letter) { ' ' } else { letter }).collect::<String>().into()
}

fn is_blank(letter: char) -> bool {
    matches!(letter, '\n' | '\r' | '\t' | '\u{85}' | '\u{2028}' | '\u{2029}')
}

fn is_control(letter: char) -> bool {
    let is_mark = matches!(letter,
        '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    is_mark || (letter.is_control() && !is_blank(letter))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{mentions, resolve};

    #[test]
    fn what_steers_is_left_out() {
        assert_eq!(visible("O'Brien & Söhne, 株式会社"), "O'Brien & Söhne, 株式会社");
        assert_eq!(visible("AC\u{1b}[31mME\u{202e}\nCo\u{7f}rp\u{9b}"), "AC[31mME Corp");
    }

    #[test]
    fn no_name_of_an_entity_steers() {
        let marks = ["\u{1b}[31m", "\u{202e}", "\u{9b}", "\u{7f}", "\u{8}", "\u{2066}", "\u{200f}"];
        for mark in marks {
            let text = format!(
                "UNITED STATES DISTRICT COURT\nNORTHERN DISTRICT OF CALIFORNIA\n\n\
                 ACORN{mark} MILLING{mark}, INC., Plaintiff,\nv.\nBASALT {mark}TRADING LLC, Defendant.\n\n\
                 Case No. 3:21-cv-0{mark}1234\n\nBefore the Honorable Jane{mark} Q. Roe\n\n\
                 See Celo{mark}tex Corp. v. Cat{mark}rett, 477 U.S. 317, 322 (1986); 42 U.S.C. § 1983.\n"
            );
            let found = mentions(&text);
            assert!(!found.is_empty());
            let clean = |name: &str| !name.contains(is_control);
            assert!(found.iter().all(|mention| clean(&mention.normal)), "{mark:?}");
            for entity in resolve("d", found).entities {
                let all = std::iter::once(&entity.name).chain(&entity.aliases);
                assert!(all.into_iter().all(|name| clean(name)), "{mark:?} {entity:?}");
            }
        }
    }
}
