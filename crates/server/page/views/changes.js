// The audit log: who changed what, by which plan.

import { get } from "/api.js";
import { h } from "/elements.js";
import { clock, count } from "/figures.js";
import { table } from "/table.js";

export function changes(page) {
  const view = { entries: null, hasLog: true, problem: null };
  async function read() {
    try {
      const found = await get("/api/audit", { limit: 1000 });
      view.entries = found.entries;
      view.hasLog = found.has_log;
      view.problem = null;
    } catch (error) {
      view.problem = error.message;
    }
    page.redraw();
  }
  read();
  const text = (value) => value === null || value === undefined ? "" : typeof value === "string" ? value : JSON.stringify(value);
  return {
    title: "Changes",
    needsNoLook: true,
    draw() {
      return [
        h("h1", {}, "Changes"),
        h("div", { class: "row" }, h("button", { type: "button", onclick: read }, "Read again")),
        view.problem ? h("p", { class: "note bad" }, view.problem) : null,
        view.hasLog ? null : h("p", { class: "soft" }, "This configuration has no database for metrics, so changes are only in the server's own log."),
        view.entries ? table("audit", "Changes", [
          { title: "When", value: (row) => -row.at_ms, cell: (row) => clock(row.at_ms) },
          { title: "Who", value: (row) => row.who, cell: (row) => row.who },
          { title: "Change", name: true, value: (row) => row.change?.change, cell: (row) => row.summary },
          { title: "Outcome", value: (row) => row.outcome, cell: (row) => row.outcome },
          { title: "Keys or documents", number: true, value: (row) => row.count, cell: (row) => count(row.count) },
          { title: "Why not", name: true, cell: (row) => row.detail ?? "" },
          { title: "Before", name: true, cell: (row) => text(row.before) },
          { title: "After", name: true, cell: (row) => text(row.after) },
        ], view.entries, page.redraw, "Nothing was changed yet.") : h("p", { class: "soft" }, "The changes are on their way."),
      ];
    },
  };
}
