// The details of one face, with all its numbers; those that fail a rule stand first, beside the limit.
function open(face) {
  const failed = new Set(face.failed.map(([name]) => name));
  const rules = facts.policy.rules.map(rule => rule.measure);
  const others = [...rules, ...names.filter(name => !rules.includes(name))].filter(name => !failed.has(name) && names.includes(name));
  const link = clipLink(face);
  const rows = [
    [t("column.source"), el("span", {}, nameOf(face.source, common), " ", copyButton(face.source))],
    face.label ? [t("column.label"), nameOf(face.label)] : null,
    [t("column.size"), el("span", { class: "number", text: `${face.size[0]} × ${face.size[1]}` })],
    face.time === undefined ? null : [t("column.time"), link ? el("a", { href: link, target: "_blank", text: `${speech.number(face.time, 1)} s` })
      : `${speech.number(face.time, 1)} s`],
    face.track === undefined ? null : [t("column.track"), String(face.track)],
    [t("column.face_id"), el("span", {}, el("code", { text: face.face_id }), " ", copyButton(face.face_id))],
  ].filter(Boolean);
  const kind = face.kept ? "kept" : "rejected";
  $("details").replaceChildren(
    el("div", { class: "bar" }, el("button", { type: "button", text: t("action.close"), autofocus: true, onclick: () => $("details").close() })),
    el("div", { class: "about" }, thumb(face.face_id, 168), el("div", {},
      el("span", { class: `verdict ${kind}-text`, text: face.kept && byHand(face) ? t("sheet.kept_by_hand") : speech.word("verdict", kind) }),
      el("ul", { class: "why" }, ...face.reasons.map(code => el("li", { class: "reason", text: reasonName(code), title: speech.word("reason_sentence", code) }))),
      el("dl", {}, ...rows.flatMap(([name, value]) => [el("dt", { text: name }), el("dd", {}, value)])))),
    face.other ? pair(face.other) : "",
    el("div", { class: "values" }, ...face.failed.filter(unlike).map(failure),
      ...others.map(name => fact(withUnit(name), shown(name, valueOf(face, name))))));
  $("details").showModal();
}

// Several rules can fail for one missing number, such as the pose; it is shown once.
const unlike = ([, value, , , reason], at, all) => value !== null || all.findIndex(one => one[1] === null && one[4] === reason) === at;

const withUnit = name => (unitOf(name) ? `${measureName(name)} (${unitOf(name)})` : measureName(name));

// The face that a reason is about, such as the fitter near-duplicate.
function pair(other) {
  return el("figure", { class: "other" }, thumb(other.face_id, 84), el("figcaption", {},
    `${speech.word("other", other.words.replaceAll(" ", "_"))}: `, nameOf(other.source, common), other.label ? " · " : "",
    other.label ? nameOf(other.label) : ""));
}
