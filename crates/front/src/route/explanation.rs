//! Where a key lives and why, for people and for programs.

use std::fmt::{Display, Formatter, Result};
use std::time::Duration;

use serde::Serialize;

use super::shown::Shown;

/// Where a key of a program lives, the route that says so, and why the routes before it do not.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Explanation {
    /// The key, with bytes that are no visible characters as `\xNN`.
    pub key: String,
    /// The login of the program.
    pub user: String,
    /// The name of the program's connection.
    pub client: String,
    /// The index that the program selects.
    pub select: u32,
    /// Where the key lives; `None` if requests for it are refused.
    pub place: Option<Placed>,
    /// What takes the key.
    #[serde(flatten)]
    pub by: Taken,
    /// The routes that were asked before, in order.
    pub before: Vec<Passed>,
}

/// The database of a key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Placed {
    /// Its name.
    pub database: String,
    /// Its instance.
    pub instance: String,
    /// Its index there.
    pub index: u32,
    /// The prefix of its keys; empty if it has an index of its own.
    pub prefix: String,
    /// Its kind.
    pub kind: String,
    /// The lifetime of a key that is written without one, in milliseconds.
    pub default_ttl_ms: Option<u64>,
    /// The index that its keys come from, while they move.
    pub previous_index: Option<u32>,
    /// The key's slot, on a cluster.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub slot: Option<u16>,
}

/// What takes a key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "by", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Taken {
    /// A pattern of keys that scripts use together.
    Together {
        /// The route.
        route: String,
        /// Its pattern.
        pattern: String,
    },
    /// A pattern of a route.
    Keys {
        /// The route.
        route: String,
        /// Its pattern.
        pattern: String,
    },
    /// A pattern of a known program.
    Program {
        /// The route.
        route: String,
        /// The program.
        program: String,
        /// Its pattern.
        pattern: String,
    },
    /// A route that takes every key of the programs that it fits.
    EveryKey {
        /// The route.
        route: String,
    },
    /// A rule of `[keys]`.
    Template {
        /// The rule, as `keys.` and its name.
        route: String,
        /// The pattern of its template.
        pattern: String,
    },
    /// The default.
    Default,
    /// Nothing: no route takes the key, and there is no default for its index.
    Nothing,
    /// Nothing: the program may not select its index, since no route names it.
    NoSuchIndex,
}

/// A route that does not take the key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Passed {
    /// Its name.
    pub route: String,
    /// Why not.
    #[serde(flatten)]
    pub why: Why,
}

/// Why a route does not take a key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "why", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Why {
    /// It is for other indexes.
    Index {
        /// The indexes it names.
        select: Vec<u32>,
    },
    /// It is for other logins.
    User {
        /// The logins it names.
        users: Vec<String>,
    },
    /// It is for connections of other names.
    Client {
        /// The names it has.
        clients: Vec<String>,
    },
    /// None of its patterns matches.
    Patterns {
        /// The patterns.
        patterns: Vec<String>,
    },
    /// It would take the key, but patterns of `together` are asked first.
    TogetherFirst,
}

/// The columns of a terminal.
const WIDTH: usize = 80;
/// The columns of a route's name.
const NAME: usize = 20;
/// Passed routes that are shown; the others are counted.
const MAX_PASSED: usize = 30;

impl Display for Explanation {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match &self.place {
            Some(place) => paragraph(f, "", &format!("{} lives in {place}", self.key))?,
            None => paragraph(f, "", &format!("{} is refused", self.key))?,
        }
        paragraph(f, "", &self.by.sentence(self.select))?;
        let mut program = Vec::new();
        if self.user != "default" {
            program.push(format!("logged in as {}", self.user));
        }
        if !self.client.is_empty() {
            program.push(format!("named {}", self.client));
        }
        if self.select != 0 {
            program.push(format!("with index {} selected", self.select));
        }
        if !program.is_empty() {
            paragraph(f, "", &format!("for a program {}", program.join(", ")))?;
        }
        if self.before.is_empty() {
            return Ok(());
        }
        writeln!(f, "\nroutes before it:")?;
        for passed in self.before.iter().take(MAX_PASSED) {
            let name = format!("  {:NAME$} ", passed.route);
            let indent = " ".repeat(NAME + 3);
            match name.len() > indent.len() {
                true => {
                    writeln!(f, "{}", name.trim_end())?;
                    paragraph(f, &indent, &format!("{indent}{}", passed.why))?;
                }
                false => paragraph(f, &indent, &format!("{name}{}", passed.why))?,
            }
        }
        match self.before.len().saturating_sub(MAX_PASSED) {
            0 => Ok(()),
            more => writeln!(f, "  and {more} more"),
        }
    }
}

