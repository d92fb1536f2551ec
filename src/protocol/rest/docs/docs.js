// The page: reads the description, lists its routes, and unfolds those that are asked for.

import { Schemas, el, inline, prose } from "./schema.js";
import { panel } from "./try.js";

const METHODS = ["get", "post", "put", "patch", "delete", "head", "options", "trace"];
const main = document.getElementById("routes");
const nav = document.getElementById("nav");
const filter = document.getElementById("filter");
const state = document.getElementById("state");

async function start() {
  let description;
  try {
    const response = await fetch("openapi.json");
    description = await response.json();
    if (!response.ok) throw new Error(description.error?.message ?? `status ${response.status}`);
  } catch (error) {
    state.replaceChildren(`There is no description yet: ${error.message} `,
      el("button", { type: "button", onclick: () => location.reload() }, "Try again"));
    return;
  }
  const { title, version } = description.info;
  document.title = title;
  document.getElementById("title").textContent = title;
  document.getElementById("version").textContent = version;
  const routes = list(description);
  const guide = description.info.description;
  if (guide) main.append(el("details", { class: "guide" }, el("summary", {}, "Besides JSON"), prose(guide)));
  draw(description, routes, new Schemas(description));
  filter.addEventListener("input", () => narrow(routes));
  addEventListener("hashchange", () => openNamed(routes));
  openNamed(routes);
}

// Every operation with its method and path, in order of the tags.
function list(description) {
  const routes = [];
  for (const [path, item] of Object.entries(description.paths)) {
    const others = Object.entries(item["x-additional-operations"] ?? {});
    const usual = METHODS.filter((method) => item[method]).map((method) => [method.toUpperCase(), item[method]]);
    for (const [method, operation] of [...usual, ...others]) {
      routes.push({ method, path, operation, tag: operation.tags?.[0] ?? "" });
    }
  }
  return routes;
}

function draw(description, routes, schemas) {
  const found = document.createDocumentFragment();
  const links = document.createDocumentFragment();
  for (const tag of description.tags ?? []) {
    const own = routes.filter((route) => route.tag === tag.name);
    const head = el("section", { class: "tag" }, el("h2", {}, tag.name), tag.description ? prose(tag.description) : "");
    const title = el("h2", {}, tag.name);
    found.append(head);
    links.append(title);
    for (const route of own) {
      route.node = card(route, schemas);
      route.link = el("a", { href: `#${encodeURIComponent(route.operation.operationId)}`, title: `${route.method} ${route.path}` },
        verb(route.method), el("span", {}, ...route.path.split(/(?<=\/)/).flatMap((part) => [part, el("wbr")])));
      route.heads = [head, title];
      found.append(route.node);
      links.append(route.link);
    }
  }
  nav.replaceChildren(links);
  state.textContent = routes.length ? "" : "No route is served.";
  state.hidden = routes.length > 0;
  main.append(found);
}

function verb(method) {
  return el("span", { class: `verb ${method.toLowerCase()}` }, method);
}

function pathText(path) {
  return el("span", { class: "path" }, ...path.split(/(\{[^}]+\})/).filter(Boolean)
    .map((part) => (part.startsWith("{") ? el("b", {}, part) : part)));
}

function card(route, schemas) {
  const { operation } = route;
  const summary = el("summary", {}, verb(route.method), pathText(route.path), el("span", { class: "about" }, ...inline(operation.summary ?? "")));
  const node = el("details", { class: `op${operation.deprecated ? " deprecated" : ""}`, id: operation.operationId }, summary);
  node.addEventListener("toggle", () => {
    if (node.open && node.children.length === 1) node.append(unfolded(route, schemas));
  });
  return node;
}

function unfolded(route, schemas) {
  const { operation } = route;
  const about = el("div", {});
  if (operation.description) about.append(prose(operation.description));
  if (operation.deprecated) about.append(el("p", { class: "note" }, "Deprecated."));
  const streams = { client: "client stream", server: "server stream", both: "stream in both directions" };
  const kind = streams[operation["x-grpc-stream"]];
  const websocket = operation["x-websocket"] ? ", WebSocket too" : "";
  about.append(el("p", { class: "facts" }, el("code", {}, operation["x-grpc-method"] ?? ""), kind ? `  ${kind}${websocket}` : ""));
  const parameters = operation.parameters ?? [];
  if (parameters.length) {
    const fields = el("ul", { class: "fields" });
    for (const { name, schema, content, description, required, deprecated } of parameters) {
      const type = schema ?? Object.values(content)[0].schema;
      fields.append(schemas.field(name, { ...type, description: description ?? type.description, deprecated }, required));
    }
    about.append(el("h3", {}, "Parameters"), fields);
  }
  const body = operation.requestBody;
  if (body) about.append(el("h3", {}, "Request body"), ...content(body, schemas));
  for (const [status, given] of Object.entries(operation.responses)) {
    const response = given.$ref ? schemas.responses[given.$ref.split("/").pop()] : given;
    about.append(el("h3", {}, status === "default" ? "Errors" : `Answer ${status}`), ...content(response ?? {}, schemas));
  }
  return el("div", { class: "body" }, about, panel(route, schemas));
}

// What a body may be: its types, and the first one's fields.
function content({ description, content: kinds = {}, "x-media-types": more = [] }, schemas) {
  const entries = Object.entries(kinds);
  const parts = description ? [prose(description)] : [];
  if (!entries.length) return parts;
  const [, { schema }] = entries[0];
  const inner = schemas.inner(schema);
  parts.push(el("p", { class: "facts" }, `${schemas.type(schema)}: `, [...new Set([...entries.map(([kind]) => kind), ...more])].join(", ")));
  if (inner.properties && Object.keys(inner.properties).length) parts.push(schemas.unfold(schema));
  return parts;
}

// === Finding ===

function narrow(routes) {
  const words = filter.value.toLowerCase().split(/\s+/).filter(Boolean);
  const heads = new Map();
  for (const route of routes) {
    const { summary = "", operationId = "" } = route.operation;
    const text = `${route.method} ${route.path} ${summary} ${operationId} ${route.tag}`.toLowerCase();
    const fits = words.every((word) => text.includes(word));
    route.node.hidden = !fits;
    route.link.hidden = !fits;
    for (const head of route.heads) heads.set(head, heads.get(head) || fits);
  }
  for (const [head, fits] of heads) head.hidden = !fits;
  const none = routes.every((route) => route.node.hidden);
  state.hidden = !none;
  if (none) state.textContent = "No route fits.";
}

function openNamed(routes) {
  const id = decodeURIComponent(location.hash.slice(1));
  const route = routes.find(({ operation }) => operation.operationId === id);
  if (!route) return;
  route.node.hidden = false;
  route.node.open = true;
  route.node.scrollIntoView();
  route.node.querySelector("summary").focus({ preventScroll: true });
}

document.addEventListener("keydown", (event) => {
  const writing = /^(INPUT|TEXTAREA|SELECT)$/.test(event.target.tagName);
  if (event.key === "/" && !writing && !event.ctrlKey && !event.metaKey) {
    event.preventDefault();
    filter.focus();
  } else if (event.key === "Escape" && event.target === filter) {
    filter.value = "";
    filter.dispatchEvent(new Event("input"));
  } else if ((event.key === "Enter" || event.key === "ArrowDown") && event.target === filter) {
    event.preventDefault();
    main.querySelector(".op:not([hidden]) > summary")?.focus();
  }
});

start();
