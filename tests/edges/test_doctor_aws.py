"""The doctor and AWS: who the bot is there, and each declared action. Moto with its IAM on, and servers that refuse."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from doctor_house import REGION, House, allowed, aws_environ, furnished, identity
from rude_server import RudeServer, page

from bot.doctor import BROKEN, GOOD, OPEN, aws
from bot.sitefile import parse
from commands.needs import actions
from commands.site import ClusterSite
from sandbox.aws import Aws
from sandbox.redis_server import RedisServer


@pytest.fixture
def house(tmp_path: Path, redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[House]:
    with furnished(tmp_path, redis_server) as furnished_one:
        for name, value in aws_environ(furnished_one.aws.url).items():
            monkeypatch.setenv(name, value)
        yield furnished_one


def test_every_action_that_is_declared_is_tried_or_has_a_reason() -> None:
    declared = {action.name for action in actions()}
    assert declared == set(aws.ASKED) | set(aws.NOT_ASKED)
    assert not set(aws.ASKED) & set(aws.NOT_ASKED)


# --- Actions --------------------------------------------------------------------------------------


def test_what_iam_denies_is_named_action_by_action(
    house: House, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Moto's IAM, with a user who may a little: it names what it refuses as AWS does."""
    allowed_ones = ["sts:GetCallerIdentity", "ec2:DescribeInstances", "ecr:*", "secretsmanager:*"]
    with Aws(REGION) as moto:
        moto.eks_cluster("shop", REGION)
        key = _user(moto, allowed_ones)
        monkeypatch.setenv("AWS_ENDPOINT_URL", moto.endpoint_url)
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", key["AccessKeyId"])
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", key["SecretAccessKey"])
        _enforce(moto, "0")
        try:
            found = house.of("AWS shop")
        finally:
            _enforce(moto, "inf")
    assert found[0].state == GOOD and found[0].found.endswith(":user/bot in eu-central-1")
    refused = {check.found.partition(" ")[0]: check for check in found if "is not allowed" in check.found}
    assert set(refused) == {
        "cloudtrail:LookupEvents", "ec2:DescribeInstanceStatus", "ec2:DescribeNetworkAcls", "ec2:DescribeSecurityGroups",
        "ec2:DescribeSubnets", "ec2:DescribeVpcs", "eks:DescribeCluster", "eks:DescribeNodegroup", "iam:GetRole",
        "iam:GetRolePolicy",
    }  # fmt: skip
    assert {check.state for check in refused.values()} == {BROKEN}
    acls, role = refused["ec2:DescribeNetworkAcls"], refused["iam:GetRole"]
    assert acls.found == "ec2:DescribeNetworkAcls is not allowed, for /sre incident"
    statement = '{"Effect": "Allow", "Action": "ec2:DescribeNetworkAcls", "Resource": "*"}'
    assert acls.mend == f"add to the role's policy {statement}, or all of k8s/aws-policy.json"
    assert '"Resource": "arn:aws:iam::123456789012:role/*"' in role.mend


