"""Addresses and credentials in AWS: read and changed on moto, and on servers that refuse or do not answer."""

import json
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from rude_server import DROP, Asked, RudeServer, page
from test_aws import REGION, use

from commands.effects import (
    Already,
    DenyEntry,
    Done,
    DropEntry,
    Effect,
    GrantRule,
    GroupRule,
    Moved,
    Outcome,
    Rejected,
    RevokeRule,
    RevokeSessions,
    RotateSecret,
    Tag,
    Target,
    Untag,
)
from commands.errors import Refused, Unanswered, Unreachable
from commands.incident.rotate import POLICY
from commands.model import Read
from commands.reads import DryRun, Rehearsal
from commands.securityreads import (
    AccountRoles,
    AclEntry,
    ClusterVpc,
    ManagedSecret,
    NetworkAcls,
    Role,
    SecurityGroups,
)
from commands.site import ClusterSite
from sandbox import aws as sandbox
from workers.api import Api
from workers.aws import Aws
from workers.awswrites import AwsWrites
from workers.effects import Effects, Rehearsals

CIDR, SIX = "203.0.113.0/24", "2001:db8:5::/48"
AT = "2026-11-23T12:00:00Z"
TOKEN = "0" * 31 + "1"


@pytest.fixture(scope="module")
def running() -> Iterator[sandbox.Aws]:
    with sandbox.Aws(REGION) as server:
        yield server


@pytest.fixture
def moto(running: sandbox.Aws, monkeypatch: pytest.MonkeyPatch) -> sandbox.Aws:
    running.reset()
    use(monkeypatch, running.endpoint_url)
    return running


def soon() -> float:
    return time.monotonic() + 30


def ask(read: Read) -> Any:
    return Aws(ClusterSite(region=REGION)).read(read, soon())


def nowhere() -> Api:
    """No effect of these asks a cluster."""
    return Api(ClusterSite(), None)


def apply(effect: Effect) -> Outcome:
    return Effects(nowhere(), containing=AwsWrites(REGION)).apply(effect, soon())


def rehearse(effect: Effect) -> Rehearsal:
    return Rehearsals(nowhere(), containing=AwsWrites(REGION)).read(DryRun(effect), soon())


# --- The network of a cluster -----------------------------------------------------------------------


class Net:
    """The VPC of a cluster, which has the first of its three subnets."""

    def __init__(self, moto: sandbox.Aws, cluster: str = "shop") -> None:
        self.ec2 = moto.client("ec2")
        moto.eks_cluster(cluster)
        self.vpc = moto.network(cluster)
        [first] = self.ec2.describe_subnets(Filters=self._own)["Subnets"]
        self.subnets = [str(first["SubnetId"]), *(self._subnet(f"10.9.{number}.0/24") for number in (2, 3))]
        [acl] = self.ec2.describe_network_acls(Filters=self._own)["NetworkAcls"]
        self.acl = Target("NetworkAcl", "", acl["NetworkAclId"], acl["NetworkAclId"])
        made = self.ec2.create_security_group(GroupName="lb", Description="lb", VpcId=self.vpc)
        self.group = Target("SecurityGroup", "", made["GroupId"], made["GroupId"])

    @property
    def _own(self) -> list[dict[str, Any]]:
        return [{"Name": "vpc-id", "Values": [self.vpc]}]

    def _subnet(self, cidr: str) -> str:
        return str(self.ec2.create_subnet(VpcId=self.vpc, CidrBlock=cidr)["Subnet"]["SubnetId"])

    def entries(self) -> set[tuple[int, bool, bool, str]]:
        [view] = [each for each in ask(NetworkAcls(self.vpc)) if each.target == self.acl]
        return {(each.number, each.is_egress, each.is_allow, each.cidr) for each in view.entries}

    def rules(self) -> set[GroupRule]:
        [view] = [each for each in ask(SecurityGroups(self.vpc)) if each.target == self.group]
        return set(view.rules)

    def tags(self) -> dict[str, str]:
        [view] = [each for each in ask(NetworkAcls(self.vpc)) if each.target == self.acl]
        return dict(view.tags)


