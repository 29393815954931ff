"""Every kind of card, page, window and graph as people see it: sent by the real courier, shown by the sandbox's page.

Each is whole, fits a phone and troubles no console. With UPDATE_PICTURES=1 all of them are drawn and kept in
docs/pictures (look at each before you commit it); without, those that differ in how they are drawn.
"""

import os
import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Literal
from zoneinfo import ZoneInfo

import pytest
from slack_sdk import WebClient

from bot import render
from bot.courier import Courier, Pace
from bot.state import State
from commands.model import Attachment, Record, Section
from commands.response.changerequest import Stage
from commands.response.incident import Incident
from commands.response.task import Task, TaskState
from commands.site import ClusterSite, Site, Urls
from sandbox import page
from sandbox.slack import SlackStandIn
from sandbox.slack.cast import Cast, Room, default_cast
from tests import alert_cards, build, change_cards, graphs, home_pages, incident_cards, request_cards, windows
from tests.pure.change_world import standing
from tests.standins.browser import PROGRAM, Browser, Tab, axe
from tests.standins.pagehands import browser
from tests.standins.png import smaller
from workers.pictures import Painter

__all__ = ["browser"]  # a fixture

ROOT = Path(__file__).parents[2]
PICTURES = ROOT / "docs" / "pictures"
IS_KEPT = bool(os.environ.get("UPDATE_PICTURES"))
QUICK = Pace(post=timedelta(0), root=timedelta(milliseconds=5), updates=60_000)
SITE = Site(
    clusters={
        "training": ClusterSite(
            name="training", urls=Urls(grafana="https://grafana.example", runbooks="https://runbooks.example")
        )
    }
)
PAINTER = Painter(str, ZoneInfo("Europe/Berlin"))
CARD = "#messages .message"
ALICE = build.ALICE.user

pytestmark = pytest.mark.skipif(
    PROGRAM is None, reason="NO CHROMIUM ON PATH: no card was looked at in a browser"
)


# --- what there is


def task(state: TaskState = TaskState.OPEN, **changes: str) -> Task:
    made = replace(windows.TASK, channel="C0SREDAILY1", state=state, **changes)
    return made if state is TaskState.OPEN else replace(made, finished_by=build.BOB.user)


CHANGE_REQUESTS: dict[str, Record] = {
    f"change-request-{stage.value.replace(' ', '-')}": replace(
        standing(stage), id="CR-2026-11-23-001", channel="C0SREDAILY1"
    )
    for stage in Stage
}
TASKS: dict[str, Record] = {
    "task-open": task(),
    "task-done": task(TaskState.DONE),
    "task-left-out": task(TaskState.SKIPPED, why="the service is gone"),
}
# By the name of its picture.
CARDS: dict[str, Record] = {
    **request_cards.RECORDS,
    **change_cards.RECORDS,
    **{name.replace("alerts-", "alert-"): record for name, record in alert_cards.KINDS.items()},
    **incident_cards.KINDS,
    **CHANGE_REQUESTS,
    **TASKS,
}
WINDOWS = {name: draw for made in windows.WINDOWS.values() for name, draw in made.items()}
GRAPHS = {name: picture for made in graphs.GRAPHS.values() for name, picture in made.items()}

# Told under another card, which is sent first.
UNDER = {
    "alert-storm-member": "alert-storm",
    "alert-storm-member-resolved": "alert-storm",
    "alert-triage": "alert-firing",
    "alert-triage-300": "alert-300",
    "alert-triage-half": "alert-firing",
    "alert-triage-failed": "alert-firing",
    "alert-triage-hostile": "alert-injection",
}
# Whose thread is shown with it.
THREADS = (*UNDER, "incident-thread", "request-answered", "change-awaiting", "change-partial")
# What differs in how it is drawn; the others are for who looks at them.
SHOWN = (
    "alert-flapping", "alert-300", "alert-injection", "alert-storm-member", "alert-triage", "request-answered",
    "change-awaiting", "change-applying", "change-request-pending", "incident-led", "incident-thread",
    "incident-hostile", "task-open", "whisper",
)  # fmt: skip


def some(kinds: dict[str, object], *shown: str) -> list[str]:
    return [*kinds] if IS_KEPT else [*shown]


# --- the page


def cast() -> Cast:
    """With the channel of the incident, as it was made."""
    made = default_cast()
    room = Room(incident_cards.NAME, incident_cards.ROOM, ("alice", "bob", "carol", "sre_bot"))
    return replace(made, rooms=[*made.rooms, room])


@pytest.fixture(scope="module")
def running() -> Iterator[SlackStandIn]:
    with SlackStandIn(extra_routes=page.routes, rate_limits="off", cast=cast) as slack:
        yield slack


