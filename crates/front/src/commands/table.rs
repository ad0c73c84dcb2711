//! A server's own table of commands.

use super::command::Command;
use super::flags::Flags;
use super::older;
use super::specification::Specification;
use crate::resp::{Arguments, Tree};

/// All commands of a server, found by name. What a server of another version or with modules knows is in its
/// own table.
#[derive(Clone, Debug, Default)]
pub struct CommandTable {
    commands: Vec<Command>,
    /// Places of commands by their name's hash, with room to spare; an empty one is [`NONE`].
    slots: Vec<u16>,
    /// By a command's place: whether it has subcommands.
    has_subcommands: Vec<bool>,
}

/// No command.
const NONE: u16 = u16::MAX;

/// A server's answer to `COMMAND` that describes no commands.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum NoTable {
    /// The server refused, with this error.
    Refused(String),
    /// The answer is no list, or an entry of it lacks something; the command's name, as far as it is known.
    Unreadable(String),
    /// There are more than 65,534.
    TooMany,
}

impl std::fmt::Display for NoTable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Refused(error) => {
                write!(f, "the server does not list its commands: {error}; allow COMMAND")
            }
            Self::Unreadable(name) => {
                write!(f, "the server's answer to COMMAND cannot be read at {name:?}")
            }
            Self::TooMany => f.write_str("the server has more than 65534 commands"),
        }
    }
}

impl std::error::Error for NoTable {}

impl CommandTable {
    /// Reads the answer of `COMMAND`, of Redis 6.2 to 8 and Valkey, in either version of the protocol.
    ///
    /// # Errors
    ///
    /// If the answer is an error or describes no commands.
    pub fn read(answer: &Tree) -> Result<Self, NoTable> {
        if let Some(error) = answer.error() {
            return Err(NoTable::Refused(String::from_utf8_lossy(error).into_owned()));
        }
        let entries = answer.items().filter(|entries| !entries.is_empty());
        let mut table = Self::default();
        for entry in entries.ok_or_else(|| NoTable::Unreadable(String::new()))? {
            table.add(entry, 0)?;
        }
        table.index();
        Ok(table)
    }

    fn add(&mut self, entry: &Tree, level: usize) -> Result<(), NoTable> {
        let fields = entry.items().unwrap_or_default();
        let field = |at: usize| fields.get(at);
        let name = field(0).and_then(Tree::text).unwrap_or_default().to_ascii_lowercase();
        let name = String::from_utf8(name).unwrap_or_default();
        let unreadable = || NoTable::Unreadable(name.clone());
        let number = |at| field(at).and_then(Tree::integer).ok_or_else(unreadable);
        let arity = i32::try_from(number(1)?).map_err(|_| unreadable())?;
        let words = field(2).and_then(Tree::items).unwrap_or_default();
        let flags: Flags = words.iter().filter_map(Tree::text).map(Flags::of_word).collect();
        let specifications: Vec<_> = match field(8).and_then(Tree::items) {
            Some(keys) => keys
                .iter()
                .filter_map(|keys| Specification::read(keys, flags.has(Flags::DENYOOM)))
                .collect(),
            None => older::specifications(&name, flags, number(3)?, number(4)?, number(5)?),
        };
        let tips = field(7).and_then(Tree::items).unwrap_or_default().iter().filter_map(Tree::text);
        let tips = tips.map(|tip| String::from_utf8_lossy(tip).into()).collect();
        let subcommands = field(9).and_then(Tree::items).unwrap_or_default();
        let id = u16::try_from(self.commands.len())
            .ok()
            .filter(|id| *id != NONE)
            .ok_or(NoTable::TooMany)?;
        if name.is_empty() {
            return Err(unreadable());
        }
        self.has_subcommands.push(!subcommands.is_empty());
        self.commands.push(Command::new(
            name.clone().into(),
            id,
            arity,
            flags,
            tips,
            specifications.into(),
        ));
        // Subcommands have none of their own.
        let subcommands = if level == 0 { subcommands } else { &[] };
        subcommands.iter().try_for_each(|subcommand| self.add(subcommand, level + 1))
    }

    fn index(&mut self) {
        let size = (self.commands.len() * 4).next_power_of_two();
        self.slots = vec![NONE; size];
        for command in &self.commands {
            let mut at = hash(command.name.bytes()) as usize;
            while let Some(slot) = self.slots.get_mut(at & (size - 1)) {
                if *slot == NONE {
                    *slot = command.id;
                    break;
                }
                at += 1;
            }
        }
    }

    /// The request's command, in upper or lower case. A subcommand's own entry, where there is one; else that of
    /// its command.
    #[must_use]
    pub fn find(&self, arguments: &Arguments<'_>) -> Option<&Command> {
        let name = arguments.get(0);
        let command =
            self.slot(name.iter().copied(), |known| known.as_bytes().eq_ignore_ascii_case(name))?;
        if arguments.len() < 2
            || !self.has_subcommands.get(usize::from(command.id)).is_some_and(|has| *has)
        {
            return Some(command);
        }
        let sub = arguments.get(1);
        let full = name.iter().chain(b"|").chain(sub).copied();
        let is_sub = |known: &str| {
            known.len() == name.len() + 1 + sub.len()
                && known
                    .bytes()
                    .zip(full.clone())
                    .all(|(known, byte)| known == byte.to_ascii_lowercase())
        };
        self.slot(full.clone(), is_sub).or(Some(command))
    }

    /// By name: `get`, `config|get`.
    #[must_use]
    pub fn named(&self, name: &str) -> Option<&Command> {
        self.slot(name.bytes(), |known| known.eq_ignore_ascii_case(name))
    }

    fn slot(&self, name: impl Iterator<Item = u8>, is: impl Fn(&str) -> bool) -> Option<&Command> {
        let mut at = hash(name) as usize;
        loop {
            let id = *self.slots.get(at & self.slots.len().checked_sub(1)?)?;
            // There is room to spare, so that an empty slot comes.
            let command = self.commands.get(usize::from(id))?;
            if is(&command.name) {
                return Some(command);
            }
            at += 1;
        }
    }

    /// By place.
    #[must_use]
    pub fn get(&self, id: u16) -> Option<&Command> {
        self.commands.get(usize::from(id))
    }

    /// All, in the order of their places.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &Command> {
        self.commands.iter()
    }

    /// How many commands and subcommands there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.commands.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.commands.is_empty()
    }
}

/// A short hash that does not tell upper from lower case (FNV-1a). The names are the server's, so that nobody can
/// choose ones that fall together.
fn hash(name: impl Iterator<Item = u8>) -> u32 {
    name.fold(0x811c_9dc5, |hash, byte| {
        (hash ^ u32::from(byte.to_ascii_lowercase())).wrapping_mul(0x0100_0193)
    })
}
