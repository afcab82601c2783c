"""A real headless Chromium, driven over its DevTools protocol."""

from __future__ import annotations

import asyncio
import json
import shutil
import subprocess
import time
import urllib.request
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from tornado.websocket import WebSocketClientConnection, websocket_connect

WHERE = next((path for path in map(shutil.which, ("chromium", "chromium-browser", "google-chrome")) if path), None)


class Tab:
    """One page. `run` evaluates JavaScript and returns its value; it awaits promises."""

    def __init__(self, folder: Path) -> None:
        assert WHERE
        self.folder = folder
        self.loop = asyncio.new_event_loop()
        options = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run"]
        options += ["--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-quic"]
        self.process = subprocess.Popen(
            [WHERE, *options, "--remote-debugging-port=0", f"--user-data-dir={folder / 'profile'}", "about:blank"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        self.messages: list[dict[str, Any]] = []
        self.number = 0
        self.socket = self.loop.run_until_complete(self._connect())
        for domain in ("Page", "Runtime", "DOM", "Log", "Network"):
            self.ask(f"{domain}.enable")

    async def _connect(self) -> WebSocketClientConnection:
        port_file = self.folder / "profile" / "DevToolsActivePort"
        until = time.monotonic() + 30
        while not port_file.exists() or not port_file.read_text():
            assert time.monotonic() < until, "Chromium did not start"
            await asyncio.sleep(0.1)
        port = port_file.read_text().split()[0]
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/json") as answer:
            pages = [target for target in json.load(answer) if target["type"] == "page"]
        return await websocket_connect(pages[0]["webSocketDebuggerUrl"], max_message_size=1 << 28)

    def ask(self, method: str, **parameters: Any) -> dict[str, Any]:
        return self.loop.run_until_complete(asyncio.wait_for(self._ask(method, parameters), 60))

    async def _ask(self, method: str, parameters: dict[str, Any]) -> dict[str, Any]:
        self.number += 1
        number = self.number
        await self.socket.write_message(json.dumps({"id": number, "method": method, "params": parameters}))
        while True:
            text = await self.socket.read_message()
            assert text is not None, "Chromium has ended"
            message = json.loads(text)
            if message.get("id") == number:
                assert "error" not in message, message["error"]
                return dict(message["result"])
            self.messages.append(message)

    def run(self, script: str) -> Any:
        answer = self.ask("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def until(self, script: str, seconds: float = 30) -> Any:
        """Evaluate a script until its value is true, and return that value."""
        end = time.monotonic() + seconds
        while not (value := self.run(script)):
            assert time.monotonic() < end, f"never true: {script}"
            time.sleep(0.05)
        return value

    def open(self, url: str) -> None:
        self.ask("Page.navigate", url=url)
        self.until("document.readyState === 'complete' && location.href !== 'about:blank'")

    def choose_files(self, selector: str, *files: Path) -> None:
        root = self.ask("DOM.getDocument")["root"]["nodeId"]
        node = self.ask("DOM.querySelector", nodeId=root, selector=selector)["nodeId"]
        self.ask("DOM.setFileInputFiles", nodeId=node, files=[str(file) for file in files])

    def press(self, key: str, text: str = "") -> None:
        code = {"Tab": 9, "Enter": 13, " ": 32, "ArrowRight": 39, "ArrowLeft": 37}.get(key, 0)
        more = {"text": text} if text else {}
        for kind in ("keyDown", "keyUp"):
            self.ask("Input.dispatchKeyEvent", type=kind, key=key, windowsVirtualKeyCode=code, **more)

    def requested(self) -> list[str]:
        """Every address that the page asked for."""
        return [
            message["params"]["request"]["url"]
            for message in self.messages
            if message.get("method") == "Network.requestWillBeSent"
        ]

    def complaints(self) -> list[str]:
        """What the browser itself had to say: errors of scripts, what the page's policy forbade."""
        return [
            json.dumps(message["params"])
            for message in self.messages
            if message.get("method") in ("Runtime.exceptionThrown",)
            or (
                message.get("method") == "Log.entryAdded"
                and message["params"]["entry"]["level"] == "error"
                and message["params"]["entry"]["source"] != "network"
            )
        ]

    def violations(self) -> list[str]:
        """What axe-core finds that people with disabilities cannot use: a rule and some elements, each."""
        found = find_spec("axe_core_python")
        if found is None or not found.submodule_search_locations:
            pytest.skip("needs axe-core (pip install axe-core-python)")
        script = Path(found.submodule_search_locations[0], "axe.min.js").read_text(encoding="utf-8")
        self.run(script + "; true")
        result = self.run("axe.run().then(found => JSON.stringify(found.violations))")
        return [f"{one['id']}: {[node['target'] for node in one['nodes']][:3]}" for one in json.loads(result)]

    def close(self) -> None:
        self.loop.run_until_complete(self._close())
        self.process.terminate()
        self.process.wait(60)
        self.loop.close()

    async def _close(self) -> None:
        self.socket.close()