@pytest.fixture
def net(moto: sandbox.Aws) -> Net:
    return Net(moto)


def test_the_vpc_of_a_cluster_with_its_subnets(net: Net) -> None:
    net.ec2.create_tags(Resources=[net.subnets[1]], Tags=[{"Key": "kubernetes.io/role/elb", "Value": "1"}])
    net.ec2.associate_vpc_cidr_block(VpcId=net.vpc, AmazonProvidedIpv6CidrBlock=True)
    found = ask(ClusterVpc("shop", ("none",)))
    assert (found.id, found.subnets) == (net.vpc, tuple(sorted(net.subnets[:2])))
    assert found.cidrs[0] == "10.9.0.0/16" and len(found.cidrs) == 2 and ":" in found.cidrs[1]


@pytest.mark.parametrize(
    ("network", "services"),
    [
        ({"serviceIpv4Cidr": "172.20.0.0/16"}, ("172.20.0.0/16",)),
        ({"serviceIpv6Cidr": "fd12::/108"}, ("fd12::/108",)),
        (None, ()),
    ],
)
def test_the_ranges_of_services_and_the_groups_that_eks_names(
    monkeypatch: pytest.MonkeyPatch, moto: sandbox.Aws, net: Net, network: Any, services: tuple[str, ...]
) -> None:
    given = {
        "subnetIds": [],
        "vpcId": net.vpc,
        "clusterSecurityGroupId": "sg-1",
        "securityGroupIds": ["sg-2"],
    }
    found = recorded(
        monkeypatch, {"name": "shop", "resourcesVpcConfig": given, "kubernetesNetworkConfig": network}
    )
    assert (found.services, found.groups) == (services, ("sg-2", "sg-1"))


def recorded(monkeypatch: pytest.MonkeyPatch, cluster: dict[str, Any]) -> Any:
    with RudeServer(lambda _: page(200, {"cluster": cluster})) as eks:
        monkeypatch.setenv("AWS_ENDPOINT_URL_EKS", eks.url)
        return ask(ClusterVpc("shop"))


def test_a_cluster_that_eks_does_not_know_has_no_vpc(moto: sandbox.Aws) -> None:
    assert ask(ClusterVpc("shop")) is None


def test_a_cluster_of_no_vpc_is_a_refusal(monkeypatch: pytest.MonkeyPatch, moto: sandbox.Aws) -> None:
    with pytest.raises(Refused, match="in no VPC"):
        recorded(monkeypatch, {"name": "shop"})


# --- Network ACLs -----------------------------------------------------------------------------------


@pytest.mark.parametrize("cidr", [CIDR, SIX])
@pytest.mark.parametrize("is_egress", [False, True])
def test_an_entry_is_made_once_and_deleted_once(net: Net, cidr: str, is_egress: bool) -> None:
    before = net.entries()
    deny, drop = DenyEntry(net.acl, 99, is_egress, cidr), DropEntry(net.acl, 99, is_egress, cidr)
    assert apply(deny) == Done()
    assert net.entries() - before == {(99, is_egress, False, cidr)}
    assert apply(deny) == Already("is denied already")
    assert apply(drop) == Done()
    assert net.entries() == before
    assert apply(drop) == Already("is gone")


def test_the_last_entry_of_an_acl_is_not_among_its_entries(net: Net) -> None:
    assert net.entries() == {(100, False, True, "0.0.0.0/0"), (100, True, True, "0.0.0.0/0")}
    [view] = [each for each in ask(NetworkAcls(net.vpc)) if each.target == net.acl]
    assert view.subnets == tuple(sorted(net.subnets))
    assert view.entries[0] == AclEntry(100, False, True, "-1", "0.0.0.0/0")


