// Draws all parts, and again in another language. The table of contents comes last, because parts can be hidden.
function draw() {
  speech.apply();
  for (const part of [...parts.filter(one => one.name !== "contents"), ...parts.filter(one => one.name === "contents")]) part();
}

speech.menu($("language"));
document.addEventListener("speech", draw);
$("print").addEventListener("click", () => print());
addEventListener("beforeprint", () => document.querySelectorAll("details").forEach(one => { one.open = true; }));
draw();
