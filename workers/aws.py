"""Reads from AWS: the EKS cluster, its node groups, images; and files put into the bucket. The only importer of boto3.

Every client is made with the cluster's region from the configuration, never the environment's, and with
the endpoint boto3 itself finds there (AWS_ENDPOINT_URL). Called by workers/reader.py, and the bucket by
workers/keeping.py: it only adds objects, and is no part of what an approved change may touch.
"""

import base64
import threading
import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

import boto3
from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectionError,
    CredentialRetrievalError,
    EndpointConnectionError,
    HTTPClientError,
    NoCredentialsError,
    NoRegionError,
    PartialCredentialsError,
)

from commands import reads
from commands.errors import Refused, Unanswered, Unreachable
from commands.model import Read
from commands.site import ClusterSite
from commands.workloads import EcrImage, ImageInRegistry, on_ecr
from workers.reader import user_agent

# One retry: the house's limit for a read is five seconds in all, and a second retry would not fit.
_ATTEMPTS = 2
# What is left of the deadline when the search for the running update is given up, and how many are looked at.
_SPARE_SECONDS = 0.5
_UPDATES = 20

_DENIED = frozenset({"AccessDeniedException", "AccessDenied", "UnauthorizedOperation"})
_BAD_CREDENTIALS = frozenset(
    {
        "ExpiredToken",
        "ExpiredTokenException",
        "InvalidClientTokenId",
        "InvalidIdentityToken",
        "InvalidSignatureException",
        "SignatureDoesNotMatch",
        "UnrecognizedClientException",
    }
)
_THROTTLED = frozenset(
    {"Throttling", "ThrottlingException", "TooManyRequestsException", "RequestLimitExceeded"}
)

_ROLE = "give the bot's ServiceAccount an IAM role (IRSA or EKS Pod Identity)"


class Aws:
    """EksCluster and Nodegroup for one cluster of the site."""

    def __init__(self, site: ClusterSite) -> None:
        self._site = site
        self._lock = threading.Lock()
        self._client: Any = None

    def lanes(self) -> tuple[tuple[type[Read], ...], ...]:
        return ((reads.EksCluster, reads.Nodegroup), (ImageInRegistry,))

    def read(self, read: Read, deadline: float) -> Any:
        match read:
            case reads.EksCluster():
                return self._cluster(read, deadline)
            case reads.Nodegroup():
                return self._nodegroup(read, deadline)
            case ImageInRegistry():
                return _is_in_registry(read, deadline)
        raise LookupError(f"not a read of AWS: {read}")

    def _cluster(self, read: reads.EksCluster, deadline: float) -> reads.EksView | None:
        arn = f"cluster/{read.name}"
        found = self._ask("DescribeCluster", arn, deadline, name=read.name)
        if found is None:
            return None
        cluster = _inside(found, "cluster", "eks:DescribeCluster")
        status = str(cluster.get("status", ""))
        return reads.EksView(
            name=read.name,
            status=status,
            version=str(cluster.get("version", "")),
            platform=str(cluster.get("platformVersion", "")),
            issues=_issues(cluster),
            update=self._running_update(read.name, deadline) if status == "UPDATING" else "",
        )

    def _running_update(self, name: str, deadline: float) -> str:
        """Best effort: the verdict does not depend on it, and it needs two more permissions.

        On a thread of its own, because a call may take longer than the whole read has left.
        """
        until = deadline - _SPARE_SECONDS
        found: list[str] = []
        search = threading.Thread(
            target=lambda: found.append(self._search_update(name, until)), name="eks-updates", daemon=True
        )
        search.start()
        search.join(max(0.0, until - time.monotonic()))
        return found[0] if found else ""

    def _search_update(self, name: str, until: float) -> str:
        arn = f"cluster/{name}"
        try:
            listed = self._ask("ListUpdates", arn, until, name=name)
            for update in (listed or {}).get("updateIds", [])[:_UPDATES]:
                asked = self._ask("DescribeUpdate", arn, until, name=name, updateId=update)
                if asked and (asked.get("update") or {}).get("status") == "InProgress":
                    return str(update)
        except Unanswered:
            pass
        return ""

    def _nodegroup(self, read: reads.Nodegroup, deadline: float) -> reads.NodegroupView | None:
        arn = f"nodegroup/{read.cluster}/{read.name}/*"
        found = self._ask(
            "DescribeNodegroup", arn, deadline, clusterName=read.cluster, nodegroupName=read.name
        )
        if found is None:
            return None
        group = _inside(found, "nodegroup", "eks:DescribeNodegroup")
        return reads.NodegroupView(read.name, str(group.get("status", "")), _issues(group))

    def _ask(self, action: str, resource: str, deadline: float, **arguments: str) -> Any:
        """The response, or None when AWS knows no such resource."""
        what = f"eks:{action}"
        if time.monotonic() >= deadline:
            raise Unreachable(f"{what}: no time left to ask")
        client = None
        try:
            client = self._eks(deadline)
            return getattr(client, _snake(action))(**arguments)
        except ClientError as error:
            if _code(error) in _BAD_CREDENTIALS:
                self._forget(client)
            return self._refusal(error, what, resource)
        except BotoCoreError as error:
            if isinstance(error, NoCredentialsError | CredentialRetrievalError):
                self._forget(client)
            raise _no_answer(error, what, self._site.region) from error

    def _eks(self, deadline: float) -> Any:
        """Made once and under a lock, because sessions are not safe to share while they make clients."""
        if not self._lock.acquire(timeout=max(0.0, deadline - time.monotonic())):
            raise Unreachable("eks: the AWS credentials are still being looked up")
        try:
            if self._client is None:
                self._client = _client("eks", self._site.region, seconds=5)
            return self._client
        finally:
            self._lock.release()

    def _forget(self, client: Any) -> None:
        """A client looks for credentials when it is made, and never again."""
        with self._lock:
            if self._client is client:
                self._client = None

    def _refusal(self, error: ClientError, what: str, resource: str) -> None:
        """None for "no such resource"; everything else is raised."""
        code = _code(error)
        status = int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
        if code == "ResourceNotFoundException":
            return None
        if code in _DENIED:
            arn = f"arn:{_partition(self._site.region)}:eks:{self._site.region}:*:{resource}"
            statement = f'{{"Effect": "Allow", "Action": ["{what}"], "Resource": ["{arn}"]}}'
            raise Refused(f"eks: access denied, needs {what}", mend=statement) from error
        if code in _BAD_CREDENTIALS:
            raise Refused(f"{what}: AWS does not accept the credentials ({code})", mend=_ROLE) from error
        if code in _THROTTLED or status == 429 or status >= 500:
            raise Unreachable(f"{what}: AWS answers {code or status}, try later") from error
        raise Refused(f"{what}: AWS answers {code or status}") from error


