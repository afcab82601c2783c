// Joins the parts of the page: filters, limits, grid, face, keys.

import { Refused, ask, hasToken, setRevision } from "./api.js";
import { forgetCrops } from "./crops.js";
import * as decisions from "./decisions.js";
import * as detail from "./detail.js";
import * as grid from "./grid.js";
import * as limits from "./limits.js";
import { asked, element, format, keep, limitOf, renew, restore, ruleOn, shown, state } from "./state.js";

const id = name => document.getElementById(name);
const number = value => speech.number(value);
let version = 0, timer = 0, counting = false, again = false, quiet = 0;

function notice(text, seconds = 0) {
  clearTimeout(quiet);
  id("notice").textContent = text;
  id("notice").hidden = !text;
  if (seconds) quiet = setTimeout(() => notice(problem()), 1000 * seconds);
}

const problem = () => state.facts?.problem ? speech.text(`review.${state.facts.problem}`) : "";

// Tells what went wrong; a dataset that was written again is loaded anew.
async function told(work) {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    if (error.code === "dataset_changed") {
      await start();
      notice(speech.text("review.loaded_anew"), 6);
    } else notice(error.message);
  }
}

// One count at a time; of several movements of a slider only the last is counted.
async function count() {
  if (counting) { again = true; return; }
  counting = true;
  await told(async () => {
    const found = await ask("counts", { limits: state.limits });
    const all = found.kept + found.rejected;
    id("kept").textContent = number(found.kept);
    id("rejected").textContent = number(found.rejected);
    id("bar").style.transform = `scaleX(${all ? found.kept / all : 0})`;
    const more = [found.newly_kept && speech.text("review.more_kept", { n: found.newly_kept }),
      found.newly_rejected && speech.text("review.less_kept", { n: found.newly_rejected })].filter(Boolean);
    id("change").textContent = `· ${more.join(", ") || speech.text("review.same")}`;
    id("relations").hidden = !found.relations;
    id("relations").textContent = speech.text("review.relations_note", { n: found.unknown });
    limits.count(found.failed);
  });
  counting = false;
  if (again) { again = false; count(); }
}

async function select(stay = false) {
  renew();
  keep();
  chips();
  await told(async () => {
    const page = await grid.reload(stay);
    if (page) total(page.total);
  });
  if (!stay) told(limits.histograms);
}

// Writes everything again in another language.
async function translate() {
  if (!state.facts) return;
  limits.build();
  filters();
  chips();
  notice(problem());
  total(grid.totalFaces());
  grid.draw();
  await Promise.all([told(limits.histograms), count(), told(detail.refresh)]);
}

const total = n => { id("total").textContent = speech.text("review.total", { n, all: state.facts.faces }); };

function limitMoved(ended) {
  keep();
  count();
  clearTimeout(timer);
  timer = setTimeout(async () => {
    await select(true);
    told(limits.histograms);
    told(detail.refresh);
  }, ended ? 0 : 250);
}

function chips() {
  const made = Object.entries(state.query.ranges).map(([name, [low, high]]) => {
    const part = value => Math.abs(value) >= 1e300 ? "…" : format(name, value);
    return chip(`${speech.word("measure", name)} ${part(low)} – ${part(high)}`, () => { delete state.query.ranges[name]; });
  });
  if (state.query.face) made.push(chip(state.query.face, () => { state.query.face = ""; }));
  id("chips").replaceChildren(...made);
}

function chip(text, remove) {
  const made = element("button", { type: "button", className: "chip", textContent: `${text} ✕` });
  made.addEventListener("click", () => { remove(); limits.drawLimits(); select(); });
  return made;
}

function filters() {
  const { facts, query } = state;
  const rules = limits.shownMeasures().map(name => new Option(speech.word("measure", name), name));
  id("reason").replaceChildren(new Option(speech.word("action", "all"), ""), ...rules);
  const measures = facts.measures.map(({ name }) => new Option(speech.word("measure", name), name));
  id("sort").replaceChildren(new Option(speech.text("review.order"), "source"), ...measures);
  for (const name of ["verdict", "reason", "source", "sort"]) id(name).value = query[name];
  id("label").value = query.label === null ? "" : query.label.replace(/^=/, "");
  id("descending").setAttribute("aria-pressed", String(query.descending));
  id("size").value = state.size;
}

async function suggest(part) {
  const found = await told(() => ask("labels", { text: part.slice(0, 1000) }));
  if (found) id("labels").replaceChildren(...found.labels.slice(0, 50).map(([name]) => element("option", { value: name })));
  return found;
}

function listen() {
  for (const name of ["verdict", "reason", "sort"])
    id(name).addEventListener("change", () => { state.query[name] = id(name).value; select(); });
  id("source").addEventListener("input", () => later(() => { state.query.source = id("source").value; }));
  id("label").addEventListener("input", () => later(async () => {
    const text = id("label").value, found = await suggest(text);
    const whole = found?.labels.some(([name]) => name === text);
    state.query.label = text === "" ? null : whole ? `=${text}` : text;
  }));
  id("filters").addEventListener("submit", event => event.preventDefault());
  id("descending").addEventListener("click", () => { state.query.descending = !state.query.descending; filters(); select(); });
  id("size").addEventListener("input", () => { state.size = Number(id("size").value); keep(); grid.measure(); });
  id("reset").addEventListener("click", () => { state.limits = {}; state.added = []; limits.build(); filters(); limitMoved(true); });
  id("undo").addEventListener("click", undo);
  id("help").addEventListener("click", help);
  id("save").addEventListener("click", () => told(savePolicy));
  id("write").addEventListener("click", () => { id("written").textContent = ""; id("folder").showModal(); });
  id("leave").addEventListener("click", () => id("folder").close());
  id("go").addEventListener("click", writeDataset);
  id("who").addEventListener("change", () => localStorage.setItem("who", id("who").value));
  for (const tab of id("tabs").children) tab.addEventListener("click", () => view(tab.dataset.view));
  document.addEventListener("keydown", key);
  setInterval(watch, 2000);
}

