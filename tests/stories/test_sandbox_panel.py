"""Every lever of the panel in a browser: broken there, seen on the strip and in the chat, mended there, and over.

What is broken in the shop is told by an alert that fires by itself, with its cause. One sandbox serves all, and the
tests go on from one another: each mends what it broke, and one in the middle starts over, as no alert may fire twice.
"""

import json
from collections.abc import Iterator, Mapping, Sequence

import pytest

from sandbox.assembly import Sandbox
from sandbox.house import wait_until
from sandbox.shop import FAULTS
from sandbox.shop.inventory import BACKEND
from tests.standins.browser import PROGRAM, Browser, Tab
from tests.standins.pagehands import say
from tests.stories.sandboxed import MESSAGE, soon_missed, undisturbed

SECONDS = 90  # only bounds a failure

# What a fault is told by: the alert, and what its card says of the cause.
TOLD: Mapping[str, tuple[str, ...]] = {
    "crash-loop": ("KubePodCrashLooping", "exit code 1"),
    "latency": ("HighLatency", "95 of 100 requests take up to"),
    "certificate": ("BlackboxSslCertificateWillExpireSoon", "https://shop.example.com shows is good for 2 d"),
    "errors": ("HighErrorRate", "payment backend: timeout"),
    "disk-filling": ("NodeFilesystemSpaceFillingUp", "is 91 % full"),
    "volume-filling": ("KubePersistentVolumeFillingUp", "monitoring/prometheus-data is 93 % full"),
    "at-maximum": ("KubeHpaMaxedOut",),
    "throttled": ("CPUThrottlingHigh",),
    "bad-config": ("KubeContainerWaiting", "ConfigMap backend has no key cache-server"),
    "image-pull": ("KubeContainerWaiting", "or it is private"),
    "bad-rollout": ("KubeDeploymentRolloutStuck", "the registry has no such tag"),
    "out-of-memory": ("KubePodCrashLooping", "256 MiB"),
    "node-not-ready": ("KubeNodeNotReady", "EC2 stopped i-"),
    "no-metrics": ("TargetDown", "targets of backend"),
}
# Broken together, because they leave each other alone. The first of each is seen to its end: that its alert is
# resolved takes no longer than Alertmanager, and of the others as long as the window of their rates.
FIRST = (
    ("certificate", "crash-loop", "image-pull", "latency", "errors", "disk-filling", "volume-filling"),
    ("no-metrics", "bad-rollout"),
)
THEN = (("at-maximum", "bad-config", "out-of-memory", "throttled"), ("node-not-ready",))
ANSWER = ("health app", "3/3 ready", "asked by")
PATH = ("storm", "prometheus-down", "no-alerts")
HOUSE = ("slack-429", "slack-down", "redis-restart", "worker-kill")

pytestmark = [
    pytest.mark.monitoring,
    pytest.mark.skipif(PROGRAM is None, reason="NO CHROMIUM ON PATH: the levers were not tried in a browser"),
]


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    with soon_missed(tmp_path_factory.mktemp("sandbox")) as sandbox:
        undisturbed(sandbox)
        yield sandbox


@pytest.fixture(scope="module")
def tab(sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tab]:
    """Alice's, as one who was here before: no tour. The panel is open beside the channel."""
    with (
        Browser(tmp_path_factory.mktemp("browser")) as browser,
        browser.open(f"{sandbox.slack.url}/#alice/sre-alerts", width=1280, height=900) as tab,
    ):
        tab.click("#open-break")
        yield tab
        assert tab.troubles == []


def look_into(tab: Tab, channel: str) -> None:
    tab.click(f"#channels a[data-name={channel}]")
    tab.wait_for(f"document.querySelector('#channel-name').innerText === '#{channel}'")


def turn(tab: Tab, label: str, fault: str) -> None:
    """The lever, to Break or to Mend."""
    tab.click(f"#faults [data-fault={fault}] button", label)


def see_broken(tab: Tab, *faults: str) -> None:
    """On the strip, by their titles, and nothing else there."""
    titles = sorted(FAULTS[fault]().title for fault in faults)
    found = "[...document.querySelectorAll('#broken li:has(button)')].map((each) => each.innerText)"
    shown = f"{found}.map((each) => each.replace(/Mend/, '').replace(/⚠️/, '').trim()).sort()"
    tab.wait_for(f"JSON.stringify({shown}) === JSON.stringify({json.dumps(titles)})", seconds=SECONDS)


def told(*words: str) -> str:
    """How many messages that everybody sees say all of this, as an expression of the page."""
    says = " && ".join(f"each.innerText.includes({json.dumps(word)})" for word in words)
    return f"[...document.querySelectorAll({json.dumps(MESSAGE)})].filter((each) => {says}).length"


def see_message(tab: Tab, *words: str) -> None:
    tab.wait_for(told(*words), seconds=SECONDS)


