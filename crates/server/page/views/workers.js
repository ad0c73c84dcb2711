// The workers, and the queues of single tasks.

import { h } from "/elements.js";
import { ago, bytes, count } from "/figures.js";
import { table } from "/table.js";

const works = (row) => row.running[0] ? [row.running[0].source, row.running[0].stage, row.running[0].name].join(" ") : row.is_ending ? "ending" : "nothing";

export function workers(page) {
  return {
    title: "Workers",
    draw() {
      const { work } = page.look;
      if (!work) return [h("h1", {}, "Workers"), h("p", { class: "soft" }, "This configuration has no database for batches.")];
      const gone = work.workers.filter((one) => one.is_gone).length;
      return [
        h("h1", {}, "Workers"),
        work.problem ? h("p", { class: "note bad" }, work.problem) : null,
        gone > 0 ? h("p", { class: "note bad" }, count(gone) + " gone without a farewell: others take over their documents when the leases expire.") : null,
        table("workers", "Workers", [
          { title: "Worker", value: (row) => row.id, cell: (row) => row.id },
          { title: "State", value: (row) => row.is_gone, cell: (row) => row.is_gone ? h("span", { class: "state bad" }, "✕ gone") : h("span", { class: "state good" }, "● alive") },
          { title: "Seen", value: (row) => -row.seen_at, cell: (row) => ago(row.seen_at) },
          { title: "Started", value: (row) => -row.started_at, cell: (row) => ago(row.started_at) },
          { title: "Slots", number: true, value: (row) => row.running.length, cell: (row) => row.running.length + "/" + row.concurrency },
          { title: "Done", number: true, value: (row) => row.done, cell: (row) => count(row.done) },
          { title: "Failed", number: true, value: (row) => row.failed, cell: (row) => count(row.failed) },
          { title: "Memory", number: true, value: (row) => row.memory, cell: (row) => bytes(row.memory) },
          { title: "Works on", name: true, cell: works },
        ], work.workers, page.redraw, "There are no workers: compartment worker starts one."),
        h("h2", {}, "Queues of single tasks"),
        table("queues", "Queues", [
          { title: "Queue", value: (row) => row.queue, cell: (row) => row.queue + (row.is_paused ? " (paused)" : "") },
          { title: "Stage", value: (row) => row.stage, cell: (row) => row.stage },
          { title: "Waiting", number: true, value: (row) => row.waiting, cell: (row) => count(row.waiting) },
          { title: "Running", number: true, value: (row) => row.claimed, cell: (row) => count(row.claimed) },
          { title: "Delayed", number: true, value: (row) => row.delayed, cell: (row) => count(row.delayed) },
          { title: "Dead", number: true, value: (row) => row.dead, cell: (row) => h("a", { href: "#/tasks", class: row.dead > 0 ? "bad" : "" }, count(row.dead)) },
        ], work.queues, page.redraw, "Nothing was ever submitted to a queue."),
      ];
    },
  };
}
