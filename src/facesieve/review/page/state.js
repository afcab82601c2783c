// What this window shows: filters, limits and the chosen face. A reload keeps it; it is this tab's own.

export const state = { facts: null, query: {}, limits: {}, chosen: -1, selectionId: "", size: 96, added: [] };
const EMPTY = { verdict: "", reason: "", label: null, source: "", face: "", ranges: {}, sort: "source", descending: false };

export function restore(facts) {
  state.facts = facts;
  const held = JSON.parse(sessionStorage.getItem(`review ${facts.path}`) || "{}");
  const known = name => facts.measures.some(measure => measure.name === name);
  const only = values => Object.fromEntries(Object.entries(values || {}).filter(([name]) => known(name)));
  state.query = { ...EMPTY, ...held.query, ranges: only(held.query?.ranges) };
  if (state.query.sort !== "source" && !known(state.query.sort)) state.query.sort = "source";
  state.limits = only(held.limits);
  state.added = (held.added || []).filter(known);
  state.size = held.size || (innerWidth < 800 ? 88 : 96);
  state.chosen = held.chosen >= 0 && held.chosen < facts.faces ? held.chosen : -1;
  renew();
}

export function keep() {
  const { query, limits, chosen, size, added, facts } = state;
  sessionStorage.setItem(`review ${facts.path}`, JSON.stringify({ query, limits, chosen, size, added }));
}

// With a new id the server selects anew; with the same one the order stays, whatever is decided meanwhile.
export function renew() {
  state.selectionId = crypto.randomUUID();
}

export const asked = () => ({ query: state.query, limits: state.limits, selection: state.selectionId });
export const measureNamed = name => state.facts.measures.find(measure => measure.name === name);
export const ruleOn = name => state.facts.rules.find(rule => rule.measure === name);
export const limitOf = name => state.limits[name] || [ruleOn(name)?.low ?? null, ruleOn(name)?.high ?? null];

// Text of other people, such as names of files: signs that turn the direction of the text are written out.
export const shown = text => String(text).replace(/[\u0000-\u001f\u007f-\u009f\u200b\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]/g,
  sign => `\\u${sign.charCodeAt(0).toString(16).padStart(4, "0")}`);
export const brief = (text, most = 300) => text.length > most ? `${text.slice(0, most / 2)} … ${text.slice(-most / 2)}` : text;

export function format(name, value) {
  if (value === null || value === undefined) return "–";
  const { unit, high } = measureNamed(name) || { unit: "", high: null };
  if (unit === "degrees") return `${value.toFixed(1)}°`;
  if (Number.isInteger(value)) return String(value);
  const size = Math.abs(value), decimals = size >= 1000 ? 0 : size >= 10 ? 1 : size >= 1 ? 2 : 3;
  const text = value.toFixed(decimals);
  // A value just below the greatest possible one, such as a confidence of 0.99995, is not shown as that one.
  return Number(text) === high && value < high ? String(Number(value.toFixed(1 + Math.ceil(-Math.log10(high - value))))) : text;
}

export function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes))
    if (key in made && key !== "list") made[key] = value; else made.setAttribute(key, value);
  made.append(...children);
  return made;
}
