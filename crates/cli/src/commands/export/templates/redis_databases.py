"""The Redis databases of this installation by name: `compartment config export --format python`.

Change compartment.toml and export again instead of editing this file. It needs redis-py 4.2 or newer.
Passwords come from the environment.
"""

import asyncio
import os

import redis
import redis.asyncio

INSTANCES = {
@@INSTANCES@@}

# TTLs are in seconds. Where "needs_ttl" is True, every key has to expire.
DATABASES = {
@@DATABASES@@}

# Templates of keys with the database they belong in, and their TTL in environment @@ENVIRONMENT@@.
KEYS = {
@@KEYS@@}

_clients = {}
_async_clients = {}


def get_redis_client(database=@@DEFAULT@@, async_client=False):
    """Return the client of a database, which all callers share; an async one within its event loop."""
    place = _place(database)
    if not async_client:
        if database not in _clients:
            _clients.setdefault(database, redis.Redis(**_settings(place)))
        return _clients[database]
    loop = asyncio.get_running_loop()
    for ended in [other for other in list(_async_clients) if other.is_closed()]:
        _async_clients.pop(ended, None)
    clients = _async_clients.setdefault(loop, {})
    if database not in clients:
        clients[database] = redis.asyncio.Redis(**_settings(place))
    return clients[database]


def get_key(database, name):
    """Return the key with the prefix of its database; databases with an index of their own have none."""
    return _place(database)["prefix"] + name


def get_ttl(database, template=None):
    """Return the seconds that a key lives, or None where it may stay for ever."""
    place = _place(database)
    if template is not None:
        rule = KEYS.get(template)
        if rule is None or rule["database"] != database:
            raise ValueError(f"database {database!r} has no key template {template!r}")
        if rule["ttl"] is not None:
            return rule["ttl"]
    if place["ttl"] is None and place["needs_ttl"]:
        raise ValueError(f"database {database!r} has no default TTL, and every key needs one: choose it")
    return place["ttl"]


def _place(database):
    if database not in DATABASES:
        raise ValueError(f"there is no database {database!r}; there are {', '.join(DATABASES)}")
    return DATABASES[database]


def _settings(place):
    settings = dict(INSTANCES[place["instance"]], db=place["index"])
    variable = settings.pop("password_variable", None)
    if variable is not None:
        if variable not in os.environ:
            raise RuntimeError(f"set {variable}: it is the password of instance {place['instance']!r}")
        settings["password"] = os.environ[variable]
    return settings
