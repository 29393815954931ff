"""Incidents behind closed doors, through the whole house: nobody outside learns of one, and what is evidence is kept."""

from collections.abc import Iterator

import pytest

from sandbox.slack.cast import ALICE, BOB, CAROL
from tests.stories.responding import DAILY, ResponseWorld

pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="module")
def world() -> Iterator[ResponseWorld]:
    with ResponseWorld() as world:
        yield world


def test_nobody_outside_learns_of_a_private_incident(world: ResponseWorld) -> None:
    said = world.type("alice", DAILY, "incident security token zebra4711 is in a public repository")
    id = said.partition(" ")[0]
    room = world.wait_room(id)
    place = world.slack.workspace.channel(room)
    assert place.is_private
    world.wait(lambda: {ALICE.id, BOB.id} <= set(place.members), "who is of security is there")
    world.type("bob", room, "incident note zebra4711 was revoked")
    world.type("bob", room, "incident update zebra4711 is worth nothing any more --to stakeholders")
    said = world.slack.post_as("alice", room, "zebra4711 was used from abroad")
    world.slack.react("bob", room, said.ts, "pushpin")
    world.wait_event(id, "zebra4711 was used from abroad")
    world.ask("bob", room, "incident timeline")

    number = id.rpartition("-")[2]
    for line in (
        "incident", "incident list --all", f"incident status {id}", f"incident join {id}", f"incident brief {id}",
        f"incident timeline {id}", f"incident export {id}", f"incident note --incident {number} hello",
        f"incident merge {id}", "review metrics --window 7d", "task list", "change recent --since 2h",
        "audit trail --since 1h", "help outbox",
    ):  # fmt: skip
        world.type("carol", DAILY, line)
    aloud = world.type("bob", DAILY, f"incident timeline {id}")
    assert f"{id} is private" in aloud
    world.wait(lambda: not any(world.state.depths().values()), "all is answered")
    assert CAROL.id not in place.members
    for channel in world.slack.workspace.channels.values():
        if CAROL.id in channel.members:
            seen = world.slack.transcript(channel.id, ephemerals=False)
            assert "zebra4711" not in seen, (channel.name, seen)
    assert "zebra4711" not in str(world.slack.ephemerals("carol"))
    public = [c for c in world.slack.workspace.channels.values() if not c.is_private and c.kind != "im"]
    shared = [
        file
        for file in world.slack.workspace.files.values()
        if {c for c, _ in file.shares} & {c.id for c in public}
    ]
    assert all(b"zebra4711" not in file.content for file in shared)
    world.assert_holds(id)
    world.assert_drawn_once(id)


def test_of_a_pod_under_suspicion_the_evidence_is_kept_before_its_node_is_drained(
    world: ResponseWorld,
) -> None:
    id = world.type("alice", DAILY, "incident security somebody has a shell in web").partition(" ")[0]
    room = world.wait_room(id)
    world.wait(lambda: BOB.id in world.slack.workspace.channel(room).members, "Bob is there")
    suspect = world.kube.list("pods", "shop")[0]
    pod, node = suspect["metadata"]["name"], suspect["spec"]["nodeName"]
    cut = world.ask("alice", room, f"pod isolate {pod} --namespace shop --why 'a shell'")
    plan = world.wait_card(room, f"request:{cut}", "wants approval")
    world.slack.press("bob", room, plan["ts"], "approve")
    world.wait_card(room, f"request:{cut}", "done in")

    blocked = world.ask("alice", room, f"node drain {node} --orphans --why 'a new kernel'")
    world.wait_card(room, f"request:{blocked}", "blocked, nothing was changed")
    world.wait_told(room, f"shop/{pod} is cut off for an investigation, and no evidence of it is kept")
    world.ask("alice", room, f"pod evidence {pod} --namespace shop")
    world.wait(lambda: any(pod in file.name for file in world.files(room)), "its evidence is there")
    drain = world.ask("alice", room, f"node drain {node} --orphans --why 'a new kernel'")
    world.wait_card(room, f"request:{drain}", "wants approval")
    world.wait_told(room, f"shop/{pod} is in quarantine; its evidence is kept")
    assert not world.kube.get("nodes", node)["spec"].get("unschedulable")
    world.assert_holds(id)
