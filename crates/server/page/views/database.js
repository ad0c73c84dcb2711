// One database: the course of its figures, its patterns and its largest keys.

import { get } from "/api.js";
import { chart } from "/chart.js";
import { h } from "/elements.js";
import { DASH, bytes, count, interval, micros, percent, rate, time } from "/figures.js";
import { table } from "/table.js";

const PERIODS = [["1 hour", 1], ["12 hours", 12], ["1 day", 24], ["7 days", 168]];
const HOUR = 3600000;
// The course is read again this often.
const AGAIN = 60000;

export function database(page, name) {
  const view = { hours: 12, course: null, about: null, problem: null, read: 0 };
  async function read() {
    view.read = Date.now();
    try {
      const to = Date.now();
      [view.about, view.course] = await Promise.all([
        get("/api/databases/" + encodeURIComponent(name)),
        get("/api/history/" + encodeURIComponent(name), { from: to - view.hours * HOUR, to }),
      ]);
      view.problem = null;
    } catch (error) {
      view.problem = error.message;
    }
    page.redraw();
  }
  read();
  const choose = (event) => { view.hours = Number(event.target.value); read(); };
  const line = (figure, low, high) => view.course.points.map((point) => [point.at_ms, point[figure], point[low], point[high]]);
  function courses() {
    if (!view.course) return h("p", { class: "soft" }, "The course is on its way.");
    const { from_ms: from, to_ms: to } = view.course;
    return h("div", { class: "cards" },
      chart("Bytes", line("bytes", "bytes_low", "bytes_high"), from, to, bytes),
      chart("Keys", line("keys"), from, to, count),
      chart("Hit rate", line("hit_rate"), from, to, percent),
      chart("Requests/s", line("requests_per_second"), from, to, rate),
      chart("p99 at most", line("p99_latency_us"), from, to, micros));
  }
  return {
    title: name,
    look() { if (Date.now() - view.read > AGAIN) read(); },
    draw() {
      const found = page.look.stats.databases.find((one) => one.name === name);
      if (!found) return [h("h1", {}, name), h("p", { class: "bad" }, view.problem ?? "There is no database of this name.")];
      const content = found.content;
      const about = view.about;
      const facts = [
        ["kind", found.kind], ["instance", found.instance], ["index", found.index + (found.prefix ? ", prefix " + found.prefix : "")],
        ["keys", count(content?.keys)], ["with a TTL", count(content?.with_ttl)], ["bytes", bytes(content?.bytes?.bytes)], ["interval", interval(content?.bytes)],
        ["budget", bytes(found.budget_bytes)], ["default TTL", about?.default_ttl_ms ? time(about.default_ttl_ms / 1000) : DASH], ["connections", count(found.connections)],
      ];
      return [
        h("h1", {}, name, " ", h("small", {}, "database")),
        view.problem ? h("p", { class: "note bad" }, view.problem) : null,
        h("div", { class: "card" }, h("dl", { class: "facts" }, facts.map(([title, value]) => h("div", {}, h("dt", {}, title), h("dd", {}, value))))),
        h("div", { class: "row" }, h("label", {}, "Time", h("select", { onchange: choose, value: view.hours }, PERIODS.map(([title, hours]) => h("option", { value: hours, selected: hours === view.hours }, title))))),
        courses(),
        h("h2", {}, "Patterns"),
        table("patterns", "Patterns of " + name, [
          { title: "Pattern", value: (row) => row.pattern, cell: (row) => h("code", {}, row.pattern) },
          { title: "Keys", number: true, value: (row) => row.keys, cell: (row) => "~" + count(row.keys) },
          { title: "Bytes", number: true, value: (row) => row.bytes, cell: (row) => "~" + bytes(row.bytes) },
        ], content?.patterns ?? [], page.redraw, "No pattern is known yet."),
        h("h2", {}, "Largest keys that were met"),
        table("biggest", "Largest keys of " + name, [
          { title: "Key", value: (row) => row.name, cell: (row) => h("code", {}, row.name) },
          { title: "Bytes", number: true, value: (row) => row.bytes, cell: (row) => bytes(row.bytes) },
        ], content?.biggest ?? [], page.redraw, "None was met."),
        about && about.templates.length > 0 ? [h("h2", {}, "Templates"), table("templates", "Templates of " + name, [
          { title: "Name", value: (row) => row.name, cell: (row) => row.name },
          { title: "Template", value: (row) => row.template, cell: (row) => h("code", {}, row.template) },
        ], about.templates, page.redraw)] : null,
      ];
    },
  };
}
