// The batches.

import { bar } from "/chart.js";
import { h } from "/elements.js";
import { ago, count, rate, time } from "/figures.js";
import { table } from "/table.js";

export const share = (batch) => batch.total > 0 ? (batch.done + batch.dead) / batch.total : null;

export function progress(page, rows) {
  return table("batches", "Batches", [
    { title: "Batch", value: (row) => row.name, cell: (row) => h("a", { href: "#/batch/" + encodeURIComponent(row.name) }, row.name) },
    { title: "Status", value: (row) => row.status, cell: (row) => h("span", { class: "state" }, row.status) },
    { title: "Class", value: (row) => row.class, cell: (row) => String(row.class).toLowerCase() },
    { title: "Done", value: share, cell: (row) => bar(share(row), "done") },
    { title: "Documents", number: true, value: (row) => row.total, cell: (row) => count(row.done) + " of " + count(row.total) },
    { title: "Dead", number: true, value: (row) => row.dead, cell: (row) => h("span", { class: row.dead > 0 ? "bad" : "" }, count(row.dead)) },
    { title: "Documents/s", number: true, value: (row) => row.documents_per_second, cell: (row) => rate(row.documents_per_second) },
    { title: "Left", number: true, value: (row) => row.eta_seconds, cell: (row) => time(row.eta_seconds) },
    { title: "Submitted", value: (row) => -row.created_ms, cell: (row) => ago(row.created_ms) },
  ], rows, page.redraw, "There are no batches: compartment batch submit makes one.");
}

export function batches(page) {
  let wanted = "";
  return {
    title: "Batches",
    draw() {
      const { work } = page.look;
      if (!work) return [h("h1", {}, "Batches"), h("p", { class: "soft" }, "This configuration has no database for batches.")];
      const rows = work.batches.filter((one) => one.name.includes(wanted) || one.status.includes(wanted));
      return [
        h("h1", {}, "Batches"),
        work.problem ? h("p", { class: "note bad" }, work.problem) : null,
        h("div", { class: "row" }, h("label", {}, "Name or status", h("input", { type: "search", value: wanted, oninput: (event) => { wanted = event.target.value; page.redraw(); } }))),
        progress(page, rows),
        work.more_batches > 0 ? h("p", { class: "soft" }, count(work.more_batches) + " more are not listed.") : null,
      ];
    },
  };
}
