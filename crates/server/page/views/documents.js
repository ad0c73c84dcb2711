// The documents of a batch, their entities, and where the text mentions them.

import { get } from "/api.js";
import { h } from "/elements.js";
import { bytes, count } from "/figures.js";
import { table } from "/table.js";

const kind = (text) => text.replaceAll("_", " ");

export function documents(page, name) {
  const view = { batch: name, search: "", list: [], next: null, summary: null, chosen: null, about: null, entity: null, places: null, wanted: "", problem: null };
  async function ask(work) {
    try {
      await work();
      view.problem = null;
    } catch (error) {
      view.problem = error.message;
    }
    page.redraw();
  }
  const read = (from = 0) => ask(async () => {
    if (!view.batch) return;
    const found = await get("/api/documents", { batch: view.batch, search: view.search, from, limit: 500 });
    view.list = from === 0 ? found.documents : view.list.concat(found.documents);
    view.next = found.next;
    view.summary = found.summary;
  });
  const open = (one) => ask(async () => {
    Object.assign(view, { chosen: one, about: null, entity: null, places: null });
    view.about = await get("/api/documents/" + one.hash, { batch: view.batch });
  });
  const show = (entity) => ask(async () => {
    Object.assign(view, { entity, places: null });
    view.places = (await get("/api/documents/" + view.chosen.hash, { batch: view.batch, entity: entity.id })).places;
  });
  read();
  function foremost() {
    const { summary } = view;
    if (!summary) return null;
    return h("details", { open: true }, h("summary", {}, "Entities of the batch"),
      h("p", {}, Object.entries(summary.entities).map(([one, number]) => count(number) + " " + kind(one)).join(", ")),
      table("foremost", "Entities named in the most documents", [
        { title: "Entity", value: (row) => row.name, cell: (row) => row.name },
        { title: "Kind", value: (row) => row.kind, cell: (row) => kind(row.kind) },
        { title: "Documents", number: true, value: (row) => row.documents, cell: (row) => count(row.documents) },
        { title: "Mentions", number: true, value: (row) => row.mentions, cell: (row) => count(row.mentions) },
      ], summary.foremost, page.redraw));
  }
  function entities() {
    const { about, chosen } = view;
    if (!chosen) return null;
    if (!about) return [h("h2", {}, chosen.name), h("p", { class: "soft" }, "The document is on its way.")];
    const all = about.entities;
    const fits = (one) => [one.name, ...one.aliases].some((text) => text.toLowerCase().includes(view.wanted.toLowerCase()));
    return [
      h("h2", {}, chosen.name, " ", h("small", {}, about.pages === null ? "its text is not in the cache any more" : count(about.pages) + (about.pages === 1 ? " page, " : " pages, ") + bytes(about.text_bytes))),
      about.warnings.map((one) => h("p", { class: "note" }, one)),
      all === null ? h("p", { class: "soft" }, "Its entities are not in the cache any more.") : [
        h("div", { class: "row" }, h("label", {}, "Entity", h("input", { type: "search", value: view.wanted, oninput: (event) => { view.wanted = event.target.value; page.redraw(); } }))),
        table("entities", "Entities of " + chosen.name, [
          { title: "Entity", value: (row) => row.name, cell: (row) => h("button", { type: "button", onclick: () => show(row) }, row.name) },
          { title: "Kind", value: (row) => row.kind, cell: (row) => kind(row.kind) },
          { title: "Also as", name: true, cell: (row) => row.aliases.join("; ") },
          { title: "Mentions", number: true, value: (row) => row.mentions, cell: (row) => count(row.mentions) },
        ], all.filter(fits), page.redraw, "No entity of this name.")],
    ];
  }
  function places() {
    const { entity, places: found } = view;
    if (!entity) return null;
    if (found === null) return [h("h2", {}, entity.name), h("p", { class: "soft" }, "Its places are not known, or on their way.")];
    return [h("h2", {}, entity.name, " ", h("small", {}, "in the text")),
      found.map((one) => h("div", { class: "card" }, h("p", { class: "soft" }, "page " + one.page + ", byte " + count(one.start)), h("p", {}, "… ", one.before, h("mark", {}, one.text), one.after, " …")))];
  }
  return {
    title: "Documents",
    draw() {
      const known = page.look.work?.batches.map((one) => one.name) ?? [];
      const choose = (event) => { view.batch = event.target.value; Object.assign(view, { chosen: null, about: null, entity: null, list: [] }); read(); };
      return [
        h("h1", {}, "Documents"),
        h("form", { class: "row", onsubmit: (event) => { event.preventDefault(); read(); } },
          h("label", {}, "Batch", h("select", { onchange: choose, value: view.batch }, ["", ...known].map((one) => h("option", { value: one, selected: one === view.batch }, one || "choose a batch")))),
          h("label", {}, "Name has", h("input", { type: "search", value: view.search, oninput: (event) => { view.search = event.target.value; } })),
          h("button", { type: "submit" }, "Search")),
        view.problem ? h("p", { class: "note bad" }, view.problem) : null,
        view.batch ? [foremost(), table("documents", "Documents of " + view.batch, [
          { title: "Document", value: (row) => row.name, cell: (row) => h("button", { type: "button", onclick: () => open(row) }, row.name) },
          { title: "Number", number: true, value: (row) => row.ordinal, cell: (row) => count(row.ordinal) },
          { title: "Hash", cell: (row) => h("code", {}, row.hash) },
        ], view.list, page.redraw, "No document of this name."),
        view.next === null ? null : h("button", { type: "button", onclick: () => read(view.next) }, "Look further")] : null,
        entities(),
        places(),
      ];
    },
  };
}
