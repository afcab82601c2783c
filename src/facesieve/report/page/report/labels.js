// A row for each label: counts, best and worst face, and which head poses its kept faces cover.
const poseNames = { across: ["left_profile", "left", "frontal", "right", "right_profile"], up: ["down", "level", "up"] };

function poseGrid(poses) {
  const most = Math.max(1, ...poses);
  const cells = [2, 1, 0].flatMap(up => [0, 1, 2, 3, 4].map(across => {
    const faces = poses[5 * up + across];
    const strength = faces ? `background:color-mix(in srgb, var(--kept) ${Math.round(35 + 65 * faces / most)}%, transparent)` : "";
    return el("i", { style: strength, title: `${speech.word("pose", poseNames.across[across])}, ${speech.word("pose", poseNames.up[up])}: ${faces}` });
  }));
  const covered = poses.filter(Boolean).length;
  return el("div", { class: "poses", role: "img", "aria-label": t("report.covered", { n: covered, of: poses.length }) }, ...cells);
}

const labelColumns = { label: row => row.label, faces: row => row.faces, kept: row => row.kept,
  share: row => row.kept / row.faces, poses: row => row.poses.filter(Boolean).length };
let labelOrder = { key: "faces", falling: true }, labelFilter = "";

function labelTable() {
  const { key, falling } = labelOrder, value = labelColumns[key];
  const sign = falling ? -1 : 1;
  const rows = facts.labels.rows.filter(row => row.label.toLowerCase().includes(labelFilter.toLowerCase()))
    .sort((a, b) => sign * (key === "label" ? a.label.localeCompare(b.label) : value(a) - value(b)));
  const header = (name, numeric) => el("th", { class: numeric ? "n" : "", "aria-sort": key === name ? (falling ? "descending" : "ascending") : "none" },
    el("button", { type: "button", text: `${t(`report.by_${name}`)}${key === name ? (falling ? " ↓" : " ↑") : ""}`, onclick: () => {
      labelOrder = { key: name, falling: key === name ? !falling : name !== "label" };
      $("label-table").replaceChildren(labelTable());
    } }));
  const face = one => el("td", {}, one ? portrait(one) : "");
  return el("table", {}, el("thead", {}, el("tr", {}, header("label"), el("th", { text: t("report.best") }), el("th", { text: t("report.worst") }),
    header("faces", true), header("kept", true), header("share"), header("poses"))),
  el("tbody", {}, ...rows.map(row => el("tr", {}, el("td", {}, nameOf(row.label)), face(row.best), face(row.worst),
    el("td", { class: "n", text: speech.number(row.faces) }), el("td", { class: "n", text: speech.number(row.kept) }),
    el("td", {}, el("span", { class: "share", title: percent(row.kept, row.faces) }, el("i", { style: `width:${100 * row.kept / row.faces}%` }))),
    el("td", {}, poseGrid(row.poses))))));
}

parts.push(function labels() {
  const held = facts.labels;
  $("labels").hidden = !held.total;
  const number = (value, text) => el("span", {}, el("b", { class: "number", text: speech.number(value) }), text);
  const all = held.rows.length === held.total;
  const filter = el("input", { type: "search", class: "filter no-print", placeholder: t("action.search"), "aria-label": t("report.find_label"),
    oninput: event => { labelFilter = event.target.value; $("label-table").replaceChildren(labelTable()); } });
  bodyOf("labels").replaceChildren(
    el("p", { class: "lead", text: t(all ? "report.labels_all" : "report.labels_some", { n: held.rows.length, total: held.total,
      order: measureName(held.order), command: `facesieve stats ${quoted(facts.name)} --by label` }) }),
    el("div", { class: "summary" }, number(held.total, t("report.labels")), number(held.empty, t("report.labels_empty")),
      number(held.thin, t("report.labels_thin", { n: held.few })), number(held.unlabelled[0], t("report.faces_unlabelled"))),
    held.empty ? el("p", { class: "soft" }, `${t("report.without_kept")} `, ...held.some_empty.flatMap((name, at) => [at ? ", " : "", nameOf(name)]),
      held.empty > held.some_empty.length ? ` … ${t("page.and_more", { n: held.empty - held.some_empty.length })}` : "") : "",
    labelSizes(held.sizes), filter, el("div", { class: "card scroll", id: "label-table" }, labelTable()));
});

function labelSizes(sizes) {
  if (sizes.length < 2) return "";
  const name = ([first, last]) => (first === last ? speech.number(first) : last >= 1e12 ? `≥ ${speech.number(first)}` : `${speech.number(first)}–${speech.number(last)}`);
  return el("figure", { style: "margin:0 0 .8rem" }, plotted({ width: fitting(560), height: 130, marginLeft: 40, style: { background: "none" },
    x: { label: t("report.kept_faces_of_a_label"), domain: sizes.map(name) }, y: { label: null, ticks: 3, grid: true, tickFormat: compact },
    marks: [Plot.barY(sizes, { x: name, y: size => size[2], fill: "var(--kept)", inset: 1,
      title: size => `${name(size)}: ${speech.number(size[2])}`, tip: { fill: "var(--card)", stroke: "var(--line)" } })] },
  t("report.kept_faces_of_a_label")));
}
