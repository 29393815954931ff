"""Alerts in the sandbox, as people meet them in a browser: diagnosed, cared for, silenced, mended by a button.

With UPDATE_PICTURES=1 it keeps what it sees in docs/pictures. One sandbox serves all stories; each mends what it broke.
"""

import json
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from sandbox import monitoring
from sandbox.assembly import Sandbox
from sandbox.slack.cast import BOB
from tests.standins.browser import PROGRAM, Browser, Tab
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

pytestmark = [
    pytest.mark.monitoring,
    pytest.mark.skipif(
        PROGRAM is None, reason="NO CHROMIUM ON PATH: alerts in the sandbox were not tried in a browser"
    ),
]


class Watch:
    """Alice and Bob, each at a screen of their own, in #sre-alerts."""

    def __init__(self, sandbox: Sandbox, browser: Browser, closing: ExitStack) -> None:
        self.sandbox = sandbox
        self.room = sandbox.slack.workspace.channel("#sre-alerts").id
        self.alice, self.bob = (
            closing.enter_context(
                browser.open(f"{sandbox.slack.url}/#{name}/{self.room}", width=1360, height=1000)
            )
            for name in ("alice", "bob")
        )


@pytest.fixture(scope="module")
def watch(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watch]:
    if absent := monitoring.lacking():
        pytest.skip(f"not on PATH: {', '.join(absent)}")
    with looked_at(tmp_path_factory.mktemp("sandbox")) as (sandbox, browser), ExitStack() as closing:
        watch = Watch(sandbox, browser, closing)
        yield watch
        assert [tab.troubles for tab in (watch.alice, watch.bob)] == [[], []]


def choose(tab: Tab, name: str, label: str) -> None:
    """From the card's menu of what is seldom wanted."""
    tab.wait_for(f"{message(name)}.querySelector('.overflow summary').click() ?? true", seconds=SECONDS)
    tab.wait_for(
        f"""((card) => {{
          [...card.querySelectorAll(".overflow .choose")].find((one) => one.innerText === {json.dumps(label)}).click();
          return true;
        }})({message(name)})""",
        seconds=SECONDS,
    )


def fill_in(tab: Tab, reason: str) -> None:
    """The window that asks why."""
    tab.wait_for("document.querySelector('#window').open", seconds=SECONDS)
    tab.run("document.querySelector('#window textarea, #window input').focus()")
    tab.type(reason)
    tab.click("#window-submit")


VOLUME = "KubePersistentVolumeFillingUp"


def test_a_volume_that_fills_is_diagnosed_with_the_time_that_is_left(watch: Watch) -> None:
    watch.sandbox.shop.break_("volume-filling")
    says(watch.alice, VOLUME, "monitoring/prometheus-data is 93 % full", "full in", "mounted by prometheus-")
    open_thread(watch.alice, VOLUME)
    says(watch.alice, "Make it larger", "possible (gp3)", "kubectl -n monitoring patch pvc", root=REPLY)
    says(watch.alice, "First steps", "Also firing", root=REPLY)
    watch.alice.wait_for("document.querySelector('#replies img')?.complete", seconds=SECONDS)
    picture(watch.alice, "alert-volume")
    watch.alice.click("#close-thread")


def test_people_say_who_has_it_and_what_it_was(watch: Watch) -> None:
    press(watch.alice, VOLUME, "Acknowledge")
    says(watch.bob, VOLUME, "@alice")
    press(watch.alice, VOLUME, "Own")
    choose(watch.alice, VOLUME, "Hand over…")
    watch.alice.wait_for("document.querySelector('#window').open", seconds=SECONDS)
    watch.alice.choose("#window select", BOB.id)
    picture(watch.alice, "alert-hand-over", "#window")
    watch.alice.click("#window-submit")
    says(watch.bob, VOLUME, "@bob")
    choose(watch.bob, VOLUME, "Mark as actionable")
    says(watch.alice, VOLUME, "actionable")
    picture(watch.alice, "alert-cared", MESSAGE)


def test_an_alert_is_silenced_after_a_look_at_what_that_hides_and_heard_again(watch: Watch) -> None:
    press(watch.alice, VOLUME, "Silence…")
    fill_in(watch.alice, "the volume grows tomorrow")
    open_thread(watch.alice, VOLUME)
    says(watch.alice, "Stays", "Finds  1 alert", "persistentvolumeclaim=prometheus-data", root=REPLY)
    picture(watch.alice, "alert-silence-plan")
    press(watch.alice, "wants a confirmation", "Confirm", root=REPLY)
    confirm(watch.alice, "Confirm")
    says(watch.alice, VOLUME, "silenced until")
    says(watch.alice, "Silence KubePersistentVolumeFillingUp: done", "1 alert hidden", root=REPLY)
    press(watch.alice, "Silence KubePersistentVolumeFillingUp: done", "Undo", root=REPLY)
    press(watch.alice, "wants a confirmation", "Confirm", root=REPLY)
    confirm(watch.alice, "Confirm")
    watch.alice.click("#close-thread")
    watch.alice.wait_for(f"!{message(VOLUME)}.innerText.includes('silenced until')", seconds=SECONDS)
    watch.sandbox.shop.mend("volume-filling")
    says(watch.alice, VOLUME, "resolved")


ROLLOUT = "KubeDeploymentRolloutStuck"


def test_the_rollout_that_came_before_is_rolled_back_by_a_button_and_the_alert_ends(watch: Watch) -> None:
    watch.sandbox.shop.break_("bad-rollout")
    says(watch.alice, ROLLOUT, "the registry has no such tag", "rollout of revision 4 came 12 min before")
    picture(watch.alice, "alert-rollout", MESSAGE)
    press(watch.alice, ROLLOUT, "Roll back backend")
    open_thread(watch.bob, ROLLOUT)
    says(watch.bob, "wants approval", "- backend: stefanprodan/podinfo:6.5.1-rc1", root=REPLY)
    press(watch.bob, "wants approval", "Approve", root=REPLY)
    confirm(watch.bob, "Approve")
    fill_in(watch.bob, "its image is not there")  # who pressed the button gave no reason
    says(watch.alice, ROLLOUT, "resolved")