def see_answers(tab: Tab, count: int) -> None:
    """So many to `/sre health app`, and no more."""
    tab.wait_for(f"{told(*ANSWER)} === {count}", seconds=SECONDS)


def is_told_and_mended(tab: Tab, sandbox: Sandbox, faults: Sequence[str]) -> None:
    look_into(tab, "sre-alerts")
    for fault in faults:
        turn(tab, "Break", fault)
    see_broken(tab, *faults)
    for fault in faults:
        see_message(tab, *TOLD[fault], "firing")
    for fault in faults:
        turn(tab, "Mend", fault)
    see_broken(tab)
    see_message(tab, TOLD[faults[0]][0], "resolved")  # that each ends is seen in tests/standins/test_shop.py
    wait_until(lambda: sandbox.shop.state()["backend"]["ready"] == BACKEND.replicas, what="the shop is well")


def test_every_lever_is_played_here(tab: Tab) -> None:
    shown = tab.run(
        "[...document.querySelectorAll('#faults [data-fault]')].map((each) => each.dataset.fault)"
    )
    in_shop = [fault for group in (*FIRST, *THEN) for fault in group]
    assert sorted(shown) == sorted([*in_shop, *PATH, *HOUSE])
    assert sorted(shown) == sorted(FAULTS)


@pytest.mark.parametrize("faults", FIRST, ids="+".join)
def test_what_is_broken_in_the_shop_has_its_card_until_it_is_mended(
    tab: Tab, sandbox: Sandbox, faults: Sequence[str]
) -> None:
    is_told_and_mended(tab, sandbox, faults)


def test_a_way_of_alerts_that_is_cut_is_missed_whatever_else_befalls_the_house(
    tab: Tab, sandbox: Sandbox
) -> None:
    """What the house itself meets is tried while the Watchdog is waited for."""
    look_into(tab, "sre-daily")
    turn(tab, "Break", "no-alerts")
    for answered, fault in enumerate(("slack-429", "slack-down")):
        _ask_while_slack_is_away(tab, sandbox, fault)
        assert tab.run(told(*ANSWER)) == answered
        turn(tab, "Mend", fault)
        see_broken(tab, "no-alerts")
        see_answers(tab, answered + 1)
    for answered, fault in enumerate(("redis-restart", "worker-kill"), 2):
        say(tab, "/sre health app")
        turn(tab, "Break", fault)
        tab.wait_for_text(f"#faults [data-fault={fault}]", "done")
        see_broken(tab, "no-alerts")
        see_answers(tab, answered + 1)
    look_into(tab, "incidents")
    see_message(tab, "no Watchdog for")
    turn(tab, "Mend", "no-alerts")
    see_broken(tab)
    see_message(tab, "heard again")


def _ask_while_slack_is_away(tab: Tab, sandbox: Sandbox, fault: str) -> None:
    turn(tab, "Break", fault)
    see_broken(tab, "no-alerts", fault)
    asked = len(sandbox.slack.calls("chat.postMessage"))
    say(tab, "/sre health app")
    wait_until(
        lambda: len(sandbox.slack.calls("chat.postMessage")) > asked, what="a call in vain", seconds=SECONDS
    )


def test_a_prometheus_that_is_gone_is_named_by_who_asks_it(tab: Tab) -> None:
    look_into(tab, "sre-daily")
    turn(tab, "Break", "prometheus-down")
    see_broken(tab, "prometheus-down")
    say(tab, "/sre health monitoring")
    see_message(tab, 'no endpoints available for service "prometheus-service"')
    turn(tab, "Mend", "prometheus-down")
    see_broken(tab)


def test_to_start_over_leaves_nothing_of_what_was_told_or_is_broken(tab: Tab, sandbox: Sandbox) -> None:
    turn(tab, "Break", "errors")
    see_broken(tab, "errors")
    tab.click("#reset")
    tab.click("#confirm button", "Start over")
    tab.wait_for("document.querySelector('#reset').innerText === 'Start over…'", seconds=SECONDS)
    tab.wait_for_text("#broken", "Nothing is broken.")
    for channel in ("sre-alerts", "sre-daily", "incidents"):
        look_into(tab, channel)
        tab.wait_for_text("#messages", "Nothing here yet.")
    undisturbed(sandbox)


@pytest.mark.parametrize("faults", THEN, ids="+".join)
def test_what_is_broken_after_a_start_has_its_card_until_it_is_mended(
    tab: Tab, sandbox: Sandbox, faults: Sequence[str]
) -> None:
    is_told_and_mended(tab, sandbox, faults)


def test_a_storm_is_one_card_and_ends_as_one(tab: Tab) -> None:
    look_into(tab, "sre-alerts")
    turn(tab, "Break", "storm")
    see_broken(tab, "storm")
    see_message(tab, "Alert storm")
    turn(tab, "Mend", "storm")
    see_broken(tab)
    see_message(tab, "Alert storm", ", 0 fir")
