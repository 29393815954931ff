"""Every kind of alert card as people see it: sent by the real courier, shown by the sandbox's page in a browser.

With UPDATE_PICTURES=1 it keeps what it sees in docs/pictures. Look at each before you commit it.
"""

import math
import os
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from slack_sdk import WebClient

from bot.alertcard import silence_view
from bot.courier import Courier, Pace
from bot.state import State
from commands.model import Record
from commands.picture import Curve, Picture
from sandbox import page
from sandbox.slack import SlackStandIn
from tests import build
from tests.alert_cards import ID, KINDS
from tests.standins.browser import PROGRAM, Browser, Tab
from tests.standins.png import smaller
from workers.pictures import Painter

PICTURES = Path(__file__).parents[2] / "docs" / "pictures"
ALERTS = "#sre-alerts"
CARD = "#messages .message"
QUICK = Pace(post=timedelta(0), root=timedelta(milliseconds=5), updates=60_000)
# Told under another card, which is sent first.
UNDER = {
    "alerts-storm-member": "alerts-storm",
    "alerts-storm-member-resolved": "alerts-storm",
    "alerts-triage": "alerts-firing",
    "alerts-triage-300": "alerts-300",
    "alerts-triage-half": "alerts-firing",
    "alerts-triage-failed": "alerts-firing",
    "alerts-triage-hostile": "alerts-injection",
}

pytestmark = pytest.mark.skipif(
    PROGRAM is None, reason="NO CHROMIUM ON PATH: cards of alerts were not looked at in a browser"
)


@pytest.fixture(scope="module")
def running() -> Iterator[SlackStandIn]:
    with SlackStandIn(extra_routes=page.routes, rate_limits="off") as slack:
        yield slack


@pytest.fixture
def slack(running: SlackStandIn) -> SlackStandIn:
    running.reset()
    return running


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with Browser(tmp_path_factory.mktemp("browser")) as browser:
        yield browser


@pytest.fixture
def tab(browser: Browser, slack: SlackStandIn) -> Iterator[Tab]:
    with browser.open(f"{slack.url}/#alice/{channel_of(slack)}", width=760, height=1400) as tab:
        yield tab
        assert tab.troubles == []


def channel_of(slack: SlackStandIn, name: str = ALERTS) -> str:
    return slack.workspace.channel(name).id


def graph() -> bytes:
    start = build.NOW - timedelta(hours=1)
    points = tuple(
        (start.timestamp() + 15 * n, (160 + 30 * math.sin(n / 11) + n / 2.6) * 2**20) for n in range(240)
    )
    memory = Picture(
        "KubePodCrashLooping", (Curve("web-7d4b9c-x1 app", points),), start, build.NOW, "bytes", 256 * 2.0**20,
        "> 256 MiB", build.NOW - timedelta(minutes=9),
    )  # fmt: skip
    drawn = Painter(str, ZoneInfo("Europe/Berlin")).draw(memory)
    assert drawn
    return drawn


def send(state: State, slack: SlackStandIn, name: str) -> None:
    """The record, and before it the one it is told under, as the courier sends them."""
    client = WebClient(slack.bot_token, base_url=slack.api_url, retry_handlers=[])
    courier = Courier(state, client, str, QUICK)
    change = state.change().keep_file("TTEST0001:graph:0", graph())
    for key in ("TTEST0001:list:0", "STTEST001:list", "k"):
        change.keep_file(key, b"a line for each\n")
    change.commit()
    sent: tuple[Record, ...] = tuple(KINDS[each] for each in (UNDER.get(name, ""), name) if each)
    for record in sent:
        state.change().put(record, was="").show(record).commit()
        while state.depths()["outbox"]:
            courier.step()


def keep(tab: Tab, name: str, selector: str = "") -> None:
    if os.environ.get("UPDATE_PICTURES"):
        shot = PICTURES / f"{name}.png"
        tab.screenshot(shot, selector)
        shot.write_bytes(smaller(shot.read_bytes()))


# What differs in how it is drawn; the others are for who looks at them.
SHOWN = ("alerts-flapping", "alerts-300", "alerts-injection", "alerts-storm-member", "alerts-triage")


@pytest.mark.parametrize("name", KINDS if os.environ.get("UPDATE_PICTURES") else SHOWN)
def test_every_kind_is_drawn_whole_by_the_page(
    name: str, state: State, slack: SlackStandIn, tab: Tab
) -> None:
    channel = "#incidents" if name == "alerts-notice" else ALERTS
    tab.run(f"location.hash = '#alice/{channel_of(slack, channel)}'")
    send(state, slack, name)
    tab.wait_for(f"document.querySelectorAll('{CARD}').length")
    shown = CARD
    if name in UNDER:
        tab.resize(1100, 2400)
        tab.click(f"{CARD} .replies")
        tab.wait_for("document.querySelectorAll('#replies .message').length > 1")
        shown = "#thread"
    if name in ("alerts-triage", "alerts-triage-300"):
        tab.wait_for(
            "[...document.querySelectorAll('#replies img')].some((img) => img.naturalWidth === 1000)"
        )
    assert tab.count(".unknown") == 0
    keep(tab, name.replace("alerts-", "alert-"), shown)


def test_a_card_is_readable_on_a_phone(state: State, slack: SlackStandIn, tab: Tab) -> None:
    tab.resize(390, 900)
    send(state, slack, "alerts-repeat")
    tab.wait_for_text(CARD, "Probable cause")
    assert tab.run("document.documentElement.scrollWidth") <= 390
    keep(tab, "alert-phone")


def test_the_window_of_a_silence_can_be_filled_in(state: State, slack: SlackStandIn, tab: Tab) -> None:
    client = WebClient(slack.bot_token, base_url=slack.api_url, retry_handlers=[])
    trigger = slack.workspace.new_trigger(build.ALICE.user)
    client.views_open(trigger_id=trigger, view=silence_view(f"{ID} 1"))
    tab.wait_for("document.querySelector('#window').open")
    assert tab.count("#window option") == 4
    keep(tab, "alert-silence", "#window")
