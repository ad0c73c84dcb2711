//! Task queues of Node.js: n8n, BullMQ, Bull, Bee-Queue.

use super::{Framework, KeyGroup, Purpose, Row, Setting};
use crate::KeyType::{Hash, List, Set, String, Zset};
use crate::plan::Verdict::{Drain, Move};

/// Both use the prefix `bull:` by default: see `bull.rs`.
pub(super) const BULLMQ: &str = "BullMQ";
pub(super) const BULL: &str = "Bull";

pub(super) const ALL: &[Framework] = &[
    Framework::new(
        "n8n",
        &[KeyGroup::new(
            "n8n-cache",
            Purpose::Cache,
            Move,
            &[Row::telling(&["n8n:cache:*"], &[String, Hash])],
        )],
    )
    .settings(&[Setting::new(
        Purpose::Broker,
        "environment of n8n",
        "QUEUE_BULL_REDIS_DB={index}",
    )]),
    Framework::new(
        BULLMQ,
        &[KeyGroup::new(
            "bullmq",
            Purpose::Broker,
            Drain,
            &[Row::weak(&["bull:*"], &[])],
        )
        .together("bullmq")
        .note(
            "Everything of the prefix moves together: scripts name the keys to each other. Stop \
             producers and workers first. The database must never evict.",
        )],
    )
    .by_scripts()
    .by_queue()
    .settings(&[Setting::new(
        Purpose::Broker,
        "each new Queue, Worker, QueueEvents and FlowProducer",
        "connection: { host: '{host}', port: {port}, db: {index} }",
    )]),
    Framework::new(
        BULL,
        &[KeyGroup::new(
            "bull",
            Purpose::Broker,
            Drain,
            &[Row::weak(&["bull:*"], &[])],
        )
        .together("bull")
        .note(
            "Everything of the prefix moves together: scripts name the keys to each other. Stop \
             producers and workers first. The database must never evict. In n8n the setting is \
             QUEUE_BULL_REDIS_DB.",
        )],
    )
    .by_scripts()
    .by_queue()
    .settings(&[Setting::new(
        Purpose::Broker,
        "each new Queue",
        "redis: { host: '{host}', port: {port}, db: {index} }",
    )]),
    Framework::new(
        "Bee-Queue",
        &[KeyGroup::new(
            "bee-queue",
            Purpose::Broker,
            Drain,
            &[
                Row::telling(&["bq:*:jobs"], &[Hash]),
                Row::telling(&["bq:*:waiting", "bq:*:active"], &[List]),
                Row::telling(&["bq:*:succeeded", "bq:*:failed", "bq:*:stalling"], &[Set]),
                Row::telling(&["bq:*:delayed"], &[Zset]),
                Row::weak(&["bq:*:id", "bq:*:stallBlock"], &[String]),
                Row::weak(&["bq:*"], &[]),
            ],
        )
        .together("bee-queue")
        .note(
            "Everything of the prefix moves together: scripts name the keys to each other. Stop \
             producers and workers first.",
        )],
    )
    .by_scripts()
    .settings(&[Setting::new(
        Purpose::Broker,
        "each new Queue",
        "redis: { host: '{host}', port: {port}, db: {index} }",
    )]),
];