def _is_in_registry(read: ImageInRegistry, deadline: float) -> bool:
    """Asked in the registry's own region and account, which may be others than the cluster's."""
    what, image = "ecr:DescribeImages", on_ecr(read.image)
    if image is None:
        raise Refused(f"{what}: {read.image} is not on ECR")
    if time.monotonic() >= deadline:
        raise Unreachable(f"{what}: no time left to ask")
    wanted = {"imageDigest": image.digest} if image.digest else {"imageTag": image.tag}
    try:
        found = _client("ecr", image.region, seconds=2).describe_images(
            registryId=image.account, repositoryName=image.repository, imageIds=[wanted]
        )
    except ClientError as error:
        if _code(error) in ("ImageNotFoundException", "RepositoryNotFoundException"):
            return False
        raise _image_refusal(error, what, image) from error
    except BotoCoreError as error:
        raise _no_answer(error, what, image.region, "ECR") from error
    if not isinstance(found.get("imageDetails"), list):
        raise Refused(f"{what}: not an answer of ECR")
    return bool(found["imageDetails"])


def _image_refusal(error: ClientError, what: str, image: EcrImage) -> Unanswered:
    code = _code(error)
    if code in _DENIED:
        arn = (
            f"arn:{_partition(image.region)}:ecr:{image.region}:{image.account}:repository/{image.repository}"
        )
        statement = f'{{"Effect": "Allow", "Action": ["{what}"], "Resource": ["{arn}"]}}'
        return Refused(f"ecr: access denied, needs {what}", mend=statement)
    if code in _BAD_CREDENTIALS:
        return Refused(f"{what}: AWS does not accept the credentials ({code})", mend=_ROLE)
    return Unreachable(f"{what}: AWS answers {code or 'without a word'}")


