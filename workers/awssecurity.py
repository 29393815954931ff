"""What the containment of an incident asks of AWS: the cluster's VPC with its ACLs and security groups, IAM roles,
secrets without their values.

Functions called by workers/aws.py, which owns the source. Only ever describes; what changes is in
workers/awswrites.py, which looks through the same views.
"""

import re
from collections.abc import Iterable, Iterator
from typing import Any

from botocore.exceptions import ClientError

from commands import securityreads
from commands.effects import GroupRule, Target
from commands.errors import Refused
from commands.model import Read
from commands.securityreads import AclEntry, AclView, GroupView, ManagedSecretView, RoleView, VpcView
from workers.awslink import ask, listed

READS: tuple[type[Read], ...] = (
    securityreads.ClusterVpc, securityreads.NetworkAcls, securityreads.SecurityGroups,
    securityreads.AccountRoles, securityreads.Role, securityreads.ManagedSecret,
)  # fmt: skip

# The last entry of every ACL, which denies what is left and cannot be changed.
_LAST = 32767
_UNKNOWN = frozenset({"ResourceNotFoundException"})
_NO_ACL = frozenset({"InvalidNetworkAclID.NotFound"})
_NO_ROLE = frozenset({"NoSuchEntity", "NoSuchEntityException"})
# By these tags a subnet is the cluster's, or its load balancers'.
_ELB = ("kubernetes.io/role/elb", "kubernetes.io/role/internal-elb")
ROLE_ARN = re.compile(r"arn:aws[a-z-]*:iam::\d{12}:role/(?:.*/)?(?P<name>[\w+=,.@-]+)")


def read(region: str, asked: Read, deadline: float) -> Any:
    match asked:
        case securityreads.ClusterVpc():
            return _vpc(region, asked, deadline)
        case securityreads.NetworkAcls():
            return _acls(region, deadline, Filters=_in(asked.vpc))
        case securityreads.SecurityGroups():
            return _groups(region, deadline, Filters=_in(asked.vpc))
        case securityreads.AccountRoles():
            return _pod_identities(region, asked, deadline)
        case securityreads.Role():
            return role(region, asked.arn, asked.policy, deadline)
        case securityreads.ManagedSecret():
            return secret(region, asked.name, deadline)
    raise LookupError(f"not a question to AWS: {asked}")


def _in(vpc: str) -> list[dict[str, Any]]:
    return [{"Name": "vpc-id", "Values": [vpc]}]


# --- Addresses --------------------------------------------------------------------------------------


def _vpc(region: str, asked: securityreads.ClusterVpc, deadline: float) -> VpcView | None:
    try:
        found = ask("eks", "describe_cluster", region, deadline, passed=_UNKNOWN, name=asked.cluster)
    except ClientError:
        return None
    cluster = found.get("cluster") or {}
    network, kubernetes = (
        cluster.get("resourcesVpcConfig") or {},
        cluster.get("kubernetesNetworkConfig") or {},
    )
    given = [*network.get("subnetIds", ()), *_of_nodegroups(region, asked, deadline)]
    vpc = str(network.get("vpcId") or "")
    if not vpc:
        raise Refused(f"eks:DescribeCluster: {asked.cluster} is in no VPC that EKS names")
    groups = (*network.get("securityGroupIds", ()), network.get("clusterSecurityGroupId"))
    services = (kubernetes.get("serviceIpv4Cidr"), kubernetes.get("serviceIpv6Cidr"))
    return VpcView(
        vpc,
        _vpc_cidrs(region, vpc, deadline),
        tuple(str(each) for each in services if each),
        _subnets(region, vpc, asked.cluster, given, deadline),
        tuple(str(each) for each in groups if each),
    )


def _of_nodegroups(region: str, asked: securityreads.ClusterVpc, deadline: float) -> Iterator[str]:
    for name in asked.nodegroups:
        try:
            found = ask(
                "eks", "describe_nodegroup", region, deadline,
                passed=_UNKNOWN, clusterName=asked.cluster, nodegroupName=name,
            )  # fmt: skip
        except ClientError:
            continue
        yield from (found.get("nodegroup") or {}).get("subnets", ())


def _vpc_cidrs(region: str, vpc: str, deadline: float) -> tuple[str, ...]:
    found = ask("ec2", "describe_vpcs", region, deadline, VpcIds=[vpc])
    held = listed(found, "Vpcs", "ec2:DescribeVpcs")
    four = [each["CidrBlock"] for one in held for each in one.get("CidrBlockAssociationSet") or ()]
    six = [each["Ipv6CidrBlock"] for one in held for each in one.get("Ipv6CidrBlockAssociationSet") or ()]
    return tuple(dict.fromkeys([*(one["CidrBlock"] for one in held), *four, *six]))


def _subnets(region: str, vpc: str, cluster: str, given: Iterable[str], deadline: float) -> tuple[str, ...]:
    found = ask("ec2", "describe_subnets", region, deadline, Filters=_in(vpc))
    keys = {f"kubernetes.io/cluster/{cluster}", *_ELB}
    marked = [
        each["SubnetId"]
        for each in listed(found, "Subnets", "ec2:DescribeSubnets")
        if keys & tags(each).keys()
    ]
    return tuple(sorted({*given, *marked}))


def tags(found: dict[str, Any]) -> dict[str, str]:
    return {str(each["Key"]): str(each.get("Value", "")) for each in found.get("Tags") or ()}


def _acls(region: str, deadline: float, **which: Any) -> tuple[AclView, ...]:
    found = ask("ec2", "describe_network_acls", region, deadline, **which)
    views = [_acl_view(each) for each in listed(found, "NetworkAcls", "ec2:DescribeNetworkAcls")]
    return tuple(sorted(views, key=lambda view: view.target.name))


