// Plans of separations: which keys go where, and which stay.

import { get } from "/api.js";
import { h } from "/elements.js";
import { bytes, count } from "/figures.js";
import { table } from "/table.js";

const WORDS = { move: "moves at any time", stay: "stays", drain: "moves once its programs are stopped" };

export function plans(page) {
  const view = { found: null, problem: null };
  async function read() {
    try {
      view.found = await get("/api/plans");
      view.problem = null;
    } catch (error) {
      view.problem = error.message;
    }
    page.redraw();
  }
  read();
  function plan({ file, plan: one, problem }) {
    if (!one) return [h("h2", {}, file), h("p", { class: "note bad" }, problem)];
    const source = one.source;
    return [
      h("h2", {}, file, " ", h("small", {}, "made " + source.made + " of " + count(source.keys) + " keys in index " + source.index + " of " + source.server)),
      (one.notes ?? []).map((note) => h("p", { class: "note" }, note)),
      table("plan " + file, "Groups of " + file, [
        { title: "Group", value: (row) => row.name, cell: (row) => row.name },
        { title: "Verdict", value: (row) => row.verdict, cell: (row) => h("span", { class: "state" }, WORDS[row.verdict] ?? row.verdict) },
        { title: "Database", value: (row) => row.database, cell: (row) => row.database },
        { title: "Keys", number: true, value: (row) => row.keys, cell: (row) => count(row.keys) },
        { title: "Bytes", number: true, value: (row) => row.bytes, cell: (row) => bytes(row.bytes) },
        { title: "Written by", name: true, value: (row) => row.producer, cell: (row) => [row.perhaps ? "perhaps " + row.producer : row.producer, row.purpose].filter((text) => text).join(", ") },
        { title: "Patterns", name: true, cell: (row) => (row.patterns ?? []).map((pattern) => [h("code", {}, pattern), " "]) },
        { title: "Notes", name: true, cell: (row) => (row.notes ?? []).join(" ") },
      ], one.groups, page.redraw, "The plan has no group."),
    ];
  }
  return {
    title: "Plans",
    needsNoLook: true,
    draw() {
      const found = view.found;
      return [
        h("h1", {}, "Plans"),
        view.problem ? h("p", { class: "note bad" }, view.problem) : null,
        found && !found.has_folder ? h("p", { class: "soft" }, "Start the server with --plans FOLDER to see the plans of compartment plan here.") : null,
        found?.has_folder && found.plans.length === 0 ? h("p", { class: "soft" }, "The folder has no plan: compartment plan writes one.") : null,
        (found?.plans ?? []).map(plan),
      ];
    },
  };
}
