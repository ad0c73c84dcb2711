// What ioredis does, through its own interfaces: the answers are those of a server alone.
// node behaviour.mjs URL [TAG]    a tag such as {t} keeps the names of a transaction in one slot of a cluster

import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { Redis } from "ioredis";

const version = createRequire(import.meta.url)("ioredis/package.json").version;
const url = process.argv[2];
// Under the front's configuration these lie in different databases.
const tag = process.argv[3] ?? "";
const [CACHE, SESSION, OTHER] = [`:1:${tag}page`, `rq:${tag}session`, `${tag}plain`];
const redis = new Redis(url);
const once = (emitter, name) => new Promise((done) => emitter.once(name, (...all) => done(all)));

// Values, of several databases in one request.
await redis.mset(CACHE, "a", SESSION, "b", OTHER, "c");
assert.deepEqual(await redis.mget(OTHER, "nothing", CACHE, SESSION), ["c", null, "a", "b"]);
const large = Buffer.alloc(5_000_000, "\r\n$5\r\n");
await redis.set(OTHER, large);
assert(large.equals(await redis.getBuffer(OTHER)));
assert.equal(await redis.del(CACHE, SESSION, OTHER, "nothing"), 3);
await redis.lpush("list", 1);
await assert.rejects(redis.incr("list"), /WRONGTYPE/);
await assert.rejects(redis.call("NO-SUCH-COMMAND"), /unknown command/);

// Pipelines: the answers are in the order of the requests.
const pipeline = redis.pipeline();
for (let i = 0; i < 500; i++) pipeline.set([CACHE, SESSION, OTHER][i % 3], i).get([CACHE, SESSION, OTHER][i % 3]);
const answers = await pipeline.exec();
assert.deepEqual(
  answers.filter((_, at) => at % 2).map(([, value]) => Number(value)),
  [...Array(500).keys()],
);
const together = new Redis(url, { enableAutoPipelining: true });
await Promise.all([...Array(200)].map(() => together.incr("count")));
assert.equal(await together.get("count"), "200");

// Transactions, and keys that are watched.
assert.deepEqual(
  await redis.multi().set(CACHE, 1).incr(CACHE).set(SESSION, 5).mget(CACHE, SESSION).exec(),
  [[null, "OK"], [null, 2], [null, "OK"], [null, ["2", "5"]]],
);
await redis.watch(SESSION);
await together.set(SESSION, "changed");
assert.equal(await redis.multi().set(CACHE, "never").exec(), null);
assert.equal(await redis.get(CACHE), "2");
const failing = await redis.multi().set(CACHE, "x").incr(CACHE).exec();
assert.match(failing[1][0].message, /not an integer/);
await assert.rejects(redis.multi().set(CACHE).exec(), /EXECABORT|wrong number/);

// Scripts.
redis.defineCommand("add", { numberOfKeys: 1, lua: "return redis.call('incrby', KEYS[1], ARGV[1])" });
await redis.script("FLUSH");
await redis.set(CACHE, 0);
assert.deepEqual(await Promise.all([redis.add(CACHE, 1), redis.add(CACHE, 2), redis.add(CACHE, 3)]), [1, 3, 6]);
assert.deepEqual(await redis.pipeline().add(CACHE, 4).get(CACHE).exec(), [[null, 10], [null, "10"]]);

// Messages.
const subscriber = new Redis(url);
assert.equal(await subscriber.subscribe("news"), 1);
assert.equal(await subscriber.psubscribe("n*"), 2);
const heard = Promise.all([once(subscriber, "message"), once(subscriber, "pmessage")]);
assert.equal(await redis.publish("news", "hello"), 2);
assert.deepEqual(await heard, [["news", "hello"], ["n*", "news", "hello"]]);
assert.equal(await subscriber.unsubscribe("news"), 1);
assert.equal(await subscriber.punsubscribe("n*"), 0);
// A connection without subscriptions is an ordinary one again.
assert.equal(await subscriber.ping(), "PONG");
assert.equal(await subscriber.get(CACHE), "10");

// Waiting, on a connection of its own and beside others.
const waiter = redis.duplicate();
const got = waiter.brpop("rq:queue", 5);
await redis.lpush("rq:queue", "job");
assert.deepEqual(await got, ["rq:queue", "job"]);
assert.equal(await waiter.brpop("rq:queue", 0.1), null);
const read = waiter.xread("BLOCK", 5000, "STREAMS", "stream", "$");
await new Promise((done) => setTimeout(done, 100));
const id = await redis.xadd("stream", "*", "a", "b");
assert.deepEqual(await read, [["stream", [[id, ["a", "b"]]]]]);

// All keys of all databases, each once.
const names = new Set([...Array(300).keys()].flatMap((i) => [`:1:scan:${i}`, `rq:scan:${i}`]));
await Promise.all([...names].map((name) => together.set(name, 1)));
const seen = new Set();
for await (const keys of redis.scanStream({ match: "*scan:*", count: 50 })) for (const key of keys) seen.add(key);
assert.deepEqual(seen, names);
assert.equal(await redis.unlink(...names), 600);

// MONITOR shows the requests of others: on a cluster those of one node.
if (!tag) {
  const monitor = await redis.monitor();
  const shown = new Promise((done) => monitor.on("monitor", (_, words) => words[1] === "seen-by-monitor" && done(words)));
  await together.get("seen-by-monitor");
  assert.deepEqual(await shown, ["get", "seen-by-monitor"]);
  monitor.disconnect();
}

await redis.del(CACHE, SESSION, OTHER, "list", "count", "stream");
for (const connection of [redis, together, subscriber, waiter]) await connection.quit();
console.log(`ioredis ${version}: all as with a server alone`);
