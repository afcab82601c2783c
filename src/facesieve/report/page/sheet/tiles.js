// The head of the sheet, and one tile for each face: its picture, a rule that it fails (the one that is looked for, or
// the first), and the sorted value.
const common = commonFolder([...facts.faces.map(face => face.source), ...facts.refused.map(row => row[0]), ...facts.without_face[1]]);
const names = facts.measures.map(measure => measure.name);
const valueOf = (face, name) => face.values[names.indexOf(name)];
// The folder that holds this page is the dataset, whatever it was called when the page was written.
const folder = decodeURIComponent(location.pathname).split("/").at(-2) || "";

function fact(key, value, kind = "") {
  return el("span", { class: `fact ${kind}` }, el("span", { class: "key", text: key, title: key }), el("span", { class: "value", text: value }));
}

// A rule that a face fails: "pitch 27.9 > 20".
function failure([name, value, low, high, reason]) {
  if (value === null) return fact(reasonName(reason), "", "failed");
  const [sign, limit] = low !== null && value < low ? ["<", low] : [">", high];
  return fact(measureName(name), `${beside(name, value, limit)} ${sign} ${plain(limit)}`, "failed");
}

function tile(face, chosen) {
  const sorted = chosen || (face.kept && names.includes("fitness") ? "fitness" : "");
  const about = [reasonsOf(face), face.label, face.source].filter(Boolean).map(visible).join("\n");
  const failed = (place, name) => name && face.failed.find(rule => rule[place] === name);
  const first = failed(4, fields.reason.value) || failed(0, sorted) || face.failed[0];
  const picture = thumb(face.face_id, 112);
  const button = el("button", { type: "button", class: `tile ${face.kept ? "kept" : "rejected"}`, title: about, onclick: () => open(face),
    "aria-label": `${speech.word("verdict", face.kept ? "kept" : "rejected")} ${visible(face.label || face.source)}` }, picture,
  first ? failure(first) : reasonsOf(face) && !face.kept ? fact(reasonsOf(face), "", "failed") : null,
  byHand(face) && face.kept ? fact(t("sheet.kept_by_hand"), "") : null,
  sorted && (!first || first[0] !== sorted) ? fact(measureName(sorted), shown(sorted, valueOf(face, sorted))) : null);
  if (face.failed.length > 1) button.title += `\n+${face.failed.length - 1}`;
  return el("div", { class: "cell" }, button, secondLink(face));
}

const reasonsOf = face => face.reasons.map(reasonName).join(t("page.comma"));

// Whether a person decided about a face: one that is kept although it fails a rule, or rejected for this reason.
const byHand = face => (face.kept ? face.reasons.length > 0 : face.reasons.includes("by_hand"));

// The second of a face in a clip, as a link that opens the clip there.
function secondLink(face) {
  if (face.time === undefined) return null;
  const link = clipLink(face), text = `${speech.number(face.time, 1)} s`;
  const parts = [el("span", { class: "key", text: t("sheet.track", { n: face.track }) }), el("span", { class: "value", text })];
  return link ? el("a", { class: "fact", href: link, target: "_blank" }, ...parts) : el("span", { class: "fact" }, ...parts);
}

function head() {
  const { counts, policy } = facts;
  document.title = `${folder} – ${t("sheet.contact_sheet")}`;
  $("title").replaceChildren(nameOf(folder || t("sheet.contact_sheet")));
  $("pills").replaceChildren(
    el("span", { class: "pill" }, `${t("column.dataset")} `, nameOf(folder), copyButton(folder)),
    el("span", { class: "pill" }, `${t("page.id")} `, el("code", { text: facts.id }), copyButton(facts.id)),
    el("span", { class: "pill" }, `${t("column.policy")} `, nameOf(policy.name), copyButton(policy.name)),
    common ? el("span", { class: "pill" }, `${t("page.in_folder")} `, nameOf(common), copyButton(common)) : "");
  const books = [["", "pictures", counts.pictures], ["", "read", counts.with_rows], ["", "refused", counts.refused],
    ["", "faces", counts.faces], ["kept-text", "kept", counts.kept], ["rejected-text", "rejected", counts.rejected]];
  $("books").replaceChildren(...books.map(([kind, name, number]) => el("div", {},
    el("b", { class: `number ${kind}`, text: speech.number(number) }), el("span", { text: speech.word("column", name) }))));
  $("policy").replaceChildren(...(policy.rules.length ? [`${t("sheet.judged_by")} `, el("b", { text: policy.name }), ": ",
    ...policy.rules.flatMap((rule, at) => [at ? t("page.comma") : "", el("span", { text: `${measureName(rule.measure)} ${limitWords(rule)}` })])]
    : [t("page.no_rules")]));
  $("note").textContent = facts.faces.length < counts.faces ? t("sheet.some", { n: facts.faces.length, total: counts.faces }) : "";
}
