"""A Sev1 and a change request in the sandbox, as people meet them in a browser: from the alert to the numbers.

With UPDATE_PICTURES=1 it keeps what it sees in docs/pictures. One sandbox serves all stories, which go on from one another.
"""

import json
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import datetime

import pytest

from sandbox.assembly import Sandbox
from sandbox.house import wait_until
from tests.standins.browser import PROGRAM, Browser, Tab
from tests.standins.pagehands import say
from tests.stories.sandboxed import (
    MESSAGE,
    REPLY,
    SECONDS,
    confirm,
    looked_at,
    message,
    open_thread,
    picture,
    press,
    says,
)

pytestmark = pytest.mark.skipif(
    PROGRAM is None, reason="NO CHROMIUM ON PATH: incidents in the sandbox were not tried in a browser"
)

ALERT, CARD, NEW = "HighErrorRate", "Users feel", "more replicas for the sale"


class Room:
    """Alice and Bob, each at a screen of their own."""

    def __init__(self, sandbox: Sandbox, browser: Browser, closing: ExitStack) -> None:
        self.sandbox = sandbox
        self.alice, self.bob = (
            closing.enter_context(
                browser.open(f"{sandbox.slack.url}/#{name}/{self.id('#sre-alerts')}", width=1360, height=1000)
            )
            for name in ("alice", "bob")
        )

    def id(self, name: str) -> str:
        return self.sandbox.slack.workspace.channel(name).id

    def go(self, name: str) -> None:
        for tab, person in ((self.alice, "alice"), (self.bob, "bob")):
            tab.run(f"location.hash = '#{person}/{self.id(name)}'")
            tab.wait_for(f"document.querySelector('#channel-name').innerText === '{name}'", seconds=SECONDS)

    def made(self) -> str:
        """The channel of the incident, once there is one."""
        channels = self.sandbox.slack.workspace.channels
        return next((f"#{each.name}" for each in channels.values() if each.name.startswith("inc-")), "")


@pytest.fixture(scope="module")
def room(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Room]:
    with looked_at(tmp_path_factory.mktemp("sandbox")) as (sandbox, browser), ExitStack() as closing:
        room = Room(sandbox, browser, closing)
        yield room
        assert [tab.troubles for tab in (room.alice, room.bob)] == [[], []]


def told(tab: Tab, text: str) -> None:
    """Privately, to who typed or pressed."""
    tab.wait_for_text(".whisper", text)


def show_privately(tab: Tab, *, is_shown: bool) -> None:
    """What only one person sees, and what Slack writes itself, is in no picture of a room."""
    each = "document.querySelectorAll('.whisper, .notice')"
    tab.run(f"{each}.forEach((one) => {{ one.hidden = {json.dumps(not is_shown)}; }})")


def window(tab: Tab, title: str) -> None:
    tab.wait_for("document.querySelector('#window').open", seconds=SECONDS)
    tab.wait_for_text("#window-title", title)


def fill(tab: Tab, label: str, text: str) -> None:
    """A field of the window: of a time its value, of a choice its option."""
    tab.wait_for(
        f"""(() => {{
          const field = [...document.querySelectorAll("#window .input")]
            .find((each) => each.innerText.includes({json.dumps(label)}))?.querySelector("input, textarea, select");
          if (!field) return false;
          field.value = {json.dumps(text)};
          field.dispatchEvent(new Event(field.tagName === "SELECT" ? "change" : "input", {{ bubbles: true }}));
          return true;
        }})()"""
    )


def send(tab: Tab) -> None:
    tab.click("#window-submit")
    tab.wait_for("!document.querySelector('#window').open", seconds=SECONDS)


def pin(tab: Tab, text: str) -> None:
    tab.wait_for(
        f"""(() => {{
          const message = [...document.querySelectorAll({json.dumps(MESSAGE)})]
            .findLast((each) => each.innerText.includes({json.dumps(text)}));
          message.querySelector("details.tool").open = true;
          [...message.querySelectorAll(".choose")].find((each) => each.innerText.includes("React")).click();
          return true;
        }})()""",
        seconds=SECONDS,
    )


