//! What a server says of a command in single words.

/// Flags of a command, as bits.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Flags(u32);

macro_rules! flags {
    ($($(#[$doc:meta])* $name:ident = $bit:literal, $word:literal;)*) => {
        impl Flags {
            $($(#[$doc])* pub const $name: Self = Self(1 << $bit);)*

            /// The flag of a word in the answer of `COMMAND`; none if the front needs nothing of it.
            #[must_use]
            pub fn of_word(word: &[u8]) -> Self {
                match word {
                    $($word => Self::$name,)*
                    _ => Self(0),
                }
            }
        }

        const NAMES: &[(Flags, &str)] = &[$((Flags::$name, stringify!($name)),)*];
    };
}

flags! {
    /// It may change data.
    WRITE = 0, b"write";
    /// It reads data and changes none.
    READONLY = 1, b"readonly";
    /// It may take memory, and is refused when there is none left.
    DENYOOM = 2, b"denyoom";
    /// For those who run the server.
    ADMIN = 3, b"admin";
    /// It has to do with channels.
    PUBSUB = 4, b"pubsub";
    /// Scripts may not call it.
    NOSCRIPT = 5, b"noscript";
    /// It may wait.
    BLOCKING = 6, b"blocking";
    /// It works while the server loads its data.
    LOADING = 7, b"loading";
    /// It works on a replica whose data are old.
    STALE = 8, b"stale";
    /// `MONITOR` does not show it.
    SKIP_MONITOR = 9, b"skip_monitor";
    /// It takes little time.
    FAST = 10, b"fast";
    /// It needs no login.
    NO_AUTH = 11, b"no_auth";
    /// A replica may get it although it is no write.
    MAY_REPLICATE = 12, b"may_replicate";
    /// Its keys are not at fixed places.
    MOVABLEKEYS = 13, b"movablekeys";
    /// Not inside a transaction.
    NO_MULTI = 14, b"no_multi";
    /// It works while a script runs for long.
    ALLOW_BUSY = 15, b"allow_busy";
    /// It may have no key at all.
    NO_MANDATORY_KEYS = 16, b"no_mandatory_keys";
    /// A module brought it.
    MODULE = 17, b"module";
}

impl Flags {
    /// Whether all of the others are among these.
    #[must_use]
    pub const fn has(self, others: Self) -> bool {
        self.0 & others.0 == others.0
    }

    /// These and the others.
    #[must_use]
    pub const fn and(self, others: Self) -> Self {
        Self(self.0 | others.0)
    }
}

impl FromIterator<Flags> for Flags {
    fn from_iter<I: IntoIterator<Item = Self>>(flags: I) -> Self {
        flags.into_iter().fold(Self(0), Self::and)
    }
}

impl std::fmt::Debug for Flags {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let names = NAMES.iter().filter(|(flag, _)| self.has(*flag)).map(|(_, name)| *name);
        f.debug_set().entries(names).finish()
    }
}
