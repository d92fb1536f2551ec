// Trying a route: a form of its parameters, the call as a curl line, and the answer as it comes.

import { el } from "./schema.js";

// More of a stream is counted, not shown.
const MOST_SHOWN = 300;

// Where calls go, and how; the console of the admin port goes another way.
export const way = { base: new URL(".", location.href), send: (url, init) => fetch(url, init) };

export function panel(route, schemas) {
  const inputs = (route.operation.parameters ?? []).map((parameter) => input(parameter, schemas));
  const body = bodyInput(route, schemas);
  const accept = acceptInput(route);
  const curl = el("pre", { class: "curl" });
  const send = el("button", { class: "send", type: "submit" }, "Send");
  const stop = el("button", { type: "button", hidden: true }, "Stop");
  const result = el("div", { class: "result", "aria-live": "polite" });
  const form = el("form", { class: "try", "aria-label": `Try ${route.method} ${route.path}`, novalidate: true },
    el("h3", {}, "Try it"), ...inputs.map(({ node }) => node), body?.node, accept?.node,
    el("div", { class: "row" }, send, stop, copyButton(() => curl.textContent)), curl, result);
  const asked = () => request(route, inputs, body, accept);
  const refresh = () => { curl.textContent = curlLine(asked()); };
  form.addEventListener("input", refresh);
  document.getElementById("headers").addEventListener("input", refresh);
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const missing = inputs.filter(({ isMissing, field }) => {
      field.classList.toggle("wrong", isMissing());
      return isMissing();
    });
    if (missing.length) { missing[0].field.focus(); return; }
    const abort = new AbortController();
    stop.onclick = () => abort.abort();
    send.disabled = true; stop.hidden = false;
    await call(asked(), result, abort);
    send.disabled = false; stop.hidden = true;
  });
  refresh();
  return form;
}

function copyButton(text) {
  const button = el("button", { type: "button", class: "copy" }, "Copy as curl");
  button.addEventListener("click", async () => {
    try { await navigator.clipboard.writeText(text()); button.textContent = "Copied"; }
    catch { button.textContent = "Select it below"; }
    setTimeout(() => { button.textContent = "Copy as curl"; }, 1500);
  });
  return button;
}

// === Inputs ===

let count = 0;

function labelled(name, hint, field, required) {
  field.id = `in-${++count}`;
  const label = el("label", { for: field.id }, el("span", { class: "mono" }, name), el("span", { class: "type" }, hint),
    required ? el("span", { class: "flag" }, "required") : "");
  return el("div", {}, label, field);
}

function input(parameter, schemas) {
  const schema = parameter.schema ?? Object.values(parameter.content ?? {})[0]?.schema ?? {};
  const resolved = schemas.resolve(schema);
  const list = resolved.type === "array";
  const map = parameter.style === "deepObject";
  let field;
  if (resolved.enum && !list) field = choice(["", ...resolved.enum]);
  else if (resolved.type === "boolean") field = choice(["", "true", "false"]);
  else if (list || map || parameter.content) field = el("textarea", { rows: 2, spellcheck: "false" });
  else field = el("input", { type: "text", spellcheck: "false", autocomplete: "off" });
  const hint = list ? `${schemas.type(schema)}, one a line` : map ? "key=value, one a line" : schemas.type(schema);
  const lines = () => field.value.split("\n").filter((line) => line !== "");
  return {
    parameter, field,
    node: labelled(parameter.name, hint, field, parameter.required),
    isMissing: () => Boolean(parameter.required) && field.value === "",
    // Name and value of what goes into the query.
    pairs: () => {
      if (map) return lines().map((line) => {
        const at = line.indexOf("=");
        const [key, value] = at < 0 ? [line, ""] : [line.slice(0, at), line.slice(at + 1)];
        return [`${parameter.name}[${key}]`, value];
      });
      if (list) return lines().map((line) => [parameter.name, line]);
      return field.value === "" ? [] : [[parameter.name, field.value]];
    },
  };
}

function choice(values) {
  return el("select", {}, ...values.map((value) => el("option", { value }, String(value) || "–")));
}

function bodyInput(route, schemas) {
  const content = route.operation.requestBody?.content;
  if (!content) return undefined;
  if (content["*/*"]) {
    const file = el("input", { type: "file" });
    return {
      node: labelled("body", "a file of any kind", file),
      value: () => file.files[0], kind: () => file.files[0]?.type || "application/octet-stream",
      shown: () => `@${file.files[0]?.name ?? "FILE"}`,
    };
  }
  const [kind, { schema }] = Object.entries(content)[0];
  const example = JSON.stringify(schemas.example(schema) ?? {}, null, 2);
  const rows = Math.min(16, example.split("\n").length + 1);
  const field = el("textarea", { rows, spellcheck: "false" });
  field.value = example;
  field.addEventListener("input", () => field.classList.toggle("wrong", !isJson(field.value)));
  return {
    node: labelled("body", schemas.type(schema), field),
    value: () => field.value, kind: () => kind, shown: () => field.value,
  };
}

function isJson(text) {
  try { JSON.parse(text); return true; } catch { return false; }
}

// Streams come in several framings; lines are the easiest to follow.
function acceptInput(route) {
  const kinds = Object.keys(route.operation.responses?.["200"]?.content ?? {});
  if (kinds.length < 2) return undefined;
  const field = choice(kinds);
  field.value = kinds.find((kind) => kind === "application/x-ndjson") ?? kinds[0];
  return { node: labelled("Accept", "how the stream is framed", field), value: () => field.value };
}

// === The call ===

