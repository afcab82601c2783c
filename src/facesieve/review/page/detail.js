// One face: its picture, verdict, numbers beside the limits, and its neighbours.

import { ask, askBytes } from "./api.js";
import { cropOf, want } from "./crops.js";
import { brief, element, format, shown, state } from "./state.js";

const card = document.getElementById("card");
let face = null, actions = {}, asked = 0, picture = "";

export const setUp = given => { actions = given; };
export const current = () => face;

export async function open(row) {
  const mine = ++asked;
  const found = await ask("face", { row, limits: state.limits });
  if (mine !== asked) return;
  face = found;
  document.getElementById("choose").hidden = true;
  card.hidden = false;
  render();
}

export const refresh = () => face && open(face.row);
export const close = () => { face = null; card.hidden = true; document.getElementById("choose").hidden = false; };

function render() {
  const before = document.activeElement, typed = before?.id === "d-label" && before.dataset.row === String(face.row) ? before.value : null;
  if (picture) URL.revokeObjectURL(picture);
  picture = "";
  card.replaceChildren(head(), decide(), relabel(), ...decided(), sourcePicture(), numbers(), ...neighbours());
  if (!before?.id.startsWith("d-")) return;
  const again = document.getElementById(before.id);
  if (typed !== null) again.value = typed; // someone decided elsewhere while this person types a label
  again?.focus();
}

function head() {
  const verdict = element("b", { className: face.kept ? "kept" : "rejected" }, speech.word("verdict", face.kept ? "kept" : "rejected"));
  const reasons = [...new Set(face.findings.filter(one => !one.passed).map(one => speech.word("reason", one.reason)))];
  const label = face.label ? brief(shown(face.label), 120) : speech.text("review.no_label");
  const time = face.time === null ? "" : ` · ${face.time.toFixed(1)} s`;
  const what = element("div", { className: "what" }, verdict, element("p", {}, reasons.join(", ")),
    element("p", {}, element("bdi", {}, label)), element("p", {}, element("bdi", {}, brief(shown(face.source)), time)),
    element("p", {}, face.face));
  return element("div", { className: "head" }, crop(face.row), what);
}

function crop(row) {
  const address = cropOf(row);
  if (address === undefined || address === "") {
    want([row]);
    setTimeout(() => face?.row === row && cropOf(row) && card.querySelector(".head > :first-child")?.replaceWith(crop(row)), 250);
  }
  return address ? element("img", { src: address, alt: speech.text("review.face") }) : element("div", { className: "blank" });
}

function button(id, text, action, pressed) {
  const made = element("button", { type: "button", id, textContent: speech.text(text) });
  made.setAttribute("aria-pressed", String(Boolean(pressed)));
  made.addEventListener("click", action);
  return made;
}

function decide() {
  const verdict = face.decision?.verdict ?? null;
  return element("div", { className: "decide" },
    button("d-keep", "review.keep", () => actions.decide(face.row, "keep"), verdict === "keep"),
    button("d-reject", "review.reject", () => actions.decide(face.row, "reject"), verdict === "reject"),
    button("d-rules", "review.as_rules", () => actions.decide(face.row, null), verdict === null));
}

function relabel() {
  const input = element("input", { id: "d-label", value: face.label, maxLength: 1000 });
  input.setAttribute("list", "labels");
  input.dataset.row = face.row;
  const change = () => actions.relabel(face.row, input.value === face.found ? null : input.value);
  const button = element("button", { type: "submit", textContent: speech.text("review.relabel") });
  const form = element("form", { className: "relabel", autocomplete: "off" },
    element("label", {}, speech.word("column", "label"), input), button);
  form.addEventListener("submit", event => { event.preventDefault(); change(); document.getElementById("grid").focus(); });
  input.addEventListener("input", () => actions.suggest(input.value));
  input.addEventListener("keydown", event => { if (event.key === "Escape") document.getElementById("grid").focus(); });
  return form;
}

function decided() {
  const one = face.decision;
  if (!one || (one.verdict === null && one.label === null)) return [];
  const when = new Date(one.when).toLocaleString(speech.code, { dateStyle: "medium", timeStyle: "short" });
  const words = speech.text("review.decided", { who: shown(one.who) || "?", when });
  return [element("p", { className: "hint" }, one.why ? `${words}: ${brief(shown(one.why))}` : words)];
}

function sourcePicture() {
  const holder = element("div", { id: "picture" });
  const show = element("button", { type: "button", id: "d-picture", textContent: speech.text("review.show_picture") });
  show.addEventListener("click", async () => {
    const row = face.row;
    show.disabled = true;
    try {
      const bytes = await askBytes("picture", { row });
      if (face?.row !== row) return;
      picture = URL.createObjectURL(new Blob([bytes], { type: "image/jpeg" }));
      holder.replaceChildren(element("img", { src: picture, alt: speech.text("review.picture") }));
    } catch (error) {
      holder.replaceChildren(element("p", { className: "hint" }, error.message));
    }
  });
  holder.append(show);
  return holder;
}

function numbers() {
  const limits = new Map(face.findings.map(one => [one.measure, one]));
  const row = name => {
    const rule = limits.get(name), made = element("tr", { className: rule && !rule.passed ? "failed" : "" });
    made.append(element("th", { scope: "row", title: speech.word("measure_sentence", name) }, speech.word("measure", name)),
      element("td", {}, format(name, face.measures[name])), element("td", {}, rule ? bounds(name, rule) : ""));
    return made;
  };
  const names = [...limits.keys(), ...Object.keys(face.measures).filter(name => !limits.has(name))];
  const body = element("tbody", {}, ...names.map(row));
  return element("div", {}, element("h2", { className: "small" }, speech.text("review.numbers")), element("table", {}, body));
}

function bounds(name, { low, high }) {
  if (low !== null && high !== null) return `${format(name, low)} … ${format(name, high)}`;
  return low !== null ? `≥ ${format(name, low)}` : `≤ ${format(name, high)}`;
}

function neighbours() {
  const titles = { duplicates: "review.duplicates", track: "review.track", picture: "review.in_picture", label: "review.same_label" };
  const all = [...new Set(Object.values(face.neighbours).flat())];
  if (all.length) want([face.row, ...all]);
  return Object.entries(face.neighbours).flatMap(([kind, rows]) => {
    const strip = element("div", { className: "strip" }, ...rows.map(row => thumb(row)));
    return [element("h2", { className: "small" }, speech.text(titles[kind])), strip];
  });
}

function thumb(row) {
  const made = element("button", { type: "button" });
  made.setAttribute("aria-label", `${speech.text("review.face")} ${row + 1}`);
  const paint = left => {
    const address = cropOf(row);
    if (address) made.replaceChildren(element("img", { src: address, alt: "" }));
    else if (left && address !== null) setTimeout(paint, 200, left - 1);
  };
  paint(20);
  made.addEventListener("click", () => actions.choose(row));
  return made;
}