let waiting = 0;
function later(change) {
  clearTimeout(waiting);
  waiting = setTimeout(async () => { await change(); select(); }, 200);
}

function view(name) {
  document.body.dataset.view = name;
  for (const tab of id("tabs").children)
    if (tab.dataset.view === name) tab.setAttribute("aria-current", "true"); else tab.removeAttribute("aria-current");
  if (name === "faces") grid.measure();
}

const who = () => id("who").value;

async function decided(work, words) {
  try {
    const done = await work();
    if (done === null) notice(speech.text("review.nothing_to_undo"), 3);
    else notice(speech.text(words), 2);
    return done;
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    notice(error.message);
    return null;
  } finally {
    id("undo").disabled = !decisions.canUndo();
    await told(refresh);
  }
}

async function refresh() {
  const now = await ask("changes");
  version = now.version;
  await Promise.all([grid.freshen(), detail.refresh(), count()]);
}

const decide = (row, verdict) => decided(() => decisions.decide(row, { verdict }, who()), "review.stored");
const relabel = (row, label) => decided(() => decisions.decide(row, { label }, who()), "review.stored");

async function undo() {
  const row = await decided(() => decisions.undo(who()), "review.undone");
  if (row !== null && row !== state.chosen) choose(row);
}

// Turns the verdict on the chosen face. If that is what the rules say, the decision is withdrawn instead.
function turn() {
  const face = grid.faceAt(grid.positionOfChosen());
  if (!face) return;
  const wanted = face.kept ? "reject" : "keep", rules = face.passed ? "keep" : "reject";
  decide(face.row, face.hand && wanted === rules ? null : wanted);
}

async function choose(row) {
  state.chosen = row;
  keep();
  const { position } = await ask("position", { ...asked(), row });
  if (position >= 0) await grid.pick(position);
  else { grid.draw(); await told(() => detail.open(row)); }
}

function help() {
  id("keys").showModal();
}

const KEYS = {
  j: () => grid.move(1), k: () => grid.move(-1), ArrowRight: () => grid.move(1), ArrowLeft: () => grid.move(-1),
  ArrowDown: () => grid.move(0, 1), ArrowUp: () => grid.move(0, -1), " ": turn, u: undo, "?": help,
  l: () => { if (detail.current()) { if (innerWidth <= 800) view("detail"); id("d-label").focus(); id("d-label").select(); } },
};

function key(event) {
  const target = event.target, writing = target.matches("input:not([type=range]), select, textarea") || document.querySelector("dialog[open]");
  const own = target.matches("button, input[type=range], summary") && (event.key === " " || event.key.startsWith("Arrow"));
  if (writing || own || event.ctrlKey || event.metaKey || event.altKey || !(event.key in KEYS)) return;
  event.preventDefault();
  told(async () => KEYS[event.key]());
}

async function watch() {
  if (document.hidden || !state.facts) return;
  await told(async () => {
    const now = await ask("changes");
    if (now.version !== version) { version = now.version; await refresh(); }
  });
}

async function savePolicy() {
  const { toml } = await ask("policy", { limits: state.limits, text: "" });
  const link = element("a", { href: URL.createObjectURL(new Blob([toml], { type: "application/toml" })), download: "policy.toml" });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}

async function writeDataset() {
  const said = id("written");
  id("go").disabled = true;
  said.textContent = speech.text("review.writing");
  try {
    const found = await ask("write", { text: id("path").value, limits: state.limits });
    const bare = found.without_crop ? ` ${speech.text("review.without_crop", { n: found.without_crop })}` : "";
    said.textContent = speech.text("review.written", { folder: shown(found.folder), line: found.line }) + bare;
  } catch (error) {
    said.textContent = error.message;
  }
  id("go").disabled = false;
}

async function start() {
  setRevision(null);
  const facts = await ask("facts");
  setRevision(facts.revision);
  restore(facts);
  forgetCrops();
  detail.close();
  document.title = `${shown(facts.name)} · FaceSieve`;
  id("name").textContent = shown(facts.name);
  id("name").title = shown(facts.path);
  id("who").value = localStorage.getItem("who") || facts.who;
  id("path").value = `${facts.name}-reviewed`;
  notice(problem());
  limits.build();
  filters();
  await select();
  count();
  version = (await ask("changes")).version;
  if (state.chosen >= 0) await told(() => choose(state.chosen));
}

speech.apply();
speech.menu(id("language"));
document.addEventListener("speech", translate);
limits.setUp(limitMoved, () => select());
detail.setUp({ decide, relabel, suggest, choose: row => told(() => choose(row)) });
grid.onChoose((row, byHand) => {
  told(() => detail.open(row));
  if (byHand && innerWidth <= 800) view("detail");
});
grid.onFail(error => told(() => Promise.reject(error)));
if (hasToken()) told(async () => { await start(); listen(); }); else notice(speech.text("review.no_token"));
