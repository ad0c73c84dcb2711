//! Keys and values on Redis.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use compartment_core::backend::TtlRule;
use compartment_core::{Condition, Expiry, KeyStream, KeyValueStore, Result, SetOptions, Ttl};
use redis::{Cmd, Value};

use crate::link::Link;
use crate::repeat::Repeat;
use crate::script::rule_arguments;
use crate::script::{LuaScript, lua_script};
use crate::stores::scan::scan;
use crate::stores::strings::Strings;

static SET_KEEP_TTL: LuaScript = lua_script!("set_keep_ttl.lua");
static COMPARE_AND_SET: LuaScript = lua_script!("joined.lua", "compare_and_set.lua");

/// The maximum number of keys that one command deletes, so that it does not block the server for long.
const MAX_AT_ONCE: usize = 1_000;

#[derive(Debug)]
pub(crate) struct RedisKeyValue {
    link: Arc<Link>,
    strings: Strings,
}

impl RedisKeyValue {
    pub(crate) fn new(link: Arc<Link>) -> Self {
        Self { strings: Strings::new(Arc::clone(&link)), link }
    }

    fn set_command(&self, key: &str, value: &[u8], condition: Condition, rule: TtlRule) -> Cmd {
        let name = self.link.name(key);
        let mut command = Cmd::with_capacity(6, name.len() + value.len() + 40);
        command.arg("SET").arg(name.as_bytes()).arg(value);
        match condition {
            Condition::Always => {}
            Condition::IfAbsent => {
                command.arg("NX");
            }
            Condition::IfPresent => {
                command.arg("XX");
            }
        }
        match rule {
            TtlRule::Set(millis) | TtlRule::Keep { new_key: Some(millis) } => {
                command.arg("PX").arg(millis);
            }
            TtlRule::Keep { new_key: None } => {
                command.arg("KEEPTTL");
            }
            TtlRule::Clear => {}
        }
        command
    }
}

#[async_trait]
impl KeyValueStore for RedisKeyValue {
    async fn get(&self, key: &str) -> Result<Option<Bytes>> {
        let value = self.strings.get(key).await?;
        self.link.traffic.read(value.is_some());
        Ok(value)
    }

    async fn get_many(&self, keys: &[String]) -> Result<Vec<Option<Bytes>>> {
        let values = self.strings.get_many("get many", keys).await?;
        let hits = values.iter().filter(|value| value.is_some()).count() as u64;
        self.link.traffic.reads(hits, values.len() as u64 - hits);
        Ok(values)
    }

    async fn set(&self, key: &str, value: Bytes, options: SetOptions) -> Result<bool> {
        let rule = self.link.contract.on_replace("set", key, options.expiry)?;
        self.link.traffic.wrote(1);
        let _room = self.link.make_room(key, value.len()).await;
        // Keeping an existing TTL or else setting one needs a read and a write, which only a script does atomically.
        // A key that is set if absent has no TTL to keep.
        if let (TtlRule::Keep { new_key: Some(millis) }, Condition::Always) =
            (rule, options.condition)
        {
            let arguments = |command: &mut Cmd| {
                command.arg(value.as_ref()).arg(millis);
            };
            SET_KEEP_TTL.run::<i64>(&self.link, Repeat::Idempotent, "set", key, arguments).await?;
            return Ok(true);
        }
        let rule = match (rule, options.condition) {
            // A key that is present already has its TTL.
            (TtlRule::Keep { .. }, Condition::IfPresent) => TtlRule::Keep { new_key: None },
            (TtlRule::Keep { new_key }, Condition::IfAbsent) => {
                new_key.map_or(TtlRule::Clear, TtlRule::Set)
            }
            (rule, _) => rule,
        };
        let repeat = match options.condition {
            Condition::Always => Repeat::Idempotent,
            // A repeated request would answer for the first one.
            Condition::IfAbsent | Condition::IfPresent => Repeat::OnlyIfNotSent,
        };
        let command = self.set_command(key, &value, options.condition, rule);
        let answer: Value = self.link.query(repeat, "set", key, &command).await?;
        Ok(!matches!(answer, Value::Nil))
    }

