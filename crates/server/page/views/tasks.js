// Tasks of the ledger and dead letters: search, filter, and act on all that match.

import { get } from "/api.js";
import { change } from "/changes.js";
import { h } from "/elements.js";
import { ago, count, time } from "/figures.js";
import { table } from "/table.js";

const ROWS = 1000;

export function tasks(page) {
  const asked = { batch: "", stage: "", status: "", worker: "", error: "" };
  const view = { found: null, problem: null, offset: 0 };
  async function read(offset = 0) {
    const now = { ...asked };
    try {
      view.found = await get("/api/tasks", { ...now, limit: ROWS, offset });
      Object.assign(view, { offset, asked: now });
      view.problem = null;
    } catch (error) {
      view.problem = error.message;
    }
    page.redraw();
  }
  read();
  const field = (name, title) => h("label", {}, title, h("input", { type: "search", name, value: asked[name], oninput: (event) => { asked[name] = event.target.value; } }));
  const status = () => h("label", {}, "Status", h("select", { name: "status", value: asked.status, onchange: (event) => { asked.status = event.target.value; read(); } },
    ["", "done", "failed", "dead", "retried"].map((one) => h("option", { value: one, selected: one === asked.status }, one || "any"))));
  // The dead letters that are listed. A change chooses by how errors begin, or by numbers, which a stage gives; `null`
  // where neither fits what was searched for.
  function chosen(found) {
    const { stage: named, error } = view.asked;
    const stage = named || undefined;
    const letters = found.dead_letters;
    if (letters.every((one) => one.error.startsWith(error))) return { stage, error: error || undefined, ids: [] };
    return stage && letters.length < ROWS ? { stage, ids: letters.map((one) => one.task) } : null;
  }
  function letters(found) {
    if (found.dead_letters.length === 0) return null;
    const all = () => read(view.offset);
    const which = chosen(found);
    return [
      h("h2", {}, "Dead letters ", h("small", {}, count(found.dead_letters.length) + (found.dead_letters.length === ROWS ? " or more" : ""))),
      h("div", { class: "row" },
        h("button", { type: "button", disabled: !which, onclick: () => change({ change: "replay_dead_letters", ...which }, all) }, "Replay all that match"),
        h("button", { type: "button", class: "danger", disabled: !which, onclick: () => change({ change: "purge_dead_letters", ...which }, all) }, "Remove all that match"),
        which ? null : h("span", { class: "soft" }, "Name the stage too, or how the error begins: these errors only contain the text.")),
      table("letters", "Dead letters", [
        { title: "Task", value: (row) => row.task, cell: (row) => row.task },
        { title: "Stage", value: (row) => row.stage, cell: (row) => row.stage },
        { title: "Attempts", number: true, value: (row) => row.attempts, cell: (row) => count(row.attempts) },
        { title: "Died", value: (row) => -row.died_ms, cell: (row) => ago(row.died_ms) },
        { title: "Error", name: true, value: (row) => row.error, cell: (row) => row.error },
        { title: "Data", cell: (row) => h("details", {}, h("summary", {}, "show"), h("pre", {}, row.data.slice(0, 4096))) },
      ], found.dead_letters, page.redraw),
    ];
  }
  return {
    title: "Tasks",
    needsNoLook: true,
    draw() {
      const found = view.found;
      return [
        h("h1", {}, "Tasks"),
        h("form", { class: "row", onsubmit: (event) => { event.preventDefault(); read(); } },
          field("batch", "Batch"), field("stage", "Stage"), status(), field("worker", "Worker"), field("error", "Error has"),
          h("button", { type: "submit" }, "Search")),
        view.problem ? h("p", { class: "note bad" }, view.problem) : null,
        found ? letters(found) : h("p", { class: "soft" }, "The tasks are on their way."),
        found ? [
          h("h2", {}, "Ledger"),
          table("ledger", "Tasks of the ledger", [
            { title: "Document", value: (row) => row.name, cell: (row) => row.name ?? String(row.ordinal) },
            { title: "Batch", value: (row) => row.batch, cell: (row) => row.batch ? h("a", { href: "#/batch/" + encodeURIComponent(row.batch) }, row.batch) : "–" },
            { title: "Stage", value: (row) => row.task_type, cell: (row) => row.task_type },
            { title: "Status", value: (row) => row.status, cell: (row) => row.status },
            { title: "Tries", number: true, value: (row) => row.retry_count, cell: (row) => count(row.retry_count + 1) },
            { title: "Took", number: true, value: (row) => row.took_ms, cell: (row) => row.took_ms === null ? "–" : time(row.took_ms / 1000) },
            { title: "Ended", value: (row) => -(row.completed_ms ?? 0), cell: (row) => ago(row.completed_ms) },
            { title: "Error", name: true, value: (row) => row.error, cell: (row) => row.error ?? "" },
          ], found.tasks, page.redraw, "No matching row."),
          h("div", { class: "row" },
            view.offset > 0 ? h("button", { type: "button", onclick: () => read(Math.max(0, view.offset - ROWS)) }, "Earlier rows") : null,
            found.tasks.length === ROWS ? h("button", { type: "button", onclick: () => read(view.offset + ROWS) }, "Further rows") : null),
        ] : null,
      ];
    },
  };
}
