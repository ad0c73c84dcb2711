"""What redis-py does, through its own interfaces: the answers are those of a server alone.

python behaviour.py URL [TAG]    with RESP2 and RESP3, blocking and asynchronous; a tag such as {t} keeps the names of a
                                 transaction in one slot of a cluster
"""

import asyncio
import sys
import threading
import time

import redis
import redis.asyncio

# Under the front's configuration these lie in different databases.
TAG = sys.argv[2] if len(sys.argv) > 2 else ""
CACHE, SESSION, OTHER = f":1:{TAG}page", f"rq:{TAG}session", f"{TAG}plain"


def values(r):
    assert r.set(CACHE, "a") and r.set(SESSION, b"\x00\r\n\xff", ex=100) and r.set(OTHER, "c")
    assert r.mget(OTHER, "nothing", CACHE, SESSION) == [b"c", None, b"a", b"\x00\r\n\xff"]
    assert 0 < r.ttl(SESSION) <= 100
    assert r.exists(CACHE, SESSION, OTHER, CACHE) == 4
    large = bytes(range(256)) * 40_000
    assert r.set(OTHER, large) and r.get(OTHER) == large
    assert r.mset({CACHE: 1, SESSION: 2, OTHER: 3})
    assert r.delete(CACHE, SESSION, OTHER, "nothing") == 3
    assert r.get(CACHE) is None
    r.lpush("list", 1, 2)
    try:
        r.incr("list")
        raise AssertionError("a list was counted")
    except redis.ResponseError as error:
        assert "WRONGTYPE" in str(error)
    try:
        r.execute_command("NO-SUCH-COMMAND", "x")
        raise AssertionError("an unknown command was answered")
    except redis.ResponseError as error:
        assert "unknown command" in str(error)
    names = {f":1:scan:{i}" for i in range(300)} | {f"rq:scan:{i}" for i in range(300)}
    with r.pipeline(transaction=False) as pipe:
        for name in names:
            pipe.set(name, name)
        assert pipe.execute() == [True] * 600
    assert {key.decode() for key in r.scan_iter("*scan:*", count=50)} == names
    assert {key.decode() for key in r.keys("*scan:*")} == names
    assert r.unlink(*names) == 600
    assert r.hset("hash", mapping={"a": "1", "b": "2"}) == 2 and r.hgetall("hash") == {b"a": b"1", b"b": b"2"}
    assert r.zadd("zset", {"one": 1, "two": 2.5}) == 2 and r.zscore("zset", "two") == 2.5
    assert r.sadd("set", "x", "y") == 2 and r.smembers("set") == {b"x", b"y"}


def pipelines(r):
    with r.pipeline(transaction=False) as pipe:
        for i in range(500):
            pipe.set((CACHE, SESSION, OTHER)[i % 3], i).get((CACHE, SESSION, OTHER)[i % 3])
        answers = pipe.execute()
    assert answers[1::2] == [str(i).encode() for i in range(500)]
    with r.pipeline(transaction=False) as pipe:
        pipe.set(CACHE, "x").incr(CACHE).get(CACHE)
        answers = pipe.execute(raise_on_error=False)
    assert isinstance(answers[1], redis.ResponseError) and answers[2] == b"x"


