//! Caches: Django, Laravel, Flask, Rails, ASP.NET.

use super::{Framework, KeyGroup, Purpose, Row, Setting};
use crate::KeyType::{Hash, String};
use crate::plan::Verdict::Move;

const CLEARS: &str = "This program clears its cache by FLUSHDB: it needs a database of its own.";

pub(super) const ALL: &[Framework] = &[
    Framework::new(
        DJANGO,
        &[KeyGroup::new(
            "django-cache",
            Purpose::Cache,
            Move,
            &[
                Row::telling(
                    &[
                        ":[0-9]*:views.decorators.cache.*",
                        ":[0-9]*:django.contrib.*",
                        ":[0-9]*:template.cache.*",
                    ],
                    &[String],
                )
                .covered(),
                Row::hinting(&[":[0-9]*:*"], &[String]),
            ],
        )
        .note(CLEARS)],
    )
    // With a KEY_PREFIX these identify the cache, and the prefix's other keys belong to it too.
    .anchors(&[":1:views.decorators.cache.", ":1:django.contrib.", ":1:template.cache."])
    .settings(&[Setting::new(
        Purpose::Cache,
        "settings.py",
        "CACHES[\"default\"][\"LOCATION\"] = \"{url}\"",
    )]),
    Framework::new(
        "Laravel cache",
        &[KeyGroup::new(
            "laravel-cache",
            Purpose::Cache,
            Move,
            &[Row::telling(&["laravel_cache*", "*_database_*_cache_*", "*_cache_:*"], &[String])],
        )
        .note(CLEARS)],
    )
    .settings(&[Setting::new(Purpose::Cache, ".env", "REDIS_CACHE_DB={index}")]),
    Framework::new(
        "Flask-Caching",
        &[KeyGroup::new(
            "flask-cache",
            Purpose::Cache,
            Move,
            &[Row::telling(&["flask_cache_*"], &[String])],
        )],
    )
    .settings(&[Setting::new(
        Purpose::Cache,
        "the application's configuration",
        "CACHE_REDIS_URL = \"{url}\"",
    )]),
    Framework::new(
        RAILS,
        // The application chooses the names; values identify the program, see `values.rs`.
        &[KeyGroup::new(
            "rails-cache",
            Purpose::Cache,
            Move,
            &[Row::hinting(&["views/*:[0-9]*", "views/*/*:*"], &[String])],
        )
        .note(CLEARS)],
    )
    .settings(&[Setting::new(
        Purpose::Cache,
        "config/environments/production.rb",
        "config.cache_store = :redis_cache_store, { url: \"{url}\" }",
    )]),
    Framework::new(
        ASP_NET,
        &[KeyGroup::new(
            "aspnet-cache",
            Purpose::Cache,
            Move,
            &[Row::telling(&["aspnet:cache:*"], &[Hash])],
        )],
    )
    .settings(&[Setting::new(
        Purpose::Cache,
        "appsettings.json",
        "\"{host}:{port},defaultDatabase={index}\"",
    )]),
];

/// Whether a program empties its cache by `FLUSHDB`.
pub(crate) fn clears_by_flush(producer: &str) -> bool {
    let programs = ALL.iter().filter(|framework| framework.name == producer);
    programs.flat_map(|framework| framework.groups).any(|group| group.note == CLEARS)
}

/// Programs that are recognised by values, not by names.
pub(super) const DJANGO: &str = "Django cache";
pub(super) const RAILS: &str = "Rails cache";
pub(super) const ASP_NET: &str = "ASP.NET distributed cache";
