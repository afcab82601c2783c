// The pictures that were refused, and those without a face.
function inputs() {
  const [number, sources] = facts.without_face, refused = facts.refused, all = facts.counts.refused;
  const count = (some, of) => (some < of ? ` (${t("sheet.of", { n: some, total: of })})` : ` (${speech.number(of)})`);
  const table = (heads, rows) => el("div", { class: "scroll" }, el("table", {}, el("thead", {}, el("tr", {},
    ...heads.map(name => el("th", { text: speech.word("column", name) })))), el("tbody", {}, ...rows)));
  $("without").replaceChildren(...(number ? [el("h2", { text: t("page.without_face") + count(sources.length, number) }),
    table(["source"], sources.map(source => el("tr", {}, el("td", {}, nameOf(source, common)))))] : []));
  $("refused").replaceChildren(...(all ? [el("h2", { text: t("sheet.refused") + count(refused.length, all) }),
    table(["source", "refusal", "message"], refused.map(([source, code, message]) => el("tr", {}, el("td", {}, nameOf(source, common)),
      el("td", { text: speech.word("refusal", code), title: speech.word("refusal_sentence", code) }), el("td", {}, nameOf(message || "")))))] : []));
}
