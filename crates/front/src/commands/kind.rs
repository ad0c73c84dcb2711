//! How the front treats a command.

use super::flags::Flags;

/// What the front does with a request, by its command.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Kind {
    /// Its keys say where it goes; without keys it goes to the home server.
    Plain,
    /// Each key stands for itself: the request can be taken apart and the answers put together.
    Split(Split),
    /// Its keys belong together, but if they lie in several databases the front may do the work in steps.
    Across,
    /// It may wait for something to happen to its keys. Of `XREAD` and `XREADGROUP` the arguments say whether
    /// they do: [`Command::blocks`](super::Command::blocks).
    Blocking,
    /// It waits until others have the writes of this connection: `WAIT`, `WAITAOF`.
    Wait,
    /// It begins, ends or guards a transaction.
    Transaction(Transaction),
    /// It changes what a connection is subscribed to.
    Subscribe(Subscribe),
    /// It sends a message: `PUBLISH`, `SPUBLISH`. The channel is argument 1.
    Publish,
    /// It asks about channels: `PUBSUB`.
    Channels,
    /// It shows every request of the server: `MONITOR`.
    Monitor,
    /// It runs a script or a function, over the keys that it declares.
    Script,
    /// It stores, asks for or removes scripts or functions: `SCRIPT`, `FUNCTION`. They belong to a whole server.
    Scripts,
    /// It changes or asks for what belongs to a connection.
    Connection(Connection),
    /// A subcommand of `CLIENT`.
    Client(Client),
    /// It asks about a whole database, of which a program sees one.
    Keyspace(Keyspace),
    /// It empties or exchanges databases.
    Flush(Flush),
    /// It moves a key to the database of another index: `MOVE`. The index is argument 2.
    Move,
    /// It belongs to cluster mode: the front is no cluster, whatever is behind it.
    Cluster,
    /// It is a line of HTTP: somebody makes a browser talk to the port. The connection is to be closed.
    Foreign,
    /// It could harm other programs of the server, and is refused unless it is allowed.
    Refused,
    /// It has no keys, and the home server answers it.
    Server,
}

/// Commands that can be taken apart by key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Split {
    /// `MGET`: values in the order of the keys.
    MGet,
    /// `MSET`: pairs of a key and a value.
    MSet,
    /// `DEL`: how many there were.
    Delete,
    /// `UNLINK`: how many there were.
    Unlink,
    /// `EXISTS`: how many there are.
    Exists,
    /// `TOUCH`: how many there are.
    Touch,
}

/// Commands of transactions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "each is the command of its name")]
pub enum Transaction {
    Multi,
    Exec,
    Discard,
    Watch,
    Unwatch,
}

/// Commands that subscribe, and those that end it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "each is the command of its name")]
pub enum Subscribe {
    Subscribe,
    Unsubscribe,
    PSubscribe,
    PUnsubscribe,
    SSubscribe,
    SUnsubscribe,
}

/// Commands of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "each is the command of its name")]
pub enum Connection {
    Auth,
    Hello,
    Select,
    Reset,
    Quit,
    Ping,
    Echo,
}

/// Subcommands of `CLIENT`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "each is the subcommand of its name")]
pub enum Client {
    Caching,
    Capa,
    GetName,
    GetRedir,
    Help,
    Id,
    ImportSource,
    Info,
    Kill,
    List,
    NoEvict,
    NoTouch,
    Pause,
    Reply,
    SetInfo,
    SetName,
    Tracking,
    TrackingInfo,
    Unblock,
    Unpause,
    /// `CLIENT` alone, or with a subcommand that is not known.
    Other,
}

/// Commands about a whole database.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "each is the command of its name")]
pub enum Keyspace {
    Scan,
    Keys,
    DbSize,
    RandomKey,
    Info,
}

/// Commands that empty or exchange databases.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "each is the command of its name")]
pub enum Flush {
    FlushDb,
    FlushAll,
    SwapDb,
}

impl Kind {
    /// By the command's name in lower case, with a subcommand after a bar: `config|get`. A command that is not
    /// known here, such as a module's, is treated by its flags, and by whether its keys are described.
    #[must_use]
    pub(super) fn of(name: &str, flags: Flags, has_keys: bool) -> Self {
        let (first, sub) = name.split_once('|').unwrap_or((name, ""));
        if let Some(kind) = of_container(first, sub).or_else(|| of_name(name)) {
            return kind;
        }
        match () {
            () if flags.has(Flags::BLOCKING) => Self::Blocking,
            () if has_keys || flags.has(Flags::MOVABLEKEYS) => Self::Plain,
            () if flags.has(Flags::ADMIN) => Self::Refused,
            () => Self::Server,
        }
    }
}

/// Of commands with subcommands.
fn of_container(name: &str, sub: &str) -> Option<Kind> {
    Some(match (name, sub) {
        ("client", _) => Kind::Client(of_client(sub)),
        ("cluster", _) => Kind::Cluster,
        ("pubsub", _) => Kind::Channels,
        ("script" | "function", _) => Kind::Scripts,
        ("config", "set" | "rewrite") => Kind::Refused,
        ("acl", "setuser" | "deluser" | "load" | "save") => Kind::Refused,
        ("module", "load" | "loadex" | "unload") => Kind::Refused,
        ("acl" | "command" | "commandlog" | "config" | "latency" | "module" | "slowlog", _) => {
            Kind::Server
        }
        // Before 7.0 a subcommand has no entry of its own, but its command has the key.
        ("memory", "" | "usage") | ("object" | "xgroup" | "xinfo", "") => Kind::Plain,
        ("memory", _) | ("object" | "xgroup" | "xinfo", "help") => Kind::Server,
        _ => return None,
    })
}