    async fn set_many(&self, entries: Vec<(String, Bytes)>, expiry: Expiry) -> Result<()> {
        let mut commands = Vec::with_capacity(entries.len());
        for (key, value) in &entries {
            let rule = self.link.contract.on_replace("set many", key, expiry)?;
            if let TtlRule::Keep { new_key: Some(_) } = rule {
                continue;
            }
            commands.push(self.set_command(key, value, Condition::Always, rule));
        }
        if commands.len() < entries.len() {
            // Keeping TTLs needs the script, key by key.
            for (key, value) in entries {
                self.set(&key, value, SetOptions::expiring(expiry)).await?;
            }
            return Ok(());
        }
        self.link.traffic.wrote(entries.len() as u64);
        let mut entries = entries.as_slice();
        while let Some((first, _)) = entries.first() {
            let lengths = entries.iter().map(|(key, value)| (key.len(), value.len()));
            let (count, _room) = self.link.make_room_for_some(lengths).await;
            let rest = commands.split_off(count);
            self.link.query_many::<Value>(Repeat::Idempotent, "set many", first, commands).await?;
            (entries, commands) = (&entries[count..], rest);
        }
        Ok(())
    }

    async fn delete(&self, keys: &[String]) -> Result<u64> {
        self.link.traffic.wrote(keys.len() as u64);
        let mut deleted = 0;
        for some in keys.chunks(MAX_AT_ONCE) {
            let mut command = redis::cmd("UNLINK");
            for key in some {
                command.arg(self.link.name(key).as_bytes());
            }
            let answer: u64 =
                self.link.query(Repeat::Idempotent, "delete", &some[0], &command).await?;
            deleted += answer;
        }
        Ok(deleted)
    }

    async fn exists(&self, key: &str) -> Result<bool> {
        let mut command = redis::cmd("EXISTS");
        command.arg(self.link.name(key).as_bytes());
        self.link.query(Repeat::Idempotent, "exists", key, &command).await
    }

    async fn expire(&self, key: &str, expiry: Expiry) -> Result<bool> {
        if expiry == Expiry::Keep {
            return self.exists(key).await;
        }
        let name = self.link.name(key);
        match self.link.contract.on_replace("expire", key, expiry)? {
            TtlRule::Set(millis) | TtlRule::Keep { new_key: Some(millis) } => {
                let mut command = redis::cmd("PEXPIRE");
                command.arg(name.as_bytes()).arg(millis);
                self.link.query(Repeat::Idempotent, "expire", key, &command).await
            }
            TtlRule::Clear | TtlRule::Keep { new_key: None } => {
                // PERSIST returns 0 both for a missing key and for a key without a TTL.
                let mut persist = redis::cmd("PERSIST");
                persist.arg(name.as_bytes());
                let mut exists = redis::cmd("EXISTS");
                exists.arg(name.as_bytes());
                let answers: Vec<i64> = self
                    .link
                    .query_many(Repeat::Idempotent, "expire", key, vec![persist, exists])
                    .await?;
                Ok(answers.last() == Some(&1))
            }
        }
    }

    async fn ttl(&self, key: &str) -> Result<Ttl> {
        let mut command = redis::cmd("PTTL");
        command.arg(self.link.name(key).as_bytes());
        let millis: i64 = self.link.query(Repeat::Idempotent, "ttl", key, &command).await?;
        match u64::try_from(millis) {
            Ok(millis) => Ok(Ttl::Remaining(std::time::Duration::from_millis(millis))),
            Err(_) if millis == -1 => Ok(Ttl::Unlimited),
            Err(_) => Ok(Ttl::Missing),
        }
    }

    async fn compare_and_set(
        &self,
        key: &str,
        expected: Option<Bytes>,
        replacement: Option<Bytes>,
        expiry: Expiry,
    ) -> Result<bool> {
        let rule = match replacement {
            Some(_) => self.link.contract.on_replace("compare and set", key, expiry)?,
            None => TtlRule::Clear,
        };
        self.link.traffic.wrote(1);
        let _room = match &replacement {
            Some(value) => self.link.make_room(key, value.len()).await,
            None => None,
        };
        // A plain command costs the server a fifth of a script. If the key is there, the script answers: it fails for
        // a value of another type.
        if let (None, Some(value), TtlRule::Set(_)) = (&expected, &replacement, rule) {
            let command = self.set_command(key, value, Condition::IfAbsent, rule);
            let repeat = Repeat::OnlyIfNotSent;
            let answer: Value = self.link.query(repeat, "compare and set", key, &command).await?;
            if !matches!(answer, Value::Nil) {
                return Ok(true);
            }
        }
        let (rule, millis) = rule_arguments(rule);
        let arguments = |command: &mut Cmd| {
            for value in [&expected, &replacement] {
                command.arg(i32::from(value.is_some())).arg(value.as_deref().unwrap_or_default());
            }
            command.arg(rule).arg(&millis);
        };
        COMPARE_AND_SET
            .run_joined(&self.link, Repeat::OnlyIfNotSent, "compare and set", key, arguments)
            .await
    }

    fn scan(&self, pattern: &str) -> KeyStream {
        scan(Arc::clone(&self.link), pattern)
    }
}
