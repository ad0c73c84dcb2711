// Tables that are sorted by their headings and shown a page at a time, so that ten thousand rows are no burden.

import { h } from "/elements.js";
import { count } from "/figures.js";

const ROWS = 100;

// What a reader chose for each table, by its id.
const chosen = new Map();

// A table of `rows`. A column is { title, value: row => for sorting, cell: row => shown, number, name }.
// `redraw` is called when the reader chose another order or page.
export function table(id, caption, columns, rows, redraw, empty = "There are none.") {
  if (rows.length === 0) return h("p", { class: "soft" }, empty);
  const state = chosen.get(id) ?? { by: null, down: false, page: 0 };
  const choose = (change) => { chosen.set(id, { ...state, ...change }); redraw(); };
  let shown = rows;
  const by = columns[state.by];
  if (by) {
    const compare = (a, b) => a === b ? 0 : a === null || a === undefined ? 1 : b === null || b === undefined ? -1 : a < b ? -1 : 1;
    shown = [...rows].sort((a, b) => compare(by.value(a), by.value(b)) * (state.down ? -1 : 1));
  }
  const pages = Math.ceil(shown.length / ROWS);
  const page = Math.min(state.page, pages - 1);
  const heading = (column, at) => {
    const sorted = state.by === at ? (state.down ? "descending" : "ascending") : undefined;
    const turn = () => choose(state.by === at ? (state.down ? { by: null, down: false } : { down: true }) : { by: at, down: false });
    const arrow = sorted === "ascending" ? " ▲" : sorted === "descending" ? " ▼" : "";
    const inside = column.value ? h("button", { type: "button", onclick: turn }, column.title + arrow) : column.title;
    return h("th", { scope: "col", class: column.number ? "number" : undefined, "aria-sort": sorted }, inside);
  };
  const cell = (column, row, at) => {
    const type = at === 0 ? "th" : "td";
    const kind = column.number ? "number" : column.name || at === 0 ? "name" : undefined;
    return h(type, { scope: at === 0 ? "row" : undefined, class: kind }, column.cell(row));
  };
  const part = shown.slice(page * ROWS, (page + 1) * ROWS);
  const pager = pages < 2 ? null : h("div", { class: "pager" },
    h("button", { type: "button", disabled: page === 0, onclick: () => choose({ page: page - 1 }) }, "Previous"),
    h("span", {}, count(page * ROWS + 1) + " to " + count(page * ROWS + part.length) + " of " + count(rows.length)),
    h("button", { type: "button", disabled: page === pages - 1, onclick: () => choose({ page: page + 1 }) }, "Next"));
  return h("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": caption },
    h("table", { "aria-label": caption },
      h("thead", {}, h("tr", {}, columns.map(heading))),
      h("tbody", {}, part.map((row) => h("tr", {}, columns.map((column, at) => cell(column, row, at)))))),
    pager);
}
