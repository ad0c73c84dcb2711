//! Task queues of Ruby, Go and PHP: Sidekiq, Resque, GitLab, Asynq, Laravel, Horizon, Symfony.

use super::{Framework, KeyGroup, Purpose, Row, Setting};
use crate::KeyType::{Hash, List, Set, Stream, String, Zset};
use crate::plan::Verdict::{Drain, Move};

const DRAIN: &str = "Stop producers and workers, let what is in flight finish, move all of it in \
                     one run, point both at the new database, start them again.";

/// Sidekiq's key of a process: host, process id and twelve hexadecimal digits.
const PROCESS: &str = "[^:]*:[0-9]*:[0-9a-f][0-9a-f][0-9a-f][0-9a-f][0-9a-f][0-9a-f]\
                       [0-9a-f][0-9a-f][0-9a-f][0-9a-f][0-9a-f][0-9a-f]";
/// The key of the jobs that it is running.
const PROCESS_WORK: &str = "[^:]*:[0-9]*:[0-9a-f][0-9a-f][0-9a-f][0-9a-f][0-9a-f][0-9a-f]\
                            [0-9a-f][0-9a-f][0-9a-f][0-9a-f][0-9a-f][0-9a-f]:work";

pub(super) const ALL: &[Framework] = &[
    Framework::new(
        "Asynq",
        &[KeyGroup::new(
            "asynq",
            Purpose::Broker,
            Drain,
            &[
                Row::telling(&["asynq:queues"], &[Set]),
                Row::telling(&["asynq:{*}:pending", "asynq:{*}:active"], &[List]),
                Row::telling(&["asynq:{*}:t:*"], &[Hash]),
                Row::weak(&["asynq:*"], &[]),
            ],
        )
        .together("asynq")
        .note(DRAIN)],
    )
    .by_scripts()
    .settings(&[Setting::new(
        Purpose::Broker,
        "where client and server are made",
        "asynq.RedisClientOpt{Addr: \"{host}:{port}\", DB: {index}}",
    )]),
    Framework::new(
        "GitLab",
        &[
            KeyGroup::new(
                "gitlab-cache",
                Purpose::Cache,
                Move,
                &[Row::telling(&["cache:gitlab*"], &[])],
            )
            .note("GitLab has one server setting per purpose: redis.cache.yml."),
            KeyGroup::new(
                "gitlab-sessions",
                Purpose::Sessions,
                Drain,
                &[Row::telling(&["session:gitlab*"], &[])],
            )
            .note("GitLab has one server setting per purpose: redis.sessions.yml."),
            KeyGroup::new(
                "gitlab-queues",
                Purpose::Broker,
                Drain,
                &[Row::telling(&["resque:gitlab*"], &[])],
            )
            .note("GitLab has one server setting per purpose: redis.queues.yml. Stop Sidekiq."),
        ],
    )
    .settings(&[
        Setting::new(Purpose::Cache, "redis.cache.yml", "url: {url}"),
        Setting::new(Purpose::Sessions, "redis.sessions.yml", "url: {url}"),
        Setting::new(Purpose::Broker, "redis.queues.yml", "url: {url}"),
    ]),
    Framework::new(
        "Resque",
        &[KeyGroup::new(
            "resque",
            Purpose::Broker,
            Drain,
            &[
                Row::telling(&["resque:queues", "resque:workers"], &[Set]),
                Row::telling(&["resque:queue:*"], &[List]),
                Row::weak(&["resque:*"], &[]),
            ],
        )
        .together("resque")
        .note(DRAIN)],
    )
    .settings(&[Setting::new(
        Purpose::Broker,
        "config/initializers/resque.rb",
        "Resque.redis = \"{url}\"",
    )]),
    Framework::new(
        "Sidekiq",
        &[
            KeyGroup::new(
                "sidekiq-stats",
                Purpose::Metrics,
                Drain,
                &[
                    Row::weak(&["stat:processed", "stat:failed"], &[String]),
                    Row::weak(&["stat:processed:*", "stat:failed:*"], &[String]),
                    Row::weak(&["j|[0-9]*", "h|*"], &[Hash, String]),
                    Row::weak(&["profiles"], &[Zset]),
                ],
            )
            .together("sidekiq")
            .note("Read through the same connection as the queues: they go where those go."),
            KeyGroup::new(
                "sidekiq",
                Purpose::Broker,
                Drain,
                &[
                    Row::weak(&["queues"], &[Set]),
                    Row::weak(&["processes"], &[Set]),
                    Row::weak(&["queue:*"], &[List]),
                    Row::weak(&["schedule"], &[Zset]),
                    Row::weak(&["retry"], &[Zset]),
                    Row::weak(&["dead"], &[Zset]),
                    Row::weak(&["dear-leader", "process_cleanup"], &[String]),
                    Row::weak(&[PROCESS], &[Hash]),
                    Row::weak(&[PROCESS_WORK], &[Hash]),
                    Row::weak(&["it-*"], &[String, Set]),
                ],
            )
            .together("sidekiq")
            .note(
                "Sidekiq's names have no prefix and are known together only. Quiet and stop the \
                 processes first; the database must never evict.",
            ),
        ],
    )
    .or_several(3)
    // The only keys that a program writes if it just enqueues jobs.
    .or_perhaps_by(&["queues", "queue:*"])
    .settings(&[
        Setting::new(
            Purpose::Broker,
            "config/initializers/sidekiq.rb",
            "Sidekiq.configure_server { |config| config.redis = { url: \"{url}\" } }",
        ),
        Setting::new(
            Purpose::Broker,
            "config/initializers/sidekiq.rb",
            "Sidekiq.configure_client { |config| config.redis = { url: \"{url}\" } }",
        ),
    ]),
    Framework::new(
        "Laravel Horizon",
        &[KeyGroup::new(
            "horizon",
            Purpose::Broker,
            Drain,
            &[Row::telling(&["horizon:*", "*_horizon:*"], &[Hash, Zset, List, String, Set])],
        )
        .together("laravel")
        .note("Stop Horizon (`php artisan horizon:terminate`) with the queue workers.")],
    )
    .settings(&[Setting::new(Purpose::Broker, "config/horizon.php", "'use' => 'queue'")]),
    Framework::new(
        "Laravel queue",
        &[KeyGroup::new(
            "laravel-queue",
            Purpose::Broker,
            Drain,
            &[
                Row::telling(&["*_database_queues:*:notify"], &[List]),
                Row::telling(&["*_database_queues:*:delayed"], &[Zset]),
                Row::telling(&["*_database_queues:*:reserved"], &[Zset]),
                Row::telling(&["*_database_queues:*"], &[List]),
                Row::weak(&["queues:*:reserved", "queues:*:delayed"], &[Zset]),
                Row::weak(&["queues:*:notify"], &[List]),
                Row::weak(&["queues:*"], &[List]),
            ],
        )
        .together("laravel")
        .note(DRAIN)],
    )
    .or_several(2)
    .settings(&[
        Setting::new(
            Purpose::Broker,
            "config/database.php",
            "'queue' => ['host' => '{host}', 'port' => {port}, 'database' => {index}],",
        ),
        Setting::new(Purpose::Broker, ".env", "REDIS_QUEUE_CONNECTION=queue"),
    ]),
    Framework::new(
        "Symfony Messenger",
        &[KeyGroup::new(
            "symfony-messenger",
            Purpose::Broker,
            Drain,
            &[Row::hinting(&["messages"], &[Stream]), Row::weak(&["messages__queue"], &[Zset])],
        )
        .together("symfony-messenger")
        .note("Stop the workers: a waiting XREADGROUP fails when its stream moves away.")],
    )
    .or_several(2)
    .settings(&[Setting::new(
        Purpose::Broker,
        ".env",
        "MESSENGER_TRANSPORT_DSN={url}/messages",
    )]),
];
