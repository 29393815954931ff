"""A headless Chromium for tests, driven over its DevTools protocol: no driver package, no sleeps.

    with Browser(tmp_path) as browser, browser.open(url) as tab:
        tab.wait_for("document.querySelector('#messages .message')")

Waiting happens inside the page: a MutationObserver looks again at every change of the document, and a timer for
what is none (where things lie, what a box holds, the address). Everything the page itself gets wrong (an
exception, a console error, what its policy forbade) is kept in `troubles`.
"""

from __future__ import annotations

import base64
import itertools
import json
import shutil
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Self

import httpx
from websockets.sync.client import connect

from sandbox.process import Child

PROGRAM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
START_SECONDS = 60
WAIT_SECONDS = 30  # only bounds a failure

_FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--no-proxy-server",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--remote-debugging-port=0",
)

# Resolves with the first truthy value of the expression, rejects when the time is over.
_WAIT = """
new Promise((resolve, reject) => {
  const look = () => {
    let found;
    try { found = %(expression)s; } catch (error) { if (!(error instanceof TypeError)) { end(); reject(error); } }
    if (found) { end(); resolve(found instanceof Node ? true : found); }
  };
  const end = () => { watch.disconnect(); clearTimeout(timer); clearInterval(again); };
  const watch = new MutationObserver(look);
  const again = setInterval(look, 100);
  const timer = setTimeout(() => { end(); reject(new Error("never came true")); }, %(milliseconds)d);
  watch.observe(document, { subtree: true, childList: true, attributes: true, characterData: true });
  look();
})
"""

_KEYS = {
    "Enter": {"code": "Enter", "windowsVirtualKeyCode": 13, "text": "\r"},
    "Tab": {"code": "Tab", "windowsVirtualKeyCode": 9},
    "Escape": {"code": "Escape", "windowsVirtualKeyCode": 27},
}
_SHIFT = 8


class PageFailed(AssertionError):
    """The page threw, or did not become what was waited for; the message says what it showed."""


class Browser:
    def __init__(self, folder: Path) -> None:
        if PROGRAM is None:
            raise RuntimeError("no chromium on PATH")
        self._profile = folder / "profile"
        argv = [PROGRAM, *_FLAGS, f"--user-data-dir={self._profile}", "about:blank"]
        self._child = Child(argv, log=folder / "chromium.log")
        self._url = ""

    def __enter__(self) -> Self:
        self._child.start()
        try:
            self._child.wait_ready(self._is_ready, seconds=START_SECONDS)
        except BaseException:
            self._child.stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._child.stop()

    def open(self, url: str, *, width: int = 1280, height: int = 800) -> Tab:
        target = httpx.put(f"{self._url}/json/new?about:blank", trust_env=False).raise_for_status().json()
        tab = Tab(target["webSocketDebuggerUrl"])
        tab.resize(width, height)
        tab.goto(url)
        return tab

    def _is_ready(self) -> bool:
        """Chromium writes its port into the profile once it listens."""
        try:
            port = (self._profile / "DevToolsActivePort").read_text().split()[0]
            self._url = f"http://127.0.0.1:{port}"
            return httpx.get(f"{self._url}/json/version", trust_env=False).is_success
        except (OSError, IndexError, httpx.TransportError):
            return False