def test_a_number_that_was_given_away_is_not_taken(net: Net) -> None:
    assert apply(DenyEntry(net.acl, 99, False, "192.0.2.0/24")) == Done()
    taken = f"{net.acl}: the number 99 was given to another entry meanwhile"
    assert apply(DenyEntry(net.acl, 99, False, CIDR)) == Moved(taken)
    assert apply(DropEntry(net.acl, 99, False, CIDR)) == Moved(f"{net.acl}: entry 99 says something else now")


def test_an_entry_that_would_come_too_late_is_not_made(net: Net) -> None:
    outcome = apply(DenyEntry(net.acl, 101, False, CIDR))
    assert outcome == Moved(f"{net.acl}: entry 100 allows before 101 now")


# --- Tags -------------------------------------------------------------------------------------------


def test_a_note_is_written_once_and_removed_once(net: Net) -> None:
    key, value = f"sre-bot/blocked/{CIDR}", "by=R2 in=99 out=99 until=2026-11-24T12:00:00Z"
    assert apply(Tag(net.acl, key, value)) == Done()
    assert net.tags() == {key: value}
    assert apply(Tag(net.acl, key, value)) == Already("is noted already")
    other = Moved(f"{net.acl} has another note under {key} now")
    assert [apply(Tag(net.acl, key, "x")), apply(Untag(net.acl, key, "x"))] == [other, other]
    assert apply(Untag(net.acl, key, value)) == Done()
    assert net.tags() == {}
    assert apply(Untag(net.acl, key, value)) == Already("is gone")


# --- Security groups --------------------------------------------------------------------------------


RULES = [
    GroupRule(False, "tcp", 443, 443, CIDR, "partner"),
    GroupRule(False, "tcp", 8000, 8999, SIX),
    GroupRule(True, "udp", 53, 53, CIDR, "dns"),
    GroupRule(True, "-1", -1, -1, "203.0.113.7/32"),
    GroupRule(False, "icmp", 8, 0, CIDR),
]


@pytest.mark.parametrize("rule", RULES, ids=str)
def test_a_rule_is_revoked_once_and_comes_back_as_it_was(net: Net, rule: GroupRule) -> None:
    before = net.rules()
    assert apply(GrantRule(net.group, rule)) == Done()
    assert net.rules() - before == {rule}
    assert apply(GrantRule(net.group, rule)) == Already("is there already")
    assert apply(RevokeRule(net.group, rule)) == Done()
    assert net.rules() == before
    assert apply(RevokeRule(net.group, rule)) == Already("is gone")


def test_a_rule_whose_description_was_changed_is_the_same_rule(net: Net) -> None:
    assert apply(GrantRule(net.group, RULES[0])) == Done()
    assert apply(GrantRule(net.group, replace(RULES[0], description="x"))) == Already("is there already")


def test_a_group_that_is_gone(net: Net) -> None:
    gone = Target("SecurityGroup", "", "sg-0123456789abcdef0", "sg-0123456789abcdef0")
    assert apply(RevokeRule(gone, RULES[0])) == Already("is gone")
    assert apply(GrantRule(gone, RULES[0])) == Moved(f"{gone} is gone")


# --- Rehearsals -------------------------------------------------------------------------------------


def test_a_rehearsal_changes_nothing_and_asks_ec2_whether_it_may(net: Net) -> None:
    assert apply(GrantRule(net.group, RULES[0])) == Done()
    before = (net.entries(), net.rules(), net.tags())
    for effect in (
        DenyEntry(net.acl, 99, False, CIDR),
        Tag(net.acl, "a", "b"),
        RevokeRule(net.group, RULES[0]),
        GrantRule(net.group, RULES[1]),
    ):
        assert rehearse(effect).would, effect
    assert (net.entries(), net.rules(), net.tags()) == before
    told = rehearse(DenyEntry(net.acl, 101, False, CIDR))
    assert (told.would, told.said) == (False, f"{net.acl}: entry 100 allows before 101 now")


# --- Roles ------------------------------------------------------------------------------------------


