// Made-up figures: odd and hostile names, huge numbers, a server that is away, ten thousand rows.

const NOW = Date.UTC(2026, 10, 29, 12, 0, 0);
const EVIL = `<img src=x onerror="document.title='owned'">"'\u202e`;

const content = (keys, bytes) => ({
  keys, keys_are_exact: true, with_ttl: keys, average_ttl_ms: 90000,
  bytes: { bytes, low: Math.round(bytes * 0.97), high: Math.round(bytes * 1.03), measured: 4000, age_seconds: 20 },
  patterns: [{ pattern: "session:{uuid}", keys, bytes }, { pattern: EVIL, keys: 1, bytes: 64 }],
  biggest: [{ name: EVIL, bytes: 123456 }, { name: "a".repeat(300), bytes: 99999 }],
});
const database = (name, index, kind, keys, bytes, budget) => ({
  name, instance: "primary", index, prefix: "", kind, content: content(keys, bytes), budget_bytes: budget, growth: null, connections: 3,
});
const node = {
  location: "10.0.0.1:6379", version: "redis 7.0.15", run_id: null, is_replica: false, uptime_seconds: 900000,
  memory: { used: 1.5e9, peak: 2e9, limit: 2e9, system: 8e9, fragmentation: 1.1, policy: "noeviction" },
  connections: { connected: 41, blocked: 0, max: 10000 },
  work: { commands_per_second: 12345.6, input_bytes_per_second: 1, output_bytes_per_second: 1, expired_per_second: 1, evicted_per_second: 0, hit_rate: 0.93, reads: 1, processor: 0.2 },
  counters: {}, persistence: {}, replication: {}, latency_events: [], slow_log: null,
};
const stage = (name, done, dead) => ({ stage: name, done, dead, claimed: 4, ready: 1000000 - done - dead - 4, delayed: 0 });
const batch = (name, status, done) => ({
  name, pipeline: "legal", class: "normal", created_ms: NOW - 3600000, status, total: 1000000, done, dead: 12, entry_bytes: 1e8,
  stages: [stage("extract", done, 12), stage("chunk", done, 0)], documents_per_second: 512.5, eta_seconds: 1234, unserved_stages: [],
});
const clients = (rate) => ({
  window_seconds: 300, requests_per_second: rate, sent_bytes_per_second: 1e5, received_bytes_per_second: 1e6, mean_latency_us: 210,
  p99_latency_us: 2048, hit_rate: 0.9, failures: 0, requests_total: 1e9, sent_bytes_total: 1, received_bytes_total: 1, lock_timeouts_total: 0,
});

export const look = {
  number: 7, at_ms: NOW, took_ms: 12,
  stats: {
    version: 1, made: "2026-11-29T12:00:00Z", since_last_seconds: 5,
    databases: [database("broker", 0, "durable", 12, 4096, null), database("cache", 2, "cache", 987654321, 5e9, 5.2e9), database("metrics", 5, "durable", 0, 0, null)],
    instances: [
      { name: "primary", address: "redis://10.0.0.1:6379", problem: null, nodes: [node], unnamed: [], clients: null, probes: [], cost: null },
      { name: "second", address: "redis://10.0.0.2:6379", problem: "connect: connection refused " + EVIL, nodes: [], unnamed: [], clients: null, probes: [], cost: null },
    ],
    missing: ["primary hides MEMORY USAGE"],
  },
  fleet: { clients: { cache: clients(4321.5) }, caches: { cache: { window_seconds: 300, reads_per_second: 10, hit_rate: 0.87, mean_load_ms: 12, processes: 2, templates: {} } }, problem: null },
  health: { version: 1, made: "", state: "critical", checks: [
    { name: "memory", subject: "primary", state: "critical", figure: 0.95, threshold: 0.9, message: "95 % of maxmemory is used: raise it, or move a database" },
    { name: "latency", subject: "primary", state: "ok", figure: 0.001, threshold: 0.1, message: "1 ms" }] },
  doctor: { findings: [
    { code: "eviction-policy", severity: "critical", instance: "primary", databases: ["broker"], keys: [EVIL], key_count: 12, bytes: 4096, what: "Durable keys can be evicted.", why: "A task would be lost.", cure: "CONFIG SET maxmemory-policy volatile-lru" },
    { code: "no-ttl", severity: "notice", instance: "primary", databases: ["cache"], keys: [], key_count: null, bytes: null, what: "Keys without a TTL.", why: "", cure: "compartment expire cache --apply" }],
  unknown: [], instances: 2, databases: 3, keys_looked_at: 1000 },
  doctor_at_ms: NOW - 60000,
  work: {
    database: "batch", batches: [batch("smith-v-jones", "running", 400000), batch(EVIL, "paused", 1000), { ...batch("old", "completed", 999988), documents_per_second: null, eta_seconds: null }], more_batches: 800,
    workers: [
      { id: "host-1-4711", pid: 4711, started_at: NOW - 7200000, seen_at: NOW - 1000, serves: [], concurrency: 8, running: [{ source: "smith-v-jones", number: 7, name: EVIL, stage: "extract", since: NOW - 9000 }], done: 400000, failed: 12, memory: 3e8, is_ending: false, is_gone: false },
      { id: "host-2-9", pid: 9, started_at: NOW - 7200000, seen_at: NOW - 90000, serves: [], concurrency: 8, running: [], done: 1, failed: 0, memory: null, is_ending: false, is_gone: true }],
    queues: [{ stage: "extract", queue: "legal.extract", waiting: 5, delayed: 0, claimed: 1, dead: 3, is_paused: false }],
    problem: null,
  },
};

