// The views beside the overview: routes to try, calls as they end, explanations, and settings.

import { Schemas, el, inline } from "./schema.js";
import { panel, way } from "./try.js";

const METHODS = ["get", "post", "put", "patch", "delete", "head", "options", "trace"];
const find = (id) => document.getElementById(id);

// === Routes ===

// A page may not ask another port, so the admin port asks for it. What is asked stands in a header, in
// which only ASCII may be.
way.send = (url, { method, headers, body, signal }) => {
  const { pathname, search } = new URL(url);
  const asked = JSON.stringify({ method, path: pathname + search, headers });
  const ascii = asked.replace(/[\u007f-\uffff]/g, (letter) => `\\u${letter.charCodeAt(0).toString(16).padStart(4, "0")}`);
  return fetch("try", { method: "POST", headers: { "x-sidegate-try": ascii }, body, signal });
};

export async function openRoutes(ask) {
  const state = find("routes-state");
  try {
    const [description, { keys }] = await Promise.all([ask("openapi.json"), ask("config")]);
    const listen = keys.find(({ key }) => key === "listen")?.value ?? "";
    const port = listen.split(":").pop();
    if (Number(port)) way.base = new URL(`http://${location.hostname}:${port}/`);
    const schemas = new Schemas(description);
    const routes = Object.entries(description.paths).flatMap(([path, item]) => [
      ...METHODS.filter((method) => item[method]).map((method) => [method.toUpperCase(), item[method]]),
      ...Object.entries(item["x-additional-operations"] ?? {}),
    ].map(([method, operation]) => ({ method, path, operation })));
    const cards = routes.map((route) => card(route, schemas));
    find("list").replaceChildren(...cards);
    const narrow = () => {
      const words = find("filter").value.toLowerCase().split(/\s+/).filter(Boolean);
      let shown = 0;
      routes.forEach(({ method, path, operation }, at) => {
        const text = `${method} ${path} ${operation["x-grpc-method"] ?? ""} ${operation.summary ?? ""}`.toLowerCase();
        cards[at].hidden = !words.every((word) => text.includes(word));
        shown += cards[at].hidden ? 0 : 1;
      });
      state.textContent = `${shown} of ${routes.length} routes`;
    };
    find("filter").addEventListener("input", narrow);
    find("filter").addEventListener("keydown", (event) => {
      if (event.key !== "Enter") return;
      // Or the same key would open what it has just reached.
      event.preventDefault();
      cards.find((one) => !one.hidden)?.querySelector("summary").focus();
    });
    narrow();
  } catch (error) {
    state.textContent = `There is no description yet: ${error.message}`;
  }
}

function card(route, schemas) {
  const { method, path, operation } = route;
  const parts = path.split(/(\{[^}]+\})/).filter(Boolean).map((part) => (part.startsWith("{") ? el("b", {}, part) : part));
  const summary = el("summary", {}, el("span", { class: `verb ${method.toLowerCase()}` }, method), el("span", { class: "path" }, ...parts), el("span", { class: "about" }, ...inline(operation.summary ?? "")));
  const node = el("details", { class: `op${operation.deprecated ? " deprecated" : ""}`, id: operation.operationId }, summary);
  node.addEventListener("toggle", () => {
    if (!node.open || node.children.length > 1) return;
    const rpc = operation["x-grpc-method"] ?? "";
    node.append(el("div", { class: "body one" }, el("p", { class: "facts" }, el("code", {}, rpc)), panel(route, schemas)));
  });
  return node;
}

// === Calls ===

const MOST_HEARD = 500;
let source;

export function openCalls(_ask, names) {
  const form = find("tap"), state = find("tap-state"), body = find("heard").tBodies[0];
  const button = form.querySelector("button.send");
  let heard = 0, missed = 0;
  const tell = (text) => { state.textContent = text; };
  const counted = () => tell(`Listening: ${heard} ${heard === 1 ? "call" : "calls"}${missed ? `, ${missed} missed because there were too many` : ""}`);
  const stop = (text) => { source?.close(); source = undefined; button.textContent = "Listen"; tell(text); };
  form.what.addEventListener("focus", () => find("names").replaceChildren(...names().map((value) => el("option", { value }))));
  find("clear").addEventListener("click", () => { body.replaceChildren(); heard = 0; missed = 0; if (source) counted(); });
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    if (source) { stop("Stopped."); return; }
    const asked = new URLSearchParams();
    const what = form.what.value.trim();
    if (what) asked.set(/\s|^\/.*[{]|^\/v/.test(what) ? "route" : "rpc", what);
    if (form.status.value.trim()) asked.set("status", form.status.value.trim());
    if (form.errors.checked) asked.set("errors", "true");
    source = new EventSource(`tap?${asked}`);
    button.textContent = "Stop";
    tell("Connecting…");
    source.onopen = counted;
    source.onerror = () => { if (source?.readyState === EventSource.CLOSED) stop("The tap was refused: perhaps too many listen already."); };
    source.addEventListener("dropped", ({ data }) => { missed += JSON.parse(data).dropped; counted(); });
    source.addEventListener("call", ({ data }) => {
      heard += 1;
      body.prepend(row(JSON.parse(data)));
      while (body.rows.length > MOST_HEARD) body.lastChild.remove();
      counted();
    });
  });
}

