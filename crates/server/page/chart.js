// Lines, sparklines and bars. Each says in words what it shows.

import { h } from "/elements.js";

// The share of something, as a bar with its figure beside it.
export function bar(share, label) {
  if (share === null || share === undefined) return h("span", { class: "soft" }, "–");
  const shown = Math.min(100, Math.max(0, share * 100));
  const text = Math.round(share * 100) + " %";
  return h("span", { class: "measure" },
    h("span", { class: share > 0.9 && label === "budget" ? "bar full" : "bar", "aria-hidden": "true" }, h("span", { "width-percent": shown.toFixed(1) })),
    " ", text);
}

function scaled(points, from, to, low, high, width, height) {
  const across = Math.max(1, to - from);
  const up = Math.max(1e-9, high - low);
  return points.map(([at, value]) => [((at - from) / across) * width, height - ((value - low) / up) * height]);
}

// Points become one line; it breaks where minutes are missing.
function path(points, gap) {
  let text = "";
  let last = null;
  for (const [x, y] of points) {
    text += (last === null || x - last > gap ? "M" : "L") + x.toFixed(1) + " " + y.toFixed(1);
    last = x;
  }
  return text;
}

export function spark(values, label) {
  const known = values.map((value, at) => [at, value]).filter(([, value]) => value !== null && value !== undefined);
  if (known.length < 2) return h("span", { class: "soft" }, "–");
  const all = known.map(([, value]) => value);
  const low = Math.min(...all);
  const high = Math.max(...all);
  const line = scaled(known, 0, values.length - 1, low, high === low ? low + 1 : high, 110, high === low ? 11 : 22);
  return h("svg", { class: "spark", viewBox: "0 -1 110 24", preserveAspectRatio: "none", role: "img", "aria-label": label },
    h("path", { d: path(line, 110) }));
}

// A chart of `points`, each `[ms, value, low, high]`, over the time from `from` to `to`.
export function chart(title, points, from, to, format) {
  const known = points.filter(([, value]) => value !== null && value !== undefined);
  if (known.length === 0) {
    return h("section", { class: "card" }, h("h3", {}, title), h("p", { class: "soft" }, "No figures in this time."));
  }
  const tops = known.map(([, value, , high]) => high ?? value);
  const bottoms = known.map(([, value, low]) => low ?? value);
  const high = Math.max(...tops);
  const low = Math.min(...bottoms, high * 0.98);
  const width = 600;
  const height = 140;
  const gap = (width / Math.max(1, to - from)) * Math.max(180000, (3 * (to - from)) / 720);
  const line = scaled(known, from, to, low, high, width, height);
  const banded = known.filter(([, , below, above]) => below !== undefined && above !== undefined);
  const upper = scaled(banded.map(([at, , , above]) => [at, above]), from, to, low, high, width, height);
  const lower = scaled(banded.map(([at, , below]) => [at, below]), from, to, low, high, width, height).reverse();
  const band = [...upper, ...lower].map(([x, y]) => x.toFixed(1) + "," + y.toFixed(1)).join(" ");
  const last = known[known.length - 1][1];
  const words = title + ": " + format(last) + " now, between " + format(low) + " and " + format(high) + " in this time";
  return h("section", { class: "card" },
    h("h3", {}, title, " ", h("small", { class: "soft" }, format(last))),
    h("svg", { class: "chart", viewBox: "0 -4 600 148", preserveAspectRatio: "none", role: "img", "aria-label": words },
      h("line", { class: "grid", x1: 0, x2: width, y1: 0, y2: 0 }),
      h("line", { class: "grid", x1: 0, x2: width, y1: height, y2: height }),
      banded.length > 1 ? h("polygon", { class: "band", points: band }) : null,
      h("path", { class: "line", d: path(line, gap) })),
    h("div", { class: "scale" }, h("span", {}, when(from)), h("span", {}, format(low) + " to " + format(high)), h("span", {}, when(to))));
}

const when = (ms) => new Date(ms).toLocaleString(undefined, { weekday: "short", hour: "2-digit", minute: "2-digit" });
