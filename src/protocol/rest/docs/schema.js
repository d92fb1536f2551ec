// Schemas as lists that unfold, and as examples. Everything that a description says goes into the
// page as text, never as markup.

export function el(name, attributes, ...children) {
  const node = document.createElement(name);
  for (const [key, value] of Object.entries(attributes ?? {})) {
    if (key.startsWith("on")) node.addEventListener(key.slice(2), value);
    else if (value === true) node.setAttribute(key, "");
    else if (value !== undefined && value !== false && value !== null) node.setAttribute(key, value);
  }
  node.append(...children.filter((child) => child !== undefined && child !== null && child !== ""));
  return node;
}

// Comments: paragraphs, lists, and `code`.
export function prose(text) {
  const box = el("div", { class: "prose" });
  for (const block of (text ?? "").trim().split(/\n\s*\n/)) {
    const lines = block.split("\n");
    const items = lines.every((line) => /^\s*([-*]|\d+\.) /.test(line));
    if (!block.trim()) continue;
    box.append(items
      ? el("ul", {}, ...lines.map((line) => el("li", {}, ...inline(line.replace(/^\s*([-*]|\d+\.) /, "")))))
      : el("p", {}, ...inline(lines.join(" "))));
  }
  return box;
}

export function inline(text) {
  return text.split(/(`[^`]+`)/).filter(Boolean)
    .map((part) => (/^`[^`]+`$/.test(part) ? el("code", {}, part.slice(1, -1)) : part));
}

export class Schemas {
  constructor(description) {
    this.all = description.components?.schemas ?? {};
    this.responses = description.components?.responses ?? {};
  }

  resolve(schema) {
    const name = this.nameOf(schema);
    if (!name) return schema ?? {};
    const { $ref, ...beside } = schema;
    return { ...(this.all[name] ?? {}), ...beside };
  }

  nameOf(schema) {
    return schema?.$ref?.replace("#/components/schemas/", "");
  }

  // What a type is called: `array of Book`, `string (date-time)`.
  type(schema) {
    const name = this.nameOf(schema);
    if (name) return name.split(".").pop();
    if (!schema || Object.keys(schema).length === 0) return "any JSON";
    const kinds = [schema.type ?? "any"].flat();
    const nullable = kinds.includes("null") && kinds.length > 1 ? " or null" : "";
    const kind = kinds.filter((one) => one !== "null" || kinds.length === 1).join(" or ");
    if (kind === "array") return `array of ${this.type(schema.items)}${nullable}`;
    if (kind === "object" && typeof schema.additionalProperties === "object") {
      return `map of ${this.type(schema.additionalProperties)}`;
    }
    return (schema.format ? `${kind} (${schema.format})` : kind) + nullable;
  }

  // The type that has the fields: that of a list's elements, of a map's values.
  inner(schema) {
    const resolved = this.resolve(schema);
    if (resolved.items) return this.inner(resolved.items);
    if (resolved.properties) return resolved;
    if (typeof resolved.additionalProperties === "object") return this.inner(resolved.additionalProperties);
    return resolved;
  }

  fields(schema) {
    const inner = this.inner(schema);
    const required = new Set(inner.required ?? []);
    const list = el("ul", { class: "fields" });
    for (const [name, property] of Object.entries(inner.properties ?? {})) {
      list.append(this.field(name, property, required.has(name)));
    }
    return list;
  }

  field(name, schema, required) {
    const resolved = this.resolve(schema);
    const inner = this.inner(schema);
    const flags = [
      [required, "required"], [schema.readOnly, "read only"], [schema.writeOnly, "write only"],
      [schema["x-immutable"], "immutable"], [schema.deprecated, "deprecated"],
    ].filter(([is]) => is).map(([, word]) => el("span", { class: "flag" }, word));
    const item = el("li", {}, el("span", { class: "name" }, name), el("span", { class: "type" }, this.type(schema)), ...flags);
    const said = schema.description ?? (inner === resolved && resolved.enum ? resolved.description : undefined);
    if (said) item.append(prose(said));
    if (inner.enum) item.append(el("div", { class: "values mono" }, inner.enum.join("  ")));
    if (inner.properties && Object.keys(inner.properties).length) item.append(this.unfold(schema));
    return item;
  }

  unfold(schema) {
    const inner = this.inner(schema);
    const count = Object.keys(inner.properties).length;
    const more = el("details", { class: "more" }, el("summary", {}, count === 1 ? "1 field" : `${count} fields`));
    more.addEventListener("toggle", () => {
      if (more.open && more.children.length === 1) more.append(this.fields(schema));
    });
    return more;
  }

  // What a client might send: fields that the server sets are left out, and what comes again.
  example(schema, within = []) {
    const name = this.nameOf(schema);
    if (name && within.includes(name)) return undefined;
    const path = name ? [...within, name] : within;
    const resolved = this.resolve(schema);
    if (resolved.examples?.length) return resolved.examples[0];
    if (resolved.enum) return resolved.enum.find((one) => !/_UNSPECIFIED$/.test(String(one))) ?? resolved.enum[0];
    const kind = [resolved.type].flat()[0];
    if (kind === "array") {
      const item = this.example(resolved.items, path);
      return item === undefined || path.length > 3 ? [] : [item];
    }
    if (kind === "object") return this.exampleObject(resolved, path);
    if (kind === "string") return exampleText(resolved);
    if (kind === "boolean") return false;
    if (kind === "null") return null;
    return kind ? 0 : {};
  }

  exampleObject(schema, path) {
    const made = {};
    const barred = schema.not?.anyOf ?? (schema.not ? [schema.not] : []);
    for (const [key, property] of Object.entries(schema.properties ?? {})) {
      if (property.readOnly || property.deprecated || key.startsWith("[")) continue;
      const clashes = barred.some(({ required = [] }) => required.includes(key) && required.some((other) => other in made));
      const value = clashes || path.length > 4 ? undefined : this.example(property, path);
      if (value !== undefined) made[key] = value;
    }
    return made;
  }
}

function exampleText({ format, minLength }) {
  switch (format) {
    case "date-time": return new Date(Math.floor(Date.now() / 1000) * 1000).toISOString().replace(".000", "");
    case "int64": case "uint64": return "0";
    case "byte": return "";
    case "uuid": return "00000000-0000-4000-8000-000000000000";
    case "ipv4": return "192.0.2.1";
    case "ipv6": return "2001:db8::1";
    default: return minLength ? "text" : "";
  }
}
