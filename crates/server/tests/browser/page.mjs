// Every view of the page in a real browser: what a screen reader hears (snapshots), accessibility rules, colours, narrow
// screens, times, requests to anybody else, and a change from its plan to its end.
//
//   node page.mjs URL TOKEN SNAPSHOTS [--write] [--pictures FOLDER]

import assert from "node:assert/strict";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { chromium } from "playwright-core";
import { NOW, answers, event, look, manyTasks } from "./made.mjs";

const [base, token, snapshots, ...options] = process.argv.slice(2);
const writes = options.includes("--write");
const pictures = options.includes("--pictures") ? options[options.indexOf("--pictures") + 1] : null;
const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const VIEWS = ["", "database/cache", "batches", "batch/smith-v-jones", "workers", "tasks", "documents/smith-v-jones", "doctor", "plans", "changes"];

const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
  args: ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"],
});
const problems = [];

// A page; `made` answers the API by made-up figures.
async function open({ made, scheme = "light", width = 1280 }) {
  const context = await browser.newContext({ viewport: { width, height: 900 }, colorScheme: scheme, locale: "en-GB", timezoneId: "UTC", bypassCSP: true });
  const page = await context.newPage();
  page.on("pageerror", (error) => problems.push("script: " + error.message));
  page.on("console", (message) => { if (message.type() === "error" && !/40[0-9]|409/.test(message.text())) problems.push("console: " + message.text()); });
  page.on("request", (request) => { if (!request.url().startsWith(base) && !request.url().startsWith("data:")) problems.push("asks " + request.url()); });
  if (made) {
    await page.clock.setFixedTime(NOW);
    // A stream that stays open after its only look.
    await page.addInitScript((text) => {
      const asked = window.fetch;
      window.fetch = (path, how) => path !== "/api/events" ? asked(path, how)
        : Promise.resolve(new Response(new ReadableStream({ start(to) { to.enqueue(new TextEncoder().encode(text)); } })));
    }, event(made.look ?? look));
    await page.route("**/api/**", (route) => {
      const url = new URL(route.request().url());
      const path = decodeURIComponent(url.pathname) + (url.searchParams.has("entity") ? "?entity" : "");
      const answer = (made.answers ?? answers)[path];
      return answer ? route.fulfill({ json: answer }) : route.fulfill({ status: 404, json: { error: "there is none" } });
    });
  }
  return page;
}

async function show(page, view) {
  await page.goto("about:blank");
  await page.goto(base + "/#/" + view);
  await page.waitForSelector("h1");
  await page.waitForFunction(() => !document.querySelector("main").textContent.includes("on their way") && !document.querySelector("main").textContent.includes("on its way"));
}

const file = (view) => (view.split("/")[0] || "overview");

async function rules(page, where) {
  await page.evaluate(axe);
  const { violations } = await page.evaluate(() => window.axe.run(document, { resultTypes: ["violations"] }));
  for (const one of violations.filter((found) => ["serious", "critical"].includes(found.impact))) {
    problems.push(where + ": " + one.id + ", " + one.help + ": " + one.nodes.slice(0, 3).map((node) => node.html).join(" | "));
  }
}

// What a screen reader hears in each view.
{
  const page = await open({ made: {} });
  for (const view of VIEWS) {
    await show(page, view);
    if (view.startsWith("documents")) {
      await page.getByRole("button", { name: "complaint.pdf" }).click();
      await page.getByRole("button", { name: "No. 3:24-cv-00117" }).click();
      await page.getByText("in the text").waitFor();
    }
    if (view === "tasks") await page.locator("tbody tr:nth-child(n+6)").evaluateAll((rows) => rows.forEach((row) => row.remove()));
    const heard = (await page.locator("body").ariaSnapshot()) + "\n";
    assert.equal(await page.title() === "owned", false);
    assert.equal(await page.locator("main img").count(), 0, "a name became markup in " + view);
    const path = snapshots + "/" + file(view) + ".yml";
    if (writes) { mkdirSync(snapshots, { recursive: true }); writeFileSync(path, heard); }
    else if (!existsSync(path) || readFileSync(path, "utf8") !== heard) { writeFileSync(path + ".new", heard); problems.push("the snapshot " + file(view) + " differs: see " + path + ".new"); }
  }
  await page.context().close();
}

