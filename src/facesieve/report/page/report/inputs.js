// What came in: sources by folder or archive, refused pictures by code, and pictures without a face.
const heading = (...names) => el("thead", {}, el("tr", {}, ...names.map((name, at) => el("th", { class: at ? "n" : "", text: t(name) }))));

parts.push(function sources() {
  const { common, places, other_places: others } = facts.pictures;
  $("sources").hidden = !places.length;
  const row = (name, [pictures, refused, faces, kept]) => el("tr", {}, el("td", {}, name),
    ...[pictures, refused, faces, kept].map(value => el("td", { class: "n", text: speech.number(value) })));
  const rows = places.map(([place, ...counts]) => row(nameOf(place === common.slice(0, -1) ? place : place, common), counts));
  if (others) rows.push(row(t("report.other_places", { n: others[0] }), others.slice(1)));
  bodyOf("sources").replaceChildren(common ? el("p", { class: "lead" }, `${t("page.in_folder")} `, nameOf(common)) : "",
    el("div", { class: "card scroll" }, el("table", {}, heading("report.place", "column.pictures", "column.refused", "column.faces", "column.kept"),
      el("tbody", {}, ...rows))));
});

parts.push(function refused() {
  const { refused: codes, without_face: [without, examples], common } = facts.pictures;
  $("refused").hidden = !codes.length && !without;
  const list = (title, about, number, rows) => el("div", { class: "card", style: "margin-bottom:1rem" },
    el("h3", {}, title, " ", el("span", { class: "number soft", text: speech.number(number) })), el("p", { class: "soft", style: "margin:.2rem 0", text: about }),
    el("ul", { style: "margin:0;padding-left:1.2rem" }, ...rows),
    number > rows.length ? el("p", { class: "soft", style: "margin:.3rem 0 0", text: t("report.more_in", { n: number - rows.length }) }) : "");
  bodyOf("refused").replaceChildren(
    ...codes.map(([code, number, some]) => list(speech.word("refusal", code), speech.word("refusal_sentence", code), number,
      some.map(([source]) => el("li", {}, nameOf(source, common))))),
    without ? list(t("page.without_face"), t("report.without_face_lead"), without, examples.map(source => el("li", {}, nameOf(source, common)))) : "");
});
