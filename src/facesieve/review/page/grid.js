// The grid of all faces. Only the tiles in view are elements; they are used again while the grid scrolls.

import { ask } from "./api.js";
import { cropOf, onCrop, want } from "./crops.js";
import { asked, element, format, keep, shown, state } from "./state.js";

const PAGE = 500, GAP = 6, TALLEST = 8_000_000;
const grid = document.getElementById("grid"), sheet = document.getElementById("sheet");
const pages = new Map(), asking = new Set(), tiles = new Map(), spare = [];
let total = 0, columns = 1, step = 102, tall = 0, frame = 0, before = 0, choose = () => {}, fail = () => {};

export const onChoose = callback => { choose = callback; };
export const onFail = callback => { fail = callback; };
export const totalFaces = () => total;

export function faceAt(position) {
  const page = pages.get(Math.floor(position / PAGE)), at = position % PAGE;
  if (!page || at >= page.rows.length) return null;
  const { rows, kept, passed, hand, label, values } = page;
  return { row: rows[at], kept: kept[at], passed: passed[at], hand: hand[at], label: label[at], value: values?.[at] };
}

// Loads the selection anew. With `stay` the position on the screen stays, otherwise it begins at the top.
export async function reload(stay = false) {
  const first = stay ? Math.floor(positionAtTop() / PAGE) : 0;
  const selection = state.selectionId;
  const page = await ask("window", { ...asked(), first: first * PAGE, count: PAGE });
  if (selection !== state.selectionId) return;
  pages.clear();
  asking.clear();
  pages.set(first, page);
  total = page.total;
  if (!stay) grid.scrollTop = 0;
  measure();
  document.getElementById("nothing").hidden = total > 0;
  return page;
}

export function measure() {
  const size = Number(state.size), width = grid.clientWidth - 2 * GAP;
  columns = Math.max(1, Math.floor((width + GAP) / (size + GAP)));
  step = Math.floor((width + GAP) / columns);
  const lines = Math.ceil(total / columns);
  tall = lines * step + GAP;
  sheet.style.height = `${Math.min(tall, TALLEST)}px`;
  spare.push(...tiles.values());
  tiles.clear();
  draw();
}

// A sheet of millions of faces is taller than browsers allow, so the scroll bar then covers it at another scale.
const scale = () => tall <= TALLEST ? 1 : (tall - grid.clientHeight) / (TALLEST - grid.clientHeight);
const positionAtTop = () => Math.floor(grid.scrollTop * scale() / step) * columns;

export function draw() {
  frame = 0;
  const top = grid.scrollTop * scale(), height = grid.clientHeight, y = grid.scrollTop - top;
  const first = Math.max(0, Math.floor(top / step) - 2) * columns;
  const last = Math.min(total, (Math.ceil((top + height) / step) + 2) * columns);
  for (const [position, tile] of tiles)
    if (position < first || position >= last) { tiles.delete(position); spare.push(tile); }
  const rows = [];
  for (let position = first; position < last; position += 1) {
    const face = faceAt(position);
    if (!face) { fetchPage(Math.floor(position / PAGE)); continue; }
    put(position, face, y);
    rows.push(face.row);
  }
  for (const tile of spare) if (!tile.hidden) putAway(tile);
  want([...rows, ...ahead(first, last, top)]);
  const chosen = [...tiles.values()].find(tile => tile.dataset.row === String(state.chosen));
  if (chosen) grid.setAttribute("aria-activedescendant", chosen.id); else grid.removeAttribute("aria-activedescendant");
}

// The faces that come into view next, if the grid goes on in the same direction. Their pictures are fetched after those
// in view.
function ahead(first, last, top) {
  const down = top >= before, rows = [];
  before = top;
  const [start, end] = down ? [last, Math.min(total, 2 * last - first)] : [Math.max(0, 2 * first - last), first];
  for (let position = start; position < end; position += 1) {
    const face = faceAt(position);
    if (!face) { fetchPage(Math.floor(position / PAGE)); break; }
    rows.push(face.row);
  }
  return rows;
}

// Shows a face in a tile. While the grid scrolls, nearly all tiles stay as they are, and nothing is written for these.
function put(position, face, y) {
  let tile = tiles.get(position);
  if (!tile) {
    tile = spare.pop() || newTile();
    tiles.set(position, tile);
  }
  const across = GAP + (position % columns) * step, down = GAP + Math.floor(position / columns) * step + y;
  const { row, kept, hand, label, value } = face, chosen = row === state.chosen;
  const content = [position, row, kept, hand, label, value, chosen, state.query.sort, total, speech.code].join("|");
  if (tile.at !== `${across} ${down} ${step}`) {
    tile.at = `${across} ${down} ${step}`;
    tile.style.cssText = `transform:translate(${across}px,${down}px);width:${step - GAP}px;height:${step - GAP}px`;
  }
  if (tile.content !== content) {
    tile.content = content;
    fill(tile, position, face, chosen);
  }
  if (tile.hidden) tile.hidden = false;
  paint(tile, row);
}