const points = Array.from({ length: 720 }, (_, at) => ({ at_ms: NOW - (720 - at) * 60000, keys: 1000 + 100 * Math.sin(at / 60), bytes: 1e6 + 1000 * at, bytes_low: 9e5 + 1000 * at, bytes_high: 1.1e6 + 1000 * at, hit_rate: 0.9, requests_per_second: 50, p99_latency_us: 2048 }));
const letters = Array.from({ length: 1000 }, (_, at) => ({ stage: "extract", queue: "legal.extract", task: at, attempts: 5, lost: 0, class: "normal", submitted_ms: NOW - 1e6, died_ms: NOW - 1000 * at, error: "timed_out: " + (at === 0 ? EVIL : "reading took longer than 60 s"), data: EVIL }));
export const manyTasks = (rows) => Array.from({ length: rows }, (_, at) => ({ batch: "smith-v-jones", ordinal: at, task_type: "extract", status: "done", retry_count: 0, worker: "host-1-4711", claim_token: at, error: null, started_ms: NOW - 5000, completed_ms: NOW - 4000, took_ms: 1000 - (at % 997), name: "paper-" + at + ".pdf" }));

export const answers = {
  "/api/look": look,
  "/api/databases/cache": { name: "cache", kind: "cache", default_ttl_ms: 172800000, memory_budget_bytes: 5.2e9, templates: [{ name: "page", template: "page:{id}" }], figures: null, clients: null, cache: null },
  "/api/history/cache": { subject: "cache", from_ms: NOW - 43200000, to_ms: NOW, points },
  "/api/batches/smith-v-jones": {
    ...look.work.batches[0],
    failures: [{ stage: "extract", code: "timed_out", example: "timed_out: " + EVIL, documents: 11 }, { stage: "extract", code: "malformed", example: "malformed: no text", documents: 1 }],
    running: [{ worker: "host-1-4711", ordinal: 7, document: EVIL, stage: "extract", for_ms: 9000 }], stuck: [], slowest: manyTasks(3),
  },
  "/api/tasks": { dead_letters: letters, tasks: manyTasks(1000) },
  "/api/documents": { documents: [{ ordinal: 0, name: "complaint.pdf", hash: "ab12" }, { ordinal: 1, name: EVIL, hash: "cd34" }], next: 2, summary: { entities: { party: 2, judge: 1 }, relationships: {}, foremost: [{ kind: "party", name: "Castellan Cold Storage LLC", documents: 2, mentions: 9 }] } },
  "/api/documents/ab12": { hash: "ab12", pages: 3, text_bytes: 9000, warnings: ["page 2 was read by OCR"], entities: [{ id: "e1", kind: "docket_number", name: "No. 3:24-cv-00117", aliases: [EVIL], mentions: 2 }] },
  "/api/documents/ab12?entity": { entity: "e1", places: [{ page: 1, start: 10, end: 27, before: "Case ", text: "No. 3:24-cv-00117", after: " " + EVIL }] },
  "/api/plans": { has_folder: true, plans: [{ file: "plan.toml", problem: null, plan: { version: 1, notes: ["reviewed"], source: { server: "redis://10.0.0.1:6379", index: 0, keys: 5, made: "2026-11-21T11:30:00Z" }, targets: [], groups: [{ name: "sessions", producer: "django", perhaps: true, purpose: "sessions", database: "cache", verdict: "move", patterns: ["session:*"], except: [], keys: 5, bytes: 100, notes: [EVIL] }] } }, { file: "bad.toml", plan: null, problem: "expected a value" }] },
  "/api/audit": { has_log: true, entries: [{ at_ms: NOW - 60000, ended_ms: NOW - 59000, who: "mcp " + EVIL, plan_id: "1", change: { change: "retry_failed", batch: "smith-v-jones" }, summary: "11 failed documents of smith-v-jones are processed again", server: "", count: 11, digest: "", outcome: "done", before: { dead: 12 }, after: { dead: 1 }, detail: "" }] },
};

export const event = (one) => "event: look\nid: " + one.number + "\ndata: " + JSON.stringify(one) + "\n\n";
export { NOW };
