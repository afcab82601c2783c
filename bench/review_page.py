"""How smoothly the page of `facesieve review` scrolls in a real Chromium.

    python bench/review_page.py FOLDER --faces 100000

Makes a dataset of made-up faces in FOLDER once, and scrolls its grid for some seconds at each of three speeds. Prints
for each speed: the median and the 95th percentile of the time between two frames, the share of frames that came within
17 and within 34 milliseconds, tasks of more than 50 milliseconds (long tasks), the CPU time of the page's main thread
for one frame, in all and for the scripts of a frame, and the share of faces in view that have no picture yet.
The CPU time hardly depends on what else the machine does.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

sys.path[:0] = [str(Path(__file__).parents[1] / "tests" / name) for name in ("", "review", "service")]
SECONDS = 6
TRACED = ["devtools.timeline", "toplevel"]
WORK, SCRIPTS = "ThreadControllerImpl::RunTask", "FireAnimationFrame"  # names of events in a trace
SPEEDS = {"slow": 8, "fast": 60, "very fast": 600}  # pixels for each frame
SCROLL = """
new Promise(ready => {
  const grid = document.getElementById("grid"), gaps = [], long = [];
  const observer = new PerformanceObserver(list => list.getEntries().forEach(one => long.push(one.duration)));
  observer.observe({ type: "longtask" });
  let last = 0, start = 0, blank = 0, tiles = 0;
  const step = now => {
    start ||= now;
    if (last) gaps.push(now - last);
    last = now;
    grid.scrollTop += %d;
    for (const tile of grid.querySelectorAll(".tile:not([hidden])")) { tiles += 1; blank += !tile.firstChild.src; }
    if (now - start < %d) requestAnimationFrame(step);
    else { observer.disconnect(); ready(JSON.stringify({ gaps, long, blank: blank / Math.max(1, tiles) })); }
  };
  requestAnimationFrame(step);
})
"""


def main() -> None:
    import chromium
    import numpy as np
    from many import many
    from serving import Serving

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--faces", type=int, default=100_000)
    asked = parser.parse_args()
    root = asked.folder / f"{asked.faces} with pictures"
    if not root.exists():
        many(root, asked.faces)
    with tempfile.TemporaryDirectory(dir=asked.folder) as profile, Serving(root, "--lang", "en") as serving:
        tab = chromium.Tab(Path(profile))
        tab.ask("Emulation.setDeviceMetricsOverride", width=1400, height=900, deviceScaleFactor=1, mobile=False)
        tab.open(serving.address)
        tab.until("document.querySelectorAll('.tile:not([hidden])').length > 20", 300)
        for name, pixels in SPEEDS.items():
            tab.run("document.getElementById('grid').scrollTop = 0")
            tab.ask("Tracing.start", transferMode="ReportEvents", traceConfig={"includedCategories": TRACED})
            found = json.loads(tab.run(SCROLL % (pixels, 1000 * SECONDS)))
            spent = cpu_milliseconds(tab)
            gaps = np.array(found["gaps"])
            middle, late = np.percentile(gaps, (50, 95))
            print(f"{name:<10} {len(gaps):4} frames: median {middle:5.1f} ms, 95 % {late:5.1f} ms", end=", ")
            print(f"within 17 ms {(gaps < 17.5).mean():4.0%}, within 34 ms {(gaps < 34).mean():4.0%}", end=" | ")
            print(f"long tasks {len(found['long'])} | CPU for a frame {spent[WORK] / len(gaps):4.1f} ms", end=", ")
            print(f"its scripts {spent[SCRIPTS] / len(gaps):3.1f} | without picture {found['blank']:4.0%}", flush=True)
        tab.close()


def cpu_milliseconds(tab: Any) -> Counter[str]:
    """End the trace. Returns the CPU time of the page's main thread by kind of work."""
    tab.messages.clear()
    tab.ask("Tracing.end")
    while not any(one.get("method") == "Tracing.tracingComplete" for one in tab.messages):
        tab.run("1")
    parts = [one["params"]["value"] for one in tab.messages if one.get("method") == "Tracing.dataCollected"]
    events = [event for part in parts for event in part]
    named = [one for one in events if one.get("name") == "thread_name" and one["args"]["name"] == "CrRendererMain"]
    threads, spent = {(one["pid"], one["tid"]) for one in named}, Counter[str]()
    for event in events:
        if event.get("ph") == "X" and (event["pid"], event["tid"]) in threads:
            spent[event["name"]] += event.get("tdur", 0) / 1000
    return spent


if __name__ == "__main__":
    main()