// Rules of accessibility, in both colour schemes and on a narrow screen, which scrolls in no view sideways.
for (const [scheme, width] of [["light", 1280], ["dark", 1280], ["light", 390]]) {
  const page = await open({ made: {}, scheme, width });
  for (const view of VIEWS) {
    await show(page, view);
    await rules(page, file(view) + " " + scheme + " " + width);
    const sideways = await page.evaluate(() => document.documentElement.scrollWidth > innerWidth + 1);
    if (sideways) problems.push(file(view) + " scrolls sideways at " + width);
    if (pictures) {
      mkdirSync(pictures, { recursive: true });
      await page.screenshot({ path: pictures + "/" + [file(view), scheme, width].join("-") + ".png", fullPage: width > 400 });
    }
  }
  await page.context().close();
}

// Ten thousand rows: sorting and turning pages take less than 100 ms; so does a click on another view.
const times = {};
{
  const page = await open({ made: { answers: { ...answers, "/api/tasks": { dead_letters: [], tasks: manyTasks(10000) } } } });
  await show(page, "tasks");
  const timed = (selector) => page.evaluate((selector) => {
    const began = performance.now();
    document.querySelector(selector).click();
    document.body.getBoundingClientRect();
    return performance.now() - began;
  }, selector);
  times.sort = await timed("table thead th:nth-child(6) button");
  times.next = await timed(".pager button:last-child");
  times.view = await timed('nav a[href="#/batches"]');
  await page.context().close();
}

// Keys alone: skip link, navigation, sorting, the dialog.
{
  const page = await open({ made: {} });
  await show(page, "");
  await page.locator("body").press("Tab");
  await page.keyboard.press("Tab");
  const seen = new Set();
  for (let at = 0; at < 40; at += 1) {
    seen.add(await page.evaluate(() => document.activeElement.textContent));
    await page.keyboard.press("Tab");
  }
  for (const wanted of ["Batches", "Pause", "broker"]) assert.ok([...seen].some((text) => text.startsWith(wanted)), wanted + " is not reached by keys");
  await page.locator("#token").focus();
  await page.keyboard.press("Enter");
  await page.locator("dialog[open]").waitFor();
  await rules(page, "the dialog");
  await page.keyboard.press("Escape");
  assert.equal(await page.locator("dialog[open]").count(), 0);
  // A reader who types keeps the focus and the text while looks come in.
  await page.goto(base + "/#/batches");
  await page.getByLabel("Name or status").fill("smith");
  assert.equal(await page.locator("tbody tr").count(), 1);
  await page.context().close();
}

// The real server: first content, and a batch that is paused and resumed by plans.
{
  const page = await open({});
  await page.goto(base + "/");
  await page.waitForSelector("table");
  times.firstContent = await page.evaluate(() => performance.getEntriesByName("first-contentful-paint")[0]?.startTime);
  times.bytes = await page.evaluate(() => performance.getEntriesByType("resource").concat(performance.getEntriesByType("navigation")).filter((one) => !one.name.includes("/api/")).reduce((all, one) => all + one.transferSize, 0));
  const click = async (view) => page.evaluate(async (hash) => {
    const began = performance.now();
    location.hash = hash;
    await new Promise((resolve) => { const at = setInterval(() => { if (document.querySelector("main h1")?.textContent.startsWith("Doctor")) { clearInterval(at); resolve(); } }, 1); });
    return performance.now() - began;
  }, view);
  times.click = await click("#/doctor");
  await page.goto(base + "/#/batch/papers");
  await page.locator("main").getByRole("button", { name: "Pause" }).click();
  await page.getByText("Enter it with the button Token").waitFor();
  await page.getByRole("button", { name: "Close" }).click();
  await page.locator("#token").click();
  await page.locator("#token-text").fill(token);
  await page.getByRole("button", { name: "Keep it" }).click();
  await page.waitForSelector("h1");
  const paused = async () => (await (await fetch(base + "/api/batches/papers")).json()).status === "paused";
  await page.locator("main").getByRole("button", { name: "Pause" }).click();
  const confirm = page.getByRole("button", { name: /^Do it/ });
  await confirm.waitFor();
  assert.equal(await paused(), false, "a plan changed something");
  await confirm.click();
  await page.getByRole("heading", { name: "Done" }).waitFor();
  assert.equal(await paused(), true);
  await page.getByRole("button", { name: "Close" }).click();
  await page.locator("main").getByRole("button", { name: "Resume" }).click();
  await page.getByRole("button", { name: /^Do it/ }).click();
  await page.getByRole("heading", { name: "Done" }).waitFor();
  assert.equal(await paused(), false);
  await page.getByRole("button", { name: "Close" }).click();
  await page.goto(base + "/#/changes");
  await page.locator("tbody tr").nth(1).waitFor();
  await page.context().close();
}

await browser.close();
console.log("times in ms, page in bytes:", JSON.stringify(times));
for (const problem of new Set(problems)) console.error(problem);
process.exit(problems.length > 0 ? 1 : 0);
