"""`change recent` from the typed line to its sections, over a real reader: an API server, and AWS from recorded answers."""

import time
from datetime import UTC, datetime
from typing import Any

import orjson
import pytest
from rude_server import Asked, RudeServer, page
from test_aws import REGION, soon, use
from test_workloads import World, released, world

from commands.catalog import Catalog
from commands.changereads import CloudChanges, EksUpdates
from commands.changes.recent import parts
from commands.finding import Light
from commands.model import Read, Section
from commands.reads import Now
from commands.site import ClusterSite, Namespaces
from workers.aws import Aws
from workers.engine import WALL
from workers.reader import Reader
from workers.walk import walk

__all__ = ("world",)  # the API servers of the workloads' tests serve here, too


class Clock:
    def lanes(self) -> tuple[tuple[type[Read], ...], ...]:
        return ((Now,),)

    def read(self, read: Read, deadline: float) -> Any:
        return datetime.now(UTC)


def told(world: World, line: str, aws: Any, monkeypatch: pytest.MonkeyPatch) -> dict[str, Section]:
    space = released(world, "Deployment")
    site = ClusterSite(region=REGION, namespaces=Namespaces(app=space))
    catalog = Catalog.load()
    with RudeServer(aws) as server:
        use(monkeypatch, server.url)
        reader = Reader((world.cluster, Aws(site), Clock()))
        asked = catalog.parse(f"{line} -n {space}").args
        return {key: walk(part.inquiry, reader, soon()) for key, part in parts(asked, site).items()}


def in_aws(asked: Asked) -> Any:
    """One instance was ended a minute ago; EKS has not been updated."""
    if "LookupEvents" not in asked.headers.get("x-amz-target", ""):
        return page(200, {"updateIds": []})
    event = {
        "EventName": "TerminateInstances", "EventSource": "ec2.amazonaws.com", "EventTime": time.time() - 60,
        "Username": "alice", "Resources": [{"ResourceName": "i-0abc"}],
        "CloudTrailEvent": orjson.dumps({"readOnly": False}).decode(),
    }  # fmt: skip
    is_own = asked.headers["authorization"].split("/")[2] == REGION
    return page(200, {"Events": [event] if is_own else []}, "application/x-amz-json-1.1")


def test_the_line_that_follows_an_incident_is_answered_with_the_services_own_rollout_first(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = told(world, "change recent web --since 2h", in_aws, monkeypatch)
    (first,) = found["nearest"].findings
    assert "web: rollout of revision 2" in first.value
    assert first.evidence[0] == "image app: shop:1.3 → shop:1.4"
    assert first.suggestions[0].text.startswith("deploy rollback shop-")
    assert any("TerminateInstances i-0abc by alice" in row for row in found["infra"].table)
    assert all(section.done for section in found.values())


def test_a_cloud_that_refuses_takes_nothing_from_what_the_cluster_says(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    refused = page(400, {"__type": "AccessDeniedException", "message": "no"}, "application/x-amz-json-1.1")
    found = told(world, "change recent web --since 2h", lambda _: refused, monkeypatch)
    assert "rollout of revision 2" in found["nearest"].findings[0].value
    assert found["infra"].light is Light.UNKNOWN
    assert "cloudtrail:LookupEvents" in found["infra"].findings[0].mend


def test_the_slowest_sources_leave_time_for_an_answer_within_the_minute() -> None:
    """Nothing is asked after them, and everything beside them."""
    others = 5
    assert others + max(CloudChanges.patience, EksUpdates.patience) < WALL.total_seconds()
