//! Task queues of Python: Celery with kombu, RedBeat, Airflow, RQ, arq, Dramatiq, Huey.

use super::{Framework, KeyGroup, Purpose, Row, Setting};
use crate::KeyType::{Hash, List, Set, Stream, String, Zset};
use crate::plan::Verdict::{Drain, Move};

const DRAIN: &str = "Stop producers and workers, let what is in flight finish, move all of it in \
                     one run, point both at the new database, start them again.";

/// Glob of an MD5 sum: 32 hexadecimal digits.
const MD5: &str = "[0-9a-f][0-9a-f][0-9a-f][0-9a-f][0-9a-f][0-9a-f][0-9a-f][0-9a-f]\
                   [0-9a-f][0-9a-f][0-9a-f][0-9a-f][0-9a-f][0-9a-f][0-9a-f][0-9a-f]\
                   [0-9a-f][0-9a-f][0-9a-f][0-9a-f][0-9a-f][0-9a-f][0-9a-f][0-9a-f]\
                   [0-9a-f][0-9a-f][0-9a-f][0-9a-f][0-9a-f][0-9a-f][0-9a-f][0-9a-f]";

pub(super) const ALL: &[Framework] = &[
    Framework::new(
        "RedBeat",
        &[KeyGroup::new(
            "redbeat",
            Purpose::Broker,
            Drain,
            &[
                Row::telling(&["redbeat::*"], &[Zset, Set, String, Hash]),
                Row::weak(&["redbeat:*"], &[Hash, String]),
            ],
        )
        .note("The schedule: stop beat, move, set redbeat_redis_url, start beat.")],
    )
    .settings(&[Setting::new(
        Purpose::Broker,
        "celeryconfig.py",
        "redbeat_redis_url = \"{url}\"",
    )]),
    Framework::new(
        "Celery",
        &[
            KeyGroup::new(
                "celery-results",
                Purpose::Results,
                Move,
                &[
                    Row::telling(&["celery-task-meta-*", "celery-taskset-meta-*"], &[String]),
                    Row::telling(&["chord-unlock-*"], &[]),
                ],
            )
            .note("Set result_backend first: tasks that wait for a result look in one database only."),
            KeyGroup::new(
                "celery-broker",
                Purpose::Broker,
                Drain,
                &[
                    Row::telling(&["_kombu.binding.*"], &[Set]),
                    // kombu 5.7: bindings that never expire, and the deadlines of the others.
                    Row::telling(&["_kombu.binding_permanent.*"], &[Set]),
                    Row::telling(&["_kombu.binding_deadlines"], &[Zset]),
                    Row::telling(&["unacked_index"], &[Zset]),
                    // Bindings with such names are sets, even with a prefix.
                    Row::weak(&["*.celery.pidbox", "celeryev.*", "*.pidbox"], &[List, Set]),
                    Row::weak(&["unacked"], &[Hash]),
                    Row::weak(&["unacked_mutex"], &[String]),
                    Row::weak(&["celery", "celery\u{6}\u{16}[0-9]*"], &[List]),
                ],
            )
            .together("celery")
            .note(
                "Stop the producers, then the workers by TERM: each puts what it holds, tasks with \
                 an eta too, back into its queue, and `unacked` is gone. What a killed worker \
                 leaves there moves too, and is delivered again after the visibility timeout. The \
                 bindings go with the queues: a queue without its binding drops messages silently.",
            ),
        ],
    )
    .or_several(3)
    .anchors(&["_kombu.binding.", "unacked_index", "celery-task-meta-"])
    .settings(&[
        Setting::new(
            Purpose::Broker,
            "celeryconfig.py (in Django CELERY_BROKER_URL)",
            "broker_url = \"{url}\"",
        ),
        Setting::new(
            Purpose::Results,
            "celeryconfig.py (in Django CELERY_RESULT_BACKEND)",
            "result_backend = \"{url}\"",
        ),
    ]),
    Framework::new(
        "RQ",
        &[KeyGroup::new(
            "rq",
            Purpose::Broker,
            Drain,
            &[
                Row::telling(&["rq:queues", "rq:workers*"], &[Set]),
                Row::telling(&["rq:queue:*"], &[List]),
                Row::telling(&["rq:job:*"], &[Hash]),
                Row::telling(&["rq:results:*"], &[Stream]),
                Row::weak(&["rq:*"], &[]),
            ],
        )
        .together("rq")
        .note(DRAIN)],
    )
    .by_scripts()
    .settings(&[Setting::new(
        Purpose::Broker,
        "environment of `rq worker`",
        "RQ_REDIS_URL={url}",
    )]),
    Framework::new(
        "arq",
        &[
            KeyGroup::new(
                "arq-results",
                Purpose::Results,
                Drain,
                &[Row::telling(&["arq:result:*"], &[String])],
            )
            .together("arq")
            .note("Jobs and results are read through one setting: they go where the queue goes."),
            KeyGroup::new(
                "arq",
                Purpose::Broker,
                Drain,
                &[
                    Row::telling(&["arq:queue"], &[Zset]),
                    Row::telling(&["arq:job:*", "arq:in-progress:*", "arq:retry:*"], &[String]),
                    Row::weak(&["arq:*"], &[]),
                ],
            )
            .together("arq")
            .note(DRAIN),
        ],
    )
    .settings(&[Setting::new(
        Purpose::Broker,
        "WorkerSettings",
        "redis_settings = RedisSettings(host=\"{host}\", port={port}, database={index})",
    )]),
    Framework::new(
        "Dramatiq",
        &[
            KeyGroup::new(
                "dramatiq-results",
                Purpose::Results,
                Move,
                &[
                    Row::telling(&["dramatiq-results:*"], &[String, List]),
                    // The name is a checksum of namespace, queue, actor and message.
                    Row::hinting(&[MD5], &[List]).expiring().strictly(),
                ],
            )
            .note("Set the URL of the results first: programs that wait for one look in one database only."),
            KeyGroup::new(
                "dramatiq",
                Purpose::Broker,
                Drain,
                &[
                    Row::telling(&["dramatiq:__heartbeats__"], &[Zset]),
                    Row::telling(&["dramatiq:__acks__.*"], &[Set]),
                    Row::telling(&["dramatiq:*.msgs"], &[Hash]),
                    Row::weak(&["dramatiq:*"], &[]),
                ],
            )
            .together("dramatiq")
            .note(DRAIN),
        ],
    )
    .by_scripts()
    .settings(&[
        Setting::new(
            Purpose::Broker,
            "the module that sets the broker",
            "dramatiq.set_broker(RedisBroker(url=\"{url}\"))",
        ),
        Setting::new(
            Purpose::Results,
            "the module that sets the broker",
            "broker.add_middleware(Results(backend=RedisBackend(url=\"{url}\")))",
        ),
    ]),
    Framework::new(
        "Huey",
        &[
            KeyGroup::new(
                "huey-results",
                Purpose::Results,
                Drain,
                &[Row::telling(&["huey.results.*"], &[Hash])],
            )
            .together("huey")
            .note("Huey has one setting for queue and results: they move together."),
            KeyGroup::new(
                "huey",
                Purpose::Broker,
                Drain,
                &[
                    Row::telling(&["huey.redis.*"], &[List]),
                    Row::telling(&["huey.schedule.*"], &[Zset]),
                    Row::weak(&["huey.*"], &[]),
                ],
            )
            .together("huey")
            .note(DRAIN),
        ],
    )
    .settings(&[Setting::new(
        Purpose::Broker,
        "the module that makes the Huey",
        "huey = RedisHuey(url=\"{url}\")",
    )]),
];