def transactions(r):
    r.mset({CACHE: 0, SESSION: 0, OTHER: 0})
    with r.pipeline(transaction=True) as pipe:
        pipe.incr(CACHE).incr(SESSION).incr(OTHER).mget(CACHE, SESSION, OTHER)
        assert pipe.execute() == [1, 1, 1, [b"1", b"1", b"1"]]

    def step(pipe):
        now = int(pipe.get(SESSION))
        pipe.multi()
        pipe.set(SESSION, now + 1)

    threads = [threading.Thread(target=lambda: [r.transaction(step, SESSION) for _ in range(20)]) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert r.get(SESSION) == b"81"
    with r.pipeline() as pipe:
        pipe.watch(CACHE, OTHER)
        r.set(OTHER, "another")
        pipe.multi()
        pipe.set(CACHE, "never")
        try:
            pipe.execute()
            raise AssertionError("a watched key changed, and nobody noticed")
        except redis.WatchError:
            pass
    assert r.get(CACHE) == b"1"
    with r.pipeline() as pipe:
        pipe.watch(CACHE)
        pipe.unwatch()
        r.set(CACHE, "5")
        pipe.multi()
        pipe.get(CACHE)
        assert pipe.execute() == [b"5"]


def scripts(r):
    r.script_flush()
    add = r.register_script("return redis.call('incrby', KEYS[1], ARGV[1])")
    r.set(CACHE, 0)
    assert [add(keys=[CACHE], args=[n]) for n in (1, 2, 3)] == [1, 3, 6]
    with r.pipeline() as pipe:
        add(keys=[CACHE], args=[10], client=pipe)
        add(keys=[CACHE], args=[20], client=pipe)
        assert pipe.execute() == [16, 36]
    assert r.eval("return {1, 'two', {3}}", 0) == [1, b"two", [3]]
    try:
        r.evalsha("0" * 40, 0)
        raise AssertionError("an unknown script ran")
    except redis.exceptions.NoScriptError:
        pass
    lock = r.lock("lock", timeout=5)
    with lock:
        assert not r.lock("lock", timeout=5).acquire(blocking=False)
    assert lock.acquire(blocking=False)
    lock.release()


def messages(r):
    subscriber = r.pubsub()
    subscriber.subscribe("news")
    subscriber.psubscribe("news*")
    kinds = [take(subscriber)["type"] for _ in range(2)]
    assert kinds == ["subscribe", "psubscribe"], kinds
    assert r.publish("news", "hello") == 2
    heard = sorted((take(subscriber)["type"], b"hello") for _ in range(2))
    assert heard == [("message", b"hello"), ("pmessage", b"hello")]
    assert (b"news", 1) in r.pubsub_numsub("news")
    subscriber.ping()
    assert take(subscriber)["type"] == "pong"
    subscriber.unsubscribe()
    subscriber.punsubscribe()
    assert [take(subscriber)["type"] for _ in range(2)] == ["unsubscribe", "punsubscribe"]
    subscriber.close()


def take(subscriber):
    message = subscriber.get_message(timeout=5)
    assert message, "no message came"
    return message


def waiting(r):
    r.delete("rq:queue", ":1:queue", "stream")
    got = []
    waiter = threading.Thread(target=lambda: got.append(r.blpop(["rq:queue"], timeout=5)))
    waiter.start()
    time.sleep(0.1)
    r.rpush("rq:queue", "job")
    waiter.join()
    assert got == [(b"rq:queue", b"job")] or got == [[b"rq:queue", b"job"]], got
    assert r.blpop(["rq:queue"], timeout=0.1) is None
    r.xgroup_create("stream", "group", mkstream=True)
    waiter = threading.Thread(target=lambda: got.append(r.xreadgroup("group", "me", {"stream": ">"}, block=5000)))
    waiter.start()
    time.sleep(0.1)
    added = r.xadd("stream", {"a": "b"})
    waiter.join()
    assert added in str(got[1]).encode(), got
    assert r.xack("stream", "group", added) == 1


def connections(r, url, protocol):
    named = redis.Redis.from_url(url, protocol=protocol, client_name="behaviour")
    assert named.client_getname() in (b"behaviour", "behaviour")
    assert named.client_id() > 0 and named.echo("x") == b"x" and named.ping()
    assert named.dbsize() > 0
    assert named.config_get("maxmemory-policy")
    assert named.info("server")["redis_version"]
    r.set("count", 0)
    threads = [threading.Thread(target=lambda: [r.incr("count") for _ in range(100)]) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert r.get("count") == b"800"


def client_side_cache(url):
    """The server tells a connection that a key which it has read is another now."""
    told = []
    reader = redis.Redis.from_url(url, protocol=3, single_connection_client=True)
    reader.connection._parser.set_invalidation_push_handler(told.append)
    other = redis.Redis.from_url(url)
    assert reader.client_tracking_on() in (True, b"OK", "OK")
    for key in (CACHE, SESSION, OTHER):
        other.set(key, "old")
        assert reader.get(key) == b"old"
        other.set(key, "new")
        until = time.monotonic() + 5
        while [b"invalidate", [key.encode()]] not in told:
            assert time.monotonic() < until, f"{key}: a change was not told: {told}"
            reader.ping()
    assert reader.client_tracking_off() in (True, b"OK", "OK")


async def asynchronous(url, protocol):
    r = redis.asyncio.Redis.from_url(url, protocol=protocol)
    await r.set(CACHE, 0)
    await asyncio.gather(*(r.incr(CACHE) for _ in range(50)))
    assert await r.get(CACHE) == b"50"
    async with r.pipeline(transaction=True) as pipe:
        assert await pipe.set(SESSION, 1).incr(OTHER + ":async").get(SESSION).execute() == [True, 1, b"1"]
    await r.delete(OTHER + ":async")
    async with r.pubsub() as subscriber:
        await subscriber.subscribe("async")
        assert (await subscriber.get_message(timeout=5))["type"] == "subscribe"
        await r.publish("async", "x")
        assert (await subscriber.get_message(timeout=5))["data"] == b"x"
    await r.aclose()


def main(url):
    for protocol in (2, 3):
        r = redis.Redis.from_url(url, protocol=protocol)
        for check in (values, pipelines, transactions, scripts, messages, waiting):
            check(r)
            r.delete("list", "hash", "zset", "set", "count", "stream", "lock")
        connections(r, url, protocol)
        asyncio.run(asynchronous(url, protocol))
        r.delete(CACHE, SESSION, OTHER, "count", "stream")
        print(f"redis-py {redis.__version__}, RESP{protocol}: all as with a server alone")
    if TAG:
        # A cluster behind the front tells of no changed keys.
        return
    client_side_cache(url)
    redis.Redis.from_url(url).delete(CACHE, SESSION, OTHER)
    print(f"redis-py {redis.__version__}: hears of changes to what it has read")


main(sys.argv[1])
