"""The AWS client against moto, and against servers that refuse or do not answer."""

import time
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from rude_server import DROP, HANG, HTML, Asked, RudeServer, page

from commands import reads
from commands.errors import Refused, Unanswered, Unreachable
from commands.model import Read
from commands.site import ClusterSite
from commands.workloads import ImageInRegistry
from sandbox import aws as sandbox
from workers import aws as module
from workers.aws import Aws
from workers.reader import Reader

REGION = "eu-central-1"
CLUSTER = reads.EksCluster("shop")
NODES = reads.Nodegroup("shop", "workers")
ROLE = "give the bot's ServiceAccount an IAM role (IRSA or EKS Pod Identity)"


def soon(seconds: float = 30) -> float:
    return time.monotonic() + seconds


def use(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    """A whole environment, so that nothing of the machine's own AWS is seen."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", url)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIASECRET")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "verysecret")
    # Another region than the configured one: it must lose.
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.delenv("AWS_PROFILE", raising=False)


@pytest.fixture(scope="module")
def running() -> Iterator[sandbox.Aws]:
    with sandbox.Aws(REGION) as server:
        yield server


@pytest.fixture
def moto(running: sandbox.Aws, monkeypatch: pytest.MonkeyPatch) -> sandbox.Aws:
    running.reset()
    use(monkeypatch, running.endpoint_url)
    return running


def refusal(
    monkeypatch: pytest.MonkeyPatch, answer: Any, read: Read = CLUSTER
) -> tuple[type[Unanswered], str, str]:
    with RudeServer(lambda _: answer) as server:
        use(monkeypatch, server.url)
        with pytest.raises(Unanswered) as caught:
            Aws(ClusterSite(region=REGION)).read(read, soon())
    error = caught.value
    assert "secret" not in (error.reason + error.mend).lower()
    return (Refused if isinstance(error, Refused) else Unreachable), error.reason, error.mend


def test_the_cluster_and_its_nodes(moto: sandbox.Aws) -> None:
    moto.eks_cluster("shop", version="1.36")
    client = Aws(ClusterSite(region=REGION))
    found = client.read(CLUSTER, soon())
    assert (found.name, found.status, found.version, found.issues, found.update) == (
        "shop", "ACTIVE", "1.36", (), "",
    )  # fmt: skip
    assert client.read(NODES, soon()) == reads.NodegroupView("workers", "ACTIVE")


def test_what_eks_does_not_know_is_none(moto: sandbox.Aws) -> None:
    client = Aws(ClusterSite(region=REGION))
    assert client.read(CLUSTER, soon()) is None
    assert client.read(NODES, soon()) is None


def test_the_configured_region_wins(moto: sandbox.Aws) -> None:
    moto.eks_cluster("shop", region="us-east-1")
    assert Aws(ClusterSite(region=REGION)).read(CLUSTER, soon()) is None


def test_an_update_that_cannot_be_read_costs_nothing_else(moto: sandbox.Aws) -> None:
    moto.eks_cluster("shop", status="UPDATING")
    found = Aws(ClusterSite(region=REGION)).read(CLUSTER, soon())
    assert (found.status, found.update) == ("UPDATING", "")


def test_the_running_update_is_found_and_issues_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    issue = {"code": "Ec2SubnetNotFound", "message": "subnet-1 is gone", "resourceIds": ["subnet-1"]}

    def answer(asked: Asked) -> bytes:
        if asked.target.endswith("/updates"):
            return page(200, {"updateIds": ["old", "new"]})
        if "/updates/" in asked.target:
            done = asked.target.endswith("old")
            return page(200, {"update": {"status": "Successful" if done else "InProgress"}})
        return page(200, {"cluster": {"name": "shop", "status": "UPDATING", "health": {"issues": [issue]}}})

    with RudeServer(answer) as server:
        use(monkeypatch, server.url)
        found = Aws(ClusterSite(region=REGION)).read(CLUSTER, soon())
    assert (found.update, found.issues) == ("new", ("Ec2SubnetNotFound: subnet-1 is gone",))


def said(status: int, code: str, message: str = "") -> bytes:
    """An error as EKS words it."""
    return page(status, {"message": message}, x_amzn_ErrorType=code)


DENIED = said(403, "AccessDeniedException", "User: arn:aws:iam::1:user/x is not authorized")


@pytest.mark.parametrize(
    ("read", "reason", "mend"),
    [
        (CLUSTER, "eks: access denied, needs eks:DescribeCluster",
         '{"Effect": "Allow", "Action": ["eks:DescribeCluster"],'
         ' "Resource": ["arn:aws:eks:eu-central-1:*:cluster/shop"]}'),
        (NODES, "eks: access denied, needs eks:DescribeNodegroup",
         '{"Effect": "Allow", "Action": ["eks:DescribeNodegroup"],'
         ' "Resource": ["arn:aws:eks:eu-central-1:*:nodegroup/shop/workers/*"]}'),
    ],
)  # fmt: skip
def test_a_missing_action_is_named_with_its_statement(
    monkeypatch: pytest.MonkeyPatch, read: Read, reason: str, mend: str
) -> None:
    assert refusal(monkeypatch, DENIED, read) == (Refused, reason, mend)


@pytest.mark.parametrize(
    ("answer", "kind", "reason", "mend"),
    [
        (said(403, "ExpiredTokenException"), Refused,
         "eks:DescribeCluster: AWS does not accept the credentials (ExpiredTokenException)", ROLE),
        (said(429, "TooManyRequestsException"), Unreachable,
         "eks:DescribeCluster: AWS answers TooManyRequestsException, try later", ""),
        (said(500, "ServerException"), Unreachable,
         "eks:DescribeCluster: AWS answers ServerException, try later", ""),
        (said(400, "InvalidParameterException"), Refused,
         "eks:DescribeCluster: AWS answers InvalidParameterException", ""),
        (DROP, Unreachable,
         "eks:DescribeCluster: the EKS endpoint of eu-central-1 cannot be reached (ConnectionClosedError)",
         "let the bot reach the endpoint, or set AWS_ENDPOINT_URL_EKS"),
        (HTML, Refused, "eks:DescribeCluster: not an answer of EKS", ""),
        (page(200, {"cluster": None}), Refused, "eks:DescribeCluster: not an answer of EKS", ""),
    ],
)  # fmt: skip
def test_what_is_no_answer_is_a_gap_with_a_reason(
    monkeypatch: pytest.MonkeyPatch, answer: Any, kind: type[Unanswered], reason: str, mend: str
) -> None:
    assert refusal(monkeypatch, answer) == (kind, reason, mend)


def test_nobody_at_the_endpoint(monkeypatch: pytest.MonkeyPatch) -> None:
    use(monkeypatch, "http://127.0.0.1:1")
    with pytest.raises(Unreachable, match=r"of eu-central-1 cannot be reached \(EndpointConnectionError\)"):
        Aws(ClusterSite(region=REGION)).read(CLUSTER, soon())


def test_no_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    use(monkeypatch, "http://127.0.0.1:1")
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    with pytest.raises(Unreachable) as caught:
        Aws(ClusterSite(region=REGION)).read(CLUSTER, soon())
    assert (caught.value.reason, caught.value.mend) == ("eks:DescribeCluster: no AWS credentials found", ROLE)


def test_a_deadline_that_is_over_asks_nobody(moto: sandbox.Aws) -> None:
    with pytest.raises(Unreachable, match="eks:DescribeCluster: no time left to ask"):
        Aws(ClusterSite(region=REGION)).read(CLUSTER, soon(-1))


def test_a_bug_is_not_taken_for_a_refusal(moto: sandbox.Aws, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_snake", lambda _: "no_such_method")
    with pytest.raises(AttributeError):
        Aws(ClusterSite(region=REGION)).read(CLUSTER, soon())


def test_credentials_that_come_later_are_found(moto: sandbox.Aws, monkeypatch: pytest.MonkeyPatch) -> None:
    moto.eks_cluster("shop")
    client = Aws(ClusterSite(region=REGION))
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    with pytest.raises(Unreachable, match="no AWS credentials found"):
        client.read(CLUSTER, soon())
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIASECRET")
    assert client.read(CLUSTER, soon()).status == "ACTIVE"


def test_credentials_that_were_refused_are_looked_up_again(monkeypatch: pytest.MonkeyPatch) -> None:
    def answer(asked: Asked) -> bytes:
        if "AKIAOLD" in asked.headers["authorization"]:
            return said(403, "ExpiredTokenException")
        return page(200, {"cluster": {"status": "ACTIVE"}})

    with RudeServer(answer) as server:
        use(monkeypatch, server.url)
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAOLD")
        client = Aws(ClusterSite(region=REGION))
        with pytest.raises(Refused, match="does not accept the credentials"):
            client.read(CLUSTER, soon())
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIANEW")
        assert client.read(CLUSTER, soon()).status == "ACTIVE"


def test_half_of_the_credentials(moto: sandbox.Aws, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    with pytest.raises(Unreachable, match="eks:DescribeCluster: no AWS credentials found"):
        Aws(ClusterSite(region=REGION)).read(CLUSTER, soon())


@pytest.mark.parametrize("stuck", ["/updates", "/updates/u0"])
def test_an_update_whose_details_hang_is_still_an_update(monkeypatch: pytest.MonkeyPatch, stuck: str) -> None:
    hangs = False

    def answer(asked: Asked) -> Any:
        if hangs and asked.target.endswith(stuck):
            return HANG
        if asked.target.endswith("/updates"):
            return page(200, {"updateIds": ["u0"]})
        return page(200, {"cluster": {"status": "UPDATING"}})

    with RudeServer(answer) as server:
        use(monkeypatch, server.url)
        source = Aws(ClusterSite(region=REGION))
        source.read(CLUSTER, soon())  # its client is made once, which takes long on a busy machine
        hangs = True
        seen = Reader([source], timedelta(seconds=4)).see((CLUSTER,))
    assert (seen[CLUSTER].status, seen[CLUSTER].update) == ("UPDATING", "")


def test_an_update_whose_details_are_refused_is_still_an_update(monkeypatch: pytest.MonkeyPatch) -> None:
    def answer(asked: Asked) -> bytes:
        return DENIED if "/updates" in asked.target else page(200, {"cluster": {"status": "UPDATING"}})

    with RudeServer(answer) as server:
        use(monkeypatch, server.url)
        found = Aws(ClusterSite(region=REGION)).read(CLUSTER, soon())
    assert (found.status, found.update) == ("UPDATING", "")


def test_only_so_many_updates_are_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    def answer(asked: Asked) -> bytes:
        if asked.target.endswith("/updates"):
            return page(200, {"updateIds": [f"u{number}" for number in range(100)]})
        if "/updates/" in asked.target:
            return page(200, {"update": {"status": "Successful"}})
        return page(200, {"cluster": {"status": "UPDATING"}})

    with RudeServer(answer) as server:
        use(monkeypatch, server.url)
        assert Aws(ClusterSite(region=REGION)).read(CLUSTER, soon()).update == ""
    assert len(server.asked) == 22


@pytest.mark.parametrize("url", ["not a url", "me:s3cret@host", "http://me:s3cret@[::1"])
def test_an_endpoint_that_is_no_address(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    use(monkeypatch, url)
    with pytest.raises(Refused) as caught:
        Aws(ClusterSite(region=REGION)).read(CLUSTER, soon())
    assert caught.value.reason == "eks: the endpoint that the environment names is no HTTP address"
    assert caught.value.mend == "check AWS_ENDPOINT_URL, AWS_ENDPOINT_URL_EKS and the AWS configuration file"


# --- Images -----------------------------------------------------------------------------------------

REGISTRY = f"123456789012.dkr.ecr.{REGION}.amazonaws.com"
MEDIA = "application/vnd.docker.distribution.manifest.v2+json"
MANIFEST = f'{{"schemaVersion": 2, "mediaType": "{MEDIA}", "config": {{"digest": "sha256:c"}}, "layers": []}}'


def pushed(moto: sandbox.Aws, tag: str = "1.4") -> str:
    """An image in the registry; its digest."""
    client = moto.client("ecr", REGION)
    client.create_repository(repositoryName="shop/backend", registryId="123456789012")
    made = client.put_image(repositoryName="shop/backend", imageTag=tag, imageManifest=MANIFEST)
    return str(made["image"]["imageId"]["imageDigest"])


def is_there(image: str) -> Any:
    # The cluster's own region is another: the registry is asked where it is.
    return Aws(ClusterSite(region="us-east-1")).read(ImageInRegistry(image), soon())


def test_an_image_is_known_by_its_tag_and_by_its_digest(moto: sandbox.Aws) -> None:
    digest = pushed(moto)
    assert is_there(f"{REGISTRY}/shop/backend:1.4") is True
    assert is_there(f"{REGISTRY}/shop/backend@{digest}") is True
    assert is_there(f"{REGISTRY}/shop/backend:gone@{digest}") is True


def test_an_image_or_repository_that_is_gone_is_no(moto: sandbox.Aws) -> None:
    pushed(moto)
    assert is_there(f"{REGISTRY}/shop/backend:1.3") is False
    assert is_there(f"{REGISTRY}/shop/other:1.4") is False


def test_a_registry_that_is_not_ecr_is_refused_and_not_asked(moto: sandbox.Aws) -> None:
    with pytest.raises(Refused, match="is not on ECR"):
        is_there("ghcr.io/shop/backend:1.4")


@pytest.mark.parametrize(
    ("code", "kind", "reason"),
    [
        ("AccessDeniedException", Refused, "ecr: access denied, needs ecr:DescribeImages"),
        ("ExpiredTokenException", Refused, "does not accept the credentials"),
        ("ServerException", Unreachable, "AWS answers ServerException"),
    ],
)
def test_a_refused_question_about_an_image_is_no_answer(
    monkeypatch: pytest.MonkeyPatch, code: str, kind: type[Unanswered], reason: str
) -> None:
    answer = page(400, {"__type": code, "message": "no"}, "application/x-amz-json-1.1")
    found, said, mend = refusal(monkeypatch, answer, ImageInRegistry(f"{REGISTRY}/shop/backend:1.4"))
    assert found is kind and reason in said
    if code == "AccessDeniedException":
        assert f'"arn:aws:ecr:{REGION}:123456789012:repository/shop/backend"' in mend


def test_a_login_page_is_no_answer_about_an_image(monkeypatch: pytest.MonkeyPatch) -> None:
    assert refusal(monkeypatch, HTML, ImageInRegistry(f"{REGISTRY}/shop/backend:1.4"))[0] is Refused
