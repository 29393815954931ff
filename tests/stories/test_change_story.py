"""Two changes from the question to the proof, on real processes: a drain, and a rollback with its difference.

The threads that result are kept in tests/golden/ as they read in Slack; UPDATE_GOLDEN=1 writes them anew.
"""

import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from commands.model import State
from sandbox.kube import build
from tests.stories.changes import PODS, ChangeWorld
from tests.stories.faults import PATIENCE

GOLDEN = Path(__file__).parents[1] / "golden"

# What differs from run to run and is not the point: ids, moments, durations, uids, pod suffixes.
_VARIABLE = [
    (r" \[edited\]:", ":"),  # a plan that was made again may tell another age
    (r"<!date\^\d+\^[^|]*\|[^>]*>", "<moment>"),
    (r"\bR[2-9A-HJ-NP-Z]{8}\b", "<id>"),
    (r"`[0-9a-f]{8}`", "`<digest>`"),
    (r"`[0-9a-f]{16}`", "`<digest>`"),
    (r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b", "<uid>"),
    (r"·  [0-9a-f]{8}\b", "·  <uid>"),
    (r"\bweb-[a-z0-9]+-[a-z0-9]{5}\b", "web-<pod>"),
    (r"\bweb-[a-z0-9]{6,10}\b", "web-<hash>"),
    (r"\b(done in|after) \d+(\.\d+)? (ms|s)\b", r"\1 <span>"),
    (r"\b\d+(\.\d+)? (s|min|h|d)( \d+ \w+)? (old|ago)\b", r"<span> \4"),
    (r"\bReady for [^,]*", "Ready for <span>"),
    (r"(\bmade|<span> ago) +", r"\1  "),  # columns are as wide as what varies
]


def as_kept(text: str) -> str:
    for pattern, shown in _VARIABLE:
        text = re.sub(pattern, shown, text)
    return text


def compare(name: str, transcript: str) -> None:
    file = GOLDEN / name
    if os.environ.get("UPDATE_GOLDEN"):
        file.write_text(as_kept(transcript))
    assert as_kept(transcript) == file.read_text()


@pytest.fixture(scope="module")
def world() -> Iterator[ChangeWorld]:
    with ChangeWorld(("node-7", "shop")) as world:
        yield world


def test_a_drain_is_asked_for_refused_to_its_requester_approved_and_proved(world: ChangeWorld) -> None:
    uids = world.uids("node-7")
    world.drain("node-7")
    card = world.card("node-7")
    world.press("node-7", "approve", by="alice")
    refusal = world.told_privately("alice", "somebody else must approve it")
    assert "Nothing was done" in refusal
    assert not world.is_closed("node-7") and world.card("node-7")["text"] == card["text"]
    world.hold("node-7")
    world.approve("node-7")
    world.wait_card("node-7", "applying, 1 of 4 steps done")
    world.let_go("node-7")
    world.wait_over("node-7")
    assert world.card("node-7")["ts"] == card["ts"], "the card was edited in place"
    went_through(world.headlines("node-7"), "planning…", "wants approval", "applying", "done in")
    world.assert_drained_once("node-7", uids)
    assert world.audit("node-7")[:4] == ["submitted", "planned", "refused", "approved"]
    compare("transcript-drain.txt", told(world, "node-7"))


def test_a_rollback_shows_its_difference_and_is_proved(world: ChangeWorld) -> None:
    world.kube.patch("deployments.apps", "web", new_version("1.5.0"), "shop")
    world.kube.wait_for(lambda kube: images(world) == {"registry.example.com/shop/app:1.5.0"}, PATIENCE)
    world.kube.forget_requests()
    world.wait_people()
    world.ask("shop", "deploy rollback web --namespace shop --why 'errors since 1.5.0'")
    world.wait_card("shop", "wants approval")
    assert images(world) == {"registry.example.com/shop/app:1.5.0"}, "nothing moved before it was approved"
    world.approve("shop")
    world.wait_over("shop")
    went_through(world.headlines("shop"), "planning…", "wants approval", "applying", "done in")
    assert images(world) == {build.IMAGE}
    assert world.request("shop").state is State.SUCCEEDED
    assert dict(world.taken("shop")) == {"PATCH deployments": 1}
    world.assert_told_truly("shop", "done in")
    world.assert_trail_holds()
    compare("transcript-rollback.txt", told(world, "shop"))


def told(world: ChangeWorld, name: str) -> str:
    """The channel, and below it what Alice alone was told: where that stands between the rest is chance."""
    mine = [each["text"] for each in world.slack.ephemerals("alice") if world.ids[name] in each["text"]]
    return "\n".join([world.slack.transcript(f"#{name}", ephemerals=False), "Alice alone:", *mine, ""])


def went_through(headlines: list[str], *words: str) -> None:
    """Each of these was shown, in this order."""
    places = [next((n for n, each in enumerate(headlines) if word in each), -1) for word in words]
    assert -1 not in places and places == sorted(places), headlines


def new_version(version: str) -> dict[str, object]:
    image = build.IMAGE.rpartition(":")[0] + ":" + version
    return {"spec": {"template": {"spec": {"containers": [build.container(image=image)]}}}}


def images(world: ChangeWorld) -> set[str]:
    """What all pods run; nothing while a rollout goes on."""
    pods = world.kube.list("pods", "shop")
    return {pod["spec"]["containers"][0]["image"] for pod in pods} if len(pods) == PODS else set()
