// Per rule: the faces nearest to its limits. Rejected ones are on the left, kept ones on the right.
function portrait(face, value) {
  const link = clipLink(face);
  const details = [face.label, face.source, face.face_id, ...face.reasons.map(reasonName)].filter(Boolean).map(visible).join("\n");
  const picture = thumb(face.face_id, 68);
  picture.title = details;
  if (picture.tagName === "IMG") picture.alt = visible(face.label || face.source);
  return el("figure", { class: `face ${face.kept ? "kept" : "rejected"}${face.reasons.length > 1 ? " also" : ""}` },
    link ? el("a", { href: link, target: "_blank" }, picture) : picture,
    value ? el("figcaption", { class: "number", text: value }) : null);
}

parts.push(function nearest() {
  const rows = facts.nearest.filter(one => one.rejected.length || one.kept.length).map(one => {
    const rule = rulesByName[one.measure];
    const nearestLimit = value => [rule.low, rule.high].filter(limit => limit !== null)
      .reduce((a, b) => (Math.abs(value - a) <= Math.abs(value - b) ? a : b));
    const side = verdict => el("div", { class: `side ${verdict}` }, ...one[verdict].map(face =>
      portrait(face, beside(one.measure, face.value, nearestLimit(face.value)))));
    const sides = ["rejected", "kept"].filter(verdict => one[verdict].length).map(side);
    return el("div", { class: `card nearest ${sides.length === 1 ? "one" : ""}` },
      el("div", { class: "head" }, el("span", { class: "reason", text: reasonName(one.reason) }),
        el("b", { text: `${measureName(one.measure)} ${limitWords(rule)}` }),
        el("span", { class: "soft", text: t("report.failing", { n: facts.counts.reasons[one.reason] ?? 0 }) })),
      sides[0], ...(sides.length > 1 ? [el("div", { class: "middle" }), sides[1]] : []));
  });
  $("nearest").hidden = !rows.length;
  bodyOf("nearest").replaceChildren(...rows);
});
