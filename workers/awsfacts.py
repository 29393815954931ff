"""What a diagnosis asks of AWS: the instance behind a node, the tags of an image, AWS's own troubles.

Functions called by workers/aws.py, which owns the source; one call of AWS each, or two. Only ever describes. The
public status page is not asked: see DECISIONS.md.
"""

import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from functools import partial
from typing import Any

from botocore.exceptions import ClientError

from commands import triagereads
from commands.errors import Refused, Unanswered
from commands.model import Gap, Read
from commands.triagereads import CloudEvent, InstanceView
from commands.workloads import EcrImage, on_ecr
from workers.awslink import ask, listed, partition

Json = Mapping[str, Any]

READS: tuple[type[Read], ...] = (
    triagereads.Instance, triagereads.ImageTags, triagereads.CloudEvents,
)  # fmt: skip

_INSTANCE = re.compile(r"aws:///.*/(i-[0-9a-f]+)")
_UNKNOWN_INSTANCE = frozenset({"InvalidInstanceID.NotFound", "InvalidInstanceID.Malformed"})
_NO_SUBSCRIPTION = "SubscriptionRequiredException"
# An answer to one question and a refusal of another.
_ask = partial(ask, passed=frozenset({*_UNKNOWN_INSTANCE, _NO_SUBSCRIPTION, "RepositoryNotFoundException"}))
_PAGE, _PAGES = 1000, 5
_EVENTS, _DETAILED = 100, 10  # AWS describes ten events at once and no more
# Over and done with, though EC2 goes on to tell of them for days.
_OVER = ("[Completed]", "[Canceled]")


def read(region: str, asked: Read, deadline: float) -> Any:
    match asked:
        case triagereads.Instance():
            return _instance(region, asked, deadline)
        case triagereads.ImageTags():
            return _image_tags(asked, deadline)
        case triagereads.CloudEvents():
            return _cloud_events(region, deadline)
    raise LookupError(f"not a question to AWS: {asked}")


# --- The instance behind a node -------------------------------------------------------------------


def _instance(region: str, asked: triagereads.Instance, deadline: float) -> InstanceView | None:
    """None for what is no instance of EC2, a node on Fargate among them."""
    named = _INSTANCE.fullmatch(asked.provider_id)
    if named is None:
        return None
    ids = [named[1]]
    try:
        found = _ask("ec2", "describe_instances", region, deadline, InstanceIds=ids)
    except ClientError:  # EC2 forgets an instance an hour after its end
        return None
    reservations = listed(found, "Reservations", "ec2:DescribeInstances")
    instance = next((each for group in reservations for each in group.get("Instances") or ()), None)
    if instance is None:
        return None
    return _instance_view(instance, _status(region, ids, deadline))


def _status(region: str, ids: list[str], deadline: float) -> Json | Gap:
    """Of a stopped one too, which is otherwise left out."""
    action = "describe_instance_status"
    try:
        found = _ask("ec2", action, region, deadline, InstanceIds=ids, IncludeAllInstances=True)
        return next(iter(listed(found, "InstanceStatuses", "ec2:DescribeInstanceStatus")), {})
    except ClientError:
        return {}
    except Unanswered as error:
        return Gap.of(error)


def _instance_view(instance: Json, status: Json | Gap) -> InstanceView:
    told: Json = {} if isinstance(status, Gap) else status
    return InstanceView(
        id=str(instance.get("InstanceId") or ""),
        state=str((instance.get("State") or {}).get("Name") or ""),
        system=str((told.get("SystemStatus") or {}).get("Status") or ""),
        instance=str((told.get("InstanceStatus") or {}).get("Status") or ""),
        type=str(instance.get("InstanceType") or ""),
        zone=str((instance.get("Placement") or {}).get("AvailabilityZone") or ""),
        is_spot=instance.get("InstanceLifecycle") == "spot",
        launched=instance.get("LaunchTime"),
        reason=_reason(instance),
        events=tuple(_scheduled(told)),
        unread=status if isinstance(status, Gap) else None,
    )


def _reason(instance: Json) -> str:
    """EC2's words: "Server.SpotInstanceTermination: Spot instance termination"."""
    reason = instance.get("StateReason") or {}
    return str(reason.get("Message") or instance.get("StateTransitionReason") or "")