def acl(region: str, id: str, deadline: float) -> AclView | None:
    try:
        return next(iter(_acls(region, deadline, passed=_NO_ACL, NetworkAclIds=[id])), None)
    except ClientError:
        return None


def _acl_view(found: dict[str, Any]) -> AclView:
    entries = sorted(
        (_entry(each) for each in found.get("Entries") or ()), key=lambda e: (e.is_egress, e.number)
    )
    return AclView(
        Target("NetworkAcl", "", str(found["NetworkAclId"]), str(found["NetworkAclId"])),
        tuple(sorted(str(each["SubnetId"]) for each in found.get("Associations") or ())),
        tuple(entry for entry in entries if entry.number < _LAST),
        tags(found),
    )


def _entry(found: dict[str, Any]) -> AclEntry:
    return AclEntry(
        int(found["RuleNumber"]),
        bool(found["Egress"]),
        found["RuleAction"] == "allow",
        str(found["Protocol"]),
        str(found.get("CidrBlock") or found.get("Ipv6CidrBlock") or ""),
    )


def _groups(region: str, deadline: float, **which: Any) -> tuple[GroupView, ...]:
    found = ask("ec2", "describe_security_groups", region, deadline, **which)
    views = [_group_view(each) for each in listed(found, "SecurityGroups", "ec2:DescribeSecurityGroups")]
    return tuple(sorted(views, key=lambda view: view.target.name))


def group(region: str, id: str, deadline: float) -> GroupView | None:
    wanted = [{"Name": "group-id", "Values": [id]}]
    return next(iter(_groups(region, deadline, Filters=wanted)), None)


def _group_view(found: dict[str, Any]) -> GroupView:
    id = str(found["GroupId"])
    rules = (
        *_rules(found.get("IpPermissions") or (), is_egress=False),
        *_rules(found.get("IpPermissionsEgress") or (), is_egress=True),
    )
    return GroupView(Target("SecurityGroup", "", id, id), str(found.get("GroupName", "")), rules, tags(found))


def _rules(permissions: Iterable[dict[str, Any]], *, is_egress: bool) -> Iterator[GroupRule]:
    for each in permissions:
        low, high = (-1 if each.get(key) is None else int(each[key]) for key in ("FromPort", "ToPort"))
        named = [(r["CidrIp"], r) for r in each.get("IpRanges") or ()]
        named += [(r["CidrIpv6"], r) for r in each.get("Ipv6Ranges") or ()]
        for cidr, held in named:
            said = str(held.get("Description") or "")
            yield GroupRule(is_egress, str(each["IpProtocol"]), low, high, str(cidr), said)


# --- Credentials ------------------------------------------------------------------------------------


def _pod_identities(region: str, asked: securityreads.AccountRoles, deadline: float) -> tuple[str, ...]:
    where: dict[str, Any] = {
        "clusterName": asked.cluster,
        "namespace": asked.namespace,
        "serviceAccount": asked.account,
    }
    try:
        found = ask("eks", "list_pod_identity_associations", region, deadline, passed=_UNKNOWN, **where)
        ids = [
            each["associationId"] for each in listed(found, "associations", "eks:ListPodIdentityAssociations")
        ]
        told = [
            ask("eks", "describe_pod_identity_association", region, deadline,
                passed=_UNKNOWN, clusterName=asked.cluster, associationId=id)
            for id in ids
        ]  # fmt: skip
    except ClientError:
        return ()
    return tuple(sorted({str(each["association"]["roleArn"]) for each in told}))


def role(region: str, arn: str, policy: str, deadline: float) -> RoleView | None:
    """None also where another account's role has this name: IAM is asked by name alone."""
    named = ROLE_ARN.fullmatch(arn)
    if named is None:
        return None
    try:
        found = ask("iam", "get_role", region, deadline, passed=_NO_ROLE, arn=arn, RoleName=named["name"])
    except ClientError:
        return None
    held = found.get("Role") or {}
    if held.get("Arn") != arn:
        return None
    subjects = tuple(sorted(set(_subjects(held.get("AssumeRolePolicyDocument") or {}))))
    return RoleView(
        Target("IamRole", "", named["name"], arn),
        subjects,
        _denied_before(region, named["name"], policy, arn, deadline),
    )


def _subjects(document: dict[str, Any]) -> Iterator[str]:
    statements = document.get("Statement") or ()
    for statement in [statements] if isinstance(statements, dict) else statements:
        for condition in (statement.get("Condition") or {}).values():
            for key, value in condition.items():
                if key.endswith(":sub"):
                    yield from [value] if isinstance(value, str) else map(str, value)


def _denied_before(region: str, name: str, policy: str, arn: str, deadline: float) -> str:
    named: dict[str, Any] = {"RoleName": name, "PolicyName": policy}
    try:
        found = ask("iam", "get_role_policy", region, deadline, passed=_NO_ROLE, arn=arn, **named)
    except ClientError:
        return ""
    statements = (found.get("PolicyDocument") or {}).get("Statement") or [{}]
    statement = statements if isinstance(statements, dict) else statements[0]
    condition = (statement.get("Condition") or {}).get("DateLessThan") or {}
    return str(condition.get("aws:TokenIssueTime") or "")


def secret(region: str, name: str, deadline: float) -> ManagedSecretView | None:
    try:
        found = ask("secretsmanager", "describe_secret", region, deadline, passed=_UNKNOWN, SecretId=name)
    except ClientError:
        return None
    stages = found.get("VersionIdsToStages") or {}
    return ManagedSecretView(
        Target("AwsSecret", "", str(found["Name"]), str(found["ARN"])),
        bool(found.get("RotationEnabled")),
        found.get("LastRotatedDate"),
        {str(id): tuple(map(str, held)) for id, held in stages.items()},
    )