@pytest.fixture
def slack(running: SlackStandIn) -> SlackStandIn:
    running.reset()
    return running


@pytest.fixture(scope="module")
def opened(browser: Browser, running: SlackStandIn) -> Iterator[Tab]:
    with browser.open(f"{running.url}/#alice", width=760, height=1400) as tab:
        yield tab


@pytest.fixture
def tab(opened: Tab, slack: SlackStandIn) -> Iterator[Tab]:
    """Alice's, as wide as a desk has it and in the light; what went wrong in it fails the test at its end."""
    opened.troubles.clear()
    opened.prefer("light")
    opened.resize(760, 1400)
    opened.goto("about:blank")
    opened.goto(f"{slack.url}/#alice")
    yield opened
    assert opened.troubles == []


def web(slack: SlackStandIn) -> WebClient:
    return WebClient(slack.bot_token, base_url=slack.api_url, retry_handlers=[])


def graph_of(name: str) -> bytes:
    drawn = PAINTER.draw(GRAPHS[name])
    assert drawn
    return drawn


def send(state: State, slack: SlackStandIn, *records: Record) -> None:
    """As the courier sends them, with the files they name."""
    courier = Courier(state, web(slack), str, QUICK, site=SITE)
    change = state.change().keep_file("TTEST0001:graph:0", graph_of("graph-memory"))
    for key in ("TTEST0001:list:0", "STTEST001:list", "k"):
        change.keep_file(key, b"a line for each\n")
    change.commit()
    for record in records:
        state.change().put(record, was="").show(record).commit()
        while state.depths()["outbox"]:
            courier.step()


def before(name: str) -> tuple[Record, ...]:
    """What is sent first, for this is told under it."""
    record = CARDS[name]
    if isinstance(record, Incident) and record.alert:
        return (build.group(id="ATEST"),)
    return (CARDS[UNDER[name]],) if name in UNDER else ()


def told_in(slack: SlackStandIn) -> str:
    """The channel that was written in: an incident's own before one that it is announced in."""
    told = [
        room.id
        for room in slack.workspace.channels.values()
        if any(said.user == slack.workspace.bot.id for said in room.messages.values())
    ]
    return incident_cards.ROOM if incident_cards.ROOM in told else told[0] if told else "C0SREDAILY1"


def look(tab: Tab, slack: SlackStandIn, name: str) -> str:
    """Opens it; the selector of what is to be looked at."""
    tab.run(f"location.hash = '#alice/{told_in(slack)}'")
    tab.wait_for(f"document.querySelectorAll('{CARD}').length")
    if name not in THREADS:
        return f"{CARD}:not(.message ~ .message)"  # the first
    tab.resize(1100, 1400)
    tab.click(f"{CARD} .replies")
    tab.wait_for("document.querySelectorAll('#replies .message').length > 1")
    tab.wait_for(
        "[...document.querySelectorAll('#replies img')].every((each) => each.complete && each.naturalWidth)"
    )
    tab.resize(1100, 1400 + int(tab.run(ROOM_LEFT)))
    return "#thread"


# How much lower the page must be for its thread to be shown whole, and nothing below it.
ROOM_LEFT = """(() => {
  const said = document.querySelector("#replies"), pane = said.closest(".log");
  return Math.ceil(said.getBoundingClientRect().height + 4 - pane.clientHeight);
})()"""


def keep(tab: Tab, name: str, selector: str = "") -> None:
    if IS_KEPT:
        shot = PICTURES / f"{name}.png"
        tab.screenshot(shot, selector)
        shot.write_bytes(smaller(shot.read_bytes()))


def on_a_phone(tab: Tab) -> None:
    """Nothing is wider than the screen, and no text of a card is cut off at its side."""
    tab.resize(390, 1200)
    assert tab.run("document.documentElement.scrollWidth") <= 390
    assert tab.run(CUT_OFF) == []


CUT_OFF = """[...document.querySelectorAll(".message *, #home *, #window *")]
  .filter((each) => each.getBoundingClientRect().right > innerWidth + 1 && !each.closest("pre, .sr, .hidden, .scrolls"))
  .map((each) => each.outerHTML.slice(0, 120))"""


# --- each of them


@pytest.mark.parametrize("name", some(dict(CARDS), *SHOWN))
def test_a_card_is_drawn_whole_and_fits_a_phone(
    name: str, state: State, slack: SlackStandIn, tab: Tab
) -> None:
    send(state, slack, *before(name), CARDS[name])
    shown = look(tab, slack, name)
    assert tab.count(".unknown") == 0
    keep(tab, name, shown)
    on_a_phone(tab)


