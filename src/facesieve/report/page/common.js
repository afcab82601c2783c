"use strict";
// What the pages of a dataset share: the facts, elements, names, numbers and faces.
const facts = JSON.parse(document.getElementById("facts").textContent);
const t = speech.text;
const $ = id => document.getElementById(id);

// An element: el("p", { class: "soft", text: "..." }, child, ...). Texts become text nodes, never markup.
function el(tag, values = {}, ...children) {
  const one = document.createElement(tag);
  for (const [key, value] of Object.entries(values)) {
    if (value === undefined || value === null || value === false) continue;
    if (key === "text") one.textContent = value;
    else if (key.startsWith("on")) one.addEventListener(key.slice(2), value);
    else one.setAttribute(key, value === true ? "" : value);
  }
  one.append(...children.filter(child => child !== null && child !== undefined));
  return one;
}

// Signs that change the direction of text are shown as their codes, so that a name cannot disguise itself.
const visible = text => text.replace(/[\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff\u0000-\u001f\u007f-\u009f]/g,
  sign => `\\u${sign.charCodeAt(0).toString(16).padStart(4, "0")}`);

// The folder that all names are in, with its slash; it is shown once and left out of the names.
function commonFolder(names) {
  if (names.length < 2) return "";
  const first = names.reduce((a, b) => (a < b ? a : b)), last = names.reduce((a, b) => (a > b ? a : b));
  let same = 0;
  while (same < first.length && first[same] === last[same]) same++;
  return same ? first.slice(0, first.lastIndexOf("/", same - 1) + 1) : "";
}

// A name that may break after `_`, `-` and `/`. One that begins or ends with a space is quoted, so that it is seen.
function nameOf(text, common = "") {
  const name = visible(common && text.startsWith(common) ? text.slice(common.length) : text);
  const seen = name === name.trim() ? name : `“${name}”`;
  return el("bdi", { class: "name" }, ...seen.split(/(?<=[-_/])/).flatMap((part, at) => (at ? [el("wbr"), part] : [part])));
}

function copyButton(text) {
  const button = el("button", { type: "button", class: "no-print", text: t("action.copy"), onclick: async event => {
    event.stopPropagation();
    await copy(text);
    button.textContent = t("action.copied");
    setTimeout(() => { button.textContent = t("action.copy"); }, 1500);
  } });
  return button;
}

// Pages that are opened as files may lack the clipboard, so a selection is the second way.
async function copy(text) {
  try { await navigator.clipboard.writeText(text); } catch {
    const area = el("textarea", { style: "position:fixed;opacity:0" });
    area.value = text;
    document.body.append(area);
    area.select();
    document.execCommand("copy");
    area.remove();
  }
}

const DECIMALS = { confidence: 4, fitness: 0, blur: 0, sharpness: 0, face_size: 0, inter_eye_distance: 0, upsampling: 2 };
const units = Object.fromEntries((facts.measures || []).map(measure => [measure.name, measure.unit]));
const plain = value => value.toLocaleString(speech.code, { maximumFractionDigits: 10 });

// How many decimals a value is shown with: degrees have one, others as many as they need to tell faces apart.
function decimalsOf(name, value) {
  if (units[name] === "degrees") return 1;
  if (units[name] === "score") return 0;
  return DECIMALS[name] ?? (Math.abs(value) >= 100 ? 0 : Math.abs(value) >= 10 ? 1 : Math.abs(value) >= 1 ? 2 : 3);
}

function rounded(name, value, decimals) {
  const least = units[name] === "degrees" ? 1 : 0;
  return value.toLocaleString(speech.code, { minimumFractionDigits: least, maximumFractionDigits: decimals });
}

// A value with few decimals. A confidence below 1 is not shown as 1.
function shown(name, value) {
  if (value === null || value === undefined) return "–";
  let decimals = decimalsOf(name, value);
  while (name === "confidence" && value < 1 && decimals < 8 && Number(value.toFixed(decimals)) === 1) decimals++;
  return rounded(name, value, decimals);
}

// A value beside a limit that it fails, with so many decimals that the two do not look equal.
function beside(name, value, limit) {
  let decimals = decimalsOf(name, value);
  while (decimals < 12 && Number(value.toFixed(decimals)) === limit) decimals++;
  return rounded(name, value, decimals);
}

const measureName = name => speech.word("measure", name);
const unitOf = name => (units[name] ? speech.word("unit", units[name]) : "");
const reasonName = code => speech.word("reason", code);

function limitWords(rule) {
  if (rule.low === null) return t("page.at_most", { n: plain(rule.high) });
  if (rule.high === null) return t("page.at_least", { n: plain(rule.low) });
  return rule.low === -rule.high ? t("page.within", { n: plain(rule.high) })
    : t("page.between", { low: plain(rule.low), high: plain(rule.high) });
}

function thumb(id, size) {
  const jpeg = facts.thumbs[id];
  const box = `width:${size}px;height:${size}px`;
  return jpeg ? el("img", { alt: "", decoding: "async", src: `data:image/jpeg;base64,${jpeg}`, style: box })
    : el("div", { class: "blank", style: box, title: t("page.no_thumbnail") });
}

// Where a clip opens at the second of a face; null if its file is not known by its full path.
function clipLink(face) {
  if (face.time === null || face.time === undefined || !/^(\/|[A-Za-z]:)/.test(face.source)) return null;
  const path = face.source.replaceAll("\\", "/").split("/").map(encodeURIComponent).join("/");
  return `file://${path.startsWith("/") ? "" : "/"}${path}#t=${face.time.toFixed(1)}`;
}