def test_an_incident_is_opened_by_the_button_of_its_alert_and_led(room: Room) -> None:
    room.sandbox.shop.break_("bad-rollout")
    room.sandbox.shop.break_("errors")
    press(room.alice, ALERT, "Open incident")
    window(room.alice, "Declare an incident")
    fill(room.alice, "What is wrong?", "checkout is down")
    fill(room.alice, "How grave?", "1")
    send(room.alice)
    room.go(str(wait_until(room.made, seconds=SECONDS, what="the channel of the incident")))
    says(room.alice, CARD, "🔴 Sev1", "Commander: nobody yet", "HighErrorRate still fires")
    press(room.alice, CARD, "I am on it")
    press(room.alice, CARD, "I take command")
    says(room.bob, CARD, "Commander: @alice")
    open_thread(room.alice, CARD)
    says(room.alice, "What changed", "rollout of revision 4", root=REPLY)
    says(room.alice, "2 · ", "the registry has no such tag", root=REPLY)
    room.alice.wait_for(f"{message('What changed', REPLY)}.scrollIntoView() ?? true")
    picture(room.alice, "incident-diagnosis", "#thread")
    room.alice.click("#close-thread")


def test_people_are_asked_told_and_quoted(room: Room) -> None:
    say(room.alice, "/sre incident assign comms @bob")
    press(room.bob, CARD, "Accept")
    says(room.alice, CARD, "communications lead @bob")
    say(room.alice, "/sre incident set impact one in five payments fails")
    says(room.alice, CARD, "Users feel: one in five payments fails")
    press(room.bob, CARD, "Update…")
    window(room.bob, "Update")
    fill(room.bob, "What is being done?", "the rollout is taken back")
    fill(room.bob, "Who is told?", "public")
    picture(room.bob, "incident-update", "#window")
    send(room.bob)
    told(room.bob, "Told here and in #general-status.")
    wait_until(lambda: room.sandbox.status.posts, seconds=SECONDS, what="the status page has the update")
    (posted,) = room.sandbox.status.posts.values()
    assert "one in five payments fails" in json.dumps(posted)
    say(room.bob, "the new image was never pushed")
    pin(room.alice, "the new image was never pushed")
    room.bob.wait_for(
        "document.querySelector('#messages .reactions')?.innerText.includes('✅')", seconds=SECONDS
    )
    say(room.alice, "/sre incident note asked the vendor whether they see it, too")
    says(room.bob, "asked the vendor", "@alice")
    say(room.alice, "/sre incident identify the new image was never pushed")
    says(room.bob, CARD, "· identified")
    room.alice.resize(1000, 1800)
    show_privately(room.alice, is_shown=False)
    picture(room.alice, "incident-room", "#channel")
    show_privately(room.alice, is_shown=True)
    room.alice.resize(1360, 1000)
    room.bob.resize(390, 844)
    assert room.bob.run("document.documentElement.scrollWidth") <= 390
    room.bob.run("document.querySelector('.message.pinned').scrollIntoView()")
    picture(room.bob, "incident-room-phone")
    room.bob.resize(1360, 1000)


def test_the_rollback_is_asked_for_and_approved_in_its_room(room: Room) -> None:
    say(room.alice, '/sre rollback backend --why "its image is not there"')
    press(room.bob, "Roll back Deployment", "Approve")
    confirm(room.bob, "Approve")
    says(room.alice, "Roll back Deployment", "done in")
    say(room.alice, "/sre incident resolve")
    told(room.alice, "Nothing was done.")
    room.sandbox.shop.mend("errors")
    room.sandbox.shop.mend("bad-rollout")
    fires = "document.querySelector('.message.pinned').innerText.includes('still fires')"
    wait_until(lambda: not room.alice.run(fires), seconds=SECONDS * 4, what="the end of its alerts")
    press(room.alice, CARD, "Mitigated")
    says(room.alice, CARD, "· mitigated")
    press(room.alice, CARD, "Resolve")
    says(room.bob, "Users felt", "It lasted", "resolved")