function row(call) {
  const bad = call.http_status >= 400 || (call.grpc_status && call.grpc_status !== "OK");
  const status = [call.http_status, call.grpc_status === "OK" ? "" : call.grpc_status, call.reason].filter(Boolean).join(" ");
  const target = `${call.path}${call.query ? `?${call.query}` : ""}`;
  const summary = el("summary", {}, el("span", { class: "mono" }, `${call.method} ${target}`), call.rpc ? el("span", { class: "soft" }, `  ${call.rpc}`) : "");
  return el("tr", {}, el("td", {}, call.time.slice(11, 23)), el("td", { class: bad ? "badtext" : "" }, status), el("td", { class: "n" }, `${call.total_ms} ms`),
    el("td", {}, el("details", {}, summary, el("pre", {}, JSON.stringify(call, null, 2)))));
}

// === Explain ===

export function openExplain(ask) {
  const form = find("ask"), out = find("said");
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const asked = new URLSearchParams({ method: form.elements.method.value, path: form.elements.path.value });
    const kind = form.elements.kind.value.trim();
    if (kind) asked.append("header", `content-type: ${kind}`);
    try { out.replaceChildren(explanation(await ask(`explain?${asked}`))); }
    catch (error) { out.replaceChildren(el("p", { class: "badtext" }, error.message)); }
  });
}

function explanation(said) {
  const end = { served: "goes to the application", answered: "is answered by the gateway", refused: "is refused" }[said.outcome];
  const facts = [
    ["Route", said.route && `${said.route.method} ${said.route.template}`], ["Declared", said.route?.declared],
    ["Method", said.rpc && `${said.rpc.name} (${said.rpc.stream})`], ["Types", said.rpc && `${said.rpc.input} → ${said.rpc.output}`],
    ["Application", said.upstream], ["Deadline", said.deadline && `${said.deadline} s`],
    ...(said.bindings ?? []).map(({ from, field, value }) => [`From the ${from}`, `${field} ← ${value}`]),
    ...(said.allowed ?? []).map(({ method, rpc }) => [`Allowed: ${method}`, rpc]),
  ].filter(([, value]) => value);
  const near = (said.nearest ?? []).map(({ method, template, rpc, differences }) => el("li", {}, el("code", {}, `${method} ${template}`), ` ${rpc}`,
    differences.length ? el("div", { class: "soft" }, ...inline(differences.join("; "))) : ""));
  const settings = (said.settings ?? []).map(setting);
  return el("div", { class: "said card" },
    el("h2", {}, el("code", {}, `${said.method} ${said.path}`), ` (${said.protocol}) `, el("span", { class: said.outcome === "refused" ? "badtext" : "goodtext" }, end), said.status ? ` with ${said.status} ${said.reason ?? ""}` : ""),
    el("ul", { class: "why" }, ...said.why.map((text) => el("li", {}, ...inline(text)))),
    facts.length ? el("dl", { class: "facts2" }, ...facts.flatMap(([term, value]) => [el("dt", {}, term), el("dd", {}, value)])) : "",
    near.length ? el("div", {}, el("h3", {}, "Nearest"), el("ul", { class: "why" }, ...near)) : "",
    settings.length ? el("details", { class: "more" }, el("summary", {}, `${settings.length} settings hold for it`), el("div", { class: "scroll" }, el("table", {}, el("tbody", {}, ...settings)))) : "");
}

// === Settings ===

function setting({ key, value, source, at }) {
  return el("tr", {}, el("td", { class: "mono" }, key), el("td", { class: "mono" }, typeof value === "string" ? value : JSON.stringify(value)), el("td", { class: source === "default" ? "soft" : "" }, at ?? source));
}

export async function openSettings(ask) {
  const form = find("level"), state = find("level-state"), given = find("given");
  form.elements.level.replaceChildren(...["error", "warn", "info", "debug", "trace"].map((level) => el("option", {}, level)));
  const tell = ({ level, falls_back_to: back, in_seconds: left }) => {
    form.elements.level.value = level;
    state.className = "soft";
    state.textContent = `Now ${level}${back ? `, ${back} again in ${left} s` : ""}.`;
  };
  const fail = (error) => { state.className = "badtext"; state.textContent = error.message; };
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const asked = { level: form.elements.level.value, for: form.elements.for.value || undefined };
    ask("loglevel", { method: "PUT", body: JSON.stringify(asked) }).then(tell, fail);
  });
  ask("loglevel").then(tell, fail);
  const { keys } = await ask("config");
  const draw = () => {
    const shown = keys.filter(({ source }) => !given.checked || source !== "default");
    const none = el("tr", { class: "empty" }, el("td", { colspan: 3 }, "Nobody set anything: all keys have their defaults."));
    find("keys").tBodies[0].replaceChildren(...(shown.length ? shown.map(setting) : [none]));
  };
  given.addEventListener("change", draw);
  draw();
}
