//! Hashes on Redis.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use compartment_core::backend::TtlRule;
use compartment_core::{ErrorKind, Expiry, HashStore, Result};
use redis::Cmd;

use crate::link::Link;
use crate::repeat::Repeat;
use crate::script::rule_arguments;
use crate::script::{LuaScript, lua_script};

static SET: LuaScript = lua_script!("ttl_rule.lua", "hash_set.lua");
static SET_IF_ABSENT: LuaScript = lua_script!("ttl_rule.lua", "hash_set_if_absent.lua");
static INCREMENT: LuaScript = lua_script!("ttl_rule.lua", "hash_increment.lua");

/// The maximum number of fields that one command reads or deletes.
const MAX_AT_ONCE: usize = 1_000;

#[derive(Debug)]
pub(crate) struct RedisHash {
    link: Arc<Link>,
}

impl RedisHash {
    pub(crate) fn new(link: Arc<Link>) -> Self {
        Self { link }
    }

    fn command(&self, verb: &str, key: &str) -> Cmd {
        let mut command = redis::cmd(verb);
        command.arg(self.link.name(key).as_bytes());
        command
    }
}

#[async_trait]
impl HashStore for RedisHash {
    async fn get_field(&self, key: &str, field: &str) -> Result<Option<Bytes>> {
        let mut command = self.command("HGET", key);
        command.arg(field);
        self.link.query(Repeat::Idempotent, "get field", key, &command).await
    }

    async fn get_fields(&self, key: &str, fields: &[String]) -> Result<Vec<Option<Bytes>>> {
        let mut values = Vec::with_capacity(fields.len());
        for some in fields.chunks(MAX_AT_ONCE) {
            let mut command = self.command("HMGET", key);
            command.arg(some);
            let answer: Vec<Option<Bytes>> =
                self.link.query(Repeat::Idempotent, "get fields", key, &command).await?;
            values.extend(answer);
        }
        Ok(values)
    }

    async fn get_all(&self, key: &str) -> Result<BTreeMap<String, Bytes>> {
        let command = self.command("HGETALL", key);
        let fields: Vec<(Bytes, Bytes)> =
            self.link.query(Repeat::Idempotent, "get all fields", key, &command).await?;
        fields
            .into_iter()
            .map(|(field, value)| match String::from_utf8(field.to_vec()) {
                Ok(field) => Ok((field, value)),
                Err(error) => Err(self
                    .link
                    .contract
                    .error(
                        ErrorKind::Decode,
                        "get all fields",
                        key,
                        "a field's name is not UTF-8: another program wrote it",
                    )
                    .caused_by(error)),
            })
            .collect()
    }

    async fn set_fields(
        &self,
        key: &str,
        fields: Vec<(String, Bytes)>,
        expiry: Expiry,
    ) -> Result<u64> {
        let rule = self.link.on_update("set fields", key, expiry)?;
        if fields.is_empty() {
            return Err(self.link.contract.error(
                ErrorKind::InvalidArgument,
                "set fields",
                key,
                "no fields were given: a hash without fields does not exist",
            ));
        }
        self.link.contract.check_field_count("set fields", key, fields.len())?;
        self.link.traffic.wrote(1);
        let bytes = fields.iter().map(|(field, value)| field.len() + value.len()).sum();
        let _room = self.link.make_room(key, bytes).await;
        let push = |command: &mut Cmd| {
            for (field, value) in &fields {
                command.arg(field).arg(value.as_ref());
            }
        };
        // A repeated request sets the same fields; only its count differs.
        let repeat = Repeat::Idempotent;
        if rule == (TtlRule::Keep { new_key: None }) {
            let mut command = self.command("HSET", key);
            push(&mut command);
            return self.link.query(repeat, "set fields", key, &command).await;
        }
        let (rule, millis) = rule_arguments(rule);
        let arguments = |command: &mut Cmd| {
            command.arg(rule).arg(&millis);
            push(command);
        };
        SET.run(&self.link, repeat, "set fields", key, arguments).await
    }

    async fn set_field_if_absent(
        &self,
        key: &str,
        field: &str,
        value: Bytes,
        expiry: Expiry,
    ) -> Result<bool> {
        let rule = self.link.on_update("set field if absent", key, expiry)?;
        self.link.traffic.wrote(1);
        let _room = self.link.make_room(key, field.len() + value.len()).await;
        let (rule, millis) = rule_arguments(rule);
        let arguments = |command: &mut Cmd| {
            command.arg(rule).arg(&millis).arg(field).arg(value.as_ref());
        };
        SET_IF_ABSENT
            .run(&self.link, Repeat::OnlyIfNotSent, "set field if absent", key, arguments)
            .await
    }

    async fn delete_fields(&self, key: &str, fields: &[String]) -> Result<u64> {
        if !fields.is_empty() {
            self.link.traffic.wrote(1);
        }
        let mut deleted = 0;
        for some in fields.chunks(MAX_AT_ONCE) {
            let mut command = self.command("HDEL", key);
            command.arg(some);
            let answer: u64 =
                self.link.query(Repeat::Idempotent, "delete fields", key, &command).await?;
            deleted += answer;
        }
        Ok(deleted)
    }

    async fn increment_field(
        &self,
        key: &str,
        field: &str,
        by: i64,
        expiry: Expiry,
    ) -> Result<i64> {
        let rule = self.link.on_update("increment field", key, expiry)?;
        self.link.traffic.wrote(1);
        let _room = self.link.make_room(key, field.len()).await;
        let repeat = Repeat::OnlyIfNotSent;
        if rule == (TtlRule::Keep { new_key: None }) {
            let mut command = self.command("HINCRBY", key);
            command.arg(field).arg(by);
            return self.link.query(repeat, "increment field", key, &command).await;
        }
        let (rule, millis) = rule_arguments(rule);
        let arguments = |command: &mut Cmd| {
            command.arg(rule).arg(&millis).arg(field).arg(by);
        };
        INCREMENT.run(&self.link, repeat, "increment field", key, arguments).await
    }

    async fn len(&self, key: &str) -> Result<u64> {
        let command = self.command("HLEN", key);
        self.link.query(Repeat::Idempotent, "length of hash", key, &command).await
    }
}
