"""What changed in AWS lately: the write events of CloudTrail, and the updates of EKS.

Functions called by workers/aws.py, which owns the source. CloudTrail answers two questions a second for a whole account,
a page of fifty events each, so pages are asked for at that pace and only for as long as there is time: what is older then
stands as not read. Only ever looks up, lists and describes.
"""

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

import orjson
from botocore.exceptions import ClientError

from commands.changereads import CloudChange, CloudChanges, CloudChangesSeen, EksUpdates
from commands.errors import Unanswered, Unreachable
from commands.model import Gap, Read
from workers.awslink import ask, listed, partition

Json = Mapping[str, Any]

READS: tuple[type[Read], ...] = (CloudChanges, EksUpdates)

_SERVICES = {
    "eks.amazonaws.com": "eks",
    "ec2.amazonaws.com": "ec2",
    "autoscaling.amazonaws.com": "autoscaling",
    "elasticloadbalancing.amazonaws.com": "elbv2",
    "iam.amazonaws.com": "iam",
}
_PAGE, _UPDATES = 50, 10
_SECONDS = 5
_SPARE_SECONDS = 0.5
_NAMES = 3


class Pace:
    """At most so many calls a second, of all threads together. An account's other users are not seen from here."""

    def __init__(
        self,
        a_second: float,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._apart = 1 / a_second
        self._clock = clock
        self._sleep = sleep
        self._lock = threading.Lock()
        self._next = 0.0

    def wait(self, deadline: float) -> bool:
        """False, at once, where the next call would come after the deadline."""
        with self._lock:
            now = self._clock()
            turn = max(now, self._next)
            if turn >= deadline:
                return False
            self._next = turn + self._apart
        self._sleep(turn - now)
        return True


_PACE = Pace(2)


def read(region: str, asked: Read, deadline: float, pace: Pace = _PACE) -> CloudChangesSeen:
    match asked:
        case CloudChanges():
            return _Trail(datetime.now(UTC) - asked.window, deadline - _SPARE_SECONDS, pace).seen(region)
        case EksUpdates():
            return _updates(region, asked, deadline - _SPARE_SECONDS)
    raise LookupError(f"not a question about changes in AWS: {asked}")


# --- CloudTrail -----------------------------------------------------------------------------------


class _Trail:
    """One question on its way."""

    def __init__(self, since: datetime, deadline: float, pace: Pace) -> None:
        self._since = since
        self._deadline = deadline
        self._pace = pace
        self._errors: list[Unanswered] = []
        self._unread: list[Gap] = []
        self._is_answered = False

    def seen(self, region: str) -> CloudChangesSeen:
        """IAM first: it is quiet, and what is left of the time is the region's."""
        home = _home_of_iam(region)
        found: list[CloudChange] = []
        if home != region:
            found += self._of(home, {"AttributeKey": "EventSource", "AttributeValue": "iam.amazonaws.com"})
        found += self._of(region, {"AttributeKey": "ReadOnly", "AttributeValue": "false"})
        if self._errors and not self._is_answered:
            raise self._errors[0]
        newest = sorted(found, key=lambda each: each.at, reverse=True)
        return CloudChangesSeen(tuple(newest), tuple(dict.fromkeys(self._unread)))

    def _of(self, region: str, which: Mapping[str, str]) -> Iterator[CloudChange]:
        """What was read of it before it failed stands."""
        oldest: datetime | None = None
        token: dict[str, str] = {}
        try:
            while True:
                page = self._page(region, which, token)
                events = listed(page, "Events", "cloudtrail:LookupEvents")
                self._is_answered = True
                yield from _changes(events)
                oldest = min((each["EventTime"] for each in events), default=oldest)
                if not page.get("NextToken"):
                    return
                token = {"NextToken": str(page["NextToken"])}
        except Unanswered as error:
            back = f"only back to {oldest.astimezone(UTC):%H:%M} UTC" if oldest else "not at all"
            gap = Gap.of(error)
            self._errors.append(error)
            self._unread.append(Gap(f"CloudTrail of {region} was read {back}: {gap.reason}", gap.mend))

    def _page(self, region: str, which: Mapping[str, str], token: Mapping[str, Any]) -> Any:
        if not self._pace.wait(self._deadline):
            raise Unreachable("cloudtrail:LookupEvents: more events than can be read in time")
        return ask(
            "cloudtrail",
            "lookup_events",
            region,
            self._deadline,
            seconds=_SECONDS,
            LookupAttributes=[which],
            StartTime=self._since,
            MaxResults=_PAGE,
            **token,
        )


def _home_of_iam(region: str) -> str:
    homes = {"aws-cn": "cn-north-1", "aws-us-gov": "us-gov-west-1"}
    return homes.get(partition(region), "us-east-1")


def _changes(events: list[Json]) -> Iterator[CloudChange]:
    for event in events:
        service = _SERVICES.get(str(event.get("EventSource") or ""))
        if service is None or event.get("ReadOnly") == "true":
            continue
        told = _told(event)
        if told.get("errorCode") or told.get("readOnly") is True:
            continue  # what was refused changed nothing
        yield CloudChange(
            service, str(event.get("EventName") or ""), _names(event), event["EventTime"].astimezone(UTC),
            _author(event, told),
        )  # fmt: skip


def _told(event: Json) -> Json:
    """The event's own text; empty where it is none."""
    try:
        found = orjson.loads(str(event.get("CloudTrailEvent") or "{}"))
    except orjson.JSONDecodeError:
        return {}
    return found if isinstance(found, dict) else {}


def _names(event: Json) -> str:
    names = [str(each.get("ResourceName") or "") for each in event.get("Resources") or ()]
    known = list(dict.fromkeys(name for name in names if name))
    more = f" and {len(known) - _NAMES} more" if len(known) > _NAMES else ""
    return ", ".join(known[:_NAMES]) + more


def _author(event: Json, told: Json) -> str:
    """A session, and the role it has: the name of a session alone says little ("1795420800123456789")."""
    identity = _part(told, "userIdentity")
    role = str(_part(_part(identity, "sessionContext"), "sessionIssuer").get("userName") or "")
    user = str(event.get("Username") or identity.get("invokedBy") or "")
    return f"{user} ({role})" if user and role and user != role else user or role


def _part(found: Json, key: str) -> Json:
    inside = found.get(key)
    return inside if isinstance(inside, dict) else {}


# --- EKS ------------------------------------------------------------------------------------------


def _updates(region: str, asked: EksUpdates, deadline: float) -> CloudChangesSeen:
    since = datetime.now(UTC) - asked.window
    found: list[CloudChange] = []
    unread: list[Unanswered] = []
    places = [{}, *({"nodegroupName": name} for name in asked.nodegroups)]
    for place in places:
        try:
            found += _of_place(region, asked.cluster, place, since, deadline)
        except Unanswered as error:
            unread.append(error)
    if len(unread) == len(places):
        raise unread[0]
    newest = tuple(sorted(found, key=lambda each: each.at, reverse=True))
    return CloudChangesSeen(newest, tuple(dict.fromkeys(Gap.of(error) for error in unread)))


def _of_place(
    region: str, cluster: str, place: Mapping[str, Any], since: datetime, deadline: float
) -> Iterator[CloudChange]:
    """None of what EKS does not know: that there is no such cluster is not told here."""
    group = place.get("nodegroupName", "")
    kind = f"nodegroup/{cluster}/{group}/*" if group else f"cluster/{cluster}"
    arn = f"arn:{partition(region)}:eks:{region}:*:{kind}"
    unknown = frozenset({"ResourceNotFoundException"})
    try:
        page = ask("eks", "list_updates", region, deadline, arn=arn, passed=unknown, name=cluster, **place)
        for id in listed(page, "updateIds", "eks:ListUpdates")[:_UPDATES]:
            found = ask(
                "eks", "describe_update", region, deadline,
                arn=arn, passed=unknown, name=cluster, updateId=id, **place,
            )  # fmt: skip
            update = _part(found, "update")
            began = update.get("createdAt")
            if isinstance(began, datetime) and began >= since:
                yield _update(update, began, f"node group {group}" if group else f"cluster {cluster}")
    except ClientError:
        return


def _update(update: Json, began: datetime, place: str) -> CloudChange:
    """Of what it was given, the numbers of versions: the rest is documents."""
    given = (
        f"{each.get('type')} {each.get('value')}"
        for each in update.get("params") or ()
        if "Version" in str(each.get("type"))
    )
    what = ", ".join((place, *given, str(update.get("status") or "")))
    return CloudChange("eks", str(update.get("type") or "update"), what, began.astimezone(UTC))