@pytest.fixture
def role(moto: sandbox.Aws) -> Target:
    condition = {
        "StringEquals": {
            "oidc.eks/id/X:sub": ["system:serviceaccount:shop:backend"],
            "oidc.eks/id/X:aud": "sts",
        }
    }
    statement = {"Effect": "Allow", "Action": "sts:AssumeRoleWithWebIdentity", "Condition": condition}
    trust = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    made = moto.client("iam").create_role(RoleName="backend", Path="/apps/", AssumeRolePolicyDocument=trust)
    return Target("IamRole", "", "backend", made["Role"]["Arn"])


def test_sessions_older_than_now_are_denied_and_later_ones_are_not(moto: sandbox.Aws, role: Target) -> None:
    assert ask(Role(role.uid, POLICY)).denied_before == ""
    effect = RevokeSessions(role, POLICY, AT)
    assert apply(effect) == Done()
    view = ask(Role(role.uid, POLICY))
    assert (view.target, view.subjects, view.denied_before) == (
        role,
        ("system:serviceaccount:shop:backend",),
        AT,
    )
    held = moto.client("iam").get_role_policy(RoleName="backend", PolicyName=POLICY)["PolicyDocument"]
    assert held["Statement"] == [
        {
            "Effect": "Deny",
            "Action": ["*"],
            "Resource": ["*"],
            "Condition": {"DateLessThan": {"aws:TokenIssueTime": AT}},
        }
    ]
    assert apply(effect) == Already(f"denies sessions from before {AT} already")
    assert apply(replace(effect, before="2026-11-23T11:00:00Z")) == Already(
        f"denies sessions from before {AT} already"
    )
    assert apply(replace(effect, before="2026-11-23T13:00:00Z")) == Done()


def test_a_role_of_another_account_with_the_same_name_is_not_the_role(role: Target) -> None:
    elsewhere = role.uid.replace(role.uid.split(":")[4], "999999999999")
    assert ask(Role(elsewhere, POLICY)) is None
    assert ask(Role("arn:aws:iam::123456789012:role/none", POLICY)) is None
    assert ask(Role("not an arn", POLICY)) is None
    target = replace(role, uid=elsewhere)
    assert apply(RevokeSessions(target, POLICY, AT)) == Moved("IamRole backend is gone")


def test_a_rehearsal_of_a_role_only_looks(role: Target) -> None:
    assert rehearse(RevokeSessions(role, POLICY, AT)) == Rehearsal(True, "looked at only: IAM has no dry run")
    assert ask(Role(role.uid, POLICY)).denied_before == ""


IDENTITY = "/pod-identity-associations"


def test_the_roles_of_pod_identity(monkeypatch: pytest.MonkeyPatch) -> None:
    def answer(asked: Asked) -> bytes:
        if IDENTITY + "/" in asked.target:
            return page(200, {"association": {"roleArn": "arn:aws:iam::123456789012:role/backend"}})
        assert "namespace=shop" in asked.target and "serviceAccount=backend" in asked.target
        return page(200, {"associations": [{"associationId": "a-1"}]})

    with RudeServer(answer) as server:
        use(monkeypatch, server.url)
        assert ask(AccountRoles("shop", "shop", "backend")) == ("arn:aws:iam::123456789012:role/backend",)


# --- Secrets ----------------------------------------------------------------------------------------


@pytest.fixture
def secret(moto: sandbox.Aws) -> Target:
    made = moto.client("secretsmanager").create_secret(Name="prod/db", SecretString="s3cret")
    return Target("AwsSecret", "", "prod/db", made["ARN"])


def test_a_secret_is_told_without_its_value(secret: Target) -> None:
    view = ask(ManagedSecret("prod/db"))
    assert (view.target, view.is_rotated, len(view.versions)) == (secret, False, 1)
    assert "s3cret" not in repr(view)
    assert ask(ManagedSecret("none")) is None


def test_a_secret_without_a_rotation_is_not_rotated(secret: Target) -> None:
    assert apply(RotateSecret(secret, TOKEN)) == Moved(f"{secret} has no rotation any more")


