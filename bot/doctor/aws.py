"""AWS: who the bot is there, and whether each action that the configuration's reads declare is allowed.

Each is tried: a question that changes nothing, dry where EC2 offers it, about a thing that is not there where no
other is known. A refusal says that it is not allowed; any other answer, that it is. Actions that write (s3:PutObject, an
approved change's) cannot be tried so and are not: NOT_ASKED says why.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    CredentialRetrievalError,
    EndpointConnectionError,
    NoCredentialsError,
    PartialCredentialsError,
    ProfileNotFound,
    SSOError,
    SSOTokenLoadError,
    TokenRetrievalError,
    UnauthorizedSSOTokenError,
)

from bot.doctor.check import BROKEN, GOOD, OPEN, Check, side_by_side, words
from bot.doctor.reach import unreachable
from bot.doctor.wanted import wanted_by
from commands.needs import ANY, Action, actions
from commands.site import ClusterSite

_DENIED = (
    "AccessDenied",
    "AccessDeniedException",
    "UnauthorizedOperation",
    "AuthorizationError",
    "Forbidden",
)
_EXPIRED = ("ExpiredToken", "ExpiredTokenException", "RequestExpired")
_WRONG = (
    "InvalidClientTokenId",
    "InvalidAccessKeyId",
    "UnrecognizedClientException",
    "SignatureDoesNotMatch",
    "InvalidSignatureException",
    "AuthFailure",
)
_CLOCK = ("RequestTimeTooSkewed", "SignatureExpired")

# Of things that are not there, in forms that AWS takes.
_NONE = "sre-bot-doctor"
_NO_UPDATE = "00000000-0000-4000-8000-000000000000"
_NO_ASSOCIATION = "a-00000000000000000"
_NO_EVENT = "arn:aws:health:global::event/EC2/AWS_EC2_DOCTOR/AWS_EC2_DOCTOR_1"

Ask = tuple[str, dict[str, Any]]
_DRY: dict[str, Any] = {"DryRun": True}

# The method and arguments that try an action; {} is filled with the cluster's own names.
ASKED: Mapping[str, Callable[[ClusterSite], Ask]] = {
    "eks:DescribeCluster": lambda of: ("describe_cluster", {"name": of.eks_name}),
    "eks:ListUpdates": lambda of: ("list_updates", {"name": of.eks_name, "maxResults": 1}),
    "eks:DescribeUpdate": lambda of: ("describe_update", {"name": of.eks_name, "updateId": _NO_UPDATE}),
    "eks:ListPodIdentityAssociations": lambda of: (
        "list_pod_identity_associations",
        {"clusterName": of.eks_name, "maxResults": 1},
    ),
    "eks:DescribePodIdentityAssociation": lambda of: (
        "describe_pod_identity_association",
        {"clusterName": of.eks_name, "associationId": _NO_ASSOCIATION},
    ),
    "ec2:DescribeInstances": lambda _: ("describe_instances", _DRY),
    "ec2:DescribeInstanceStatus": lambda _: ("describe_instance_status", _DRY),
    "ec2:DescribeVpcs": lambda _: ("describe_vpcs", _DRY),
    "ec2:DescribeSubnets": lambda _: ("describe_subnets", _DRY),
    "ec2:DescribeNetworkAcls": lambda _: ("describe_network_acls", _DRY),
    "ec2:DescribeSecurityGroups": lambda _: ("describe_security_groups", _DRY),
    "ecr:DescribeImages": lambda _: ("describe_images", {"repositoryName": _NONE}),
    "cloudtrail:LookupEvents": lambda _: ("lookup_events", {"MaxResults": 1}),
    "health:DescribeEvents": lambda _: ("describe_events", {"maxResults": 10}),
    "health:DescribeEventDetails": lambda _: ("describe_event_details", {"eventArns": [_NO_EVENT]}),
    "iam:GetRole": lambda of: ("get_role", {"RoleName": of.expected_roles.node}),
    "iam:GetRolePolicy": lambda of: (
        "get_role_policy",
        {"RoleName": of.expected_roles.node, "PolicyName": _NONE},
    ),
    "secretsmanager:DescribeSecret": lambda _: ("describe_secret", {"SecretId": _NONE}),
    "s3:ListBucket": lambda of: ("list_objects_v2", {"Bucket": of.backup.bucket, "MaxKeys": 1}),
}

# Declared, and not tried here.
NOT_ASKED: Mapping[str, str] = {
    "eks:DescribeNodegroup": "tried by itself, for each node group that is configured",
    "aps:QueryMetrics": "tried where `monitoring.prometheus.sigv4` is set (bot/doctor/monitoring.py)",
    "aps:ListRules": "goes with aps:QueryMetrics",
    "s3:PutObject": "could only be tried by writing",
}

# AWS Health is served from one region, for a partition.
_REGION: Mapping[str, str] = {"health": "us-east-1"}


def probe(cluster: ClusterSite, patience: float) -> Iterator[Check]:
    about = f"AWS {cluster.name}"
    link = _Link(cluster, patience)
    try:
        who = link.client("sts").get_caller_identity()
    except (BotoCoreError, ClientError, ValueError) as error:
        yield _nobody(f"{about} identity", error, cluster)
        return
    yield Check(f"{about} identity", GOOD, f"is {who['Arn']} in {cluster.region}")
    yield from _actions(about, link, who)
    yield from _nodegroups(about, link, who)


class _Link:
    """Clients of one region that ask once and do not wait."""

    def __init__(self, cluster: ClusterSite, patience: float) -> None:
        self.cluster = cluster
        self._config = Config(
            connect_timeout=patience,
            read_timeout=patience,
            retries={"total_max_attempts": 1},
            max_pool_connections=16,
        )
        self._session: Any = None
        self._made: dict[str, Any] = {}

    def client(self, service: str) -> Any:
        if self._session is None:
            self._session = boto3.session.Session(region_name=self.cluster.region or None)
        if service not in self._made:
            region = _REGION.get(service, self.cluster.region or None)
            self._made[service] = self._session.client(service, region_name=region, config=self._config)
        return self._made[service]


# --- Who it is ------------------------------------------------------------------------------------

_ROLE = "give the ServiceAccount an IAM role (IRSA or EKS Pod Identity)"
_TRUST = "set AWS_CA_BUNDLE to a file with the certificate of its authority"


def _nobody(about: str, error: Exception, cluster: ClusterSite) -> Check:
    """No credentials, credentials that are over, a role that may not be taken, no way there: each its own."""
    found, mend = _why(error, cluster)
    return Check(about, BROKEN, found, mend)


def _why(error: Exception, cluster: ClusterSite) -> tuple[str, str]:
    code = _code(error)
    match error:
        case SSOTokenLoadError() | UnauthorizedSSOTokenError() | TokenRetrievalError() | SSOError():
            return "the SSO session has expired", "run `aws sso login` (with the AWS_PROFILE in use)"
        case ProfileNotFound():
            return f"{words(error)}", "set AWS_PROFILE to a profile of ~/.aws/config, or unset it"
        case NoCredentialsError() | PartialCredentialsError():
            return (
                "no AWS credentials found",
                f"{_ROLE}; off EKS set AWS_PROFILE; without AWS set `eks: false`",
            )
        case CredentialRetrievalError():
            return f"the credentials could not be had: {words(error)}", _ROLE
        case EndpointConnectionError():
            return _no_way(error, cluster)
        case BotoCoreError():
            found, mend = unreachable(
                error, f"https://sts.{cluster.region}.amazonaws.com", "`region`", _TRUST
            )
            return found, mend
    if code in _EXPIRED:
        return f"the credentials have expired ({code})", "renew them: `aws sso login`, or a new session token"
    if code in _CLOCK:
        return f"AWS refuses the signature as too old ({code})", "set this machine's clock by NTP"
    if code in _WRONG:
        return (
            f"AWS does not know the credentials ({code})",
            f"look at AWS_ACCESS_KEY_ID and AWS_PROFILE, or {_ROLE}",
        )
    if code in _DENIED:
        return f"the role may not be taken ({code})", (
            "let the role's trust policy name this ServiceAccount (system:serviceaccount:sre-bot:…) and the cluster's "
            "OIDC provider"
        )
    return f"no identity: {words(error)}", f"{_ROLE}, or set `eks: false`"


def _no_way(error: Exception, cluster: ClusterSite) -> tuple[str, str]:
    return f"no endpoint answers in {cluster.region}: {words(error)}", (
        f"look whether `region` of cluster {cluster.name} is one of AWS, and allow the way out (a VPC endpoint for sts)"
    )


# --- What it may do -------------------------------------------------------------------------------


def _actions(about: str, link: _Link, who: Mapping[str, str]) -> Iterator[Check]:
    cluster = link.cluster
    wanted = [action for action in _once(actions()) if action.name in ASKED]
    if not cluster.backup.bucket:
        wanted = [action for action in wanted if not action.name.startswith("s3:")]
    for service in sorted({action.name.partition(":")[0] for action in wanted}):
        link.client(service)  # a session makes one at a time
    answers = side_by_side(lambda action: _tried(about, link, action, who), wanted, 16)
    found = [check for check in answers if check]
    yield from found
    if not found:
        writes = ", without those that write" if cluster.backup.bucket else ""
        yield Check(
            f"{about} actions", GOOD, f"all {len(wanted)} actions that reads need are allowed{writes}"
        )


def _once(declared: tuple[Action, ...]) -> Iterator[Action]:
    """One of each name: of two resources the first."""
    names: set[str] = set()
    for action in declared:
        if action.name not in names:
            names.add(action.name)
            yield action


def _tried(about: str, link: _Link, action: Action, who: Mapping[str, str]) -> Check | None:
    """What is wrong; None where it may be done."""
    service, _, _ = action.name.partition(":")
    method, arguments = ASKED[action.name](link.cluster)
    try:
        getattr(link.client(service), method)(**arguments)
    except ClientError as error:
        return _refusal(f"{about} actions", action, error, link.cluster, who)
    except BotoCoreError as error:
        region = _REGION.get(service, link.cluster.region)
        mend = f"allow the way out to {service}.{region}.amazonaws.com (or a VPC endpoint for {service})"
        return Check(f"{about} actions", BROKEN, f"{action.name} cannot be asked: {words(error)}", mend)
    return None


def _refusal(
    about: str, action: Action, error: ClientError, cluster: ClusterSite, who: Mapping[str, str]
) -> Check | None:
    code = _code(error)
    if code in (*_EXPIRED, *_WRONG, *_CLOCK):
        return Check(about, BROKEN, *_why(error, cluster))
    if action.name == "eks:DescribeCluster" and code == "ResourceNotFoundException":
        found = f"EKS knows no cluster {cluster.eks_name} in {cluster.region} of account {who['Account']}"
        mend = f"change `eks` or `region` of cluster {cluster.name}, or give the bot a role of its account"
        return Check(about, BROKEN, found, mend)
    if code == "NoSuchBucket":
        return Check(about, BROKEN, f"there is no bucket {cluster.backup.bucket}", "set `backup.bucket`")
    if code == "SubscriptionRequiredException":
        found = "AWS Health answers with a Business or Enterprise support plan only"
        return Check(about, OPEN, found, "without one, events of AWS are not shown beside alerts")
    if _status(error) >= 500 or "Throttl" in code:
        return Check(
            about, OPEN, f"{action.name} could not be tried: AWS answers {code}", "run the doctor again"
        )
    if code in _DENIED or _status(error) in (401, 403):
        by = wanted_by(action)
        return Check(
            about,
            BROKEN,
            f"{action.name} is not allowed{f', for {by}' if by else ''}",
            f"add to the role's policy {_statement(action, cluster, who)}, or all of k8s/aws-policy.json",
        )
    return None


def _statement(action: Action, cluster: ClusterSite, who: Mapping[str, str]) -> str:
    return f'{{"Effect": "Allow", "Action": "{action.name}", "Resource": "{_arn(action, cluster, who)}"}}'


def _arn(action: Action, cluster: ClusterSite, who: Mapping[str, str]) -> str:
    """In the account and partition the identity is in; China and GovCloud have partitions of their own."""
    service, partition = action.name.partition(":")[0], who["Arn"].split(":")[1]
    if action.resource == ANY:
        return ANY
    if service == "s3":
        return (
            f"arn:{partition}:s3:::{cluster.backup.bucket}{f'/{action.resource}' if action.resource else ''}"
        )
    region = "" if service == "iam" else cluster.region
    resource = action.resource.replace("cluster/*", f"cluster/{cluster.eks_name}")
    return f"arn:{partition}:{service}:{region}:{who['Account']}:{resource}"


def _nodegroups(about: str, link: _Link, who: Mapping[str, str]) -> Iterator[Check]:
    cluster = link.cluster
    for group in cluster.nodegroups:
        resource = f"nodegroup/{cluster.eks_name}/{group}/*"
        try:
            link.client("eks").describe_nodegroup(clusterName=cluster.eks_name, nodegroupName=group)
        except ClientError as error:
            yield _nodegroup(about, Action("eks:DescribeNodegroup", resource), group, error, cluster, who)
        except BotoCoreError as error:
            mend = f"allow the way out to eks.{cluster.region}.amazonaws.com"
            yield Check(f"{about} nodes", BROKEN, f"eks:DescribeNodegroup {group}: {words(error)}", mend)
        else:
            yield Check(f"{about} nodes", GOOD, f"EKS knows node group {group}")


def _nodegroup(
    about: str, action: Action, group: str, error: ClientError, cluster: ClusterSite, who: Mapping[str, str]
) -> Check:
    if _code(error) == "ResourceNotFoundException":
        found = f"EKS knows no node group {group} of {cluster.eks_name} in {cluster.region}"
        return Check(f"{about} nodes", BROKEN, found, f"change `nodegroups` of cluster {cluster.name}")
    refused = _refusal(f"{about} nodes", action, error, cluster, who)
    return refused or Check(f"{about} nodes", OPEN, f"node group {group}: AWS answers {_code(error)}")


def _code(error: Exception) -> str:
    return str(error.response.get("Error", {}).get("Code", "")) if isinstance(error, ClientError) else ""


def _status(error: ClientError) -> int:
    return int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
