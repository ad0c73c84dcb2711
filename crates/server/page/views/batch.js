// One batch: stages, failures, documents in progress, and the slowest.

import { get } from "/api.js";
import { change } from "/changes.js";
import { bar } from "/chart.js";
import { h } from "/elements.js";
import { count, rate, time } from "/figures.js";
import { table } from "/table.js";

// Failures are many: they are read this often.
const AGAIN = 5000;

export function batch(page, name) {
  const view = { batch: null, problem: null, read: 0 };
  async function read() {
    view.read = Date.now();
    try {
      view.batch = await get("/api/batches/" + encodeURIComponent(name));
      view.problem = null;
    } catch (error) {
      view.problem = error.message;
    }
    page.redraw();
  }
  read();
  const button = (title, what, danger) => h("button", { type: "button", class: danger ? "danger" : undefined, onclick: () => change(what, read) }, title);
  function stages(shown) {
    return table("stages", "Stages of " + name, [
      { title: "Stage", cell: (row) => row.stage },
      { title: "Done", cell: (row) => bar(shown.total > 0 ? row.done / shown.total : null, "done") },
      { title: "Documents", number: true, cell: (row) => count(row.done) },
      { title: "Running", number: true, cell: (row) => count(row.claimed) },
      { title: "Ready", number: true, cell: (row) => count(row.ready) },
      { title: "Retrying", number: true, cell: (row) => count(row.delayed) },
      { title: "Dead", number: true, cell: (row) => h("span", { class: row.dead > 0 ? "bad" : "" }, count(row.dead)) },
    ], shown.stages, page.redraw);
  }
  return {
    title: name,
    needsNoLook: true,
    look() { if (Date.now() - view.read > AGAIN) read(); },
    draw() {
      const found = view.batch;
      const problem = view.problem ? h("p", { class: "note bad" }, view.problem) : null;
      if (!found) return [h("h1", {}, name), problem ?? h("p", { class: "soft" }, "The batch is on its way.")];
      const live = page.look?.work?.batches.find((one) => one.name === name);
      const over = ["completed", "cancelled"].includes(found.status);
      return [
        h("h1", {}, name, " ", h("small", {}, found.status + ", pipeline " + found.pipeline)),
        problem,
        h("p", {}, count(found.done) + " of " + count(found.total) + " documents done, " + count(found.dead) + " dead, " + rate(live?.documents_per_second) + " documents/s, " + time(live?.eta_seconds) + " left"),
        found.unserved_stages.length > 0 && !over ? h("p", { class: "note bad" }, "No worker serves " + found.unserved_stages.join(", ") + ": start compartment worker.") : null,
        h("div", { class: "row" },
          over ? null : found.status === "paused" ? button("Resume", { change: "resume_batch", batch: name }) : button("Pause", { change: "pause_batch", batch: name }),
          found.dead > 0 ? button("Retry all failed", { change: "retry_failed", batch: name }) : null,
          over ? null : button("Cancel the batch", { change: "cancel_batch", batch: name }, true)),
        stages(found),
        h("h2", {}, "Failed"),
        table("failures", "Failures of " + name, [
          { title: "Stage", value: (row) => row.stage, cell: (row) => row.stage },
          { title: "Documents", number: true, value: (row) => row.documents, cell: (row) => count(row.documents) },
          { title: "Example", name: true, value: (row) => row.example, cell: (row) => row.example },
          { title: "Retry", cell: (row) => button("Retry these", { change: "retry_failed", batch: name, stage: row.stage, error: row.code }) },
        ], found.failures, page.redraw, "No document failed."),
        h("h2", {}, "Running longest"),
        table("running", "Documents in progress", [
          { title: "Document", name: true, value: (row) => row.document, cell: (row) => row.document },
          { title: "Stage", value: (row) => row.stage, cell: (row) => row.stage },
          { title: "For", number: true, value: (row) => row.for_ms, cell: (row) => time(row.for_ms / 1000) },
          { title: "Worker", value: (row) => row.worker, cell: (row) => row.worker },
        ], over ? [] : found.running, page.redraw, "None is in progress."),
        h("h2", {}, "Slowest so far"),
        table("slowest", "Slowest documents", [
          { title: "Document", name: true, value: (row) => row.name, cell: (row) => row.name ?? "" },
          { title: "Number", number: true, value: (row) => row.ordinal, cell: (row) => count(row.ordinal) },
          { title: "Stage", value: (row) => row.task_type, cell: (row) => row.task_type },
          { title: "Took", number: true, value: (row) => row.took_ms, cell: (row) => time((row.took_ms ?? 0) / 1000) },
        ], found.slowest, page.redraw, "The ledger knows none."),
        h("p", {}, h("a", { href: "#/documents/" + encodeURIComponent(name) }, "Documents and entities of this batch")),
      ];
    },
  };
}
