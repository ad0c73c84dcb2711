//! Sessions, locks, rate limits and message buses.

use super::{Framework, KeyGroup, Purpose, Row, Setting};
use crate::KeyType::{Hash, List, Set, String, Zset};
use crate::plan::Verdict::{Drain, Move, Stay};

/// Programs that are recognised by values, not by names.
pub(super) const REDISSON: &str = "Redisson";
pub(super) const PYTHON_LOCK: &str = "redis-py lock";

const WAIT: &str =
    "Locks live as long as their holders work: stop those and wait, nothing has to move.";

pub(super) const ALL: &[Framework] = &[
    Framework::new(
        "Spring Session",
        &[KeyGroup::new(
            "spring-session",
            Purpose::Sessions,
            Drain,
            &[
                Row::telling(&["spring:session:sessions:expires:*"], &[String]),
                Row::telling(&["spring:session:sessions:*"], &[Hash]),
                Row::telling(&["spring:session:expirations:*", "spring:session:index:*"], &[Set]),
                Row::weak(&["spring:session:*"], &[]),
            ],
        )
        .together("spring-session")
        .note(
            "By MOVE only: deleting a key at the source logs its user out. Restart the \
             application afterwards, it listens to events of one database.",
        )],
    )
    .anchors(&["spring:session:"])
    .settings(&[Setting::new(
        Purpose::Sessions,
        "application.properties",
        "spring.data.redis.database={index}",
    )]),
    Framework::new(
        "Django sessions",
        &[KeyGroup::new(
            "django-sessions",
            Purpose::Sessions,
            Drain,
            &[Row::telling(&["*:[0-9]*:django.contrib.sessions.cache*"], &[String]).expiring()],
        )
        .note(
            "Sessions inside the cache: clearing that cache logs everybody out. With the \
             cached_db engine they may move at any time; with the cache engine stop the \
             application first.",
        )],
    )
    .settings(&[
        // Backend, serializer and key prefix must stay the same, or no session would be found.
        Setting::new(
            Purpose::Sessions,
            "settings.py",
            "CACHES[\"sessions\"] = CACHES[\"default\"].copy()",
        ),
        Setting::new(
            Purpose::Sessions,
            "settings.py",
            "CACHES[\"sessions\"][\"LOCATION\"] = \"{url}\"",
        ),
        Setting::new(Purpose::Sessions, "settings.py", "SESSION_CACHE_ALIAS = \"sessions\""),
    ]),
    Framework::new(
        "connect-redis",
        &[KeyGroup::new(
            "express-sessions",
            Purpose::Sessions,
            Move,
            &[Row::hinting(&["sess:*"], &[String]).expiring()],
        )
        .note("A user whose session has not moved yet has to log in again.")],
    )
    .settings(&[Setting::new(
        Purpose::Sessions,
        "where the store is made",
        "createClient({ url: '{url}' })",
    )]),
    Framework::new(
        "Flask-Session",
        &[KeyGroup::new(
            "flask-sessions",
            Purpose::Sessions,
            Move,
            &[Row::hinting(&["session:*"], &[String]).expiring()],
        )
        .note("A user whose session has not moved yet has to log in again.")],
    )
    .settings(&[Setting::new(
        Purpose::Sessions,
        "the application's configuration",
        "SESSION_REDIS = redis.from_url(\"{url}\")",
    )]),
    Framework::new(
        "Flask-Limiter",
        &[KeyGroup::new(
            "flask-limiter",
            Purpose::RateLimit,
            Move,
            &[Row::telling(&["LIMITS:LIMITER/*", "LIMITER/*", "LIMITS:*"], &[String, List, Zset])],
        )
        .note("At most one window of each limit is lost.")],
    )
    .settings(&[Setting::new(
        Purpose::RateLimit,
        "the application's configuration",
        "RATELIMIT_STORAGE_URI = \"{url}\"",
    )]),
    Framework::new(
        "Django Channels",
        &[KeyGroup::new(
            "channels",
            Purpose::Bus,
            Stay,
            &[
                Row::telling(&["asgi:group:*"], &[Zset]),
                Row::telling(&["asgi*!*", "asgispecific.*"], &[Zset]),
            ],
        )
        .note(
            "Lives for a minute: do not move it. Set the database of CHANNEL_LAYERS and restart.",
        )],
    )
    .settings(&[Setting::new(
        Purpose::Bus,
        "settings.py",
        "CHANNEL_LAYERS[\"default\"][\"CONFIG\"] = {\"hosts\": [\"{url}\"]}",
    )]),
    Framework::new(
        REDISSON,
        &[
            KeyGroup::new(
                "redisson",
                Purpose::Locks,
                Stay,
                &[
                    Row::telling(&["redisson_lock*", "redisson_rwlock*"], &[]),
                    Row::telling(&["{*}:redisson_lock*", "{*}:redisson_rwlock*"], &[]),
                    Row::telling(&["{*}:rwlock_timeout*", "{*}:*:rwlock_timeout*"], &[]),
                ],
            )
            .note(WAIT),
            KeyGroup::new(
                "redisson-data",
                Purpose::Unknown,
                Stay,
                &[Row::telling(
                    &["redisson_*", "{*}:redisson_*"],
                    &[Hash, Zset, List, Set, String],
                )],
            )
            .note(
                "What a map, queue or set of Redisson's keeps beside itself: it goes with the key \
                 that its name has in braces, by one template in [keys] or one group.",
            ),
        ],
    ),
    Framework::new(
        "rate-limiter-flexible",
        &[KeyGroup::new(
            "rate-limiter-flexible",
            Purpose::RateLimit,
            Move,
            &[Row::telling(&["rlflx:*"], &[String])],
        )
        .note("At most one window of each limit is lost.")],
    )
    .settings(&[Setting::new(
        Purpose::RateLimit,
        "where the limiter is made",
        "storeClient: new Redis({ host: '{host}', port: {port}, db: {index} })",
    )]),
    Framework::new(
        PYTHON_LOCK,
        // The application chooses the names; values identify the program, see `values.rs`.
        &[KeyGroup::new(
            "redis-py-locks",
            Purpose::Locks,
            Stay,
            &[Row::hinting(&["redis-py-lock:*"], &[String]).expiring()],
        )
        .note(WAIT)],
    ),
];