def _user(moto: Aws, may: list[str]) -> Any:
    iam = moto.client("iam")
    iam.create_user(UserName="bot")
    statement = {"Effect": "Allow", "Action": may, "Resource": "*"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    iam.put_user_policy(UserName="bot", PolicyName="some", PolicyDocument=document)
    return iam.create_access_key(UserName="bot")["AccessKey"]


def _enforce(moto: Aws, after: str) -> None:
    """Moto checks rights after so many requests; "inf": never."""
    httpx.post(f"{moto.endpoint_url}/moto-api/reset-auth", content=after).raise_for_status()


def refusing(*actions: str, code: str = "AccessDeniedException") -> Any:
    """AWS that allows all but what is asked at these paths or in these bodies."""

    def answer(asked: Any) -> bytes:
        said = f"{asked.method} {asked.target} {asked.headers.get('x-amz-target', '')} {asked.body}"
        if any(action in said for action in actions):
            return page(403, {"__type": code, "message": "no"}, x_amzn_ErrorType=code)
        if "GetCallerIdentity" in asked.body:
            return identity("arn:aws-cn:sts::1:assumed-role/bot/x", "1")
        return allowed(asked)

    return answer


@pytest.mark.parametrize(
    ("path", "action", "resource"),
    [
        ("GET /clusters/shop ", "eks:DescribeCluster", "arn:aws-cn:eks:eu-central-1:1:cluster/shop"),
        ("GET /clusters/shop/updates?", "eks:ListUpdates", "arn:aws-cn:eks:eu-central-1:1:cluster/shop"),
        ("/node-groups/", "eks:DescribeNodegroup", "arn:aws-cn:eks:eu-central-1:1:nodegroup/shop/workers/*"),
        ("LookupEvents", "cloudtrail:LookupEvents", "*"),
        ("DescribeImages", "ecr:DescribeImages", "arn:aws-cn:ecr:eu-central-1:1:repository/*"),
    ],
)
def test_a_denied_action_comes_with_the_statement_to_add(
    house: House, monkeypatch: pytest.MonkeyPatch, path: str, action: str, resource: str
) -> None:
    with RudeServer(refusing(path)) as refuser:
        monkeypatch.setenv("AWS_ENDPOINT_URL", refuser.url)
        (found,) = house.bad("AWS shop")
    statement = f'{{"Effect": "Allow", "Action": "{action}", "Resource": "{resource}"}}'
    assert found.state == BROKEN and found.found.startswith(f"{action} is not allowed")
    assert found.mend == f"add to the role's policy {statement}, or all of k8s/aws-policy.json"


def test_a_refusal_by_another_word_is_one(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    with RudeServer(refusing("LookupEvents", code="OptInRequired")) as refuser:
        monkeypatch.setenv("AWS_ENDPOINT_URL", refuser.url)
        (found,) = house.bad("AWS shop")
    assert found.state == BROKEN and found.found.startswith("cloudtrail:LookupEvents is not allowed")


@pytest.mark.parametrize(
    ("code", "status", "said", "mend"),
    [
        ("AccessDenied", 403, "s3:ListBucket is not allowed", '"Resource": "arn:aws:s3:::sre-backups"'),
        ("NoSuchBucket", 404, "there is no bucket sre-backups", "set `backup.bucket`"),
    ],
)
def test_a_bucket_that_may_not_be_listed_or_is_not_there(
    house: House, monkeypatch: pytest.MonkeyPatch, code: str, status: int, said: str, mend: str
) -> None:
    error = page(status, f"<Error><Code>{code}</Code><Message>no</Message></Error>", "text/xml")
    with RudeServer(lambda asked: error if "list-type" in asked.target else allowed(asked)) as s3:
        monkeypatch.setenv("AWS_ENDPOINT_URL", s3.url)
        (found,) = house.bad("AWS shop", house.with_site("backup: {bucket: sre-backups}\n"))
    assert found.state == BROKEN and found.found.startswith(said)
    assert mend in found.mend


def test_without_a_support_plan_events_of_aws_are_left_out(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    with RudeServer(refusing("DescribeEvents", code="SubscriptionRequiredException")) as refuser:
        monkeypatch.setenv("AWS_ENDPOINT_URL", refuser.url)
        (found,) = house.bad("AWS shop")
    assert (found.state, found.found) == (
        OPEN,
        "AWS Health answers with a Business or Enterprise support plan only",
    )


def test_an_unknown_cluster_or_node_group_is_named_with_the_region(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    with RudeServer(
        refusing("GET /clusters/shop ", "/node-groups/", code="ResourceNotFoundException")
    ) as eks:
        monkeypatch.setenv("AWS_ENDPOINT_URL", eks.url)
        cluster, group = house.bad("AWS shop")
    assert cluster.found == "EKS knows no cluster shop in eu-central-1 of account 1"
    assert cluster.mend.startswith("change `eks` or `region` of cluster shop")
    assert group.found == "EKS knows no node group workers of shop in eu-central-1"
    assert group.mend == "change `nodegroups` of cluster shop"


def test_a_cluster_off_eks_asks_aws_nothing(house: House) -> None:
    assert house.of("AWS", replace(house.settings, site=parse("cluster: {eks: false}"))) == []


# --- Who it is ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "found", "mend"),
    [
        ("ExpiredToken", "the credentials have expired", "renew them: `aws sso login`"),
        ("InvalidClientTokenId", "AWS does not know the credentials", "look at AWS_ACCESS_KEY_ID"),
        ("SignatureDoesNotMatch", "AWS does not know the credentials", "look at AWS_ACCESS_KEY_ID"),
        ("AccessDenied", "the role may not be taken", "let the role's trust policy name this ServiceAccount"),
        ("RequestTimeTooSkewed", "AWS refuses the signature as too old", "set this machine's clock by NTP"),
    ],
)
def test_an_identity_that_sts_refuses(
    house: House, monkeypatch: pytest.MonkeyPatch, code: str, found: str, mend: str
) -> None:
    error = f"<ErrorResponse><Error><Code>{code}</Code><Message>no</Message></Error></ErrorResponse>"
    with RudeServer(lambda asked: page(403, error, "text/xml")) as sts:
        monkeypatch.setenv("AWS_ENDPOINT_URL", sts.url)
        (check,) = house.of("AWS shop")
    assert (check.state, check.found) == (BROKEN, f"{found} ({code})")
    assert check.mend.startswith(mend)


def test_no_credentials_at_all(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    (found,) = house.of("AWS shop")
    assert (found.state, found.found) == (BROKEN, "no AWS credentials found")
    assert found.mend.startswith("give the ServiceAccount an IAM role (IRSA or EKS Pod Identity)")


def test_an_sso_session_that_has_expired(
    house: House, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    profile = "[profile sre]\nsso_start_url = https://acme.example\nsso_region = eu-central-1\n"
    (tmp_path / "aws").write_text(f"{profile}sso_account_id = 123456789012\nsso_role_name = reader\n")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "aws"))
    monkeypatch.setenv("AWS_PROFILE", "sre")
    monkeypatch.setenv("HOME", str(tmp_path))  # whose cache of tokens is empty
    (found,) = house.of("AWS shop")
    assert (found.state, found.found) == (BROKEN, "the SSO session has expired")
    assert found.mend.startswith("run `aws sso login`")


def test_a_profile_that_is_not_there(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_PROFILE", "nobody")
    (found,) = house.of("AWS shop")
    assert found.state == BROKEN and "nobody" in found.found and "AWS_PROFILE" in found.mend


def test_a_region_where_nobody_answers(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    (found,) = house.of("AWS shop")
    assert found.state == BROKEN and found.found.startswith("no endpoint answers in eu-central-1")
    assert found.mend.startswith("look whether `region` of cluster shop is one of AWS")


def test_the_arn_of_an_action_is_of_the_clusters_own_account() -> None:
    who = {"Arn": "arn:aws-us-gov:sts::7:x", "Account": "7"}
    found = {
        name: aws._arn(action, ClusterSite(name="shop"), who)
        for name, action in ((a.name, a) for a in actions())
    }
    assert found["eks:DescribeCluster"] == "arn:aws-us-gov:eks:eu-central-1:7:cluster/shop"
    assert found["iam:GetRole"] == "arn:aws-us-gov:iam::7:role/*"
    assert found["ec2:DescribeVpcs"] == "*"
