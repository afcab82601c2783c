// Histograms with the limits of the policy, and sliders that count what a moved limit would keep.
const rulesByName = Object.fromEntries(facts.policy.rules.map(rule => [rule.measure, rule]));
const moved = {}; // the limits that a slider has moved, by measure: { low, high }
const limitsOf = name => moved[name] ?? { low: rulesByName[name]?.low ?? null, high: rulesByName[name]?.high ?? null };

// How many faces are kept if the limits of one measure are these and all other rules stay: exact, because below and
// up_to count the faces that pass every other rule.
function keptWith(measure, { low, high }) {
  const at = limit => measure.stops.indexOf(limit);
  const known = measure.passing - measure.passing_unmeasured;
  const within = (high === null ? known : measure.up_to[at(high)]) - (low === null ? 0 : measure.below[at(low)]);
  const optional = rulesByName[measure.name]?.optional || (low === null && high === null);
  return Math.max(0, within) + (optional ? measure.passing_unmeasured : 0) + facts.counts.kept_by_hand;
}

// Which limits a measure has sliders for: those of its rule; else one on the side where values are worse.
function sidesOf(measure) {
  const rule = rulesByName[measure.name];
  if (rule && rule.low !== null && rule.high !== null) return rule.low === -rule.high ? ["size"] : ["low", "high"];
  if (rule) return rule.low !== null ? ["low"] : ["high"];
  return { high: ["low"], low: ["high"], "near zero": ["size"], middle: ["low", "high"] }[measure.better];
}

// The stops of one slider from the strictest to none at all.
function stopsOf(measure, side) {
  if (side === "low") return [null, ...measure.stops];
  return [...(side === "high" ? measure.stops : measure.stops.filter(stop => stop > 0 && measure.stops.includes(-stop))), null];
}

function histogram(measure) {
  const verdicts = ["kept", "rejected"];
  const bars = verdicts.flatMap(verdict => measure[verdict].map((faces, at) =>
    ({ x1: measure.edges[at], x2: measure.edges[at + 1], faces, verdict })));
  const now = rulesByName[measure.name], then = limitsOf(measure.name);
  const lines = rule => (rule ? [rule.low, rule.high].filter(limit => limit !== null) : []);
  // Values that crowd below the greatest possible one, such as confidences near 1, are drawn by their distance from it.
  const { top } = measure, closest = top === null ? 0 : top - measure.edges.at(-2);
  const place = value => (top === null ? value : Math.max(top - value, closest / 3));
  const x = top === null ? { type: measure.growing ? "log" : "linear", ticks: measure.growing ? 4 : 6, tickFormat: value => compact(value) }
    : { type: "log", reverse: true, ticks: 4, tickFormat: distance => compact(Number((top - distance).toPrecision(12))) };
  return plotted({
    width: 360, height: 150, marginLeft: 40, marginRight: 12, marginTop: 8, marginBottom: 22, style: { background: "none" },
    x: { ...x, label: null },
    y: { label: null, ticks: 3, grid: true, tickFormat: value => compact(value) },
    color: { domain: verdicts, range: ["var(--kept)", "var(--bar)"] },
    marks: [
      Plot.rectY(bars, { x1: bar => place(bar.x1), x2: bar => place(bar.x2), y: "faces", fill: "verdict", inset: 0.4,
        title: bar => `${speech.word("verdict", bar.verdict)}: ${speech.number(bar.faces)}\n${plain(bar.x1)} – ${plain(bar.x2)} ${unitOf(measure.name)}`,
        tip: { fill: "var(--card)", stroke: "var(--line)" } }),
      Plot.ruleY([0], { stroke: "var(--line)" }),
      Plot.ruleX(lines(now).map(place), { stroke: "var(--ink)", strokeWidth: 1.5 }),
      Plot.ruleX(moved[measure.name] ? lines(then).map(place) : [], { stroke: "var(--focus)", strokeWidth: 2, strokeDasharray: "4 3" }),
    ],
  });
}

const compact = value => value.toLocaleString(speech.code, Math.abs(value) >= 10000
  ? { notation: "compact", maximumFractionDigits: 1 } : { maximumFractionDigits: 8 });

