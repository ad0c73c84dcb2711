"""Celery, Django, RQ and Django Channels as they are, with one URL for everything.

python programs.py URL            starts the workers, gives them work, and waits until all of it is done
python programs.py URL --alone    with a server alone, where Django's cache.clear() takes its sessions too
python programs.py worker URL     Celery's worker
"""

import asyncio
import os
import subprocess
import sys
import time

import celery
import channels_redis.core
import django
import django.conf
import redis
import rq

JOBS = 40


def celery_app(url):
    app = celery.Celery("front", broker=url, backend=url)
    app.conf.update(broker_connection_retry_on_startup=True, task_acks_late=True, worker_hijack_root_logger=False)

    @app.task(name="add")
    def add(a, b):
        return a + b

    @app.task(name="total")
    def total(numbers):
        return sum(numbers)

    return app, add, total


def run_celery(url):
    _, add, total = celery_app(url)
    worker = subprocess.Popen([sys.executable, __file__, "worker", url], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    try:
        results = [add.delay(i, 1) for i in range(JOBS)]
        later = add.apply_async((1, 1), countdown=1)
        assert [result.get(timeout=60) for result in results] == [i + 1 for i in range(JOBS)]
        chord = celery.chord(add.s(i, i) for i in range(10))(total.s())
        assert chord.get(timeout=60) == 90
        assert later.get(timeout=60) == 2
    except BaseException:
        worker.kill()
        print(worker.stderr.read().decode()[-4000:], file=sys.stderr)
        raise
    finally:
        worker.terminate()
        worker.wait(30)
    print(f"Celery {celery.__version__}: {JOBS} tasks, one with a countdown and a chord, all done")


def run_django(url, alone):
    cache = {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": url}
    django.conf.settings.configure(
        CACHES={"default": cache, "sessions": {**cache, "KEY_PREFIX": "sessions"}},
        SESSION_ENGINE="django.contrib.sessions.backends.cache",
        SESSION_CACHE_ALIAS="sessions",
        SECRET_KEY="of this run alone",
    )
    django.setup()
    from django.contrib.sessions.backends.cache import SessionStore
    from django.core.cache import cache as default

    sessions = []
    for i in range(20):
        session = SessionStore()
        session["user"] = i
        session.save()
        sessions.append(session.session_key)
    default.set_many({f"page:{i}": i for i in range(50)}, timeout=300)
    assert default.get_many([f"page:{i}" for i in range(50)]) == {f"page:{i}": i for i in range(50)}
    assert default.add("page:0", "x") is False and default.incr("page:1", 10) == 11
    assert default.touch("page:2", 500) and default.delete("page:3") and default.get("page:3") is None
    assert default.get_or_set("made", lambda: [1, 2]) == [1, 2]
    # It flushes a whole database.
    default.clear()
    assert default.get("page:1") is None
    left = [SessionStore(key).get("user") for key in sessions]
    assert left == ([None] * 20 if alone else list(range(20))), f"of the sessions are left: {left}"
    default.set_many({f"page:{i}": i for i in range(50)}, timeout=300)
    print(f"Django {django.get_version()}: its cache is cleared, and its 20 sessions are {'gone too' if alone else 'still there'}")


def run_rq(url):
    connection = redis.Redis.from_url(url)
    queue = rq.Queue(connection=connection)
    jobs = [queue.enqueue("operator.add", i, 1) for i in range(JOBS)]
    chained = queue.enqueue("operator.mul", 3, 4, depends_on=jobs[-1])
    worker = [os.path.join(os.path.dirname(sys.executable), "rq"), "worker", "--burst", "--url", url]
    ran = subprocess.run(worker, capture_output=True, timeout=120)
    assert ran.returncode == 0, ran.stderr.decode()[-4000:]
    assert [job.return_value(refresh=True) for job in jobs] == [i + 1 for i in range(JOBS)]
    assert chained.return_value(refresh=True) == 12
    assert queue.count == 0 and len(queue.finished_job_registry) == JOBS + 1
    print(f"RQ {rq.VERSION}: {JOBS} jobs and one that waits for another, all done")


async def run_channels(url):
    layers = [channels_redis.core.RedisChannelLayer(hosts=[url]) for _ in range(2)]
    sender, receiver = layers
    channel = await receiver.new_channel()
    for i in range(JOBS):
        await sender.send(channel, {"type": "job", "number": i})
    got = [(await asyncio.wait_for(receiver.receive(channel), 10))["number"] for _ in range(JOBS)]
    assert got == list(range(JOBS)), got
    members = [await receiver.new_channel() for _ in range(5)]
    for member in members:
        await receiver.group_add("room", member)
    await sender.group_send("room", {"type": "chat", "text": "hello"})
    for member in members:
        assert (await asyncio.wait_for(receiver.receive(member), 10))["text"] == "hello"
    await receiver.group_discard("room", members[0])
    for layer in layers:
        await layer.close_pools()
    print(f"Django Channels, channels-redis {channels_redis.__version__}: {JOBS} messages in order, and a group")


def main(url, *alone):
    start = time.monotonic()
    run_django(url, bool(alone))
    run_rq(url)
    asyncio.run(run_channels(url))
    run_celery(url)
    print(f"programs of Python: {time.monotonic() - start:.0f} s")


if sys.argv[1] == "worker":
    celery_app(sys.argv[2])[0].worker_main(["worker", "--concurrency", "2", "--loglevel", "warning"])
else:
    main(*sys.argv[1:])
