// A time line for each clip: one line for each track, and a dot for each kept shot that opens the clip at its second.
function timeLine(clip) {
  const spans = [];
  for (const [track, step] of clip.seen) {
    const last = spans.at(-1);
    if (last && last.track === track && step <= last.end + 1) last.end = step + 1;
    else spans.push({ track, start: step, end: step + 1 });
  }
  const tracks = [...new Set(spans.map(span => span.track))];
  const shots = clip.shots.filter(shot => tracks.includes(shot.track));
  return plotted({ width: fitting(1000), height: 50 + 14 * tracks.length, marginLeft: 50, style: { background: "none" },
    x: { label: t("report.seconds"), domain: [0, clip.duration || 1] }, y: { type: "band", label: t("column.track"), domain: tracks, padding: 0.35 },
    marks: [
      Plot.barX(spans, { x1: span => span.start * clip.step, x2: span => span.end * clip.step, y: "track", fill: "var(--soft)", fillOpacity: 0.45, rx: 3 }),
      Plot.dot(shots, { x: "time", y: "track", r: 5, fill: "var(--kept)", stroke: "var(--card)", href: clipLink, target: "_blank",
        title: shot => `${speech.number(shot.time, 1)} s` }),
    ] });
}

parts.push(function clips() {
  const { rows, total } = facts.clips;
  $("clips").hidden = !rows.length;
  bodyOf("clips").replaceChildren(
    total > rows.length ? el("p", { class: "soft", text: t("report.clips_some", { n: rows.length, total }) }) : "",
    ...rows.map(clip => el("div", { class: "card clip" },
      el("div", { class: "head" }, clip.uri ? el("a", { href: clip.uri, target: "_blank" }, nameOf(clip.source)) : nameOf(clip.source),
        el("span", { class: "soft", text: t("report.clip_counts", { seconds: Math.round(clip.duration || 0), frames: clip.frames,
          tracks: clip.tracks, faces: clip.faces, kept: clip.kept }) }),
        clip.truncated ? el("span", { class: "reason", text: clip.truncated.replaceAll("_", " ") }) : null),
      clip.seen.length ? timeLine(clip) : "",
      el("div", { class: "shots" }, ...clip.shots.map(shot => portrait(shot, `${speech.number(shot.time, 1)} s`))))));
});
