//! One node of a server as it tells of itself: `INFO`, settings, the session, the default user.

use std::collections::{BTreeMap, HashMap};
use std::str::FromStr;

use compartment_redis::Connection;
use redis::Value;

use crate::condition::Condition;
use crate::info::Info;

/// The settings that are kept of the answer to `CONFIG GET *`, which holds passwords too.
const KEPT: &[&str] = &[
    "appendfsync",
    "appendonly",
    "bind",
    "client-output-buffer-limit",
    "databases",
    "maxclients",
    "maxmemory",
    "maxmemory-policy",
    "notify-keyspace-events",
    "protected-mode",
    "save",
    "tcp-keepalive",
    "timeout",
];

/// One server, or one master of a cluster.
#[derive(Debug)]
pub(super) struct Node {
    /// Which one, its password hidden.
    pub(super) location: String,
    pub(super) info: Info,
    pub(super) condition: Condition,
    /// Empty where the server hides them.
    settings: BTreeMap<String, String>,
    /// The fields of `CLIENT INFO` of the connection that asked.
    session: BTreeMap<String, String>,
    /// Whether anybody may log in as the default user; `None` where that is not told.
    pub(super) default_user_is_open: Option<bool>,
}

impl Node {
    pub(super) async fn ask(node: &mut Connection) -> Self {
        let location = node.location().to_owned();
        let info = Info::ask(node, &[]).await.unwrap_or_default();
        let settings = settings(node).await;
        let mut condition = Condition::of_info(location.clone(), &info);
        if condition.persists != Some(true) {
            condition.persists = settings.get("save").map(|times| !times.is_empty());
        }
        let policy = settings.get("maxmemory-policy").cloned();
        condition.policy = condition.policy.or(policy);
        Self {
            location,
            info,
            condition,
            settings,
            session: session(node).await,
            default_user_is_open: default_user_is_open(node).await,
        }
    }

    /// A setting; `None` where the server does not tell.
    pub(super) fn setting(&self, name: &str) -> Option<&str> {
        self.settings.get(name).map(String::as_str)
    }

    /// The parts that the node does not tell, as in `the settings (CONFIG GET)`.
    pub(super) fn hidden(&self) -> Vec<&'static str> {
        let parts = [
            (self.info == Info::default(), "the condition (INFO)"),
            (self.settings.is_empty(), "the settings (CONFIG GET)"),
            (self.session.is_empty(), "the session (CLIENT INFO)"),
            (self.default_user_is_open.is_none(), "the default user (ACL GETUSER)"),
        ];
        parts.into_iter().filter(|(is_hidden, _)| *is_hidden).map(|(_, what)| what).collect()
    }

    /// A setting as a number.
    pub(super) fn number<T: FromStr>(&self, name: &str) -> Option<T> {
        self.setting(name)?.parse().ok()
    }

    /// The IP addresses of both ends of the session: this side's, as the server sees it, and the server's.
    pub(super) fn ends(&self) -> Option<(&str, &str)> {
        let address = |field: &str| self.session.get(field)?.rsplit_once(':').map(|(ip, _)| ip);
        Some((address("addr")?, address("laddr")?))
    }

    /// The policy where it evicts: there is a limit, and the policy is not `noeviction`.
    pub(super) fn evicting_policy(&self) -> Option<&str> {
        self.condition.policy.as_deref().filter(|_| self.condition.may_evict())
    }
}

async fn settings(node: &mut Connection) -> BTreeMap<String, String> {
    let mut command = redis::cmd("CONFIG");
    command.arg("GET").arg("*");
    let answer = node.ask::<Vec<(String, String)>>("read the server's settings", &command).await;
    let known = answer.unwrap_or_default().into_iter();
    known.filter(|(name, _)| KEPT.contains(&name.as_str())).collect()
}

async fn session(node: &mut Connection) -> BTreeMap<String, String> {
    let mut command = redis::cmd("CLIENT");
    command.arg("INFO");
    let line: String = node.ask("look at the session", &command).await.unwrap_or_default();
    let fields = line.trim().split(' ').filter_map(|field| field.split_once('='));
    fields.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

async fn default_user_is_open(node: &mut Connection) -> Option<bool> {
    let mut command = redis::cmd("ACL");
    command.arg("GETUSER").arg("default");
    let answer = node.ask::<Value>("look at the default user", &command).await.ok()?;
    let mut fields: HashMap<String, Value> = redis::from_redis_value(answer).ok()?;
    let flags: Vec<String> = redis::from_redis_value(fields.remove("flags")?).ok()?;
    let has = |flag: &str| flags.iter().any(|one| one == flag);
    Some(has("on") && has("nopass"))
}
