//! Lua scripts: sent by hash, or as text to a server that does not know them yet.

use std::sync::{Arc, LazyLock};

use compartment_core::backend::TtlRule;
use compartment_core::{ErrorKind, Result};
use redis::{Cmd, FromRedisValue, Script};

use crate::repeat::Repeat;

/// The end of a key that never exists, and that every script of several keys of one caller is given beside the others,
/// with their hash tag. (Calls of several callers join only where there is no cluster.)
///
/// A cluster moves a slot key by key. Meanwhile a script on the old node would miss the keys that have gone, and on the
/// new one those that have not come; a call about one of them fails in the middle of the script, whose first writes
/// stay. A request that names a missing key is refused as a whole, before it begins, for as long as its slot moves
/// (`TRYAGAIN`). Outside that time the name costs nothing: the server does not look the key up.
pub(crate) const ABSENT: &str = "absent";

/// One script, joined from files in `lua/`.
pub(crate) struct LuaScript {
    source: &'static str,
    compiled: LazyLock<Script>,
}

/// The destination of a script: a database and its connections.
pub(crate) trait ScriptTarget: Sync {
    /// Whether a script is always sent as text, never by hash.
    fn wants_text(&self) -> bool;

    /// The key's name on the server.
    fn name_of(&self, key: &str) -> String;

    /// Sends a command about `key`.
    fn send<T: FromRedisValue + Send>(
        &self,
        repeat: Repeat,
        operation: &'static str,
        key: &str,
        command: &Cmd,
    ) -> impl Future<Output = Result<T>> + Send;

    /// Whether the next call of a script with one key may leave with others: see [`ScriptTarget::send_joined`].
    fn joins(&self) -> bool;

    /// Calls a script with one key, together with calls by others.
    fn send_joined<T: FromRedisValue + Send>(
        &self,
        repeat: Repeat,
        operation: &'static str,
        key: &str,
        command: &Cmd,
    ) -> impl Future<Output = Result<JoinedCall<T>>> + Send;

    /// Sends commands that are not idempotent, each about a key; returns an answer or an error for each.
    ///
    /// # Errors
    /// If it is unknown which of them were executed.
    fn send_each<T: FromRedisValue + Send>(
        &self,
        operation: &'static str,
        commands: Vec<(String, Cmd)>,
    ) -> impl Future<Output = Result<Vec<Result<T>>>> + Send;
}

/// What became of a call that left together with others.
#[derive(Debug)]
pub(crate) enum JoinedCall<T> {
    /// The script's answer for this key.
    Answered(T),
    /// The server does not know the script. Nothing was executed.
    Unknown,
    /// It has to leave alone: it is too long, or the server refused to run it, perhaps because of another's key. Nothing
    /// was executed.
    Alone,
}

impl<D: ScriptTarget + Send> ScriptTarget for Arc<D> {
    fn wants_text(&self) -> bool {
        (**self).wants_text()
    }

    fn name_of(&self, key: &str) -> String {
        (**self).name_of(key)
    }

    fn send<T: FromRedisValue + Send>(
        &self,
        repeat: Repeat,
        operation: &'static str,
        key: &str,
        command: &Cmd,
    ) -> impl Future<Output = Result<T>> + Send {
        (**self).send(repeat, operation, key, command)
    }

    fn joins(&self) -> bool {
        (**self).joins()
    }

    fn send_joined<T: FromRedisValue + Send>(
        &self,
        repeat: Repeat,
        operation: &'static str,
        key: &str,
        command: &Cmd,
    ) -> impl Future<Output = Result<JoinedCall<T>>> + Send {
        (**self).send_joined(repeat, operation, key, command)
    }

    fn send_each<T: FromRedisValue + Send>(
        &self,
        operation: &'static str,
        commands: Vec<(String, Cmd)>,
    ) -> impl Future<Output = Result<Vec<Result<T>>>> + Send {
        (**self).send_each(operation, commands)
    }
}

