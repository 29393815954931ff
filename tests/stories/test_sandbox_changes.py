"""Changes in the sandbox, as people meet them in a browser: asked for, refused, approved, watched, taken back.

With UPDATE_PICTURES=1 it keeps what it sees in docs/pictures. One sandbox serves all stories; each leaves
the shop so that the next one can begin.
"""

import json
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from sandbox.assembly import Sandbox
from sandbox.house import wait_until
from tests.standins.browser import PROGRAM, Browser, Tab
from tests.standins.pagehands import say
from tests.stories.sandboxed import MESSAGE, SECONDS, looked_at, picture

DAILY = "C0SREDAILY1"
NODE = "ip-10-0-2-82"

pytestmark = pytest.mark.skipif(
    PROGRAM is None, reason="NO CHROMIUM ON PATH: changes in the sandbox were not tried in a browser"
)


class Desk:
    """Alice, Bob and Carol, each at a screen of their own, in #sre-daily."""

    def __init__(self, sandbox: Sandbox, browser: Browser, closing: ExitStack) -> None:
        self.sandbox = sandbox
        self.alice, self.bob, self.carol = (
            closing.enter_context(
                browser.open(f"{sandbox.slack.url}/#{name}/{DAILY}", width=1000, height=1000)
            )
            for name in ("alice", "bob", "carol")
        )

    def ask(self, text: str, headline: str) -> None:
        """Alice types it, and everybody sees the plan."""
        say(self.alice, f"/sre {text}")
        for tab in (self.alice, self.bob, self.carol):
            in_card(tab, headline, "wants approval")

    def approve(self) -> None:
        """Bob does, and is asked once more."""
        self.bob.click(f"{MESSAGE} .button", "Approve")
        self.bob.wait_for("document.querySelector('#confirm').open")
        self.bob.click("#confirm button", "Approve")


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    with looked_at(tmp_path_factory.mktemp("sandbox")) as (sandbox, browser), ExitStack() as closing:
        desk = Desk(sandbox, browser, closing)
        yield desk
        assert [tab.troubles for tab in (desk.alice, desk.bob, desk.carol)] == [[], [], []]


def in_card(tab: Tab, *texts: str) -> None:
    """Until the newest message that everybody sees says all of it."""
    newest = f"[...document.querySelectorAll({json.dumps(MESSAGE)})].at(-1)"
    wanted = " && ".join(f"said.includes({json.dumps(text)})" for text in texts)
    tab.wait_for(f"((said) => {wanted})({newest}.innerText)", seconds=SECONDS)


def test_a_drain_is_refused_to_who_asked_for_it_and_carried_out_for_somebody_else(desk: Desk) -> None:
    desk.ask(f'drain {NODE} --why "kernel update"', f"Drain {NODE}")
    in_card(desk.alice, "GO WITH RISK", "grafana", f"/sre node uncordon {NODE}")

    desk.alice.click(f"{MESSAGE} .button", "Approve")
    desk.alice.click("#confirm button", "Approve")
    desk.alice.wait_for_text(".whisper", "somebody else must approve it. Nothing was done.")
    picture(desk.alice, "drain-refused")
    for tab in (desk.bob, desk.carol):
        assert "somebody else must approve it" not in tab.text("#messages")
    in_card(desk.bob, "wants approval")

    desk.bob.click(f"{MESSAGE} .button", "Approve")
    desk.bob.wait_for_text("#confirm", f"Drain {NODE}")
    picture(desk.bob, "drain-confirm", "#confirm")
    desk.bob.click("#confirm button", "Approve")
    in_card(desk.alice, "applying", "Waiting for", "metrics-server")
    picture(desk.alice, "drain-progress", MESSAGE)
    in_card(desk.alice, "done in", "approved by @bob")
    desk.alice.click(f"{MESSAGE} .replies")
    desk.alice.wait_for_text("#replies .message", "approved by @bob")
    desk.alice.wait_for_text("#replies .message", f"@alice ✅ Drain {NODE}")
    picture(desk.alice, "drain-done")
    desk.alice.click("#close-thread")
    left = [pod["metadata"]["ownerReferences"][0]["kind"] for pod in _pods_on(desk, NODE)]
    assert left == ["DaemonSet"] * 3


def test_the_way_back_is_a_plan_too_and_is_rejected_with_a_reason(desk: Desk) -> None:
    """A button of a card is answered in the card's thread."""
    desk.alice.click(f"{MESSAGE} .button", "Open to pods again")
    desk.bob.click(f"{MESSAGE} .replies")
    desk.bob.wait_for_text("#replies .message", "Uncordon")
    desk.bob.click("#replies .button", "Reject")
    desk.bob.wait_for("document.querySelector('#window').open")
    desk.bob.run("document.querySelector('#window textarea').focus()")
    desk.bob.type("the kernel is not updated yet")
    picture(desk.bob, "reject", "#window")
    desk.bob.click("#window-submit")
    desk.bob.wait_for_text("#replies .message", "rejected by @bob, nothing was changed")
    desk.bob.wait_for_text("#replies .message", "the kernel is not updated yet")
    desk.bob.click("#close-thread")
    (node,) = [each for each in desk.sandbox.kube.list("nodes") if each["metadata"]["name"].startswith(NODE)]
    assert node["spec"]["unschedulable"] is True


def test_a_bad_rollout_is_seen_and_rolled_back_with_its_difference(desk: Desk) -> None:
    desk.sandbox.shop.break_("bad-rollout")
    wait_until(lambda: _cannot_be_pulled(desk), seconds=SECONDS, what="a pod that cannot start")
    say(desk.alice, "/sre health cluster")
    in_card(desk.alice, "🔴", "sre-shop/backend")
    picture(desk.alice, "health-red", MESSAGE)
    desk.ask(
        'rollback backend --why "its image cannot be pulled"',
        "Roll back Deployment sre-shop/backend to revision 3",
    )
    in_card(desk.alice, "- backend: stefanprodan/podinfo:6.5.1-rc1", "+ backend: stefanprodan/podinfo:6.5.0")
    picture(desk.alice, "rollback-plan", MESSAGE)
    desk.bob.resize(390, 1000)
    in_card(desk.bob, "podinfo:6.5.0")
    assert desk.bob.run("document.documentElement.scrollWidth") <= 390
    picture(desk.bob, "rollback-phone")
    desk.approve()
    in_card(desk.alice, "done in", "all 3 updated and available")
    picture(desk.alice, "rollback-done", MESSAGE)


def _cannot_be_pulled(desk: Desk) -> bool:
    pods = desk.sandbox.kube.list("pods", "sre-shop")
    return any("ImagePullBackOff" in json.dumps(pod.get("status")) for pod in pods)


def _pods_on(desk: Desk, node: str) -> list[dict[str, Any]]:
    return [pod for pod in desk.sandbox.kube.list("pods") if pod["spec"]["nodeName"].startswith(node)]
