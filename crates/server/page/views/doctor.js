// The doctor's findings with their cures, and the checks of health.

import { get } from "/api.js";
import { h } from "/elements.js";
import { ago, bytes, count } from "/figures.js";
import { table } from "/table.js";

const MARKS = { critical: ["✕", "bad"], warning: ["!", "warn"], notice: ["i", "soft"], ok: ["✓", "good"], unknown: ["?", "soft"] };

const mark = (state) => h("span", { class: "state " + (MARKS[state]?.[1] ?? "") }, (MARKS[state]?.[0] ?? "") + " " + state);

function finding(one) {
  return h("section", { class: "card" },
    h("h2", {}, mark(one.severity), " ", one.code, " ", h("small", {}, [one.instance, ...one.databases].filter((name) => name).join(", "))),
    h("p", {}, one.what),
    one.why ? h("p", { class: "soft" }, one.why) : null,
    one.key_count || one.bytes ? h("p", { class: "soft" }, "About " + count(one.key_count) + " keys, " + bytes(one.bytes)) : null,
    one.keys.length > 0 ? h("p", {}, "Keys: ", one.keys.map((key) => [h("code", {}, key), " "])) : null,
    h("pre", {}, one.cure));
}

export function doctor(page) {
  const view = { fresh: null, problem: null, works: false };
  async function examine() {
    view.works = true;
    page.redraw();
    try {
      view.fresh = await get("/api/doctor");
      view.problem = null;
    } catch (error) {
      view.problem = error.message;
    }
    view.works = false;
    page.redraw();
  }
  return {
    title: "Doctor",
    draw() {
      const { look } = page;
      const found = view.fresh ?? look.doctor;
      return [
        h("h1", {}, "Doctor"),
        h("div", { class: "row" },
          h("button", { type: "button", disabled: view.works, onclick: examine }, view.works ? "Examining" : "Examine now"),
          h("span", { class: "soft" }, view.fresh ? "examined just now" : look.doctor_at_ms ? "examined " + ago(look.doctor_at_ms) : "not examined yet")),
        view.problem ? h("p", { class: "note bad" }, view.problem) : null,
        found ? found.findings.length > 0 ? h("div", { class: "cards" }, found.findings.map(finding)) : h("p", { class: "good" }, "✓ No finding.") : null,
        (found?.unknown ?? []).map((one) => h("p", { class: "soft" }, "Not known: " + one)),
        h("h2", {}, "Checks of health"),
        table("checks", "Checks", [
          { title: "Check", value: (row) => row.name, cell: (row) => row.name },
          { title: "Subject", value: (row) => row.subject, cell: (row) => row.subject },
          { title: "State", value: (row) => row.state, cell: (row) => mark(row.state) },
          { title: "Found", name: true, cell: (row) => row.message },
        ], look.health?.checks ?? [], page.redraw),
      ];
    },
  };
}
