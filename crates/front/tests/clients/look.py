"""Looks at the databases of the server itself after the programs have run.

python look.py PORT [NAME...]    each database holds the keys of its purpose, and no others; those of these names may
                                 be empty, because their program did not run
"""

import fnmatch
import sys

import redis

HOLDS = {
    0: ("main", []),
    1: ("cache", [":1:*"]),
    2: ("sessions", ["sessions:1:*"]),
    3: ("broker", ["_kombu.*", "unacked*", "celery*"]),
    4: ("results", ["celery-task-meta-*", "celery-taskset-meta-*"]),
    5: ("rq", ["rq:*"]),
    6: ("bullmq", ["bull:mails:*"]),
    7: ("bus", ["asgi*"]),
    8: ("sidekiq", ["queues", "stat:*", "queue:*", "processes", "*:*"]),
}
# The messages of a group live for a minute, and a channel that was read is gone.
MAY_BE_EMPTY = {0, 7}

wrong = []
for index, (name, patterns) in HOLDS.items():
    server = redis.Redis(port=int(sys.argv[1]), db=index)
    keys = sorted(key.decode("utf-8", "backslashreplace") for key in server.scan_iter(count=1000))
    foreign = [key for key in keys if not any(fnmatch.fnmatchcase(key, pattern) for pattern in patterns)]
    if foreign:
        wrong.append(f"{name} has keys of others: {foreign[:10]}")
    if not keys and index not in MAY_BE_EMPTY and name not in sys.argv[2:]:
        wrong.append(f"{name} is empty")
    without_life = [key for key in keys if server.ttl(key) == -1]
    if name in ("cache", "results") and without_life:
        wrong.append(f"{name} has keys without a lifetime: {without_life[:10]}")
    print(f"{index} {name}: {len(keys)} keys, {len(keys) - len(without_life)} of them with a lifetime")
used = {int(name[2:]) for name in redis.Redis(port=int(sys.argv[1])).info("keyspace")}
if used - set(HOLDS):
    wrong.append(f"databases that nobody named are in use: {sorted(used - set(HOLDS))}")
sys.exit("\n".join(wrong) or 0)
