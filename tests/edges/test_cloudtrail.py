"""What changed in AWS: CloudTrail's pages at its pace and the updates of EKS, from recorded answers on loopback."""

import time
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import pytest
from rude_server import DROP, HTML, Asked, RudeServer, page
from test_aws import REGION, ROLE, soon, use

from commands.changereads import CloudChange, CloudChanges, CloudChangesSeen, EksUpdates
from commands.errors import Refused, Unanswered, Unreachable
from commands.model import Read
from commands.site import ClusterSite
from workers import cloudtrail
from workers.aws import Aws
from workers.cloudtrail import Pace

DAY = CloudChanges(timedelta(hours=24))
AT = 1795420800  # 2026-11-23 08:00 UTC
FREE = Pace(1e6)
JSON = "application/x-amz-json-1.1"
UPDATES = EksUpdates("training", ("workers",), timedelta(hours=24))


def event(
    name: str = "TerminateInstances",
    source: str = "ec2",
    *,
    at: int = AT,
    read_only: str = "false",
    resources: Iterable[str] = ("i-0abc",),
    **told: Any,
) -> dict[str, Any]:
    return {
        "EventId": f"{name}-{at}",
        "EventName": name,
        "ReadOnly": read_only,
        "EventTime": at,
        "EventSource": f"{source}.amazonaws.com",
        "Username": "alice",
        "Resources": [{"ResourceType": "x", "ResourceName": each} for each in resources],
        "CloudTrailEvent": orjson.dumps({"readOnly": read_only == "true", **told}).decode(),
    }


def region_of(asked: Asked) -> str:
    return asked.headers["authorization"].split("/")[2]


def trail(*pages: list[dict[str, Any]], iam: Any = None) -> Callable[[Asked], Any]:
    """Of the cluster's region these pages; of IAM's home its own answer."""

    def answer(asked: Asked) -> Any:
        given = orjson.loads(asked.body)
        if region_of(asked) == "us-east-1":
            return iam or page(200, {"Events": []}, JSON)
        number = int(given.get("NextToken", 0))
        more = {"NextToken": str(number + 1)} if number + 1 < len(pages) else {}
        return page(200, {"Events": pages[number], **more}, JSON)

    return answer


def looked(monkeypatch: pytest.MonkeyPatch, answer: Any, read: Read = DAY, region: str = REGION) -> Any:
    with RudeServer(answer) as server:
        use(monkeypatch, server.url)
        found = cloudtrail.read(region, read, soon(), FREE)
        return found, server.asked


def test_pages_are_followed_and_come_newest_first(monkeypatch: pytest.MonkeyPatch) -> None:
    found, asked = looked(monkeypatch, trail([event(at=AT)], [event("RunInstances", at=AT + 60)]))
    assert [each.action for each in found.changes] == ["RunInstances", "TerminateInstances"]
    assert found.changes[1] == CloudChange(
        "ec2", "TerminateInstances", "i-0abc", datetime.fromtimestamp(AT, UTC), "alice"
    )
    assert found.unread == ()
    given = [orjson.loads(each.body) for each in asked]
    assert [region_of(each) for each in asked] == ["us-east-1", REGION, REGION]
    assert given[0]["LookupAttributes"] == [
        {"AttributeKey": "EventSource", "AttributeValue": "iam.amazonaws.com"}
    ]
    assert given[1]["LookupAttributes"] == [{"AttributeKey": "ReadOnly", "AttributeValue": "false"}]
    assert abs(time.time() - 86_400 - given[1]["StartTime"]) < 60
    assert given[2]["NextToken"] == "1"