macro_rules! lua_script {
    ($($file:literal),+) => {
        crate::script::LuaScript::new(concat!($(include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/lua/", $file))),+), || {
            redis::Script::new(concat!($(include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/lua/", $file))),+))
        })
    };
}
pub(crate) use lua_script;

impl LuaScript {
    pub(crate) const fn new(source: &'static str, compile: fn() -> Script) -> Self {
        Self { source, compiled: LazyLock::new(compile) }
    }

    /// Runs the script on one key.
    pub(crate) async fn run<T: FromRedisValue + Send>(
        &self,
        target: &impl ScriptTarget,
        repeat: Repeat,
        operation: &'static str,
        key: &str,
        arguments: impl Fn(&mut Cmd),
    ) -> Result<T> {
        self.run_on(target, repeat, operation, key, &[target.name_of(key)], arguments).await
    }

    /// Runs a script that begins with `joined.lua` on one key, together with calls by others.
    pub(crate) async fn run_joined<T: FromRedisValue + Send>(
        &self,
        target: &impl ScriptTarget,
        repeat: Repeat,
        operation: &'static str,
        key: &str,
        arguments: impl Fn(&mut Cmd),
    ) -> Result<T> {
        let names = [target.name_of(key)];
        let call = |verb: &str, script: &str| call(verb, script, &names, &arguments);
        if target.joins() {
            let by_hash = call("EVALSHA", self.compiled.get_hash());
            match target.send_joined(repeat, operation, key, &by_hash).await? {
                JoinedCall::Answered(answer) => return Ok(answer),
                JoinedCall::Unknown => {
                    let text = call("EVAL", self.source);
                    let (answer,) = target.send(repeat, operation, key, &text).await?;
                    return Ok(answer);
                }
                JoinedCall::Alone => {}
            }
        }
        let (answer,) = self.run(target, repeat, operation, key, arguments).await?;
        Ok(answer)
    }

    /// Runs the script on the keys of these names, which may be empty. `key` stands for them in errors.
    pub(crate) async fn run_on<T: FromRedisValue + Send>(
        &self,
        target: &impl ScriptTarget,
        repeat: Repeat,
        operation: &'static str,
        key: &str,
        names: &[impl AsRef<str>],
        arguments: impl Fn(&mut Cmd),
    ) -> Result<T> {
        let command = |verb: &str, script: &str| call(verb, script, names, &arguments);
        if target.wants_text() {
            return target.send(repeat, operation, key, &command("EVAL", self.source)).await;
        }
        let by_hash = command("EVALSHA", self.compiled.get_hash());
        match target.send(repeat, operation, key, &by_hash).await {
            // NOSCRIPT: nothing was executed. The text runs the script and stores it on the server.
            Err(error) if error.kind() == ErrorKind::Unsupported && is_unknown_script(&error) => {
                target.send(repeat, operation, key, &command("EVAL", self.source)).await
            }
            other => other,
        }
    }

    /// Runs the script on many keys in one round trip, each with its own argument.
    pub(crate) async fn run_each<T: FromRedisValue + Send, A: Copy>(
        &self,
        target: &impl ScriptTarget,
        operation: &'static str,
        keys: Vec<(&str, String, A)>,
        arguments: impl Fn(&mut Cmd, A),
    ) -> Result<Vec<T>> {
        let command = |verb: &str, script: &str, (key, name, argument): &(&str, String, A)| {
            let mut command = redis::cmd(verb);
            command.arg(script).arg(1).arg(name.as_bytes());
            arguments(&mut command, *argument);
            ((*key).to_owned(), command)
        };
        if target.wants_text() {
            let whole = keys.iter().map(|one| command("EVAL", self.source, one)).collect();
            return target.send_each(operation, whole).await?.into_iter().collect();
        }
        let hash = self.compiled.get_hash();
        let by_hash = keys.iter().map(|one| command("EVALSHA", hash, one)).collect();
        let mut answers: Vec<Result<T>> = target.send_each(operation, by_hash).await?;
        let is_unknown = |answer: &Result<T>| {
            answer.as_ref().is_err_and(|error| {
                error.kind() == ErrorKind::Unsupported && is_unknown_script(error)
            })
        };
        // Requests that found the script unknown were not executed; the text stores it on the server.
        let again: Vec<usize> = (0..answers.len()).filter(|at| is_unknown(&answers[*at])).collect();
        if !again.is_empty() {
            let whole = again.iter().map(|at| command("EVAL", self.source, &keys[*at])).collect();
            for (at, answer) in again.into_iter().zip(target.send_each(operation, whole).await?) {
                answers[at] = answer;
            }
        }
        answers.into_iter().collect()
    }
}

/// A call of a script on keys of these names.
fn call(verb: &str, script: &str, names: &[impl AsRef<str>], arguments: &impl Fn(&mut Cmd)) -> Cmd {
    let mut command = redis::cmd(verb);
    command.arg(script).arg(names.len());
    for name in names {
        command.arg(name.as_ref().as_bytes());
    }
    arguments(&mut command);
    command
}

fn is_unknown_script(error: &compartment_core::Error) -> bool {
    std::error::Error::source(error)
        .and_then(|source| source.downcast_ref::<redis::RedisError>())
        .is_some_and(|error| error.code() == Some("NOSCRIPT"))
}

/// A rule as two script arguments: `set`, `clear` or `keep`, and milliseconds or an empty text.
pub(crate) fn rule_arguments(rule: TtlRule) -> (&'static str, String) {
    match rule {
        TtlRule::Set(millis) => ("set", millis.to_string()),
        TtlRule::Clear => ("clear", String::new()),
        TtlRule::Keep { new_key } => ("keep", new_key.map_or(String::new(), |m| m.to_string())),
    }
}
