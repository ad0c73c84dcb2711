// Shows the view that the address names, and brings it up to date with every look.

import { follow, setToken, token } from "/api.js";
import { h, update } from "/elements.js";
import { ago, time } from "/figures.js";
import { batch } from "/views/batch.js";
import { batches } from "/views/batches.js";
import { changes } from "/views/changes.js";
import { database } from "/views/database.js";
import { doctor } from "/views/doctor.js";
import { documents } from "/views/documents.js";
import { overview } from "/views/overview.js";
import { plans } from "/views/plans.js";
import { tasks } from "/views/tasks.js";
import { workers } from "/views/workers.js";

const VIEWS = { "": overview, database, batches, batch, workers, tasks, documents, doctor, plans, changes };
// Looks that sparklines are made of.
const KEPT = 60;

const place = document.getElementById("view");
const state = document.getElementById("state");
const page = { look: null, looks: [], redraw, paused: false, away: null };
let view = null;
let opened = null;

// `#/batch/NAME` is the view `batch` with the name.
function address() {
  const [, name = "", argument = ""] = location.hash.split("/");
  let decoded = argument;
  try { decoded = decodeURIComponent(argument); } catch { /* It is shown as it stands. */ }
  return { name, argument: decoded };
}

function open() {
  const { name, argument } = address();
  const make = VIEWS[name] ?? overview;
  view = make(page, argument);
  opened = location.hash;
  for (const link of document.querySelectorAll("nav a")) {
    const of = { database: "", batch: "batches" }[name] ?? name;
    if (link.getAttribute("href") === "#/" + of) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  place.replaceChildren();
  redraw();
  place.focus({ preventScroll: true });
  scrollTo(0, 0);
}

function redraw() {
  if (!view) return;
  const shown = page.look || view.needsNoLook ? view.draw() : [h("p", {}, page.away ?? "The first figures are on their way.")];
  update(place, [shown].flat(Infinity).filter((one) => one));
  document.title = (view.title ?? "Overview") + " · Compartment";
}

function tell() {
  document.body.classList.toggle("away", page.away !== null);
  state.className = page.away ? "away" : "";
  const at = page.look?.at_ms;
  const down = page.look?.stats.instances.filter((one) => one.problem).map((one) => one.name) ?? [];
  if (page.away) state.textContent = page.away + (at ? "; figures of " + ago(at) : "");
  else if (down.length > 0) { state.className = "away"; state.textContent = down.join(", ") + " does not answer"; }
  else if (page.paused) state.textContent = "paused, " + (at ? "figures of " + ago(at) : "");
  else state.textContent = at ? "live, read in " + time(page.look.took_ms / 1000) : "connecting";
}

function look(newest) {
  page.away = null;
  page.looks = [...page.looks.slice(1 - KEPT), newest];
  if (page.paused) return tell();
  page.look = newest;
  view?.look?.(newest);
  tell();
  redraw();
}

const KEY = "compartment-theme";
const dark = matchMedia("(prefers-color-scheme: dark)");
function paint() {
  const wanted = localStorage.getItem(KEY) ?? (dark.matches ? "dark" : "light");
  document.documentElement.dataset.theme = wanted;
  document.getElementById("theme").textContent = wanted === "dark" ? "Light" : "Dark";
}
document.getElementById("theme").onclick = () => {
  localStorage.setItem(KEY, document.documentElement.dataset.theme === "dark" ? "light" : "dark");
  paint();
};
dark.addEventListener("change", paint);
paint();

document.getElementById("pause").onclick = (event) => {
  page.paused = !page.paused;
  event.target.setAttribute("aria-pressed", page.paused);
  event.target.textContent = page.paused ? "Continue" : "Pause";
  if (!page.paused && page.looks.length > 0) look(page.looks.pop());
  tell();
};

document.getElementById("token").onclick = () => {
  const dialog = document.getElementById("dialog");
  const field = h("input", { type: "password", id: "token-text", autocomplete: "off", value: token() });
  const keep = (event) => { event.preventDefault(); setToken(field.value.trim()); dialog.close(); location.reload(); };
  dialog.replaceChildren(h("form", { onsubmit: keep },
    h("h2", { id: "dialog-title" }, "Token"),
    h("p", {}, "Changes need the token that the server was started with, and so do figures on another machine. It is kept for this tab."),
    h("label", { for: "token-text" }, "Token "), field,
    h("div", { class: "row" }, h("button", { type: "submit" }, "Keep it"), h("button", { type: "button", onclick: () => dialog.close() }, "Cancel"))));
  dialog.showModal();
};

addEventListener("hashchange", () => { if (location.hash !== opened) open(); });
open();
follow(look, (problem) => { page.away = problem; tell(); redraw(); });
