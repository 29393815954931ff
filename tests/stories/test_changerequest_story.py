"""A change request through the whole house, by signed requests: from its line to its end, with a rollout inside."""

from collections.abc import Iterator

import pytest

from commands.ledger import faults
from commands.response import changefold
from commands.response.changerequest import ChangeRequest, Stage
from sandbox.slack.cast import ALICE, BOB
from tests.stories.faults import Json
from tests.stories.responding import DAILY, ResponseWorld, buttons

pytestmark = pytest.mark.timeout(300)

CHANGES = "#changes"
LINE = (
    'change new "restart for new certificates" --at now --for 30m --risk low --why "the certificates end tonight" '
    '--rollback "/sre deploy rollback web --namespace shop" '
    '--steps "/sre pod list --namespace shop; /sre deploy restart web --namespace shop"'
)


@pytest.fixture(scope="module")
def world() -> Iterator[ResponseWorld]:
    with ResponseWorld() as world:
        yield world


# What its card says of where it stands, where that is not the name of the stage.
STANDS = {
    Stage.PENDING: "wants approval",
    Stage.APPROVED: "approved, not begun",
    Stage.EXECUTING: "under way",
    Stage.VALIDATING: "done, is it well?",
    Stage.CANCELED: "cancelled",
}


class Played:
    """One change request, as its card in Slack shows it."""

    def __init__(self, world: ResponseWorld, said: str) -> None:
        self.world, self.records = world, world.changes
        self.id = said.partition(" ")[0]
        self.of = f"change:{self.id}"

    @property
    def change(self) -> ChangeRequest:
        stored = self.records.stored(self.id)
        assert stored is not None
        return stored.record

    def stands(self, stage: Stage) -> None:
        self.world.wait(lambda: self.change.stage is stage, f"{self.id} is {stage.value}")
        self.world.wait_card(CHANGES, self.of, f"· {STANDS.get(stage, stage.value)}")

    def press(self, user: str, label: str) -> None:
        """The button with this label, once the card has it."""

        def found() -> Json | None:
            card = self.world.card(CHANGES, self.of)
            return card if label in [each["text"]["text"] for each in buttons(card)] else None

        card = self.world.wait(found, f"{label!r} on the card of {self.id}")
        assert self.world.press(user, CHANGES, card, label).ok


def test_a_change_from_its_line_to_its_end(world: ResponseWorld) -> None:
    said = world.type("alice", DAILY, LINE)
    assert "is written (numbered by the day in" in said
    played = Played(world, said)
    played.stands(Stage.PENDING)
    world.wait_told(CHANGES, "Pre-checks of CR-")

    # two people
    played.press("alice", "Approve")
    world.whispered("alice", "somebody else must approve it")
    played.press("bob", "Approve")
    played.stands(Stage.APPROVED)

    # what people tick, by windows and buttons
    assert "cannot begin while these are open" in world.type("alice", DAILY, f"change start {played.id}")
    played.press("alice", "Tick: Tested in staging")
    world.fill("alice", why="build 431 ran there for a day")
    played.press("alice", "Tell the stakeholders")
    world.wait_told("#general-status", "restart for new certificates")
    played.press("carol", "I am there")
    for item in ("backup", "alerts"):
        world.type("bob", DAILY, f'change tick {played.id} {item} --skip --why "no data is touched"')

    # it is done
    played.press("alice", "Start")
    played.stands(Stage.EXECUTING)
    world.wait_told(CHANGES, "baseline frozen")
    played.press("alice", "Begin step 1")
    world.wait_told(CHANGES, "shop")
    played.press("alice", "Step 1 done")
    before = world.kube.list("pods", "shop")
    played.press("alice", "deploy restart web --namespace shop")
    plan = world.wait(
        lambda: next(iter(world.told(CHANGES, "wants approval")), None), "the restart wants an approval"
    )
    assert world.slack.press("bob", CHANGES, plan["ts"], "approve").ok
    world.wait(
        lambda: [each.state for each in played.change.linked] == ["succeeded"],
        "the restart is linked, and done",
    )
    names = {pod["metadata"]["name"] for pod in before}
    assert names.isdisjoint(pod["metadata"]["name"] for pod in world.kube.list("pods", "shop"))
    played.press("alice", "Step 2 done")
    played.stands(Stage.VALIDATING)

    # and looked at: nothing measures it here, so somebody must say that it worked
    played.press("alice", "It worked: close")
    world.fill("alice", why="orders arrive, and the certificates are new")
    played.stands(Stage.SUCCEEDED)
    assert_record_holds(world, played)


def assert_record_holds(world: ResponseWorld, played: Played) -> None:
    """The chain of its events, that they alone make the record, and one card."""
    change, events = played.change, played.records.events(played.id)
    folded = changefold.begun(change.id, events[0])
    for event in events[1:]:
        folded = changefold.after(folded, event)
    assert folded == change and faults(events, change.head, {}) == ()
    assert [each.user for each in change.agreed] == [BOB.id] and change.started_by == ALICE.id
    assert change.step(1) is not None and change.next_step == 0
    world.wait_sent()
    world.card(CHANGES, played.of)


def test_a_change_is_asked_for_in_a_window_edited_and_taken_back(world: ResponseWorld) -> None:
    assert world.type("alice", DAILY, 'change new "new disks" --at +3h --risk low') == ""
    refused = world.slack.submit_view(
        "alice", world.slack.views("alice")[-1]["id"], {"for": "a while", "rollback": "no", "why": "because"}
    )
    assert set(refused.body["errors"]) == {"for", "rollback", "why"}
    world.fill(
        "alice", **{"for": "20m"}, rollback="put the old disks back in", why="the old ones are too slow"
    )
    world.wait(
        lambda: [c for c in world.changes.open_records() if c.payload.what == "new disks"], "it is written"
    )
    (change,) = [each for each in world.changes.open_records() if each.payload.what == "new disks"]
    played = Played(world, change.id)
    played.stands(Stage.PENDING)

    # another payload is another approval
    seen = played.change.digest[:16]
    played.press("alice", "Edit…")
    world.fill("alice", **{"for": "40m"})
    world.wait(lambda: played.change.version == 2 and played.change.stage is Stage.PENDING, "it is edited")
    said = world.type("bob", DAILY, f"change approve {played.id} --digest {seen}")
    assert "was edited since" in said and played.change.agreed == ()
    world.type("alice", DAILY, f"cancel {played.id} the disks did not come")
    played.stands(Stage.CANCELED)
    assert played.change.ended_why == "the disks did not come"