@pytest.mark.parametrize("name", some(dict(home_pages.PAGES), "home-busy"))
def test_a_home_tab_is_drawn_whole_and_fits_a_phone(name: str, slack: SlackStandIn, tab: Tab) -> None:
    tab.resize(760, 2600)
    web(slack).views_publish(user_id=ALICE, view=render.home(home_pages.PAGES[name], str))
    tab.run("location.hash = '#alice/@sre_bot/home'")
    tab.wait_for("document.querySelector('#home .section')")
    assert tab.count(".unknown") == 0
    keep(tab, name, "#home")
    on_a_phone(tab)


@pytest.mark.parametrize("name", some(dict(WINDOWS), "window-change", "window-hand-over", "window-update"))
def test_a_window_is_drawn_whole_and_fits_a_phone(name: str, slack: SlackStandIn, tab: Tab) -> None:
    web(slack).views_open(trigger_id=slack.workspace.new_trigger(ALICE), view=WINDOWS[name]())
    tab.wait_for("document.querySelector('#window').open")
    assert tab.count(".unknown") == 0
    keep(tab, name, "#window")
    on_a_phone(tab)


@pytest.mark.parametrize("name", some(dict(GRAPHS), "graph-many"))
def test_a_graph_is_shown_in_its_thread(name: str, state: State, slack: SlackStandIn, tab: Tab) -> None:
    state.change().keep_file(name, graph_of(name)).commit()
    shared = Attachment("g.png", GRAPHS[name].title, stored=name, is_image=True)
    answer = replace(
        request_cards.ANSWERED, sections=(Section("g", "Graph", True, attachments=(shared,)),), flags=()
    )
    send(state, slack, answer)
    tab.run("location.hash = '#alice/C0SREDAILY1'")
    tab.resize(1100, 900)
    tab.click(f"{CARD} .replies")
    tab.wait_for("document.querySelector('#replies img')?.naturalWidth === 1000")
    keep(tab, name, "#replies img")
    on_a_phone(tab)


PHONES = {"alert-phone": "alert-repeat", "incident-phone": "incident-led", "change-phone": "change-awaiting"}


@pytest.mark.parametrize("name", some(dict(PHONES), "alert-phone"))
def test_a_card_is_kept_as_a_phone_shows_it(name: str, state: State, slack: SlackStandIn, tab: Tab) -> None:
    send(state, slack, CARDS[PHONES[name]])
    tab.resize(390, 1200)
    keep(tab, name, look(tab, slack, ""))


DARK = {"alert-dark": "alert-repeat", "incident-dark": "incident-led", "change-dark": "change-awaiting"}


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", DARK)
def test_axe_finds_nothing_wrong_with_a_card(
    name: str, scheme: Literal["light", "dark"], state: State, slack: SlackStandIn, tab: Tab
) -> None:
    send(state, slack, CARDS[DARK[name]])
    shown = look(tab, slack, "")
    tab.prefer(scheme)
    assert axe(tab, within=CARD) == []
    if scheme == "dark":
        keep(tab, name, shown)


def test_the_channel_has_its_topic_its_links_and_the_pin(state: State, slack: SlackStandIn, tab: Tab) -> None:
    send(state, slack, CARDS["incident-led"])
    look(tab, slack, "")
    tab.wait_for_text(CARD, "Commander")
    assert "🔴 Sev1" in slack.workspace.channel(incident_cards.NAME).topic
    keep(tab, "incident-channel")


# --- nothing is missing


def makers(call: str) -> set[str]:
    """The files that make one: "Form(", "modal("."""
    found = {
        str(path.relative_to(ROOT))
        for folder in ("bot", "commands")
        for path in (ROOT / folder).rglob("*.py")
        if re.search(rf"(?<!\w){re.escape(call)}(?!\))", path.read_text())
    }
    return found - {"commands/form.py", "commands/picture.py", "bot/forms.py", "bot/blocks.py"}


def test_every_kind_of_card_page_window_and_graph_is_in_the_gallery() -> None:
    golden = {path.stem.replace("alerts-", "alert-") for path in (ROOT / "tests" / "golden").glob("*.json")}
    assert golden - {"stored-0.6"} == {*CARDS, *home_pages.PAGES} - {*CHANGE_REQUESTS, *TASKS}
    assert len(CHANGE_REQUESTS) == len(Stage) and len(TASKS) == len(TaskState)
    assert makers("Form(") | makers("modal(") == set(windows.WINDOWS)
    assert makers("Picture(") == set(graphs.GRAPHS)
    kept = {path.stem for path in PICTURES.glob("*.png")}
    assert {*CARDS, *home_pages.PAGES, *WINDOWS, *GRAPHS, *PHONES, *DARK} - kept == set(), (
        "run it with UPDATE_PICTURES=1"
    )
