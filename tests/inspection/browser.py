"""A headless Chromium without network access, controlled through a pipe by its DevTools protocol.

The messages are JSON, each ended by a zero byte, on file descriptors 3 and 4. Host names do not
resolve and the network is offline, so every request of a page is recorded and fails.
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
    """Return the path of Chromium, or None if it is not installed."""
    return next((path for path in map(which, NAMES) if path), None)


class Browser:
    """A browser with one page."""

    def __enter__(self) -> "Browser":
        """Start the browser, take it offline, and record its messages."""
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
        self.messages: list[dict[str, Any]] = []
        target = self.ask("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.ask("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.ask(f"{domain}.enable")
        cut = {"offline": True, "latency": 0, "downloadThroughput": 0, "uploadThroughput": 0}
        self.ask("Network.emulateNetworkConditions", **cut)
        return self

    def __exit__(self, *why: object) -> None:
        """End the browser and delete its files."""
        self.session = None
        self.ask("Browser.close")
        self.process.wait(20)
        self.to.close()
        self.answers.close()
        self.folder.cleanup()

    def ask(self, method: str, **given: Any) -> dict[str, Any]:
        """Send a message and return its result; other messages are recorded in `messages`."""
        self.number += 1
        message = {"id": self.number, "method": method, "params": given}
        message |= {"sessionId": self.session} if self.session else {}
        self.to.write(json.dumps(message).encode() + b"\0")
        self.to.flush()
        while (reply := self._next()).get("id") != self.number:
            self.messages.append(reply)
        assert "error" not in reply, f"{method}: {reply['error']}"
        return reply["result"]

    def open(
        self, page: Path, *, scheme: str = "light", width: int = 1280, height: int = 800
    ) -> None:
        """Open a file, and wait until it is loaded."""
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        self.ask("Emulation.setDeviceMetricsOverride", **size)
        feature = {"name": "prefers-color-scheme", "value": scheme}
        self.ask("Emulation.setEmulatedMedia", features=[feature])
        self.messages.clear()
        self.ask("Page.navigate", url=page.resolve().as_uri())
        while not any(message.get("method") == "Page.loadEventFired" for message in self.messages):
            self.messages.append(self._next())

    def evaluate(self, expression: str) -> Any:
        """Return the value of a line of JavaScript."""
        answer = self.ask("Runtime.evaluate", expression=expression, returnByValue=True)
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    def press(self, x: float, y: float) -> None:
        """Move the pointer to a position."""
        self.ask("Input.dispatchMouseEvent", type="mouseMoved", x=x, y=y)

    def complaints(self) -> list[dict[str, Any]]:
        """Return the console messages of any level since the page was opened."""
        self.evaluate("1")  # wait for all earlier messages
        return [one["params"] for one in self.messages if one.get("method") in COMPLAINTS]

    def requests(self) -> list[str]:
        """Return the URLs that the page requested, except its own and data URLs."""
        sent = [one for one in self.messages if one.get("method") == "Network.requestWillBeSent"]
        found = [
            one["params"]["request"]["url"] for one in sent if one["params"]["type"] != "Document"
        ]
        return [url for url in found if not url.startswith("data:")]

    def screenshot(self, *, whole: bool = False) -> bytes:
        """Return a PNG of the visible part, or of the whole page."""
        options = {"captureBeyondViewport": True} if whole else {}
        if whole:
            size = self.ask("Page.getLayoutMetrics")["cssContentSize"]
            options["clip"] = {**size, "scale": 1}
        return b64decode(self.ask("Page.captureScreenshot", format="png", **options)["data"])

    def printed(self) -> bytes:
        """Return the page as a PDF."""
        options = {"printBackground": True, "preferCSSPageSize": True}
        return b64decode(self.ask("Page.printToPDF", **options)["data"])

    def _next(self) -> dict[str, Any]:
        while b"\0" not in self.left:
            read = os.read(self.answers.fileno(), 1 << 20)
            assert read, "the browser has ended"
            self.left += read
        line, _, self.left = self.left.partition(b"\0")
        return json.loads(line)
