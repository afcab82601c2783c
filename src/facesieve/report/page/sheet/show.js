// Filters and sorts the tiles; faces of clips stand in groups, one for each track.
const fields = Object.fromEntries(["verdict", "reason", "label", "sort", "source"].map(id => [id, $(id)]));
let falling = false;

function menus() {
  const fill = (select, first, pairs) => {
    const held = select.value;
    select.replaceChildren(new Option(first, ""), ...pairs.map(([value, text]) => new Option(text, value)));
    select.value = held;
  };
  const labels = [...new Set(facts.faces.map(face => face.label))].filter(Boolean).sort((a, b) => a.localeCompare(b));
  const verdicts = ["kept", "rejected"].map(one => [one, speech.word("verdict", one)]);
  fill(fields.verdict, t("sheet.any_verdict"), facts.faces.some(byHand) ? [...verdicts, ["by_hand", t("sheet.by_hand")]] : verdicts);
  fill(fields.reason, t("sheet.any_reason"), Object.keys(facts.counts.reasons).map(code => [code, reasonName(code)]));
  fill(fields.label, t("sheet.any_label"), labels.map(label => [label, visible(label).slice(0, 60)]));
  fill(fields.sort, t("sheet.as_stored"), names.map(name => [name, `${t("action.sort")} ${measureName(name)}`]));
}

function chosen() {
  const words = fields.source.value.toLowerCase();
  const verdict = fields.verdict.value;
  return facts.faces.filter(face => (!verdict || (verdict === "by_hand" ? byHand(face) : face.kept === (verdict === "kept")))
    && (!fields.reason.value || face.reasons.includes(fields.reason.value))
    && (!fields.label.value || face.label === fields.label.value)
    && face.source.toLowerCase().includes(words));
}

function sorted(faces, name) {
  const known = faces.filter(face => valueOf(face, name) !== null), rest = faces.filter(face => valueOf(face, name) === null);
  return [...known.sort((a, b) => (falling ? -1 : 1) * (valueOf(a, name) - valueOf(b, name))), ...rest];
}

// Faces in groups: those of each track together, all others in one group without a heading.
function groups(faces) {
  const found = new Map();
  for (const face of faces) {
    const key = face.track === undefined ? "" : JSON.stringify([face.source, face.track]);
    found.set(key, [...(found.get(key) ?? []), face]);
  }
  return [...found.values()];
}

function heading(faces) {
  const [first] = faces, times = faces.map(face => face.time);
  if (first.track === undefined) return "";
  const link = clipLink({ ...first, time: Math.min(...times) });
  const name = nameOf(first.source, common);
  return el("h2", { class: "track" }, link ? el("a", { href: link, target: "_blank" }, name) : name, " · ", t("sheet.track", { n: first.track }), " · ",
    el("span", { class: "number soft", text: t("sheet.seconds", { from: speech.number(Math.min(...times), 1), to: speech.number(Math.max(...times), 1) }) }));
}

function show() {
  const name = fields.sort.value, faces = name ? sorted(chosen(), name) : chosen();
  $("turn").hidden = !name;
  $("turn").textContent = falling ? "↓" : "↑";
  $("faces").replaceChildren(...(name ? [faces] : groups(faces)).flatMap(one => (one.length
    ? [name ? "" : heading(one), el("div", { class: "grid" }, ...one.map(face => tile(face, name)))] : [])));
  $("shown").textContent = t("sheet.shown", { n: faces.length, total: facts.faces.length });
}

function draw() {
  speech.apply();
  head();
  inputs();
  menus();
  show();
}

document.forms[0].addEventListener("input", show);
document.forms[0].addEventListener("submit", event => event.preventDefault());
$("turn").addEventListener("click", () => { falling = !falling; show(); });
$("details").addEventListener("click", event => { if (event.target === $("details")) $("details").close(); });
speech.menu($("language"));
document.addEventListener("speech", draw);
draw();
