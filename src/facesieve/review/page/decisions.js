// Decisions by hand. Each is stored before the page says so; a conflict with another window is told, not overwritten.

import { ask } from "./api.js";

const done = [];
export const canUndo = () => done.length > 0;

export async function decide(row, change, who, why = "") {
  const [before] = (await ask("decided", { rows: [row] })).decided;
  const after = { verdict: before.verdict, label: before.label, ...change };
  const { versions } = await store(row, after, before.version, who, why);
  done.push({ row, before, version: versions[0] });
}

export async function undo(who) {
  const last = done.pop();
  if (!last) return null;
  await store(last.row, last.before, last.version, who, "");
  return last.row;
}

const store = (row, { verdict, label }, seen, who, why) => ask("decide", { changes: [{ row, verdict, label, seen }], who, why });
