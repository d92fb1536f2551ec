// Charts of our own: lines over time in SVG, read by eye, pointer and keyboard.

import { el } from "./schema.js";

const SPACE = "http://www.w3.org/2000/svg";
const LEFT = 50, RIGHT = 8, TOP = 10, BOTTOM = 20;

function svg(name, attributes) {
  const node = document.createElementNS(SPACE, name);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  return node;
}

// A round number at or above another, for the top of a scale.
function ceiling(value) {
  if (!(value > 0)) return 1;
  const power = 10 ** Math.floor(Math.log10(value));
  return [1, 2, 2.5, 5, 10].map((step) => step * power).find((step) => step >= value * 1.02) ?? 10 * power;
}

// `lines` are { name, hue }; `show` writes a value.
export class Chart {
  constructor(title, lines, show) {
    Object.assign(this, { title, lines, show, points: [], range: 300, at: undefined });
    this.plot = svg("svg", { role: "img", tabindex: "0" });
    this.keys = lines.map(({ name, hue }) => el("i", { class: hue }, name));
    this.told = el("span", { class: "hidden", "aria-live": "polite" });
    this.node = el("figure", { class: "chart" }, el("figcaption", {}, el("b", {}, title), ...this.keys), this.plot, this.told);
    this.plot.addEventListener("pointermove", (event) => this.point(event));
    this.plot.addEventListener("pointerleave", () => this.look(undefined));
    this.plot.addEventListener("blur", () => this.look(undefined));
    this.plot.addEventListener("keydown", (event) => this.key(event));
    new ResizeObserver(() => this.draw()).observe(this.plot);
  }

  // `points` are { ago, values }, the oldest first.
  update(points, range) {
    Object.assign(this, { points, range });
    this.draw();
  }

  point(event) {
    const box = this.plot.getBoundingClientRect();
    const part = (event.clientX - box.left - LEFT) / (box.width - LEFT - RIGHT);
    const ago = (1 - part) * this.range;
    let best;
    this.points.forEach((one, index) => {
      if (best === undefined || Math.abs(one.ago - ago) < Math.abs(this.points[best].ago - ago)) best = index;
    });
    this.look(best);
  }

  key(event) {
    const last = this.points.length - 1;
    const steps = { ArrowLeft: -1, ArrowRight: 1, PageUp: -10, PageDown: 10 };
    if (event.key === "Home") this.look(0);
    else if (event.key === "End") this.look(last);
    else if (event.key === "Escape") this.look(undefined);
    else if (event.key in steps) this.look(Math.min(last, Math.max(0, (this.at ?? last) + steps[event.key])));
    else return;
    event.preventDefault();
    const one = this.points[this.at];
    this.told.textContent = one ? `${when(one.ago)}: ${this.words(one)}` : "";
  }

  look(at) {
    this.at = at !== undefined && at >= 0 ? at : undefined;
    this.draw();
  }

  words(one) {
    return this.lines.map(({ name }, index) => `${name} ${this.text(one.values[index])}`).join(", ");
  }

  text(value) {
    return value === undefined ? "–" : this.show(value);
  }

  draw() {
    const { width, height } = this.plot.getBoundingClientRect();
    if (!width) return;
    const top = ceiling(Math.max(0, ...this.points.flatMap(({ values }) => values.filter((value) => value !== undefined))));
    const x = (ago) => LEFT + (1 - ago / this.range) * (width - LEFT - RIGHT);
    const y = (value) => TOP + (1 - value / top) * (height - TOP - BOTTOM);
    const parts = [];
    for (const part of [0, 0.5, 1]) {
      const level = y(top * part);
      parts.push(svg("line", { x1: LEFT, x2: width - RIGHT, y1: level, y2: level }));
      const label = svg("text", { x: LEFT - 6, y: level + 4, "text-anchor": "end" });
      label.textContent = this.show(top * part);
      parts.push(label);
    }
    for (const [part, anchor] of [[1, "start"], [0.5, "middle"], [0, "end"]]) {
      const label = svg("text", { x: x(this.range * part), y: height - 5, "text-anchor": anchor });
      label.textContent = when(this.range * part);
      parts.push(label);
    }
    this.lines.forEach(({ hue }, index) => parts.push(...this.line(index, hue, x, y)));
    const current = this.points[this.at ?? this.points.length - 1];
    if (this.at !== undefined && current) {
      parts.push(svg("line", { class: "at", x1: x(current.ago), x2: x(current.ago), y1: TOP, y2: height - BOTTOM }));
    }
    this.lines.forEach(({ name }, index) => {
      this.keys[index].textContent = `${name} ${this.text(current?.values[index])}`;
    });
    const label = current ? `${when(current.ago)} ${this.words(current)}` : "nothing yet";
    this.plot.setAttribute("aria-label", `${this.title}: ${label}. Arrow keys move through time.`);
    this.plot.setAttribute("viewBox", `0 0 ${width} ${height}`);
    this.plot.replaceChildren(...parts);
  }

  // A line with the area below it, broken where nothing is known.
  line(index, hue, x, y) {
    let path = "", area = "", begun;
    const close = (to) => { if (begun !== undefined) area += `L${to},${y(0)}L${begun},${y(0)}Z`; begun = undefined; };
    let last;
    for (const { ago, values } of this.points) {
      const value = values[index];
      if (value === undefined || ago > this.range) { close(last); continue; }
      const place = `${x(ago).toFixed(1)},${y(value).toFixed(1)}`;
      path += (begun === undefined ? "M" : "L") + place;
      area += (begun === undefined ? "M" : "L") + place;
      last = x(ago).toFixed(1);
      begun ??= last;
    }
    close(last);
    if (!path) return [];
    return [svg("path", { class: `area ${hue}`, d: area }), svg("path", { class: hue, d: path })];
  }
}

export function when(ago) {
  if (ago < 1.5) return "now";
  return ago < 60 ? `−${Math.round(ago)} s` : `−${(ago / 60).toFixed(ago % 60 ? 1 : 0)} min`;
}

// The value below which a part of the calls stayed, from counts by bucket.
export function quantile(buckets, bounds, part) {
  const all = buckets.reduce((sum, count) => sum + count, 0);
  if (!all) return undefined;
  let below = 0;
  for (const [at, count] of buckets.entries()) {
    if (count && below + count >= part * all) {
      const low = at ? bounds[at - 1] : 0;
      const high = bounds[at] ?? bounds[bounds.length - 1];
      return low + (high - low) * ((part * all - below) / count);
    }
    below += count;
  }
  return bounds[bounds.length - 1];
}
