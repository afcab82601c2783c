// Limits as sliders under histograms. A slider moves a limit; dragging across a histogram filters the grid.

import { ask } from "./api.js";
import { asked, element, format, keep, limitOf, measureNamed, ruleOn, state } from "./state.js";

// All bars are drawn equally wide, so the position of a value, from 0 to 1, is its bar and how far it lies in it.
const edgesOf = name => edges[name] || [0, 1];

function positionOf(name, value) {
  const known = edgesOf(name), bars = known.length - 1;
  const bar = Math.min(bars - 1, Math.max(0, known.findLastIndex(edge => edge <= value)));
  return Math.min(1, Math.max(0, (bar + (value - known[bar]) / (known[bar + 1] - known[bar])) / bars));
}

// The value at a position, with as many decimals as a tenth of its bar needs.
function valueOf(name, position) {
  const known = edgesOf(name), bars = known.length - 1;
  const bar = Math.min(bars - 1, Math.floor(position * bars)), wide = known[bar + 1] - known[bar];
  if (wide === 1 && known[bar] % 1 === 0.5) return known[bar] + 0.5; // a bar for each whole number
  const value = known[bar] + wide * (position * bars - bar);
  return Number(value.toFixed(Math.min(12, Math.max(0, Math.ceil(1 - Math.log10(wide))))));
}

const STEPS = 400, SVG = "http://www.w3.org/2000/svg";
const cards = document.getElementById("cards"), add = document.getElementById("add");
let onLimit = () => {}, onRange = () => {}, edges = {}, drawn = {};

export function setUp(limitMoved, rangeMoved) {
  onLimit = limitMoved;
  onRange = rangeMoved;
  add.addEventListener("change", () => {
    if (!add.value) return;
    state.added.push(add.value);
    build();
    keep();
    histograms();
  });
}

export const shownMeasures = () => [...state.facts.rules.map(rule => rule.measure), ...state.added]
  .filter((name, at, all) => measureNamed(name) && all.indexOf(name) === at);

function sides(name) {
  const rule = ruleOn(name), { better } = measureNamed(name);
  const low = rule ? rule.low !== null : better !== "low", high = rule ? rule.high !== null : better !== "high";
  return { low, high };
}

export function build() {
  drawn = {};
  cards.replaceChildren(...shownMeasures().map(card));
  const there = new Set(shownMeasures());
  const options = state.facts.measures.filter(measure => !there.has(measure.name));
  add.replaceChildren(new Option("…", ""), ...options.map(({ name }) => new Option(speech.word("measure", name), name)));
}

function card(name) {
  const made = element("div", { className: "measure", id: `measure-${name}`, title: speech.word("measure_sentence", name) });
  const fails = element("span", { id: `fails-${name}` });
  made.append(element("div", { className: "top" }, element("b", {}, speech.word("measure", name)), fails));
  const picture = document.createElementNS(SVG, "svg");
  picture.setAttribute("viewBox", "0 0 480 46");
  picture.setAttribute("preserveAspectRatio", "none");
  picture.setAttribute("aria-hidden", "true");
  brush(picture, name);
  made.append(picture, element("div", { className: "scale", id: `scale-${name}`, ariaHidden: "true" }));
  const { low, high } = sides(name);
  if (low) made.append(slider(name, 0));
  if (high) made.append(slider(name, 1));
  drawn[name] = picture;
  return made;
}

function slider(name, side) {
  const words = speech.text(side ? "review.at_most" : "review.at_least");
  const input = element("input", { type: "range", min: 0, max: STEPS, step: 1, id: `limit-${name}-${side}` });
  input.setAttribute("aria-label", `${speech.word("measure", name)}: ${words}`);
  const output = element("output", { id: `value-${name}-${side}` });
  input.addEventListener("input", () => {
    const now = [...limitOf(name)];
    now[side] = valueAt(name, side, Number(input.value));
    if (now[0] !== null && now[1] !== null && now[0] > now[1]) now[1 - side] = now[side];
    state.limits[name] = now;
    write(name);
    onLimit(false);
  });
  input.addEventListener("change", () => onLimit(true));
  return element("div", { className: "slide" }, element("span", {}, words), input, output);
}

