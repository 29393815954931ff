"""What stories of the sandbox share: a sandbox in which nothing happens but what they do, however busy the machine is,
what its messages say, and what people do and see in a browser on it."""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from bot.state import State, connect
from sandbox import monitoring
from sandbox.assembly import Sandbox
from sandbox.given import Given
from sandbox.house import PATIENCE
from sandbox.process import free_ports
from tests.standins.browser import Browser, Tab
from tests.standins.png import smaller
from tests.stories.almanac import still

PICTURES = Path(__file__).parents[2] / "docs" / "pictures"
MESSAGE = "#messages .message:not(.whisper)"
REPLY = "#replies .message"
SECONDS = 60  # only bounds a failure


def undisturbed(sandbox: Sandbox) -> None:
    """Its calendar rests, and what is typed or pressed on its page may be answered late."""
    sandbox.slack.courier.ack_timeout = PATIENCE
    with connect(sandbox.house.redis_url, patient=True) as connection:
        still(State(connection))


@contextmanager
def looked_at(folder: Path) -> Iterator[tuple[Sandbox, Browser]]:
    """An undisturbed sandbox, and a browser to open it in."""
    (folder / "browser").mkdir()
    with Sandbox(folder / "dot", port=free_ports(1)[0]) as sandbox:
        undisturbed(sandbox)
        with Browser(folder / "browser") as browser:
            yield sandbox, browser


@contextmanager
def soon_missed(folder: Path) -> Iterator[Sandbox]:
    """A sandbox whose Watchdog is missed after 40 s (it is told every 20, and a minute and a half is too long for a
    test), and where the dozen alerts that some faults make together are no storm yet."""
    if absent := monitoring.lacking():
        pytest.skip(f"not on PATH: {', '.join(absent)}")
    config = folder / "laid-over.yaml"
    config.write_text("alerts: {watchdog: {silent_for: 40s}, rollup: {over: 50}}\n")
    with Sandbox(folder / "dot", port=free_ports(1)[0], given=Given(config=config)) as sandbox:
        yield sandbox


# --- what a message says


def shown(message: dict[str, Any]) -> str:
    """All text of a message's blocks."""
    return "\n".join(_texts(message.get("blocks") or message["text"]))


def _texts(part: Any) -> Iterator[str]:
    if isinstance(part, str):
        yield part
    elif isinstance(part, dict):
        for key, value in part.items():
            if key in ("text", "elements", "fields", "rows"):
                yield from _texts(value)
    elif isinstance(part, list):
        for each in part:
            yield from _texts(each)


# --- in a browser


def message(name: str, root: str = MESSAGE) -> str:
    """The newest one that says so, as an expression of the page."""
    return (
        f"[...document.querySelectorAll({json.dumps(root)})]"
        f".findLast((each) => each.innerText.includes({json.dumps(name)}))"
    )


def says(tab: Tab, name: str, *texts: str, root: str = MESSAGE) -> None:
    wanted = " && ".join(f"said.includes({json.dumps(text)})" for text in texts)
    tab.wait_for(f"((said) => {wanted})({message(name, root)}.innerText)", seconds=SECONDS)


def press(tab: Tab, name: str, label: str, root: str = MESSAGE) -> None:
    """A button of that message, once it can be pressed."""
    tab.wait_for(
        f"""((each) => {{
          const found = [...each.querySelectorAll(".button")]
            .find((one) => one.innerText.includes({json.dumps(label)}));
          if (!found || found.disabled) return false;
          found.scrollIntoView({{ block: "nearest" }});
          found.click();
          return true;
        }})({message(name, root)})""",
        seconds=SECONDS,
    )


def confirm(tab: Tab, label: str) -> None:
    """What is asked once more, where it is asked."""
    tab.wait_for("document.querySelector('#confirm').open", seconds=SECONDS)
    tab.click("#confirm button", label)


def open_thread(tab: Tab, name: str) -> None:
    """Once there are replies: the link is another one until then."""
    link = f"{message(name)}.querySelector('.replies')"
    tab.wait_for(f"({link}?.click(), !document.querySelector('#thread').hidden)", seconds=SECONDS)


def picture(tab: Tab, name: str, selector: str = "") -> None:
    """Kept in docs/pictures with UPDATE_PICTURES=1."""
    if os.environ.get("UPDATE_PICTURES"):
        PICTURES.mkdir(exist_ok=True)
        shot = PICTURES / f"{name}.png"
        tab.screenshot(shot, selector)
        shot.write_bytes(smaller(shot.read_bytes()))
