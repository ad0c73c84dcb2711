// Servers, databases, and what needs attention.

import { bar, spark } from "/chart.js";
import { h } from "/elements.js";
import { DASH, bytes, count, interval, micros, percent, rate, time } from "/figures.js";
import { table } from "/table.js";
import { progress } from "/views/batches.js";

const sum = (nodes, figure) => nodes.reduce((all, node) => figure(node) === null || figure(node) === undefined ? all : (all ?? 0) + figure(node), null);

function server(instance) {
  const nodes = instance.nodes;
  const used = sum(nodes, (node) => node.memory.used);
  const most = sum(nodes, (node) => node.memory.limit || null);
  const facts = [
    ["memory", most ? bytes(used) + " of " + bytes(most) : bytes(used)],
    ["commands/s", rate(sum(nodes, (node) => node.work.commands_per_second))],
    ["hit rate", percent(nodes[0]?.work.hit_rate)],
    ["connections", count(sum(nodes, (node) => node.connections.connected))],
    ["evicted/s", rate(sum(nodes, (node) => node.work.evicted_per_second))],
    ["up", time(nodes[0]?.uptime_seconds)],
  ];
  return h("section", { class: "card" },
    h("h2", {}, instance.name, " ", instance.problem ? h("span", { class: "state bad" }, "✕ away") : h("span", { class: "state good" }, "● up")),
    h("p", { class: "soft" }, instance.address, nodes.length > 1 ? ", " + nodes.length + " masters" : "", nodes[0]?.version ? ", version " + nodes[0].version : ""),
    instance.problem ? h("p", { class: "bad" }, "failed to " + instance.problem) : h("dl", {}, facts.map(([name, value]) => [h("dt", {}, name), h("dd", {}, value)])));
}

function databases(page) {
  const { look, looks } = page;
  const courses = (name, figure) => looks.map((one) => { const found = one.stats.databases.find((database) => database.name === name); return found ? figure(found, one) : null; });
  const clients = (row) => look.fleet.clients[row.name];
  const used = (row) => row.budget_bytes && row.content?.bytes ? row.content.bytes.bytes / row.budget_bytes : null;
  const hits = (row) => look.fleet.caches[row.name]?.hit_rate ?? clients(row)?.hit_rate ?? null;
  return table("databases", "Databases", [
    { title: "Database", value: (row) => row.name, cell: (row) => h("a", { href: "#/database/" + encodeURIComponent(row.name) }, row.name) },
    { title: "Kind", value: (row) => row.kind, cell: (row) => row.kind },
    { title: "Keys", number: true, value: (row) => row.content?.keys, cell: (row) => row.content ? (row.content.keys_are_exact ? "" : "~") + count(row.content.keys) : DASH },
    { title: "Bytes", number: true, value: (row) => row.content?.bytes?.bytes, cell: (row) => bytes(row.content?.bytes?.bytes) },
    { title: "Interval", number: true, cell: (row) => interval(row.content?.bytes) },
    { title: "Budget", value: used, cell: (row) => bar(used(row), "budget") },
    { title: "Hit rate", number: true, value: hits, cell: (row) => percent(hits(row)) },
    { title: "Requests/s", number: true, value: (row) => clients(row)?.requests_per_second, cell: (row) => rate(clients(row)?.requests_per_second) },
    { title: "p99", number: true, value: (row) => clients(row)?.p99_latency_us, cell: (row) => clients(row)?.p99_latency_us ? "≤ " + micros(clients(row).p99_latency_us) : DASH },
    { title: "Keys, lately", cell: (row) => spark(courses(row.name, (one) => one.content?.keys ?? null), "Keys of " + row.name + " in the last looks") },
  ], look.stats.databases, page.redraw);
}

function attention(look) {
  const checks = (look.health?.checks ?? []).filter((check) => check.state === "warning" || check.state === "critical");
  const serious = (look.doctor?.findings ?? []).filter((finding) => finding.severity !== "notice");
  if (checks.length === 0 && serious.length === 0) return h("p", { class: "good" }, "✓ Every check is well.");
  return [
    checks.map((check) => h("p", { class: "note " + (check.state === "critical" ? "bad" : "") }, h("strong", {}, check.state + ": "), check.name + ", " + check.subject + ": " + check.message)),
    serious.length > 0 ? h("p", { class: "note" }, h("a", { href: "#/doctor" }, "The doctor has " + serious.length + (serious.length === 1 ? " finding" : " findings")), " that should be mended.") : null,
  ];
}

export function overview(page) {
  return {
    title: "Overview",
    draw() {
      const { look } = page;
      const going = (look.work?.batches ?? []).filter((one) => !["completed", "cancelled", "gone", "unreadable"].includes(one.status));
      return [
        h("h1", {}, "Overview"),
        attention(look),
        h("div", { class: "cards" }, look.stats.instances.map(server)),
        h("h2", {}, "Databases"),
        databases(page),
        look.work ? [h("h2", {}, "Batches that go on"), going.length > 0 ? progress(page, going) : h("p", { class: "soft" }, "None.")] : null,
        look.stats.missing.concat(look.fleet.problem ? ["figures of the fleet: failed to " + look.fleet.problem] : []).map((one) => h("p", { class: "soft" }, "Not shown: " + one)),
      ];
    },
  };
}