// The last step of a slider on its open side is no limit.
function valueAt(name, side, step) {
  if (step === (side ? STEPS : 0)) return null;
  return valueOf(name, step / STEPS);
}

function write(name) {
  limitOf(name).forEach((limit, side) => {
    const input = document.getElementById(`limit-${name}-${side}`);
    if (!input) return;
    const words = limit === null ? speech.text("review.no_limit") : format(name, limit);
    const step = limit === null ? (side ? STEPS : 0) : Math.round(positionOf(name, limit) * STEPS);
    if (document.activeElement !== input) input.value = step;
    input.setAttribute("aria-valuetext", words);
    document.getElementById(`value-${name}-${side}`).textContent = words;
  });
  lines(name);
}

export function count(failed) {
  for (const name of shownMeasures())
    document.getElementById(`fails-${name}`).textContent =
      name in failed ? speech.text("review.fails_count", { n: failed[name] }) : "";
}

export async function histograms() {
  const names = shownMeasures();
  const { query, limits } = asked();
  const found = await ask("histograms", { names, query, limits });
  for (const name of names) if (found[name] && drawn[name]) histogram(name, found[name]);
}

function histogram(name, { edges: found, kept, rejected }) {
  edges[name] = found;
  const width = 480 / kept.length;
  const most = Math.max(1, ...kept.map((n, at) => n + rejected[at]));
  const bars = kept.flatMap((n, at) => {
    const x = at * width, tall = value => value ? Math.max(1.5, 44 * Math.sqrt(value / most)) : 0;
    const all = tall(n + rejected[at]), own = all * n / Math.max(1, n + rejected[at]);
    return [shape("rect", { class: "kept", x, y: 46 - own, width: width * .86, height: own }),
      shape("rect", { class: "rejected", x, y: 46 - all, width: width * .86, height: Math.max(0, all - own) })];
  });
  drawn[name].replaceChildren(...bars);
  const marks = [0, 0.5, 1].map(position => element("span", {}, format(name, found[Math.round(position * kept.length)])));
  document.getElementById(`scale-${name}`).replaceChildren(...marks);
  write(name);
}

function lines(name) {
  const picture = drawn[name];
  picture.querySelectorAll(".limit, .brush").forEach(one => one.remove());
  const x = value => 480 * positionOf(name, value);
  const range = state.query.ranges[name];
  if (range) {
    const left = x(range[0]), right = x(range[1]);
    picture.append(shape("rect", { class: "brush", x: left, y: 0, width: Math.max(2, right - left), height: 46 }));
  }
  for (const limit of limitOf(name))
    if (limit !== null) picture.append(shape("line", { class: "limit", x1: x(limit), x2: x(limit), y1: 0, y2: 46 }));
}

function shape(kind, attributes) {
  const made = document.createElementNS(SVG, kind);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  return made;
}

function brush(picture, name) {
  let start = null;
  const position = event => {
    const box = picture.getBoundingClientRect();
    return Math.min(1, Math.max(0, (event.clientX - box.left) / box.width));
  };
  const select = (one, other) => {
    const [low, high] = [Math.min(one, other), Math.max(one, other)];
    // The first and the last bar also hold what lies beyond, so a range that reaches the end has no end.
    if (high - low < 0.01) delete state.query.ranges[name];
    else state.query.ranges[name] = [low <= 0 ? -1e300 : valueOf(name, low), high >= 1 ? 1e300 : valueOf(name, high)];
    lines(name);
  };
  picture.addEventListener("pointerdown", event => {
    start = position(event);
    picture.setPointerCapture(event.pointerId);
  });
  picture.addEventListener("pointermove", event => { if (start !== null) select(start, position(event)); });
  picture.addEventListener("pointerup", event => {
    if (start === null) return;
    select(start, position(event));
    start = null;
    onRange();
  });
  picture.addEventListener("pointercancel", () => { start = null; });
}

export const drawLimits = () => shownMeasures().forEach(write);