function request(route, inputs, body, accept) {
  const query = [];
  const path = route.path.replace(/\{([^}]+)\}/g, (all, name) => {
    const found = inputs.find(({ parameter }) => parameter.in === "path" && parameter.name === name);
    const value = found?.field.value ?? "";
    if (value === "") return all;
    const many = found.parameter.schema?.["x-multi-segment"];
    return many ? value.split("/").map(encodeURIComponent).join("/") : encodeURIComponent(value);
  });
  for (const one of inputs) {
    if (one.parameter.in === "query") query.push(...one.pairs().map((pair) => pair.map(encodeURIComponent).join("=")));
  }
  const headers = [];
  if (accept) headers.push(["Accept", accept.value()]);
  if (body) headers.push(["Content-Type", body.kind()]);
  for (const line of document.getElementById("headers").value.split("\n")) {
    const at = line.indexOf(":");
    if (at > 0) headers.push([line.slice(0, at).trim(), line.slice(at + 1).trim()]);
  }
  const url = new URL(path.slice(1), way.base).href + (query.length ? `?${query.join("&")}` : "");
  return { method: route.method, url, headers, body };
}

function curlLine({ method, url, headers, body }) {
  const quoted = (text) => `'${text.replaceAll("'", "'\\''")}'`;
  const parts = ["curl"];
  if (headers.some(([, value]) => /ndjson|event-stream/.test(value))) parts.push("-N");
  if (method !== "GET") parts.push(method === "HEAD" ? "-I" : `-X ${method}`);
  parts.push(quoted(url));
  parts.push(...headers.map(([name, value]) => `-H ${quoted(`${name}: ${value}`)}`));
  if (body) parts.push(`--data-binary ${quoted(body.shown())}`);
  return parts.join(" ");
}

async function call({ method, url, headers, body }, result, abort) {
  const status = el("span", { class: "status busy" }, "Sending");
  const took = el("span", { class: "took" });
  result.replaceChildren(el("div", { class: "head" }, status, took));
  const begun = performance.now();
  const tell = (text) => { took.textContent = `${Math.round(performance.now() - begun)} ms${text ? `, ${text}` : ""}`; };
  try {
    const bodyless = method === "GET" || method === "HEAD";
    const init = { method, headers, signal: abort.signal, body: bodyless ? undefined : body?.value() };
    const response = await way.send(url, init);
    status.className = `status ${response.ok ? "good" : "bad"}`;
    status.textContent = `${response.status} ${response.statusText}`.trim();
    tell("");
    const shown = [...response.headers].map(([name, value]) => `${name}: ${value}`).join("\n");
    result.append(el("details", { class: "more" }, el("summary", {}, "Response headers"), el("pre", {}, shown)));
    await show(response, result, tell);
  } catch (error) {
    const stopped = error.name === "AbortError";
    const text = stopped ? "Stopped" : `Broken off: ${error.message}`;
    if (status.classList.contains("busy")) {
      status.className = "status bad";
      status.textContent = text;
    } else {
      result.append(el("p", { class: "note" }, text));
    }
  }
}

async function show(response, result, tell) {
  const kind = (response.headers.get("content-type") ?? "").split(";")[0].trim();
  if (kind === "application/x-ndjson") return stream(response, result, tell, (line) => line);
  if (kind === "text/event-stream") {
    return stream(response, result, tell, (line) => (line.startsWith("data:") ? line.slice(5).trim() : undefined));
  }
  if (/json$/.test(kind)) return json(await response.text(), result, tell);
  const blob = await response.blob();
  tell(`${blob.size} bytes of ${kind || "nothing"}`);
  if (!blob.size) return undefined;
  const href = URL.createObjectURL(blob);
  if (kind.startsWith("image/")) result.append(el("img", { src: href, alt: "The answer" }));
  else if (kind.startsWith("text/")) result.append(el("pre", {}, (await blob.text()).slice(0, 200_000)));
  result.append(el("p", {}, el("a", { href, download: "answer" }, "Save it")));
  return undefined;
}

function json(text, result, tell) {
  tell(`${new Blob([text]).size} bytes`);
  let pretty = text;
  try { pretty = JSON.stringify(JSON.parse(text), null, 2); } catch { /* Shown as it is. */ }
  result.append(coloured(pretty));
}

// One value a line, shown as it comes.
async function stream(response, result, tell, value) {
  const list = el("div", {});
  result.append(list);
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  let seen = 0;
  const take = (line) => {
    const text = line.trim() === "" ? undefined : value(line);
    if (text === undefined) return;
    seen += 1;
    tell(`${seen} ${seen === 1 ? "message" : "messages"}`);
    if (seen > MOST_SHOWN) return;
    let pretty = text;
    try { pretty = JSON.stringify(JSON.parse(text), null, 2); } catch { /* Shown as it is. */ }
    list.append(coloured(pretty));
  };
  for (;;) {
    const { done, value: chunk } = await reader.read();
    if (done) break;
    const lines = (rest + chunk).split("\n");
    rest = lines.pop();
    lines.forEach(take);
  }
  take(rest);
}

// JSON with its parts in colours.
function coloured(text) {
  const pre = el("pre", {});
  if (text.length > 100_000) { pre.textContent = text; return pre; }
  let end = 0;
  for (const match of text.matchAll(/("(?:[^"\\]|\\.)*")(\s*:)?|-?\d[\d.eE+-]*|\b(?:true|false|null)\b/g)) {
    const part = match[1] ?? match[0];
    const kind = match[2] ? "key" : match[1] ? "text" : /^[tfn]/.test(part) ? "word" : "number";
    pre.append(text.slice(end, match.index), el("span", { class: kind }, part));
    end = match.index + part.length;
  }
  pre.append(text.slice(end));
  return pre;
}