function slider(measure, side, redraw) {
  const stops = stopsOf(measure, side);
  const start = limitsOf(measure.name)[side === "low" ? "low" : "high"];
  const input = el("input", { type: "range", min: 0, max: stops.length - 1, step: 1,
    "aria-label": `${measureName(measure.name)} ${t(`report.${side}`)}` });
  input.value = stops.indexOf(start);
  const place = el("span", { class: "number" }), effect = el("output", { class: "number" });
  const note = el("span", { class: "note" });
  const write = () => {
    const limit = stops[input.value];
    place.textContent = limit === null ? t("report.no_limit")
      : t({ low: "page.at_least", high: "page.at_most", size: "page.within" }[side], { n: plain(limit) });
    const difference = keptWith(measure, limitsOf(measure.name)) - facts.counts.kept;
    const about = measure.relations_later.length && difference ? "about_" : "";
    effect.className = `number ${difference > 0 ? "gain" : difference < 0 ? "loss" : "soft"}`;
    effect.textContent = difference > 0 ? t(`report.${about}more`, { n: difference })
      : difference < 0 ? t(`report.${about}fewer`, { n: -difference }) : t("report.as_now");
    note.textContent = about ? t("report.about", { names: measure.relations_later.map(measureName).join(t("page.comma")) }) : "";
    input.setAttribute("aria-valuetext", `${place.textContent}: ${effect.textContent}`);
  };
  input.addEventListener("input", () => {
    const limit = stops[input.value];
    move(measure.name, side === "size" ? { low: limit === null ? null : -limit, high: limit } : { [side]: limit });
    redraw();
  });
  write();
  return { row: el("div", { class: "slide no-print" }, place, effect, input, note), write };
}

function move(name, change) {
  const rule = rulesByName[name] ?? { low: null, high: null };
  const next = { ...limitsOf(name), ...change };
  if (next.low === rule.low && next.high === rule.high) delete moved[name];
  else moved[name] = next;
  whatIf();
}

function measureCard(measure) {
  const rule = rulesByName[measure.name];
  const figure = el("figure", { role: "img", "aria-label": measureName(measure.name) });
  const sliders = [];
  const redraw = () => {
    figure.replaceChildren(histogram(measure));
    sliders.forEach(one => one.write());
  };
  sliders.push(...sidesOf(measure).map(side => slider(measure, side, redraw)));
  figure.replaceChildren(histogram(measure));
  const unmeasured = measure.unmeasured[0] + measure.unmeasured[1];
  const unit = unitOf(measure.name);
  return el("article", { class: "card measure" },
    el("div", { class: "head" }, el("h3", { text: measureName(measure.name) }),
      unit ? el("span", { class: "soft", text: unit }) : null, rule ? el("span", { class: "limit", text: limitWords(rule) }) : null),
    el("p", { class: "about", text: speech.word("measure_sentence", measure.name) }),
    figure, ...sliders.map(one => one.row),
    unmeasured ? el("span", { class: "soft", text: t("report.unmeasured", { n: unmeasured }) }) : null);
}

parts.push(function limits() {
  const order = facts.policy.rules.map(rule => rule.measure);
  const ruled = facts.measures.filter(measure => order.includes(measure.name))
    .sort((a, b) => order.indexOf(a.name) - order.indexOf(b.name));
  const others = facts.measures.filter(measure => !order.includes(measure.name));
  const key = (verdict, colour) => el("span", {}, el("i", { style: `background:var(--${colour})` }), speech.word("verdict", verdict));
  document.getElementById("limits").hidden = !facts.measures.length;
  bodyOf("limits").replaceChildren(
    el("div", { class: "legend" }, key("kept", "kept"), key("rejected", "bar")),
    el("div", { class: "grid" }, ...ruled.map(measureCard)),
    others.length ? el("details", {}, el("summary", { text: t("report.other_measures", { n: others.length }) }),
      el("div", { class: "grid" }, ...others.map(measureCard))) : "");
  whatIf();
});

// The command that applies all moved limits, in a bar at the bottom.
function whatIf() {
  const names = Object.keys(moved), bar = $("what-if");
  bar.hidden = !names.length;
  if (!names.length) return;
  const changes = names.flatMap(name => {
    const { low, high } = moved[name], word = limit => (limit === null ? "none" : String(limit));
    if (facts.angles.includes(name) && (low === null ? high === null : low === -high)) return [`max_${name}=${word(high)}`];
    const rule = rulesByName[name] ?? { low: null, high: null };
    return [...(low !== rule.low ? [`min_${name}=${word(low)}`] : []), ...(high !== rule.high ? [`max_${name}=${word(high)}`] : [])];
  });
  const command = `facesieve sieve ${quoted(facts.name)} ${changes.map(one => `--set ${one}`).join(" ")}`;
  bar.replaceChildren(el("code", { text: command }), copyButton(command),
    el("button", { type: "button", text: t("action.reset"), onclick: () => { names.forEach(name => delete moved[name]); draw(); } }),
    el("span", { class: "note", text: t(names.length > 1 ? "report.several_moved" : "report.apply") }));
}

const quoted = text => (/^[\w./-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`);
