"""A headless Chromium without a network, spoken to through a pipe: what it shows and complains of.

Its DevTools protocol is JSON, each message ended by a zero byte, on descriptors 3 and 4. No name
resolves and every connection counts as cut, so whatever a page asks for is seen, and fails.
"""

import json
import os
import subprocess
import tempfile
from base64 import b64decode
from pathlib import Path
from shutil import which
from typing import Any

NAMES = ("chromium", "chromium-browser", "google-chrome")
FLAGS = (
    "--headless=new",
    "--remote-debugging-pipe",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--host-resolver-rules=MAP * ~NOTFOUND",
    "--hide-scrollbars",
)
COMPLAINTS = ("Runtime.consoleAPICalled", "Runtime.exceptionThrown", "Log.entryAdded")


def chromium() -> str | None:
    """Where it is, if it is here."""
    return next((path for path in map(which, NAMES) if path), None)


class Browser:
    """One page in one browser."""

    def __enter__(self) -> "Browser":
        """Start it, cut its network, and listen."""
        self.folder = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
        hear, speak = os.pipe(), os.pipe()
        command = [str(chromium()), *FLAGS, f"--user-data-dir={self.folder.name}"]
        script = f'exec 3<&{hear[0]} 4>&{speak[1]}; exec "$@"'
        self.process = subprocess.Popen(
            ["bash", "-c", script, "bash", *command],
            pass_fds=(hear[0], speak[1]),
            stderr=subprocess.DEVNULL,
        )
        os.close(hear[0])
        os.close(speak[1])
        self.to, self.answers = os.fdopen(hear[1], "wb"), os.fdopen(speak[0], "rb")
        self.number, self.session, self.left = 0, None, b""
        self.heard: list[dict[str, Any]] = []
        target = self.ask("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.ask("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.ask(f"{domain}.enable")
        cut = {"offline": True, "latency": 0, "downloadThroughput": 0, "uploadThroughput": 0}
        self.ask("Network.emulateNetworkConditions", **cut)
        return self

    def __exit__(self, *why: object) -> None:
        """End it, and what it wrote."""
        self.session = None
        self.ask("Browser.close")
        self.process.wait(20)
        self.to.close()
        self.answers.close()
        self.folder.cleanup()

    def ask(self, method: str, **given: Any) -> dict[str, Any]:
        """Its answer to one message; what it says on the way is kept in `heard`."""
        self.number += 1
        message = {"id": self.number, "method": method, "params": given}
        message |= {"sessionId": self.session} if self.session else {}
        self.to.write(json.dumps(message).encode() + b"\0")
        self.to.flush()
        while (said := self._next()).get("id") != self.number:
            self.heard.append(said)
        assert "error" not in said, f"{method}: {said['error']}"
        return said["result"]

    def open(
        self, page: Path, *, scheme: str = "light", width: int = 1280, height: int = 800
    ) -> None:
        """Show a file, and wait until it is whole."""
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        self.ask("Emulation.setDeviceMetricsOverride", **size)
        feature = {"name": "prefers-color-scheme", "value": scheme}
        self.ask("Emulation.setEmulatedMedia", features=[feature])
        self.heard.clear()
        self.ask("Page.navigate", url=page.resolve().as_uri())
        while not any(said.get("method") == "Page.loadEventFired" for said in self.heard):
            self.heard.append(self._next())

    def evaluate(self, expression: str) -> Any:
        """What the page answers to a line of JavaScript."""
        answer = self.ask("Runtime.evaluate", expression=expression, returnByValue=True)
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    def press(self, x: float, y: float) -> None:
        """Move the pointer there."""
        self.ask("Input.dispatchMouseEvent", type="mouseMoved", x=x, y=y)

    def complaints(self) -> list[dict[str, Any]]:
        """Whatever stood in the console since the page was opened, of any level."""
        self.evaluate("1")  # all that was said before has arrived
        return [said["params"] for said in self.heard if said.get("method") in COMPLAINTS]

    def requests(self) -> list[str]:
        """What the page asked for, beside itself and what stands inside it."""
        asked = [said for said in self.heard if said.get("method") == "Network.requestWillBeSent"]
        found = [
            said["params"]["request"]["url"]
            for said in asked
            if said["params"]["type"] != "Document"
        ]
        return [url for url in found if not url.startswith("data:")]

    def screenshot(self, *, whole: bool = False) -> bytes:
        """A PNG of what is seen, or of the whole page."""
        options = {"captureBeyondViewport": True} if whole else {}
        if whole:
            size = self.ask("Page.getLayoutMetrics")["cssContentSize"]
            options["clip"] = {**size, "scale": 1}
        return b64decode(self.ask("Page.captureScreenshot", format="png", **options)["data"])

    def printed(self) -> bytes:
        """The page as a PDF."""
        options = {"printBackground": True, "preferCSSPageSize": True}
        return b64decode(self.ask("Page.printToPDF", **options)["data"])

    def _next(self) -> dict[str, Any]:
        while b"\0" not in self.left:
            read = os.read(self.answers.fileno(), 1 << 20)
            assert read, "the browser has ended"
            self.left += read
        line, _, self.left = self.left.partition(b"\0")
        return json.loads(line)