def test_what_was_written_to_these_services_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither what only reads, nor what AWS refused, nor what machines write elsewhere all the time."""
    told = [
        event("UpdateNodegroupVersion", "eks"),
        event("SetDesiredCapacity", "autoscaling"),
        event("ModifyListener", "elasticloadbalancing"),
        event("PutRolePolicy", "iam"),
        event("DescribeInstances", read_only="true"),
        event("UpdateInstanceInformation", "ssm"),
        event(errorCode="Client.UnauthorizedOperation"),
    ]
    found, _ = looked(monkeypatch, trail(told))
    assert [each.service for each in found.changes] == ["eks", "autoscaling", "elbv2", "iam"]


def test_iam_is_asked_where_its_events_are(monkeypatch: pytest.MonkeyPatch) -> None:
    iam = page(
        200, {"Events": [event("AttachRolePolicy", "iam"), event("GetRole", "iam", read_only="true")]}, JSON
    )
    found, _ = looked(monkeypatch, trail([], iam=iam))
    assert [each.action for each in found.changes] == ["AttachRolePolicy"]


def test_in_the_home_of_iam_one_question_is_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    answer = page(200, {"Events": [event("AttachRolePolicy", "iam")]}, JSON)
    found, asked = looked(monkeypatch, lambda _: answer, region="us-east-1")
    assert len(asked) == 1 and len(found.changes) == 1


def test_who_and_what_as_far_as_it_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    told = [
        event(userIdentity={"sessionContext": {"sessionIssuer": {"userName": "Admin"}}}),
        event(resources=("a", "b", "a", "c", "d")),
        {**event(), "Username": None, "Resources": None, "CloudTrailEvent": "no json"},
        {**event(), "CloudTrailEvent": '["a list"]'},
        event(userIdentity="nobody"),
    ]
    found, _ = looked(monkeypatch, trail(told))
    assert [(each.by, each.what) for each in found.changes] == [
        ("alice (Admin)", "i-0abc"),
        ("alice", "a, b, c and 1 more"),
        ("", ""),
        ("alice", "i-0abc"),
        ("alice", "i-0abc"),
    ]


# --- Time -----------------------------------------------------------------------------------------


def test_two_calls_a_second_and_none_that_would_come_too_late() -> None:
    now, slept = [100.0], []

    def sleep(length: float) -> None:
        slept.append(length)
        now[0] += length

    pace = Pace(2, lambda: now[0], sleep)
    assert [pace.wait(101.1) for _ in range(4)] == [True, True, True, False]
    assert slept == [0.0, 0.5, 0.5]
    now[0] = 200.0
    assert pace.wait(201) and slept[-1] == 0.0


def test_more_events_than_there_is_time_for_say_how_far_back_was_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Tired(Pace):
        """Three calls, and no more time."""

        left = 3

        def wait(self, deadline: float) -> bool:
            self.left -= 1
            return self.left >= 0

    pages = [[event(at=AT - number * 600)] for number in range(9)]
    with RudeServer(trail(*pages)) as server:
        use(monkeypatch, server.url)
        found = cloudtrail.read(REGION, DAY, soon(), Tired(1))
    assert len(found.changes) == 2
    assert [gap.reason for gap in found.unread] == [
        f"CloudTrail of {REGION} was read only back to 07:50 UTC: "
        "cloudtrail:LookupEvents: more events than can be read in time"
    ]


# --- What is no answer ----------------------------------------------------------------------------


def refused(code: str) -> bytes:
    return page(400, {"__type": code, "message": "no"}, JSON)


def test_what_one_region_does_not_say_takes_nothing_from_the_other(monkeypatch: pytest.MonkeyPatch) -> None:
    found, _ = looked(monkeypatch, trail([event()], iam=refused("AccessDeniedException")))
    assert len(found.changes) == 1
    (gap,) = found.unread
    assert gap.reason == (
        "CloudTrail of us-east-1 was read not at all: cloudtrail: access denied, needs cloudtrail:LookupEvents"
    )
    assert gap.mend == '{"Effect": "Allow", "Action": ["cloudtrail:LookupEvents"], "Resource": ["*"]}'


@pytest.mark.parametrize(
    ("answer", "kind", "reason"),
    [
        (
            refused("AccessDeniedException"),
            Refused,
            "cloudtrail: access denied, needs cloudtrail:LookupEvents",
        ),
        (refused("ThrottlingException"), Unreachable, "AWS answers ThrottlingException, try later"),
        (HTML, Refused, "cloudtrail:LookupEvents: not an answer of AWS"),
        (DROP, Unreachable, "the CLOUDTRAIL endpoint of us-east-1 cannot be reached"),
        (refused("ExpiredTokenException"), Refused, "AWS does not accept the credentials"),
    ],
)
def test_no_answer_at_all_is_a_gap_with_its_reason(
    monkeypatch: pytest.MonkeyPatch, answer: Any, kind: type[Unanswered], reason: str
) -> None:
    with pytest.raises(kind, match=reason):
        looked(monkeypatch, lambda _: answer)


def test_the_source_answers_both_questions(monkeypatch: pytest.MonkeyPatch) -> None:
    """Over the pace of the process itself: nobody was asked before, so the first call goes at once."""
    with RudeServer(lambda _: refused("ExpiredTokenException")) as server:
        use(monkeypatch, server.url)
        for read in (DAY, UPDATES):
            with pytest.raises(Refused) as caught:
                Aws(ClusterSite(region="us-east-1")).read(read, soon())
            assert caught.value.mend == ROLE


# --- EKS ------------------------------------------------------------------------------------------


def eks(updates: dict[str, dict[str, Any]], **refusals: bytes) -> Callable[[Asked], Any]:
    """updates: by their id; of a node group those whose id begins so."""

    def answer(asked: Asked) -> Any:
        path, _, query = asked.target.partition("?")
        place = "group" if "nodegroupName" in query else "cluster"
        if place in refusals:
            return refusals[place]
        id = path.partition("/updates")[2].strip("/")
        if id:
            return page(200, {"update": {"id": id, **updates[id]}})
        return page(200, {"updateIds": [each for each in updates if each.startswith(place)]})

    return answer


def began(hours: float, type: str, **more: Any) -> dict[str, Any]:
    return {"type": type, "status": "Successful", "createdAt": time.time() - hours * 3600, **more}


RECENT = {
    "cluster-1": began(
        23, "VersionUpdate", params=[{"type": "Version", "value": "1.36"}, {"type": "Tags", "value": "{}"}]
    ),
    "cluster-2": began(25, "ConfigUpdate"),
    "group-1": began(2, "VersionUpdate"),
}


def updates(monkeypatch: pytest.MonkeyPatch, answer: Any) -> CloudChangesSeen:
    with RudeServer(answer) as server:
        use(monkeypatch, server.url)
        found: CloudChangesSeen = cloudtrail.read(REGION, UPDATES, soon(), FREE)
        return found


def test_updates_of_the_last_day_are_told_and_older_ones_not(monkeypatch: pytest.MonkeyPatch) -> None:
    found = updates(monkeypatch, eks(RECENT))
    assert [each.what for each in found.changes] == [
        "node group workers, Successful",
        "cluster training, Version 1.36, Successful",
    ]
    assert {(each.service, each.action) for each in found.changes} == {("eks", "VersionUpdate")}


def unknown(code: str, status: int) -> bytes:
    return page(status, {"message": "no"}, x_amzn_ErrorType=code)


def test_a_node_group_that_eks_does_not_know_has_no_updates(monkeypatch: pytest.MonkeyPatch) -> None:
    found = updates(monkeypatch, eks(RECENT, group=unknown("ResourceNotFoundException", 404)))
    assert len(found.changes) == 1 and found.unread == ()


def test_a_node_group_that_may_not_be_asked_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    found = updates(monkeypatch, eks(RECENT, group=unknown("AccessDeniedException", 403)))
    (gap,) = found.unread
    assert gap.reason == "eks: access denied, needs eks:ListUpdates"
    assert f"arn:aws:eks:{REGION}:*:nodegroup/training/workers/*" in gap.mend
    assert len(found.changes) == 1