impl Display for Placed {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        let Self { database, instance, index, prefix, kind, .. } = self;
        write!(f, "{database}: index {index} of {instance}, {kind}")?;
        if !prefix.is_empty() {
            write!(f, ", prefix {prefix}")?;
        }
        if let Some(slot) = self.slot {
            write!(f, ", slot {slot}")?;
        }
        if let Some(millis) = self.default_ttl_ms {
            write!(f, ", default TTL {}", Span(Duration::from_millis(millis)))?;
        }
        match self.previous_index {
            None => Ok(()),
            Some(previous) => write!(f, ", coming from index {previous}"),
        }
    }
}

impl Taken {
    /// The name of the route that takes the key.
    #[must_use]
    pub fn route(&self) -> Option<&str> {
        match self {
            Self::Together { route, .. }
            | Self::Keys { route, .. }
            | Self::Program { route, .. }
            | Self::EveryKey { route }
            | Self::Template { route, .. } => Some(route),
            Self::Default => Some("default"),
            Self::Nothing | Self::NoSuchIndex => None,
        }
    }

    fn sentence(&self, select: u32) -> String {
        let shown = |pattern: &str| Shown(pattern.as_bytes()).to_string();
        match self {
            Self::Together { route, pattern } => {
                format!("taken by the route {route}: together = {}", shown(pattern))
            }
            Self::Keys { route, pattern } => {
                format!("taken by the route {route}: keys = {}", shown(pattern))
            }
            Self::Program { route, program, pattern } => {
                format!("taken by the route {route}: {} is of {program}", shown(pattern))
            }
            Self::EveryKey { route } => {
                format!(
                    "taken by the route {route}, which takes every key of the programs that it is for"
                )
            }
            Self::Template { route, pattern } => format!("taken by {route}: {}", shown(pattern)),
            Self::Default => "no route takes it, so it goes to the default".to_owned(),
            Self::Nothing if select == 0 => {
                "no route takes it, and there is no default: add its pattern to a route, or set \
                 front.default"
                    .to_owned()
            }
            Self::Nothing => format!(
                "no route for index {select} takes it, and the default is for index 0 alone: add a \
                 route with select = [{select}] and without keys for the rest of that index"
            ),
            Self::NoSuchIndex => format!(
                "the program may not select index {select}: no route for its login names it; add a \
                 route with select = [{select}]"
            ),
        }
    }
}

impl Display for Why {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        let list = |f: &mut Formatter<'_>, what: &str, list: &[String]| {
            let shown: Vec<String> =
                list.iter().map(|text| Shown(text.as_bytes()).to_string()).collect();
            write!(f, "{what}{}", shown.join(", "))
        };
        match self {
            Self::Index { select } if select.is_empty() => f.write_str("is for index 0"),
            Self::Index { select } => {
                let select: Vec<String> = select.iter().map(u32::to_string).collect();
                list(f, "is for index ", &select)
            }
            Self::User { users } => list(f, "is for the login ", users),
            Self::Client { clients } => list(f, "is for programs named ", clients),
            Self::Patterns { patterns } if patterns.is_empty() => {
                f.write_str("is for scripts and takes no keys")
            }
            Self::Patterns { patterns } => list(f, "takes ", patterns),
            Self::TogetherFirst => {
                f.write_str("would take it, but keys of `together` are taken first")
            }
        }
    }
}

/// Writes a text in lines of a terminal's width; all but the first begin with `indent`. A word that is longer than a
/// line is not broken, so that it can be copied.
fn paragraph(f: &mut Formatter<'_>, indent: &str, text: &str) -> Result {
    let mut column = 0;
    for (at, word) in text.split(' ').enumerate() {
        let width = word.chars().count();
        if at > 0 && column + 1 + width > WIDTH && column > indent.len() {
            write!(f, "\n{indent}")?;
            column = indent.len();
        } else if at > 0 {
            f.write_str(" ")?;
            column += 1;
        }
        f.write_str(word)?;
        column += width;
    }
    writeln!(f)
}

/// A time in its largest whole unit.
struct Span(Duration);

impl Display for Span {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        const UNITS: [(u64, &str); 4] = [(86_400, "d"), (3_600, "h"), (60, "min"), (1, "s")];
        let seconds = self.0.as_secs();
        if self.0.subsec_nanos() > 0 {
            return write!(f, "{} ms", self.0.as_millis());
        }
        let unit = UNITS.iter().find(|(unit, _)| seconds >= *unit && seconds.is_multiple_of(*unit));
        match unit {
            Some((unit, name)) => write!(f, "{} {name}", seconds / unit),
            None => write!(f, "{seconds} s"),
        }
    }
}
