//! Counters on Redis.

use std::sync::Arc;

use async_trait::async_trait;
use compartment_core::backend::TtlRule;
use compartment_core::{CounterStore, ErrorKind, Expiry, Result};
use redis::Cmd;

use crate::link::Link;
use crate::repeat::Repeat;
use crate::script::{LuaScript, lua_script};
use crate::script::{ScriptTarget, rule_arguments};
use crate::stores::strings::Strings;

static INCREMENT: LuaScript = lua_script!("ttl_rule.lua", "counter_increment.lua");
static TAKE: LuaScript = lua_script!("counter_take.lua");

#[derive(Debug)]
pub(crate) struct RedisCounter {
    link: Arc<Link>,
    strings: Strings,
}

impl RedisCounter {
    pub(crate) fn new(link: Arc<Link>) -> Self {
        Self { strings: Strings::new(Arc::clone(&link)), link }
    }

    fn parse(&self, operation: &'static str, key: &str, digits: &[u8]) -> Result<i64> {
        // Redis writes a number in one form only: if it reads back differently, the value is text.
        std::str::from_utf8(digits)
            .ok()
            .and_then(|text| text.parse::<i64>().ok().filter(|n| n.to_string() == text))
            .ok_or_else(|| {
                self.link.contract.error(
                    ErrorKind::NotANumber,
                    operation,
                    key,
                    "the value is not a whole number in the range of i64",
                )
            })
    }
}

#[async_trait]
impl CounterStore for RedisCounter {
    async fn increment(&self, key: &str, by: i64, expiry: Expiry) -> Result<i64> {
        let rule = self.link.on_update("increment", key, expiry)?;
        self.link.traffic.wrote(1);
        let _room = self.link.make_room(key, 0).await;
        let repeat = Repeat::OnlyIfNotSent;
        if rule == (TtlRule::Keep { new_key: None }) {
            let mut command = redis::cmd("INCRBY");
            command.arg(self.link.name(key).as_bytes()).arg(by);
            return self.link.query(repeat, "increment", key, &command).await;
        }
        let (rule, millis) = rule_arguments(rule);
        let arguments = |command: &mut Cmd| {
            command.arg(rule).arg(&millis).arg(by);
        };
        INCREMENT.run(&self.link, repeat, "increment", key, arguments).await
    }

    async fn increment_many(
        &self,
        entries: Vec<(String, i64)>,
        expiry: Expiry,
    ) -> Result<Vec<i64>> {
        let Some((first, _)) = entries.first() else { return Ok(Vec::new()) };
        let rule = self.link.on_update("increment many", first, expiry)?;
        let (rule_name, millis) = rule_arguments(rule);
        self.link.traffic.wrote(entries.len() as u64);
        let _room =
            self.link.make_room_for_counters(entries.iter().map(|(key, _)| key.len())).await;
        let each = entries.iter().map(|(key, by)| {
            let name = self.link.name(key).into_owned();
            (key.as_str(), name, *by)
        });
        if rule == (TtlRule::Keep { new_key: None }) {
            let commands = each.map(|(key, name, by)| {
                let mut command = redis::cmd("INCRBY");
                command.arg(name.as_bytes()).arg(by);
                (key.to_owned(), command)
            });
            let sums = self.link.send_each("increment many", commands.collect()).await?;
            return sums.into_iter().collect();
        }
        INCREMENT
            .run_each(&self.link, "increment many", each.collect(), |command: &mut Cmd, by: i64| {
                command.arg(rule_name).arg(&millis).arg(by);
            })
            .await
    }

    async fn count(&self, key: &str) -> Result<Option<i64>> {
        let digits = self.strings.get(key).await?;
        digits.map(|digits| self.parse("count", key, &digits)).transpose()
    }

    async fn count_many(&self, keys: &[String]) -> Result<Vec<Option<i64>>> {
        let values = self.strings.get_many("count many", keys).await?;
        keys.iter()
            .zip(values)
            .map(|(key, digits)| {
                digits.map(|digits| self.parse("count many", key, &digits)).transpose()
            })
            .collect()
    }

    async fn take(&self, key: &str) -> Result<i64> {
        self.link.traffic.wrote(1);
        TAKE.run(&self.link, Repeat::OnlyIfNotSent, "take", key, |_| {}).await
    }
}