class Bucket:
    """The bucket of one cluster's site (`backup.bucket`), which files are added to."""

    def __init__(self, site: ClusterSite) -> None:
        self._site = site
        self._name = site.backup.bucket

    def keys(self, prefix: str) -> list[str]:
        """The keys that begin so, in S3's order. Raises Unanswered."""
        what = "s3:ListBucket"
        try:
            pages = _client("s3", self._site.region, seconds=8).get_paginator("list_objects_v2")
            return [
                each["Key"]
                for page in pages.paginate(Bucket=self._name, Prefix=prefix)
                for each in page.get("Contents", ())
            ]
        except ClientError as error:
            raise self._refusal(error, what, prefix) from error
        except BotoCoreError as error:
            raise _no_answer(error, what, self._site.region, "S3") from error

    def put(self, key: str, content: bytes, sha256: str) -> str:
        """Store the content and have S3 itself compare the hash; the address, "s3://bucket/key"."""
        what = "s3:PutObject"
        more = {}
        if self._site.backup.kms_key:
            more = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": self._site.backup.kms_key}
        try:
            _client("s3", self._site.region, seconds=8).put_object(
                Bucket=self._name,
                Key=key,
                Body=content,
                ContentType="text/plain; charset=utf-8",
                ChecksumSHA256=base64.b64encode(bytes.fromhex(sha256)).decode(),
                Metadata={"sha256": sha256},
                **more,
            )
        except ClientError as error:
            raise self._refusal(error, what, key) from error
        except BotoCoreError as error:
            raise _no_answer(error, what, self._site.region, "S3") from error
        return f"s3://{self._name}/{key}"

    def link(self, key: str) -> str:
        region = self._site.region
        console = "console.amazonaws.cn" if _partition(region) == "aws-cn" else "console.aws.amazon.com"
        return f"https://{console}/s3/object/{self._name}?region={region}&prefix={quote(key)}"

    def _refusal(self, error: ClientError, what: str, key: str) -> Unanswered:
        code = _code(error)
        if code in _DENIED:
            below = f"/{key.partition('/')[0]}/*" if "Object" in what else ""  # listing asks for the bucket
            arn = f"arn:{_partition(self._site.region)}:s3:::{self._name}{below}"
            statement = f'{{"Effect": "Allow", "Action": ["{what}"], "Resource": ["{arn}"]}}'
            return Refused(f"s3: access denied, needs {what}", mend=statement)
        if code == "NoSuchBucket":
            return Refused(f"s3: there is no bucket {self._name}", mend="set `backup.bucket`")
        if code in _BAD_CREDENTIALS:
            return Refused(f"{what}: AWS does not accept the credentials ({code})", mend=_ROLE)
        return Unreachable(f"{what}: AWS answers {code or 'without a word'}")


def _client(service: str, region: str, seconds: int) -> Any:
    """A new client; raises BotoCoreError, or Refused over an address that is none."""
    config = Config(
        connect_timeout=3,
        read_timeout=seconds,
        retries={"mode": "standard", "total_max_attempts": _ATTEMPTS},
        user_agent_extra=user_agent(),
    )
    try:
        return boto3.session.Session().client(service, region_name=region, config=config)
    except BotoCoreError:
        raise
    except ValueError as error:  # its words repeat the address, with its password
        raise Refused(
            f"{service}: the endpoint that the environment names is no HTTP address",
            mend=f"check AWS_ENDPOINT_URL, AWS_ENDPOINT_URL_{service.upper()} and the AWS configuration file",
        ) from error


def _code(error: ClientError) -> str:
    return str(error.response.get("Error", {}).get("Code", ""))


def _no_answer(error: BotoCoreError, what: str, region: str, service: str = "EKS") -> Unanswered:
    match error:
        case NoCredentialsError() | PartialCredentialsError() | CredentialRetrievalError():
            return Unreachable(f"{what}: no AWS credentials found", mend=_ROLE)
        case NoRegionError():
            return Refused(f"{what}: no AWS region configured", mend="set `region` of the cluster")
        case EndpointConnectionError() | ConnectionError() | HTTPClientError():
            kind = type(error).__name__
            return Unreachable(
                f"{what}: the {service} endpoint of {region} cannot be reached ({kind})",
                mend=f"let the bot reach the endpoint, or set AWS_ENDPOINT_URL_{service}",
            )
    return Refused(f"{what}: {type(error).__name__}")


def _inside(found: Mapping[str, Any], key: str, what: str) -> Mapping[str, Any]:
    """botocore takes any page with status 200 for an answer, and a login page for an empty one."""
    if not isinstance(found.get(key), Mapping):
        raise Refused(f"{what}: not an answer of EKS")
    inside: Mapping[str, Any] = found[key]
    return inside


def _issues(described: Mapping[str, Any]) -> tuple[str, ...]:
    issues = (described.get("health") or {}).get("issues") or ()
    return tuple(f"{issue.get('code', '')}: {issue.get('message', '')}" for issue in issues)


def _partition(region: str) -> str:
    if region.startswith("cn-"):
        return "aws-cn"
    return "aws-us-gov" if region.startswith("us-gov-") else "aws"


def _snake(action: str) -> str:
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in action).lstrip("_")