fn of_client(sub: &str) -> Client {
    match sub {
        "caching" => Client::Caching,
        "capa" => Client::Capa,
        "getname" => Client::GetName,
        "getredir" => Client::GetRedir,
        "help" => Client::Help,
        "id" => Client::Id,
        "import-source" => Client::ImportSource,
        "info" => Client::Info,
        "kill" => Client::Kill,
        "list" => Client::List,
        "no-evict" => Client::NoEvict,
        "no-touch" => Client::NoTouch,
        "pause" => Client::Pause,
        "reply" => Client::Reply,
        "setinfo" => Client::SetInfo,
        "setname" => Client::SetName,
        "tracking" => Client::Tracking,
        "trackinginfo" => Client::TrackingInfo,
        "unblock" => Client::Unblock,
        "unpause" => Client::Unpause,
        _ => Client::Other,
    }
}

fn of_name(name: &str) -> Option<Kind> {
    Some(match name {
        "mget" => Kind::Split(Split::MGet),
        "mset" => Kind::Split(Split::MSet),
        "del" => Kind::Split(Split::Delete),
        "unlink" => Kind::Split(Split::Unlink),
        "exists" => Kind::Split(Split::Exists),
        "touch" => Kind::Split(Split::Touch),
        "rename" | "renamenx" | "copy" | "smove" | "lmove" | "rpoplpush" | "lmpop" | "zmpop"
        | "msetnx" | "msetex" | "sdiff" | "sinter" | "sunion" | "sdiffstore" | "sinterstore"
        | "sunionstore" | "sintercard" | "zdiff" | "zinter" | "zunion" | "zdiffstore"
        | "zinterstore" | "zunionstore" | "zintercard" | "zrangestore" | "pfmerge" | "pfcount"
        | "bitop" | "lcs" | "stralgo" | "sort" | "sort_ro" | "georadius" | "georadiusbymember"
        | "geosearchstore" => Kind::Across,
        "blpop" | "brpop" | "blmove" | "brpoplpush" | "blmpop" | "bzpopmin" | "bzpopmax"
        | "bzmpop" | "xread" | "xreadgroup" => Kind::Blocking,
        "wait" | "waitaof" => Kind::Wait,
        "multi" => Kind::Transaction(Transaction::Multi),
        "exec" => Kind::Transaction(Transaction::Exec),
        "discard" => Kind::Transaction(Transaction::Discard),
        "watch" => Kind::Transaction(Transaction::Watch),
        "unwatch" => Kind::Transaction(Transaction::Unwatch),
        "subscribe" => Kind::Subscribe(Subscribe::Subscribe),
        "unsubscribe" => Kind::Subscribe(Subscribe::Unsubscribe),
        "psubscribe" => Kind::Subscribe(Subscribe::PSubscribe),
        "punsubscribe" => Kind::Subscribe(Subscribe::PUnsubscribe),
        "ssubscribe" => Kind::Subscribe(Subscribe::SSubscribe),
        "sunsubscribe" => Kind::Subscribe(Subscribe::SUnsubscribe),
        "publish" | "spublish" => Kind::Publish,
        "monitor" => Kind::Monitor,
        "eval" | "evalsha" | "eval_ro" | "evalsha_ro" | "fcall" | "fcall_ro" => Kind::Script,
        "auth" => Kind::Connection(Connection::Auth),
        "hello" => Kind::Connection(Connection::Hello),
        "select" => Kind::Connection(Connection::Select),
        "reset" => Kind::Connection(Connection::Reset),
        "quit" => Kind::Connection(Connection::Quit),
        "ping" => Kind::Connection(Connection::Ping),
        "echo" => Kind::Connection(Connection::Echo),
        "asking" | "readonly" | "readwrite" | "clusterscan" => Kind::Cluster,
        "scan" => Kind::Keyspace(Keyspace::Scan),
        "keys" => Kind::Keyspace(Keyspace::Keys),
        "dbsize" => Kind::Keyspace(Keyspace::DbSize),
        "randomkey" => Kind::Keyspace(Keyspace::RandomKey),
        "info" => Kind::Keyspace(Keyspace::Info),
        "flushdb" => Kind::Flush(Flush::FlushDb),
        "flushall" => Kind::Flush(Flush::FlushAll),
        "swapdb" => Kind::Flush(Flush::SwapDb),
        "move" => Kind::Move,
        "host:" | "post" => Kind::Foreign,
        "debug" | "failover" | "pfdebug" | "psync" | "replconf" | "replicaof"
        | "restore-asking" | "save" | "shutdown" | "slaveof" | "sync" => Kind::Refused,
        // They are flagged as an administrator's, but harm nobody.
        "bgrewriteaof" | "bgsave" | "lastsave" | "lolwut" | "pfselftest" | "role" | "time" => {
            Kind::Server
        }
        _ => return None,
    })
}