function fill(tile, position, face, chosen) {
  const value = state.query.sort === "source" ? "" : format(state.query.sort, face.value);
  const words = [face.label && shown(face.label), speech.word("verdict", face.kept ? "kept" : "rejected"),
    face.hand ? speech.text("review.by_hand") : "", value].filter(Boolean).join(", ").slice(0, 400);
  tile.className = `tile${face.kept ? "" : " rejected"}${face.hand ? " hand" : ""}${chosen ? " chosen" : ""}`;
  tile.id = `tile-${position}`;
  Object.assign(tile.dataset, { position, row: face.row });
  tile.setAttribute("aria-label", words);
  tile.setAttribute("aria-selected", String(chosen));
  tile.setAttribute("aria-posinset", position + 1);
  tile.setAttribute("aria-setsize", total);
  if (tile.lastChild.textContent !== value) tile.lastChild.textContent = value;
  if (tile.lastChild.hidden !== !value) tile.lastChild.hidden = !value;
}

function putAway(tile) {
  tile.hidden = true;
  tile.removeAttribute("id");
  tile.content = "";
}

function newTile() {
  const tile = element("div", { role: "option" }, element("img", { alt: "", draggable: false, decoding: "async" }), element("span", { className: "value" }));
  sheet.append(tile);
  return tile;
}

function paint(tile, row) {
  const address = cropOf(row), picture = tile.firstChild;
  if (picture.address === (address || "")) return;
  picture.address = address || "";
  picture.style.visibility = address ? "" : "hidden";
  if (address) picture.src = address; else picture.removeAttribute("src");
}

async function fetchPage(number) {
  if (asking.has(number)) return;
  asking.add(number);
  const selection = state.selectionId;
  try {
    const page = await ask("window", { ...asked(), first: number * PAGE, count: PAGE });
    if (selection === state.selectionId) { pages.set(number, page); later(); }
  } catch (error) {
    fail(error);
  } finally {
    asking.delete(number);
  }
  while (pages.size > 60) pages.delete(pages.keys().next().value);
}

// Loads what is known of the faces in view again, such as after a decision in another window.
export async function freshen() {
  const numbers = new Set([...tiles.keys()].map(position => Math.floor(position / PAGE)));
  for (const number of [...pages.keys()]) if (!numbers.has(number)) pages.delete(number);
  for (const number of numbers) { asking.delete(number); await fetchPage(number); }
}

const later = () => { frame ||= requestAnimationFrame(draw); };
grid.addEventListener("scroll", later, { passive: true });
new ResizeObserver(() => measure()).observe(grid);
onCrop(row => {
  for (const tile of tiles.values()) if (tile.dataset.row === String(row)) paint(tile, row);
});
grid.addEventListener("click", event => {
  const tile = event.target.closest(".tile");
  if (tile) pick(Number(tile.dataset.position), true);
});

export const positionOfChosen = () => {
  for (const [number, page] of pages) {
    const at = page.rows.indexOf(state.chosen);
    if (at >= 0) return number * PAGE + at;
  }
  return -1;
};

// Chooses the face at a position and brings it into view.
export async function pick(position, byHand = false) {
  if (!total) return;
  const wanted = Math.min(Math.max(position, 0), total - 1);
  if (!faceAt(wanted)) await fetchPage(Math.floor(wanted / PAGE));
  const face = faceAt(wanted);
  if (!face) return;
  state.chosen = face.row;
  keep();
  show(wanted);
  draw();
  choose(face.row, byHand);
}

export function show(position) {
  const y = Math.floor(position / columns) * step, top = grid.scrollTop * scale(), height = grid.clientHeight;
  if (y < top) grid.scrollTop = y / scale();
  else if (y + step + GAP > top + height) grid.scrollTop = (y + step + GAP - height) / scale() + (scale() > 1 ? 1 : 0);
}

// Moves the choice by some faces, or by some rows of the grid.
export async function move(by, rows = 0) {
  let position = positionOfChosen();
  if (position < 0 && state.chosen >= 0) ({ position } = await ask("position", { ...asked(), row: state.chosen }));
  await pick(position < 0 ? positionAtTop() : position + by + rows * columns);
}