class Tab:
    def __init__(self, url: str) -> None:
        self.troubles: list[str] = []
        self._ids = itertools.count(1)
        self._open = ExitStack()
        self._socket = self._open.enter_context(connect(url, max_size=None, proxy=None))
        self._events: list[dict[str, Any]] = []
        for domain in ("Page", "Runtime", "Log"):
            self.call(f"{domain}.enable")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.call("Page.close")
        self._open.close()

    def call(self, method: str, **params: Any) -> dict[str, Any]:
        """One command of the protocol, and its answer; events that come meanwhile are kept."""
        number = next(self._ids)
        self._socket.send(json.dumps({"id": number, "method": method, "params": params}))
        while (message := self._receive(WAIT_SECONDS * 3)).get("id") != number:
            pass
        if "error" in message:
            raise PageFailed(f"{method}: {message['error']['message']}")
        return dict(message["result"])

    def _receive(self, seconds: float) -> dict[str, Any]:
        message = dict(json.loads(self._socket.recv(timeout=seconds)))
        if "method" in message:
            self._events.append(message)
            self._note(message["method"], message["params"])
        return message

    def _note(self, method: str, params: dict[str, Any]) -> None:
        if method == "Runtime.exceptionThrown":
            details = params["exceptionDetails"]
            self.troubles.append(str(details.get("exception", {}).get("description", details["text"])))
        elif method == "Runtime.consoleAPICalled" and params["type"] in ("error", "warning"):
            self.troubles.append(" ".join(str(a.get("value", a.get("description"))) for a in params["args"]))
        elif method == "Log.entryAdded" and params["entry"]["source"] != "network":
            self.troubles.append(str(params["entry"]["text"]))

    # --- what a person does

    def goto(self, url: str) -> None:
        self._events.clear()
        self.call("Page.navigate", url=url)
        deadline = time.monotonic() + WAIT_SECONDS
        while not any(event["method"] == "Page.loadEventFired" for event in self._events):
            self._receive(max(0.001, deadline - time.monotonic()))

    def type(self, text: str) -> None:
        """Into whatever has the focus."""
        self.call("Input.insertText", text=text)

    def key(self, name: str, *, shift: bool = False) -> None:
        fields = {"key": name, "modifiers": _SHIFT if shift else 0, **_KEYS[name]}
        self.call("Input.dispatchKeyEvent", type="keyDown", **fields)
        self.call("Input.dispatchKeyEvent", type="keyUp", **fields)

    def click(self, selector: str, text: str = "") -> None:
        """Waits for the element, that it takes clicks and nothing lies over it, then clicks; one step, so it cannot
        move."""
        self.wait_for(
            f"""(() => {{
              const found = [...document.querySelectorAll({json.dumps(selector)})]
                .find((node) => node.innerText.includes({json.dumps(text)}));
              if (!found || found.disabled) return false;
              found.scrollIntoView({{ block: "nearest" }});
              const box = found.getBoundingClientRect();
              const top = document.elementFromPoint(box.x + box.width / 2, box.y + box.height / 2);
              if (!box.width || !found.contains(top)) return false;
              found.focus();
              found.click();
              return true;
            }})()"""
        )

    def choose(self, selector: str, value: str) -> None:
        """An option of a select, once it is there, as the keyboard would: the change is announced."""
        self.wait_for(
            f"""(() => {{
              const select = document.querySelector({json.dumps(selector)});
              if (![...select.options].some((each) => each.value === {json.dumps(value)})) return false;
              select.value = {json.dumps(value)};
              select.dispatchEvent(new Event("change", {{ bubbles: true }}));
              return true;
            }})()"""
        )

    # --- what there is to see

    def run(self, expression: str) -> Any:
        answer = self.call("Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True)
        if "exceptionDetails" in answer:
            details = answer["exceptionDetails"]
            raise PageFailed(str(details.get("exception", {}).get("description", details["text"])))
        return answer["result"].get("value")

    def wait_for(self, expression: str, seconds: float = WAIT_SECONDS) -> Any:
        """Until the expression is true in the page. What is still missing counts as false."""
        waiting = _WAIT % {"expression": expression, "milliseconds": int(seconds * 1000)}
        try:
            return self.run(waiting)
        except PageFailed as failure:
            raise PageFailed(
                f"{failure}\nwaited for: {expression}\non the page:\n{self.text('body')}"
            ) from None

    def wait_for_text(self, selector: str, text: str) -> None:
        found = f"[...document.querySelectorAll({json.dumps(selector)})]"
        self.wait_for(f"{found}.some((node) => node.innerText.includes({json.dumps(text)}))")

    def text(self, selector: str) -> str:
        """The text as a person sees it; empty when there is no such element."""
        return str(self.run(f"document.querySelector({json.dumps(selector)})?.innerText ?? ''"))

    def count(self, selector: str) -> int:
        return int(self.run(f"document.querySelectorAll({json.dumps(selector)}).length"))

    def resize(self, width: int, height: int) -> None:
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=False,
        )

    def prefer(self, scheme: str) -> None:
        """`light` or `dark`."""
        self.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])

    def screenshot(self, path: Path, selector: str = "") -> None:
        """Of all that is on the screen, or of the last element like that."""
        self.call("Page.bringToFront")  # nothing is drawn of a tab behind another
        clip = {}
        if selector:
            box = self.run(
                f"""(() => {{
                  const found = [...document.querySelectorAll({json.dumps(selector)})].at(-1);
                  found.scrollIntoView({{ block: "nearest" }});
                  const {{ x, y, width, height }} = found.getBoundingClientRect();
                  return {{ x, y, width, height, scale: 1 }};
                }})()"""
            )
            clip = {"clip": box}
        shot = self.call("Page.captureScreenshot", format="png", **clip)
        path.write_bytes(base64.b64decode(shot["data"]))
