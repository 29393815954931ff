"""Every kind of incident card as people see it: sent by the real courier, shown by the sandbox's page in a browser.

With UPDATE_PICTURES=1 it keeps what it sees in docs/pictures. Look at each before you commit it.
"""

import os
from collections.abc import Iterator
from dataclasses import replace

import pytest
from slack_sdk import WebClient
from test_alert_pictures import CARD, QUICK, channel_of, keep

from bot.courier import Courier
from bot.state import State
from commands.response.incident import Incident
from commands.site import ClusterSite, Site, Urls
from sandbox import page
from sandbox.slack import SlackStandIn
from sandbox.slack.cast import Cast, Room, default_cast
from tests import build
from tests.incident_cards import ID, KINDS, NAME, ROOM
from tests.standins.browser import PROGRAM, Browser, Tab

pytestmark = pytest.mark.skipif(
    PROGRAM is None, reason="NO CHROMIUM ON PATH: cards of incidents were not looked at in a browser"
)

URLS = Urls(grafana="https://grafana.example", runbooks="https://runbooks.example")
SITE = Site(clusters={"training": ClusterSite(name="training", urls=URLS)})
# What differs in how it is drawn; the others are for who looks at them.
SHOWN = ("incident-declared", "incident-led", "incident-thread", "incident-lost", "incident-hostile")
ELSEWHERE = {"incident-thread": "#sre-alerts", "incident-lost": "#incidents"}


def cast() -> Cast:
    """With the channel of the incident, as it was made."""
    made = default_cast()
    return replace(made, rooms=[*made.rooms, Room(NAME, ROOM, ("alice", "bob", "carol", "sre_bot"))])


@pytest.fixture(scope="module")
def running() -> Iterator[SlackStandIn]:
    with SlackStandIn(extra_routes=page.routes, rate_limits="off", cast=cast) as slack:
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
    with browser.open(f"{slack.url}/#alice/{ROOM}", width=760, height=1400) as tab:
        yield tab
        assert tab.troubles == []


def send(state: State, slack: SlackStandIn, record: Incident) -> None:
    client = WebClient(slack.bot_token, base_url=slack.api_url, retry_handlers=[])
    courier = Courier(state, client, str, QUICK, site=SITE)
    change = state.change()
    if record.alert:
        change.put(build.group(id="ATEST"), was="").show(build.group(id="ATEST"))
    change.commit()
    state.change().put(record, was="").show(record).commit()
    while state.depths()["outbox"]:
        courier.step()


@pytest.mark.parametrize("name", KINDS if os.environ.get("UPDATE_PICTURES") else SHOWN)
def test_every_kind_is_drawn_whole_by_the_page(
    name: str, state: State, slack: SlackStandIn, tab: Tab
) -> None:
    send(state, slack, KINDS[name])
    if name in ELSEWHERE:
        tab.run(f"location.hash = '#alice/{channel_of(slack, ELSEWHERE[name])}'")
    tab.wait_for(f"document.querySelectorAll('{CARD}').length")
    if name not in ELSEWHERE:
        tab.wait_for_text("#messages", ID)
    shown = f"{CARD}:not(.message ~ .message)"  # the first
    if name == "incident-thread":
        tab.resize(1100, 860)
        tab.click(f"{CARD} .replies")
        tab.wait_for("document.querySelectorAll('#replies .message').length > 1")
        shown = "#thread"
    assert tab.count(".unknown") == 0
    keep(tab, name, shown)


def test_a_card_is_readable_on_a_phone(state: State, slack: SlackStandIn, tab: Tab) -> None:
    tab.resize(390, 1300)
    send(state, slack, KINDS["incident-led"])
    tab.wait_for_text(CARD, "Commander")
    assert tab.run("document.documentElement.scrollWidth") <= 390
    keep(tab, "incident-phone")


def test_the_channel_has_its_topic_its_links_and_the_pin(state: State, slack: SlackStandIn, tab: Tab) -> None:
    send(state, slack, KINDS["incident-led"])
    tab.wait_for_text(CARD, "Commander")
    assert "🔴 Sev1" in slack.workspace.channel(NAME).topic
    keep(tab, "incident-channel")
