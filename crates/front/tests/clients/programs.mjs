// BullMQ as it is: jobs, delayed ones, a flow and a job that fails and is tried again.
// node programs.mjs URL

import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { FlowProducer, Queue, QueueEvents, Worker } from "bullmq";
import { Redis } from "ioredis";

const version = createRequire(import.meta.url)("bullmq/package.json").version;
const JOBS = 40;
const connection = new Redis(process.argv[2], { maxRetriesPerRequest: null });
const queue = new Queue("mails", { connection });
queue.setMaxListeners(100);
const events = new QueueEvents("mails", { connection });
await events.waitUntilReady();
const worker = new Worker(
  "mails",
  async (job) => {
    if (job.name === "unsteady" && job.attemptsMade === 0) throw new Error("the first attempt fails");
    if (job.name === "parent") return Object.values(await job.getChildrenValues()).reduce((sum, value) => sum + value, 0);
    await job.updateProgress(50);
    return job.data.number * 2;
  },
  { connection, concurrency: 5 },
);
await worker.waitUntilReady();
const jobs = await queue.addBulk([...Array(JOBS).keys()].map((number) => ({ name: "send", data: { number } })));
const later = await queue.add("later", { number: 50 }, { delay: 500 });
const first = await queue.add("first", { number: 60 }, { priority: 1 });
const unsteady = await queue.add("unsteady", { number: 70 }, { attempts: 3, backoff: { type: "fixed", delay: 100 } });
const flow = await new FlowProducer({ connection }).add({
  name: "parent",
  queueName: "mails",
  children: [1, 2, 3].map((number) => ({ name: "child", queueName: "mails", data: { number } })),
});
const results = await Promise.all([...jobs, later, first, unsteady, flow.job].map((job) => job.waitUntilFinished(events, 30_000)));
assert.deepEqual(results, [...[...Array(JOBS).keys()].map((number) => number * 2), 100, 120, 140, 12]);
assert.equal(await queue.getCompletedCount(), JOBS + 7);
assert.equal(await queue.getFailedCount(), 0);
await worker.close();
await events.close();
await queue.close();
connection.disconnect();
console.log(`BullMQ ${version}: ${JOBS} jobs, delayed, by priority, tried again, and a flow: all done`);
process.exit(0);
