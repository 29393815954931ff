"""What changed before something began: which rollout is a suspect, and which is none any more."""

from collections.abc import Generator
from datetime import UTC, datetime, timedelta
from typing import Any

from commands.alertreads import AmAlerts, RunbookOf
from commands.model import AlertGroup, Section
from commands.reads import Now
from commands.site import ClusterSite
from commands.triage import changed, context
from commands.triagereads import Changes, ChangeSeen, ChangesSeen
from tests import build

BEGAN = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
ROLL_BACK = "deploy rollback shop/web"


def rollout(revision: int, minutes: int, name: str = "web") -> ChangeSeen:
    at = BEGAN - timedelta(minutes=minutes)
    return ChangeSeen("Deployment", "shop", name, f"rollout of revision {revision}", at, revision=revision)


def seen(*changes: ChangeSeen) -> ChangesSeen:
    return ChangesSeen(changes)


def test_a_rollout_just_before_is_a_cause_with_a_way_back() -> None:
    found = changed.looked(seen(rollout(4, 12)), BEGAN, BEGAN)
    assert found.cause and [each.text for each in found.cause.suggestions] == [ROLL_BACK]
    assert "rollout of revision 4 came 12 min before it began" in found.cause.text


def test_a_rollout_that_was_undone_is_told_and_is_no_cause_any_more() -> None:
    again = rollout(5, -1)
    found = changed.looked(seen(again, rollout(4, 12)), BEGAN, BEGAN + timedelta(minutes=1))
    assert found.cause and "revision 5" in found.cause.text
    late = changed.looked(seen(rollout(5, -9), rollout(4, 12)), BEGAN, BEGAN + timedelta(minutes=9))
    assert late.cause is None and "rollout of revision 4" in " ".join(late.finding.evidence)


def test_a_rollout_of_something_else_is_no_cause() -> None:
    assert changed.looked(seen(rollout(4, 12, "other")), BEGAN, BEGAN, "web").cause is None


def around(group: AlertGroup, changes: ChangesSeen) -> Section:
    asked: Generator[Any, Any, Section] = context.told(group, ClusterSite())
    answers = {Changes: changes, AmAlerts: (), RunbookOf: None, Now: group.opened}
    reads = next(asked)
    try:
        asked.send({read: answers[type(read)] for read in reads})
    except StopIteration as end:
        section: Section = end.value
        return section
    raise AssertionError("it asked twice")


def test_a_rollout_somewhere_explains_no_node() -> None:
    before = ChangeSeen(
        "Deployment", "shop", "web", "rollout of revision 4", build.NOW - timedelta(minutes=12), revision=4
    )
    of_pod = around(build.group(build.alert(namespace="shop", deployment="web")), seen(before))
    assert of_pod.cause and [each.text for each in of_pod.findings[0].suggestions] == [ROLL_BACK]
    of_node = around(build.group(build.alert("KubeNodeNotReady", node="n1")), seen(before))
    assert of_node.cause is None and of_node.findings[0].suggestions == ()
    assert "rollout of revision 4" in of_node.findings[0].evidence[0]
