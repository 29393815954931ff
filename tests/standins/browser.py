"""A headless Chromium for tests, by Playwright with the machine's own Chromium: nothing is downloaded, and no sleeps.

    with Browser(tmp_path) as browser, browser.open(url) as tab:
        tab.page.get_by_role("button", name="Approve").click()

What a Tab adds to Playwright's page: everything the page itself gets wrong (an exception, a console error, what its
policy forbade) is kept in `troubles`; waiting for an expression takes what is still missing for false; pictures of the
last element like that; and what axe-core finds wrong for people who cannot see or point. All else is `tab.page`.
"""

from __future__ import annotations

import json
import shutil
from contextlib import ExitStack
from importlib.resources import files
from pathlib import Path
from typing import Any, Literal, Self

from playwright.sync_api import CDPSession, ConsoleMessage, Page, sync_playwright
from playwright.sync_api import Error as PlaywrightError

PROGRAM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
START_SECONDS = 60
WAIT_SECONDS = 60  # only bounds a failure

_FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--no-proxy-server",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)

# The first truthy value of the expression; what is still missing counts as false.
_LOOK = """
() => {
  try { const found = %s; return found instanceof Node ? true : found; }
  catch (error) { if (error instanceof TypeError) return false; throw error; }
}
"""
_LOOK_EVERY = 50  # ms; not by frame: a tab behind another has none


class PageFailed(AssertionError):
    """The page threw, or did not become what was waited for; the message says what it showed."""


class Browser:
    """One Chromium; its tabs share what a page keeps, as the tabs of one person do."""

    def __init__(self, folder: Path) -> None:
        if PROGRAM is None:
            raise RuntimeError("no chromium on PATH")
        self._profile = folder / "profile"
        self._open = ExitStack()

    def __enter__(self) -> Self:
        with ExitStack() as closing:
            driver = closing.enter_context(sync_playwright())
            self._context = driver.chromium.launch_persistent_context(
                self._profile, executable_path=PROGRAM, headless=True, args=_FLAGS, timeout=START_SECONDS * 1000
            )  # fmt: skip
            closing.callback(self._context.close)
            self._context.set_default_timeout(WAIT_SECONDS * 1000)
            self._open = closing.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    def open(self, url: str, *, width: int = 1280, height: int = 800) -> Tab:
        tab = Tab(self._context.new_page())
        tab.resize(width, height)
        tab.goto(url)
        return tab


class Tab:
    def __init__(self, page: Page) -> None:
        self.page = page
        self.troubles: list[str] = []
        self._protocol: CDPSession | None = None
        page.on("pageerror", lambda error: self.troubles.append(str(error)))
        page.on("console", self._note)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.page.close()

    def _note(self, message: ConsoleMessage) -> None:
        """A request that was refused is no trouble of the page: what it says then is."""
        is_network = message.text.startswith("Failed to load resource")
        if message.type in ("error", "warning") and not is_network:
            self.troubles.append(message.text)

    # --- what a person does

    def goto(self, url: str) -> None:
        self.page.goto(url)

    def type(self, text: str) -> None:
        """Into whatever has the focus."""
        self.page.keyboard.insert_text(text)

    def key(self, name: str, *, shift: bool = False) -> None:
        self.page.keyboard.press(f"Shift+{name}" if shift else name)

    def click(self, selector: str, text: str = "") -> None:
        """The first one with this text, once it is there, takes clicks and nothing lies over it."""
        self.page.locator(selector).filter(has_text=text).first.click()

    def choose(self, selector: str, value: str) -> None:
        """An option of a select, once it is there."""
        self.page.locator(selector).first.select_option(value)

    # --- what there is to see

    def run(self, expression: str) -> Any:
        try:
            return self.page.evaluate(expression)
        except PlaywrightError as failure:
            raise PageFailed(str(failure)) from None

    def wait_for(self, expression: str, seconds: float = WAIT_SECONDS) -> Any:
        """Until the expression is true in the page. What is still missing counts as false."""
        try:
            found = self.page.wait_for_function(
                _LOOK % expression, polling=_LOOK_EVERY, timeout=seconds * 1000
            )
            return found.json_value()
        except PlaywrightError as failure:
            shown = self.text("dialog[open]") or self.text("body")  # a window says what is wrong with it
            raise PageFailed(f"never came true: {expression}\n{failure}\non the page:\n{shown}") from None

    def wait_for_text(self, selector: str, text: str) -> None:
        found = f"[...document.querySelectorAll({json.dumps(selector)})]"
        self.wait_for(f"{found}.some((node) => node.innerText.includes({json.dumps(text)}))")

    def text(self, selector: str) -> str:
        """The text as a person sees it; empty when there is no such element."""
        return str(self.run(f"document.querySelector({json.dumps(selector)})?.innerText ?? ''"))

    def count(self, selector: str) -> int:
        return self.page.locator(selector).count()

    def resize(self, width: int, height: int) -> None:
        self.page.set_viewport_size({"width": width, "height": height})

    def prefer(self, scheme: Literal["light", "dark"]) -> None:
        self.page.emulate_media(color_scheme=scheme)

    def call(self, method: str, **params: Any) -> dict[str, Any]:
        """One command of the DevTools protocol: for what Playwright does not measure."""
        if self._protocol is None:
            self._protocol = self.page.context.new_cdp_session(self.page)
        return dict(self._protocol.send(method, params))

    def screenshot(self, path: Path, selector: str = "") -> None:
        """Of all that is on the screen, or of the last element like that."""
        self.page.bring_to_front()  # nothing is drawn of a tab behind another
        if selector:
            self.page.locator(selector).last.screenshot(path=path)
        else:
            self.page.screenshot(path=path)


def axe(tab: Tab, *, within: str = "", without: tuple[str, ...] = ()) -> list[str]:
    """What axe-core finds wrong on the page (WCAG 2 A and AA): a line for each element, as "rule: what it is, where".

    within: a selector, "" for the whole page. without: rules that are not asked.
    """
    tab.run((files("axe_playwright_python") / "axe.min.js").read_text())
    options = {
        "runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"],
        "rules": {rule: {"enabled": False} for rule in without},
        "resultTypes": ["violations"],
    }
    found = tab.page.evaluate(
        "([within, options]) => axe.run(within || document, options)", [within, options]
    )
    return [
        f"{rule['id']}: {rule['help']}, {' '.join(map(str, node['target']))}"
        for rule in found["violations"]
        for node in rule["nodes"]
    ]
