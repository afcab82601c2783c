// The head of the report: name, id, headline and policy. Every part of the page is drawn by a function in `parts`,
// again when the language changes.
const parts = [];
const bodyOf = id => document.querySelector(`#${id} .body`);
// The width of a plot. On a narrow screen it is drawn narrow, because a shrunk one has tiny texts.
const fitting = width => Math.max(260, Math.min(width, document.documentElement.clientWidth - 68));
// A plot as one picture with a name; without a name it is only seen, or holds links that have their own.
function plotted(options, name) {
  const made = Plot.plot(options);
  made.querySelectorAll("g[aria-label]").forEach(one => one.removeAttribute("aria-label"));
  if (name) { made.setAttribute("role", "img"); made.setAttribute("aria-label", name); }
  return made;
}

const percent = (part, whole) => (whole ? `${speech.number(100 * part / whole, 1)}\u00a0%` : "–");

parts.push(function head() {
  const { counts, policy } = facts;
  document.title = `${facts.name} – ${t("report.report")}`;
  $("title").replaceChildren(nameOf(facts.name));
  $("facts-line").replaceChildren(
    el("span", { class: "pill" }, `${t("page.id")} `, el("code", { text: facts.id }), copyButton(facts.id)),
    el("span", { class: "pill" }, `${t("column.policy")} `, nameOf(policy.name)),
    el("span", { class: "pill", text: `FaceSieve ${facts.made.versions.facesieve ?? ""}` }));
  $("headline").replaceChildren(...(counts.faces
    ? [el("b", { class: "kept-text number", text: speech.number(counts.kept) }), " ",
      t("report.kept_of", { faces: counts.faces, share: percent(counts.kept, counts.faces), pictures: counts.with_rows })]
    : [t("report.no_faces", { pictures: counts.pictures, refused: counts.refused })]));
  const rules = policy.rules.map(rule => `${measureName(rule.measure)} ${limitWords(rule)}`);
  const hand = [counts.kept_by_hand, counts.reasons.by_hand ?? 0];
  const words = hand.some(Boolean) ? ` ${t("report.by_hand", { kept: hand[0], rejected: hand[1] })}` : "";
  $("policy-line").textContent = (rules.length ? t("page.judged_by", { rules: rules.join(t("page.comma")) }) : t("page.no_rules")) + words;
});

parts.push(function contents() {
  const shownSections = [...document.querySelectorAll("main section")].filter(one => !one.hidden);
  $("contents").replaceChildren(...shownSections.map(one =>
    el("a", { href: `#${one.id}`, text: one.querySelector("h2").textContent })));
});

parts.push(function funnel() {
  const steps = facts.funnel, lost = facts.counts;
  const rows = [];
  steps.forEach(([step, number], at) => {
    const ofFaces = at >= 2, all = ofFaces ? lost.faces : lost.pictures, before = at > 2 ? steps[at - 1][1] : number;
    if (at === 2) rows.push(el("div", { class: "rule" }));
    const width = value => `width:${all ? 100 * value / all : 0}%`;
    const text = step.startsWith("without ") ? t("step.without", { reason: reasonName(step.slice(8)) })
      : speech.word("step", step);
    rows.push(
      el("span", { class: "step", text, title: speech.word("reason_sentence", step.slice(8)) }),
      el("span", { class: "left number", text: speech.number(number) }),
      el("span", { class: "gone number rejected-text", text: before > number ? `−${speech.number(before - number)}` : "" }),
      el("span", { class: `track ${ofFaces ? "faces" : ""}` }, el("i", { style: width(number) }),
        el("i", { class: "lost", style: width(before - number) })));
  });
  bodyOf("funnel").replaceChildren(el("div", { class: "card funnel" }, ...rows));
});
