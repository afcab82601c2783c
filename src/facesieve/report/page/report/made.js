// What made the dataset: versions, engines, models, options, policy and settings.
parts.push(function made() {
  const { made: held, policy } = facts;
  const flat = values => Object.entries(values || {}).map(([name, value]) => `${name} ${Array.isArray(value) ? value.join(" ") || "–" : value}`);
  const rows = [
    ["report.versions", flat(held.versions).join(", ")],
    ["report.engines", held.engines.join(", ")],
    ["report.models", flat(held.models).join(", ")],
    ["report.identity", held.identity ? flat(held.identity).join(", ") : ""],
    ["column.policy", `${policy.name}. ${policy.sentence}`],
    ["report.options", flat(held.options).join(", ")],
    ["report.clip_options", flat(held.clips).join(", ")],
    ["report.settings", flat(held.settings).join(", ")],
  ].filter(([, text]) => text);
  bodyOf("made").replaceChildren(el("dl", { class: "card" }, ...rows.flatMap(([name, text]) =>
    [el("dt", { text: t(name) }), el("dd", { text: visible(text) })])));
});
