// Two measures at once: the colour of a cell is its share of kept faces, its strength the number of faces.
function jointPlot(view) {
  const [across, up] = view.names;
  const cells = view.cells.map(([x, y, kept, rejected]) => ({ x1: view.edges[0][x], x2: view.edges[0][x + 1],
    y1: view.edges[1][y], y2: view.edges[1][y + 1], kept, faces: kept + rejected }));
  const most = Math.max(1, ...cells.map(cell => cell.faces));
  const axis = (name, growing) => ({ type: growing ? "log" : "linear", tickFormat: compact, ticks: 5,
    label: `${measureName(name)}${unitOf(name) ? ` (${unitOf(name)})` : ""}` });
  const limits = name => limitsOf(name);
  const lines = (mark, name, axisName) => [limits(name).low, limits(name).high].filter(limit => limit !== null)
    .map(limit => mark([limit], { [axisName]: limit, stroke: "var(--ink)", strokeDasharray: "4 3" }));
  return plotted({
    width: fitting(560), height: 400, marginLeft: 48, marginBottom: 40, style: { background: "none", fontSize: "12px" },
    x: axis(across, view.growing[0]), y: { ...axis(up, view.growing[1]), grid: true },
    color: { type: "identity" },
    marks: [
      Plot.rect(cells, { x1: "x1", x2: "x2", y1: "y1", y2: "y2", inset: 0.4, rx: 1.5,
        fill: cell => `color-mix(in oklab, var(--kept) ${Math.round(100 * cell.kept / cell.faces)}%, var(--bar))`,
        fillOpacity: cell => 0.25 + 0.75 * Math.log1p(cell.faces) / Math.log1p(most),
        title: cell => t("report.cell", { kept: cell.kept, faces: cell.faces }),
        tip: { fill: "var(--card)", stroke: "var(--line)" } }),
      ...lines(Plot.ruleX, across, "x"), ...lines(Plot.ruleY, up, "y"),
    ],
    opacity: { type: "identity" },
  }, view.names.map(measureName).join(t("page.comma")));
}

parts.push(function joint() {
  $("joint").hidden = !facts.joint.some(view => view.cells.length);
  const titles = { yaw: "report.poses", inter_eye_distance: "report.detail" };
  bodyOf("joint").replaceChildren(el("div", { class: "grid wide" }, ...facts.joint.filter(view => view.cells.length).map(view =>
    el("figure", { class: "card", style: "margin:0" }, el("h3", { text: t(titles[view.names[0]]) }), jointPlot(view)))));
});