def test_its_postmortem_is_drafted_written_published_and_closed(room: Room) -> None:
    for section in ("summary an image that nobody pushed was rolled out", "lessons ask the registry first"):
        say(room.alice, f"/sre incident postmortem --{section}")
    told(room.alice, "Written into the postmortem")
    say(room.alice, '/sre incident action "check that the image is there" --owner @bob --due 3d')
    told(room.alice, "Its owner is reminded")
    say(room.alice, "/sre incident postmortem")
    says(room.alice, "incident postmortem", "checks:")
    open_thread(room.alice, "incident postmortem")
    room.alice.click("#replies .file summary")
    room.alice.wait_for_text("#replies .file pre", "# Postmortem: checkout is down")
    picture(room.alice, "incident-postmortem", "#thread")
    press(room.alice, "Postmortem · INC", "Publish", root=REPLY)
    says(room.bob, "postmortem published", "@alice")
    room.alice.click("#close-thread")
    say(room.alice, "/sre incident leave all")
    told(room.alice, "Ended in INC")
    press(room.alice, "Postmortem published", "Close")
    says(room.bob, "Postmortem published", "closed")
    say(room.bob, "/sre incident timeline --page 1")
    open_thread(room.bob, "incident timeline")
    says(room.bob, "Timeline ·", "declared Sev1: checkout is down", root=REPLY)
    picture(room.bob, "incident-timeline", "#thread")
    room.bob.click("#close-thread")


def test_a_change_is_asked_for_checked_approved_and_done_step_by_step(room: Room) -> None:
    room.go("#changes")
    say(room.alice, "/sre change new")
    window(room.alice, "Ask for a change")
    fill(room.alice, "What is changed?", "more replicas for the sale")
    fill(room.alice, "When does it begin?", f"{datetime.now():%Y-%m-%dT%H:%M}")
    fill(room.alice, "How long will users feel it?", "none")
    fill(room.alice, "How is it taken back?", "/sre deploy scale backend --replicas 3")
    fill(room.alice, "Why, and why now?", "the sale begins tomorrow at noon")
    fill(room.alice, "Steps, a line each", "/sre deploy scale backend --replicas 4")
    picture(room.alice, "change-new", "#window")
    send(room.alice)
    says(room.alice, NEW, "wants approval", "by an owner of backend", "Pre-checks")
    press(room.alice, NEW, "Tell the stakeholders")
    press(room.alice, NEW, "I am there")
    for line in ("Tested in staging", "Backup"):
        press(room.alice, NEW, f"Tick: {line}")
        window(room.alice, "Tick a line")
        fill(room.alice, "What shows it?", "https://ci.example.com/77")
        send(room.alice)
    press(room.bob, NEW, "Approve")
    says(room.alice, NEW, "approved, not begun")
    press(room.alice, NEW, "Start")
    press(room.alice, NEW, "Begin step 1")
    press(room.alice, NEW, "deploy scale backend --replicas 4")
    open_thread(room.bob, NEW)
    press(room.bob, "wants approval", "Approve", root=REPLY)
    confirm(room.bob, "Approve")
    says(room.bob, "Scale Deployment", "done in", root=REPLY)
    press(room.alice, NEW, "Step 1 done")
    says(room.alice, NEW, "done, is it well?")
    picture(room.alice, "change-request", MESSAGE)
    press(room.alice, NEW, "It worked: close")
    window(room.alice, "Close the change")
    fill(room.alice, "How do you know that it worked?", "four pods serve, no complaint")
    send(room.alice)
    says(room.bob, NEW, "succeeded", "four pods serve")
    room.bob.click("#close-thread")


def test_the_numbers_come_from_the_same_record(room: Room) -> None:
    room.go("#sre-daily")
    say(room.alice, "/sre review metrics")
    open_thread(room.alice, "review metrics")
    says(room.alice, "Incidents and changes", "Time to restore", "(n=1)", "1 incident resolved", root=REPLY)
    picture(room.alice, "review-metrics", "#thread")