def _scheduled(status: Json) -> Iterator[str]:
    for event in status.get("Events") or ():
        text = str(event.get("Description") or "")
        if not text.startswith(_OVER):
            when = event.get("NotBefore")
            at = f" from {when:%Y-%m-%d %H:%M} UTC" if isinstance(when, datetime) else ""
            yield f"{event.get('Code', '')}{at}: {text}"


# --- Images ---------------------------------------------------------------------------------------


def _image_tags(asked: triagereads.ImageTags, deadline: float) -> tuple[str, ...] | None:
    """ECR lists in no order; of a repository of many thousands of images only some are looked at."""
    image = on_ecr(asked.image)
    if image is None:
        return None
    found: list[tuple[float, str]] = []
    token: dict[str, Any] = {}
    for _ in range(_PAGES):
        try:
            page = _images(image, deadline, **token)
        except ClientError:
            return None
        found += [
            each for detail in listed(page, "imageDetails", "ecr:DescribeImages") for each in _tags(detail)
        ]
        if not page.get("nextToken"):
            break
        token = {"nextToken": str(page["nextToken"])}
    return tuple(tag for _, tag in sorted(found, reverse=True))[: asked.most]


def _images(image: EcrImage, deadline: float, **more: Any) -> Any:
    """Asked in the registry's own region and account, which may be others than the cluster's."""
    where = f"{image.region}:{image.account}:repository/{image.repository}"
    return _ask(
        "ecr",
        "describe_images",
        image.region,
        deadline,
        arn=f"arn:{partition(image.region)}:ecr:{where}",
        registryId=image.account,
        repositoryName=image.repository,
        filter={"tagStatus": "TAGGED"},
        maxResults=_PAGE,
        **more,
    )


def _tags(detail: Json) -> Iterator[tuple[float, str]]:
    pushed = detail.get("imagePushedAt")
    at = pushed.timestamp() if isinstance(pushed, datetime) else 0.0
    yield from ((at, str(tag)) for tag in detail.get("imageTags") or ())


# --- AWS's own troubles ---------------------------------------------------------------------------


def _cloud_events(region: str, deadline: float) -> tuple[CloudEvent, ...]:
    home = _home_of_health(region)
    wanted = {"regions": [region, "global"], "eventStatusCodes": ["open"]}
    try:
        found = _ask("health", "describe_events", home, deadline, filter=wanted, maxResults=_EVENTS)
    except ClientError as error:
        raise Refused(
            "health:DescribeEvents: the account's support plan does not include the API of AWS Health",
            mend="a Business, Enterprise On-Ramp or Enterprise plan includes it",
        ) from error
    events = sorted(listed(found, "events", "health:DescribeEvents"), key=_begin, reverse=True)
    words = _words(home, [str(event.get("arn") or "") for event in events[:_DETAILED]], deadline)
    return tuple(_cloud_event(event, words) for event in events)


def _home_of_health(region: str) -> str:
    """Each partition of AWS keeps its health in one region."""
    homes = {"aws-cn": "cn-northwest-1", "aws-us-gov": "us-gov-west-1"}
    return homes.get(partition(region), "us-east-1")


def _begin(event: Json) -> float:
    began = event.get("startTime")
    return began.timestamp() if isinstance(began, datetime) else 0.0


def _words(home: str, arns: list[str], deadline: float) -> Mapping[str, str]:
    """Best effort: without them the code of an event says what it is about."""
    if not arns:
        return {}
    try:
        found = _ask("health", "describe_event_details", home, deadline, eventArns=arns)
        described = listed(found, "successfulSet", "health:DescribeEventDetails")
    except (ClientError, Unanswered):
        return {}
    return {
        str((each.get("event") or {}).get("arn") or ""): str(
            (each.get("eventDescription") or {}).get("latestDescription") or ""
        )
        for each in described
    }


def _cloud_event(event: Json, words: Mapping[str, str]) -> CloudEvent:
    code = str(event.get("eventTypeCode") or "")
    plain = code.removeprefix("AWS_").replace("_", " ").lower()
    return CloudEvent(
        service=str(event.get("service") or ""),
        region=str(event.get("region") or ""),
        code=code,
        text=words.get(str(event.get("arn") or "")) or plain,
        since=event.get("startTime"),
    )