def rotating(sent: list[Asked], versions: dict[str, list[str]]) -> Any:
    """Secrets Manager as far as it is asked: moto rotates by a Lambda function, which it would have to run."""

    def answer(asked: Asked) -> bytes:
        sent.append(asked)
        if asked.headers["x-amz-target"].endswith("RotateSecret"):
            versions[json.loads(asked.body)["ClientRequestToken"]] = ["AWSPENDING"]
            return page(200, {"ARN": "arn", "Name": "prod/db"})
        told = {"ARN": "arn", "Name": "prod/db", "RotationEnabled": True, "VersionIdsToStages": versions}
        return page(200, told)

    return answer


def test_a_secret_is_rotated_once_by_its_own_rule(monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[Asked] = []
    effect = RotateSecret(Target("AwsSecret", "", "prod/db", "arn"), TOKEN)
    with RudeServer(rotating(sent, {"v1": ["AWSCURRENT"]})) as server:
        use(monkeypatch, server.url)
        assert rehearse(effect).would
        assert apply(effect) == Done()
        assert apply(effect) == Already("its rotation began already")
        assert ask(ManagedSecret("prod/db")).versions == {"v1": ("AWSCURRENT",), TOKEN: ("AWSPENDING",)}
    rotations = [each for each in sent if each.headers["x-amz-target"].endswith("RotateSecret")]
    assert [json.loads(each.body) for each in rotations] == [{"SecretId": "arn", "ClientRequestToken": TOKEN}]


# --- No answer, and no permission -------------------------------------------------------------------


ACL = Target("NetworkAcl", "", "acl-1", "acl-1")


def denied(code: str) -> bytes:
    body = f"<Response><Errors><Error><Code>{code}</Code><Message>no</Message></Error></Errors></Response>"
    return page(503 if code == "RequestLimitExceeded" else 403, body, "text/xml")


def outcome(monkeypatch: pytest.MonkeyPatch, answer: Any) -> Any:
    with RudeServer(lambda _: answer) as server:
        use(monkeypatch, server.url)
        try:
            return apply(DenyEntry(ACL, 99, False, CIDR))
        except Unanswered as error:
            return error


def test_without_the_permission_it_is_rejected_with_the_statement(monkeypatch: pytest.MonkeyPatch) -> None:
    found = outcome(monkeypatch, denied("UnauthorizedOperation"))
    assert isinstance(found, Rejected)
    assert found.reason == "ec2: access denied, needs ec2:DescribeNetworkAcls"
    assert '"Action": ["ec2:DescribeNetworkAcls"]' in found.mend


def test_an_acl_that_is_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    with RudeServer(lambda _: denied("InvalidNetworkAclID.NotFound")) as server:
        use(monkeypatch, server.url)
        assert apply(DenyEntry(ACL, 99, False, CIDR)) == Moved("NetworkAcl acl-1 is gone")
        assert apply(DropEntry(ACL, 99, False, CIDR)) == Already("is gone")


LOGIN = page(200, "<h1>Log in</h1>", "text/html")


@pytest.mark.parametrize(
    "answer",
    [denied("RequestLimitExceeded"), DROP, page(500, "oops", "text/html")],
    ids=["busy", "dropped", "a page"],
)
def test_without_an_answer_it_is_open_and_tried_again(monkeypatch: pytest.MonkeyPatch, answer: Any) -> None:
    assert isinstance(outcome(monkeypatch, answer), Unreachable)


def test_a_page_that_is_no_answer_of_aws_is_not_taken_for_one(monkeypatch: pytest.MonkeyPatch) -> None:
    assert isinstance(outcome(monkeypatch, LOGIN), Rejected | Unreachable)


def test_a_cluster_that_is_not_on_eks_has_no_aws_to_change() -> None:
    with pytest.raises(Refused, match="not on EKS"):
        Effects(nowhere()).apply(DenyEntry(ACL, 99, False, CIDR), soon())
