// The console: moves between its views, asks for figures once a second, and draws them.

import { Chart, quantile } from "./charts.js";
import { el } from "./schema.js";
import { openCalls, openExplain, openRoutes, openSettings } from "./views.js";

const KEPT = 15 * 60;
const views = ["overview", "routes", "calls", "explain", "settings"];
const find = (id) => document.getElementById(id);
const state = { samples: [], last: undefined, bounds: [], names: [], range: 60, series: "" };

export async function ask(path, init) {
  const response = await fetch(path, init);
  const answer = await response.json();
  if (!response.ok && answer.error) throw new Error(answer.error.message);
  return answer;
}

// === Views ===

const opened = new Set();
const open = { routes: openRoutes, calls: openCalls, explain: openExplain, settings: openSettings };

function show() {
  const name = views.find((view) => location.hash.slice(1).split("?")[0] === view) ?? "overview";
  for (const view of views) find(view).hidden = view !== name;
  for (const link of document.querySelectorAll(".tabs a")) {
    if (link.hash === `#${name}`) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  document.title = name === "overview" ? "Sidegate" : `${name[0].toUpperCase()}${name.slice(1)} – Sidegate`;
  if (!opened.has(name)) { opened.add(name); open[name]?.(ask, () => state.names); }
}

addEventListener("hashchange", show);
addEventListener("keydown", (event) => {
  const typing = /^(INPUT|TEXTAREA|SELECT)$/.test(document.activeElement.tagName);
  if (typing || event.ctrlKey || event.metaKey || event.altKey) return;
  const view = views[Number(event.key) - 1];
  if (view) location.hash = view;
  if (event.key === "/") { event.preventDefault(); location.hash = "routes"; show(); find("filter").focus(); }
});

// === Figures ===

const rate = (value) => (value >= 100 ? value.toFixed(0) : value >= 10 ? value.toFixed(1) : value.toFixed(value ? 2 : 0));
const whole = (value) => value.toLocaleString("en");
const percent = (value) => `${value >= 10 || value === 0 ? value.toFixed(0) : value.toFixed(1)}%`;
export const millis = (value) => {
  if (!value) return "0 ms";
  if (value >= 1000) return `${(value / 1000).toFixed(value >= 10000 ? 0 : 1)} s`;
  return `${value >= 10 ? value.toFixed(0) : value.toFixed(value >= 1 ? 1 : 2)} ms`;
};

const charts = [
  new Chart("Calls per second", [{ name: "all", hue: "hue-a" }, { name: "errors", hue: "hue-c" }], rate),
  new Chart("Latency", [{ name: "p99", hue: "hue-b" }, { name: "p50", hue: "hue-a" }], millis),
  new Chart("Errors", [{ name: "of calls", hue: "hue-c" }], percent),
];

function plus(sum, more) {
  if (!more) return sum;
  sum.count += more.count; sum.errors += more.errors;
  more.buckets.forEach((count, at) => { sum.buckets[at] = (sum.buckets[at] ?? 0) + count; });
  return sum;
}
const nothing = () => ({ count: 0, errors: 0, buckets: [] });

// What was counted between two readings.
function difference(now, before) {
  const old = new Map(before.map((series) => [series.name, series]));
  const found = new Map();
  for (const series of now) {
    const was = old.get(series.name);
    const buckets = series.buckets.map((count, at) => Math.max(0, count - (was?.buckets[at] ?? 0)));
    const count = buckets.reduce((sum, one) => sum + one, 0);
    if (count) found.set(series.name, { count, errors: Math.max(0, series.errors - (was?.errors ?? 0)), buckets });
  }
  return found;
}

async function poll() {
  try {
    const now = await ask("figures");
    state.bounds = now.bounds;
    const before = state.last;
    if (before && now.at > before.at) {
      const methods = difference(now.methods, before.methods);
      const all = [...methods.values()].reduce(plus, nothing());
      const series = new Map([...methods, ...difference(now.routes, before.routes)]);
      state.samples.push({ at: now.at, took: now.at - before.at, all, series });
      state.samples = state.samples.filter(({ at }) => at >= now.at - KEPT);
    }
    state.last = now;
    document.body.classList.remove("lost");
    draw();
  } catch {
    document.body.classList.add("lost");
    pill("bad", "the gateway does not answer");
  }
}

// The samples of a time, put together into points of some seconds.
function points(name, range, step) {
  const now = state.last.at;
  const made = [];
  for (const sample of state.samples) {
    if (sample.at < now - range) continue;
    const slot = Math.floor(sample.at / step);
    let point = made[made.length - 1];
    if (point?.slot !== slot) { point = { slot, took: 0, sum: nothing() }; made.push(point); }
    point.took += sample.took;
    point.at = sample.at;
    plus(point.sum, name ? sample.series.get(name) : sample.all);
  }
  return made.map(({ at, took, sum }) => ({ ago: now - at, took, sum }));
}

function draw() {
  const { range, series } = state;
  const made = points(series, range, Math.max(2, range / 150));
  const quantiles = ({ sum }, part) => quantile(sum.buckets, state.bounds, part);
  charts[0].update(made.map((one) => ({ ago: one.ago, values: [one.sum.count / one.took, one.sum.errors / one.took] })), range);
  charts[1].update(made.map((one) => ({ ago: one.ago, values: [quantiles(one, 0.99), quantiles(one, 0.5)] })), range);
  charts[2].update(made.map((one) => ({ ago: one.ago, values: [one.sum.count ? 100 * one.sum.errors / one.sum.count : undefined] })), range);
  tiles(sums(series, 10));
  table();
}

// What happened in the last seconds.
function sums(name, seconds) {
  const since = state.last.at - seconds;
  const sum = { ...nothing(), took: 0 };
  for (const sample of state.samples) {
    if (sample.at <= since) continue;
    sum.took += sample.took;
    plus(sum, name ? sample.series.get(name) : sample.all);
  }
  return sum;
}

function tiles(sum) {
  const errors = sum.count ? 100 * sum.errors / sum.count : 0;
  const of = (part) => { const value = quantile(sum.buckets, state.bounds, part); return value === undefined ? "–" : millis(value); };
  const shown = [
    ["Calls per second", rate(sum.took ? sum.count / sum.took : 0)], ["Errors", percent(errors), errors > 0],
    ["p50", of(0.5)], ["p99", of(0.99)], ["In flight", whole(state.last.in_flight)],
  ];
  find("tiles").replaceChildren(...shown.map(([name, value, bad]) => {
    const [number, unit] = value.split(" ");
    return el("div", { class: bad ? "bad" : "" }, el("dt", {}, name), el("dd", {}, number, unit ? el("small", {}, unit) : ""));
  }));
}

function table() {
  const all = [...state.last.methods, ...state.last.routes].filter(({ name }) => name !== "");
  const rows = all.map((series) => ({ series, sum: sums(series.name, 60), total: series.buckets.reduce((sum, one) => sum + one, 0) }));
  rows.sort((one, other) => other.sum.count - one.sum.count || other.total - one.total);
  const names = all.map(({ name }) => name).sort();
  if (names.join("\n") !== state.names.join("\n")) {
    state.names = names;
    const picked = find("series");
    picked.replaceChildren(el("option", { value: "" }, "All calls"), ...names.map((name) => el("option", { value: name }, name)));
    picked.value = state.series;
  }
  const focused = document.activeElement?.dataset?.name;
  const body = find("table").tBodies[0];
  body.replaceChildren(...rows.slice(0, 40).map(({ series, sum, total }) => {
    const of = (part) => { const value = quantile(sum.buckets, state.bounds, part); return value === undefined ? "–" : millis(value); };
    const pick = el("button", { type: "button", class: "link", "data-name": series.name, "aria-pressed": String(state.series === series.name), onclick: () => choose(series.name) }, series.name);
    const errors = sum.count ? 100 * sum.errors / sum.count : 0;
    return el("tr", { class: state.series === series.name ? "on" : "" }, el("td", {}, pick),
      ...[rate(sum.took ? sum.count / sum.took : 0), of(0.5), of(0.99)].map((text) => el("td", {}, text)),
      el("td", { class: errors ? "badtext" : "" }, percent(errors)), el("td", {}, whole(total)));
  }));
  if (!rows.length) body.append(el("tr", { class: "empty" }, el("td", { colspan: 6 }, "No call has ended yet.")));
  if (focused !== undefined) body.querySelector(`[data-name="${CSS.escape(focused)}"]`)?.focus();
}

function choose(name) {
  state.series = state.series === name ? "" : name;
  find("series").value = state.series;
  draw();
}

// === State ===

function pill(kind, text) {
  const node = find("ready");
  node.className = `pill ${kind}`;
  if (node.textContent !== text) node.textContent = text;
}

const count = (number, name) => `${number} ${name}${number === 1 ? "" : "s"}`;

function seconds(count) {
  return count < 120 ? `${count} s` : count < 7200 ? `${Math.round(count / 60)} min` : `${Math.round(count / 3600)} h`;
}

async function lookAround() {
  try {
    const [ready, { upstreams }, { problems }, schema, { reloads }, { splits }] = await Promise.all(["readyz", "upstreams", "problems", "schema", "reload", "split"].map((path) => ask(path)));
    const waiting = ready.waiting_for?.join(", ");
    if (ready.ready) pill("good", "ready");
    else pill("bad", ready.draining ? "draining" : `waiting for ${waiting}`);
    find("upstreams").replaceChildren(...splits.map(split), ...upstreams.map(upstream));
    showReloads(reloads);
    const methods = schema.services.reduce((sum, { methods }) => sum + methods.length, 0);
    find("problems").replaceChildren(
      el("p", { class: "soft" }, `${count(schema.services.length, "service")} with ${count(methods, "method")}. `, problems.length ? "" : "Nothing is wrong with it."),
      ...problems.map(problem));
  } catch { /* The figures say so. */ }
}

function upstream({ name, url, state, in_flight: busy, connections, connections_made: made, connects_failed: failed, last_failure: last, endpoints = [] }) {
  const open = connections.filter((one) => one.open).length;
  const facts = [
    ["State", el("span", { class: state === "connected" ? "goodtext" : state === "idle" ? "" : "badtext" }, state)],
    ["Calls under way", String(busy)],
    ["Connections", `${open} open, ${connections.length - open} ending, ${made} made so far`],
    ...endpoints.map(({ address, state: how, times_out: times }) => [address, el("span", { class: how === "in" ? "goodtext" : "badtext" }, `${how.replace("_", " ")}${times ? `, left out ${count(times, "time")}` : ""}`)]),
    failed ? ["Failures to connect", `${failed}, the last ${seconds(last.seconds_ago)} ago: ${last.cause}`] : undefined,
  ];
  const rows = connections.map((one) => el("tr", {}, el("td", {}, one.lane), el("td", {}, one.open ? "open" : "ending"), el("td", { class: "n" }, String(one.in_flight)), el("td", { class: "n" }, seconds(one.age_seconds))));
  return el("div", {}, el("p", { class: "mono" }, `${name}  ${url}`),
    el("dl", { class: "facts2" }, ...facts.filter(Boolean).flatMap(([term, value]) => [el("dt", {}, term), el("dd", {}, value)])),
    rows.length ? el("details", { class: "more" }, el("summary", {}, "Connections"), el("table", {}, el("thead", {}, el("tr", {}, ...["For", "State", "Calls", "Age"].map((text, at) => el("th", { scope: "col", class: at > 1 ? "n" : "" }, text)))), el("tbody", {}, ...rows))) : "");
}

function split({ route, phase, why, new: fresh, sides }) {
  const share = ({ upstream: name, percent, calls, failed }) => [name === fresh ? `${name} (new)` : name, `${percent.toFixed(1)} % now, ${count(calls, "call")}, ${failed} failed`];
  const facts = [["State", el("span", { class: phase === "rolled_back" ? "badtext" : "goodtext" }, why ? `taken back: ${why}` : phase.replace("_", " "))], ...sides.map(share)];
  return el("div", {}, el("p", { class: "mono" }, `split  ${route}`),
    el("dl", { class: "facts2" }, ...facts.flatMap(([term, value]) => [el("dt", {}, term), el("dd", {}, value)])));
}

let shownReloads = "";

function showReloads(reloads) {
  // What is opened stays open while nothing is new.
  const now = JSON.stringify(reloads.map(({ number }) => number));
  if (now === shownReloads) return;
  shownReloads = now;
  find("reloads").replaceChildren(...(reloads.length ? reloads.slice(0, 5).map(reload) : [el("p", { class: "soft" }, "Nothing has changed since the start. Files are watched; whatever changes is taken up whole or not at all.")]));
}

function reload({ at, trigger, outcome, changes, needs_restart: waiting, problems }) {
  const when = new Date(at).toLocaleTimeString();
  const refused = outcome === "refused";
  return el("details", { class: "more" },
    el("summary", {}, `${when}, by ${trigger}: `, el("span", { class: refused ? "badtext" : "goodtext" }, outcome), refused ? `, ${count(problems.length, "problem")}` : changes.length ? `, ${count(changes.length, "change")}` : ""),
    ...changes.map((change) => el("div", { class: "mono" }, change)),
    ...waiting.map((key) => el("div", { class: "soft" }, `${key} waits for a restart`)),
    ...problems.map(problem));
}

find("reload").addEventListener("click", async ({ target }) => {
  target.disabled = true;
  // What is wrong is among the attempts, which are read next.
  await fetch("reload", { method: "POST" }).catch(() => undefined);
  await lookAround();
  target.disabled = false;
});

function problem({ severity, file, line, column, message, help }) {
  const place = [file, line, column].filter(Boolean).join(":");
  return el("div", { class: `problem ${severity}` }, el("b", {}, severity), place ? el("span", { class: "mono" }, ` ${place}`) : "", el("div", {}, message), help ? el("div", { class: "soft" }, help) : "");
}

find("charts").append(...charts.map(({ node }) => node));
find("series").addEventListener("change", ({ target }) => { state.series = target.value; draw(); });
find("range").addEventListener("change", ({ target }) => { state.range = Number(target.value); draw(); });
show();
const every = async (pause, work) => { for (;;) { await work(); await new Promise((next) => setTimeout(next, pause)); } };
every(1000, poll);
every(3000, lookAround);
