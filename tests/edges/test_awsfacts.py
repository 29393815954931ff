"""What diagnoses ask of AWS: against moto where it knows the service, else against recorded answers on loopback."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from rude_server import DROP, HTML, Asked, RudeServer, page
from test_aws import MANIFEST, REGION, REGISTRY, ROLE, pushed, soon, use

from commands.errors import Forbidden, Refused, Unanswered, Unreachable
from commands.model import Read
from commands.site import ClusterSite
from commands.triagereads import CloudEvent, CloudEvents, ImageTags, Instance, InstanceView
from sandbox import aws as sandbox
from workers.aws import Aws

INSTANCE = Instance("aws:///eu-central-1a/i-0123456789abcdef0")
TAGS = ImageTags(f"{REGISTRY}/shop/backend:1.4")
AMI = "ami-12c6146b"  # moto knows some by heart


@pytest.fixture(scope="module")
def running() -> Iterator[sandbox.Aws]:
    with sandbox.Aws(REGION) as server:
        yield server


@pytest.fixture
def moto(running: sandbox.Aws, monkeypatch: pytest.MonkeyPatch) -> sandbox.Aws:
    running.reset()
    use(monkeypatch, running.endpoint_url)
    return running


def ask(read: Read) -> Any:
    return Aws(ClusterSite(region=REGION)).read(read, soon())


def started(moto: sandbox.Aws, **more: Any) -> str:
    """The id of a new instance."""
    made = moto.client("ec2").run_instances(
        ImageId=AMI, MinCount=1, MaxCount=1, InstanceType="m6i.large", **more
    )
    return str(made["Instances"][0]["InstanceId"])


# --- The instance behind a node -------------------------------------------------------------------


def test_a_running_instance_with_its_checks(moto: sandbox.Aws) -> None:
    instance = started(moto)
    found: InstanceView = ask(Instance(f"aws:///eu-central-1a/{instance}"))
    assert (found.id, found.state, found.system, found.instance) == (instance, "running", "ok", "ok")
    assert (found.type, found.is_spot, found.events, found.unread) == ("m6i.large", False, (), None)
    assert found.zone.startswith(REGION)
    assert found.launched and abs((datetime.now(UTC) - found.launched).total_seconds()) < 300


def test_a_spot_instance_that_ended_says_why(moto: sandbox.Aws) -> None:
    instance = started(moto, InstanceMarketOptions={"MarketType": "spot"})
    moto.client("ec2").terminate_instances(InstanceIds=[instance])
    found = ask(Instance(f"aws:///eu-central-1a/{instance}"))
    assert (found.state, found.is_spot) == ("terminated", True)
    assert "initiated" in found.reason


def test_an_instance_that_ec2_does_not_know_is_none(moto: sandbox.Aws) -> None:
    assert ask(INSTANCE) is None


@pytest.mark.parametrize(
    "id",
    ["", "kind://docker/kind/worker", "aws:///eu-central-1b/1a2b/fargate-ip-10-0-0-1.eu-central-1.internal"],
)
def test_what_is_no_instance_is_none_and_nobody_is_asked(monkeypatch: pytest.MonkeyPatch, id: str) -> None:
    use(monkeypatch, "http://127.0.0.1:1")
    assert ask(Instance(id)) is None


XML = "text/xml"
DESCRIBED = """<DescribeInstancesResponse><reservationSet><item><instancesSet><item>
<instanceId>i-0123456789abcdef0</instanceId><instanceState><name>running</name></instanceState>
</item></instancesSet></item></reservationSet></DescribeInstancesResponse>"""
STATUSES = """<DescribeInstanceStatusResponse><instanceStatusSet><item>
<systemStatus><status>impaired</status></systemStatus><instanceStatus><status>ok</status></instanceStatus>
<eventsSet><item><code>system-reboot</code><description>scheduled reboot</description>
<notBefore>2026-11-24T05:00:00Z</notBefore></item>
<item><code>instance-stop</code><description>[Completed] stopped</description></item></eventsSet>
</item></instanceStatusSet></DescribeInstanceStatusResponse>"""


def ec2_error(code: str) -> bytes:
    text = f"<Response><Errors><Error><Code>{code}</Code><Message>no</Message></Error></Errors></Response>"
    return page(400, text, XML)


def test_what_aws_has_scheduled_is_told_with_its_time(monkeypatch: pytest.MonkeyPatch) -> None:
    def answer(asked: Asked) -> bytes:
        if "Action=DescribeInstances&" in asked.body:
            return page(200, DESCRIBED, XML)
        assert "IncludeAllInstances=true" in asked.body
        return page(200, STATUSES, XML)

    with RudeServer(answer) as server:
        use(monkeypatch, server.url)
        found = ask(INSTANCE)
    assert (found.state, found.system, found.instance) == ("running", "impaired", "ok")
    assert found.events == ("system-reboot from 2026-11-24 05:00 UTC: scheduled reboot",)


def test_checks_that_may_not_be_read_take_nothing_from_the_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    def answer(asked: Asked) -> bytes:
        known = "Action=DescribeInstances&" in asked.body
        return page(200, DESCRIBED, XML) if known else ec2_error("UnauthorizedOperation")

    with RudeServer(answer) as server:
        use(monkeypatch, server.url)
        found = ask(INSTANCE)
    assert (found.state, found.system) == ("running", "")
    assert found.unread and "needs ec2:DescribeInstanceStatus" in found.unread.reason
    assert found.unread.mend == (
        '{"Effect": "Allow", "Action": ["ec2:DescribeInstanceStatus"], "Resource": ["*"]}'
    )


# --- Images ---------------------------------------------------------------------------------------


def test_tags_come_newest_first_and_no_more_than_asked_for(moto: sandbox.Aws) -> None:
    pushed(moto, "1.3")
    client = moto.client("ecr")
    for tag in ("1.4", "1.5"):
        text = MANIFEST.replace("sha256:c", f"sha256:{tag}")
        client.put_image(repositoryName="shop/backend", imageTag=tag, imageManifest=text)
    assert set(ask(TAGS)) == {"1.3", "1.4", "1.5"}
    assert len(ask(ImageTags(TAGS.image, most=2))) == 2


def test_pages_of_tags_are_sorted_together(monkeypatch: pytest.MonkeyPatch) -> None:
    def answer(asked: Asked) -> bytes:
        is_first = "nextToken" not in asked.body
        told = {
            "imageTags": ["old"] if is_first else ["new", "latest"],
            "imagePushedAt": 1 if is_first else 2,
        }
        body = {"imageDetails": [told], **({"nextToken": "more"} if is_first else {})}
        return page(200, body, "application/x-amz-json-1.1")

    with RudeServer(answer) as server:
        use(monkeypatch, server.url)
        assert ask(TAGS) == ("new", "latest", "old")


def test_an_image_elsewhere_and_a_repository_that_is_gone_have_no_tags(moto: sandbox.Aws) -> None:
    assert ask(ImageTags("ghcr.io/shop/backend:1.4")) is None
    assert ask(TAGS) is None


# --- AWS's own troubles ---------------------------------------------------------------------------

EVENT: dict[str, Any] = {
    "arn": "arn:aws:health:eu-central-1::event/EC2/x",
    "service": "EC2",
    "eventTypeCode": "AWS_EC2_OPERATIONAL_ISSUE",
    "region": REGION,
    "startTime": 1795420800,
}
WORDS = "We are investigating increased error rates."


def health(details: Any, *events: Any) -> Any:
    def answer(asked: Asked) -> Any:
        assert asked.headers["authorization"].split("/")[2] == "us-east-1"
        if asked.headers["x-amz-target"].endswith("DescribeEvents"):
            return page(200, {"events": list(events)}, "application/x-amz-json-1.1")
        return details

    return answer


def described(arn: str) -> bytes:
    told = {"event": {"arn": arn}, "eventDescription": {"latestDescription": WORDS}}
    return page(200, {"successfulSet": [told], "failedSet": []}, "application/x-amz-json-1.1")


@pytest.mark.parametrize(
    ("details", "text"), [(described(EVENT["arn"]), WORDS), (page(400, {"__type": "AccessDeniedException"}),
                                                             "ec2 operational issue")]
)  # fmt: skip
def test_open_events_are_asked_for_where_they_are_kept(
    monkeypatch: pytest.MonkeyPatch, details: bytes, text: str
) -> None:
    with RudeServer(health(details, EVENT)) as server:
        use(monkeypatch, server.url)
        found = ask(CloudEvents())
    since = datetime.fromtimestamp(1795420800, UTC)
    assert found == (CloudEvent("EC2", REGION, "AWS_EC2_OPERATIONAL_ISSUE", text, since),)


def test_where_aws_knows_of_nothing_there_is_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    with RudeServer(health(DROP)) as server:
        use(monkeypatch, server.url)
        assert ask(CloudEvents()) == ()


# --- What is no answer ----------------------------------------------------------------------------


def said(code: str) -> bytes:
    return page(400, {"__type": code, "message": "no"}, "application/x-amz-json-1.1")


@pytest.mark.parametrize(
    ("answer", "read", "kind", "reason", "mend"),
    [
        (ec2_error("UnauthorizedOperation"), INSTANCE, Forbidden, "ec2: access denied, needs ec2:DescribeInstances",
         '{"Effect": "Allow", "Action": ["ec2:DescribeInstances"], "Resource": ["*"]}'),
        (ec2_error("AuthFailure"), INSTANCE, Forbidden,
         "ec2:DescribeInstances: AWS does not accept the credentials (AuthFailure)", ROLE),
        (ec2_error("RequestLimitExceeded"), INSTANCE, Unreachable,
         "ec2:DescribeInstances: AWS answers RequestLimitExceeded, try later", ""),
        (said("AccessDeniedException"), TAGS, Forbidden, "ecr: access denied, needs ecr:DescribeImages",
         f'{{"Effect": "Allow", "Action": ["ecr:DescribeImages"], "Resource":'
         f' ["arn:aws:ecr:{REGION}:123456789012:repository/shop/backend"]}}'),
        (HTML, TAGS, Refused, "ecr:DescribeImages: not an answer of AWS", ""),
        (said("SubscriptionRequiredException"), CloudEvents(), Refused,
         "health:DescribeEvents: the account's support plan does not include the API of AWS Health",
         "a Business, Enterprise On-Ramp or Enterprise plan includes it"),
        (said("AccessDeniedException"), CloudEvents(), Forbidden, "health: access denied, needs health:DescribeEvents",
         '{"Effect": "Allow", "Action": ["health:DescribeEvents"], "Resource": ["*"]}'),
        (DROP, CloudEvents(), Unreachable,
         "health:DescribeEvents: the HEALTH endpoint of us-east-1 cannot be reached (ConnectionClosedError)",
         "let the bot reach the endpoint, or set AWS_ENDPOINT_URL_HEALTH"),
    ],
)  # fmt: skip
def test_what_is_no_answer_is_a_gap_with_a_reason(
    monkeypatch: pytest.MonkeyPatch, answer: Any, read: Read, kind: type[Unanswered], reason: str, mend: str
) -> None:
    with RudeServer(lambda _: answer) as server:
        use(monkeypatch, server.url)
        with pytest.raises(Unanswered) as caught:
            ask(read)
    assert (type(caught.value), caught.value.reason, caught.value.mend) == (kind, reason, mend)


def test_a_deadline_that_is_over_asks_nobody(moto: sandbox.Aws) -> None:
    with pytest.raises(Unreachable, match="ec2:DescribeInstances: no time left to ask"):
        Aws(ClusterSite(region=REGION)).read(INSTANCE, soon(-1))
