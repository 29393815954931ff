"""Reads from AWS: the EKS cluster, its node groups, images; and files put into the bucket.

What diagnoses ask is in workers/awsfacts.py, a client and its errors in workers/awslink.py. Every client is made
with the cluster's region from the configuration, never the environment's. Called by workers/reader.py, and the bucket by
workers/keeping.py: it only adds objects, and is no part of what an approved change may touch.
"""

import base64
import threading
import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from botocore.exceptions import BotoCoreError, ClientError, CredentialRetrievalError, NoCredentialsError

from commands import reads
from commands.errors import Refused, Unanswered, Unreachable
from commands.model import Read
from commands.site import ClusterSite
from commands.workloads import EcrImage, ImageInRegistry, on_ecr
from workers import awsfacts, awssecurity, cloudtrail
from workers.awslink import BAD_CREDENTIALS, DENIED, ROLE, THROTTLED, client, code_of, no_answer, partition

# What is left of the deadline when the search for the running update is given up, and how many are looked at.
_SPARE_SECONDS = 0.5
_UPDATES = 20


class Aws:
    """Everything that is asked of AWS about one cluster of the site."""

    def __init__(self, site: ClusterSite) -> None:
        self._site = site
        self._lock = threading.Lock()
        self._client: Any = None

    def lanes(self) -> tuple[tuple[type[Read], ...], ...]:
        own = (reads.EksCluster, reads.Nodegroup)
        return (own, (ImageInRegistry,), awsfacts.READS, awssecurity.READS, cloudtrail.READS)

    def read(self, read: Read, deadline: float) -> Any:
        match read:
            case reads.EksCluster():
                return self._cluster(read, deadline)
            case reads.Nodegroup():
                return self._nodegroup(read, deadline)
            case ImageInRegistry():
                return _is_in_registry(read, deadline)
        if isinstance(read, awsfacts.READS):
            return awsfacts.read(self._site.region, read, deadline)
        if isinstance(read, cloudtrail.READS):
            return cloudtrail.read(self._site.region, read, deadline)
        if isinstance(read, awssecurity.READS):
            return awssecurity.read(self._site.region, read, deadline)
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
            if code_of(error) in BAD_CREDENTIALS:
                self._forget(client)
            return self._refusal(error, what, resource)
        except BotoCoreError as error:
            if isinstance(error, NoCredentialsError | CredentialRetrievalError):
                self._forget(client)
            raise no_answer(error, what, self._site.region) from error

    def _eks(self, deadline: float) -> Any:
        """Made once and under a lock, because sessions are not safe to share while they make clients."""
        if not self._lock.acquire(timeout=max(0.0, deadline - time.monotonic())):
            raise Unreachable("eks: the AWS credentials are still being looked up")
        try:
            if self._client is None:
                self._client = client("eks", self._site.region, seconds=5)
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
        code = code_of(error)
        status = int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
        if code == "ResourceNotFoundException":
            return None
        if code in DENIED:
            arn = f"arn:{partition(self._site.region)}:eks:{self._site.region}:*:{resource}"
            statement = f'{{"Effect": "Allow", "Action": ["{what}"], "Resource": ["{arn}"]}}'
            raise Refused(f"eks: access denied, needs {what}", mend=statement) from error
        if code in BAD_CREDENTIALS:
            raise Refused(f"{what}: AWS does not accept the credentials ({code})", mend=ROLE) from error
        if code in THROTTLED or status == 429 or status >= 500:
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
        found = client("ecr", image.region, seconds=2).describe_images(
            registryId=image.account, repositoryName=image.repository, imageIds=[wanted]
        )
    except ClientError as error:
        if code_of(error) in ("ImageNotFoundException", "RepositoryNotFoundException"):
            return False
        raise _image_refusal(error, what, image) from error
    except BotoCoreError as error:
        raise no_answer(error, what, image.region, "ECR") from error
    if not isinstance(found.get("imageDetails"), list):
        raise Refused(f"{what}: not an answer of ECR")
    return bool(found["imageDetails"])


def _image_refusal(error: ClientError, what: str, image: EcrImage) -> Unanswered:
    code = code_of(error)
    if code in DENIED:
        arn = (
            f"arn:{partition(image.region)}:ecr:{image.region}:{image.account}:repository/{image.repository}"
        )
        statement = f'{{"Effect": "Allow", "Action": ["{what}"], "Resource": ["{arn}"]}}'
        return Refused(f"ecr: access denied, needs {what}", mend=statement)
    if code in BAD_CREDENTIALS:
        return Refused(f"{what}: AWS does not accept the credentials ({code})", mend=ROLE)
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
            pages = client("s3", self._site.region, seconds=8).get_paginator("list_objects_v2")
            return [
                each["Key"]
                for page in pages.paginate(Bucket=self._name, Prefix=prefix)
                for each in page.get("Contents", ())
            ]
        except ClientError as error:
            raise self._refusal(error, what, prefix) from error
        except BotoCoreError as error:
            raise no_answer(error, what, self._site.region, "S3") from error

    def put(self, key: str, content: bytes, sha256: str) -> str:
        """Store the content and have S3 itself compare the hash; the address, "s3://bucket/key"."""
        what = "s3:PutObject"
        more = {}
        if self._site.backup.kms_key:
            more = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": self._site.backup.kms_key}
        try:
            client("s3", self._site.region, seconds=8).put_object(
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
            raise no_answer(error, what, self._site.region, "S3") from error
        return f"s3://{self._name}/{key}"

    def link(self, key: str) -> str:
        region = self._site.region
        console = "console.amazonaws.cn" if partition(region) == "aws-cn" else "console.aws.amazon.com"
        return f"https://{console}/s3/object/{self._name}?region={region}&prefix={quote(key)}"

    def _refusal(self, error: ClientError, what: str, key: str) -> Unanswered:
        code = code_of(error)
        if code in DENIED:
            below = f"/{key.partition('/')[0]}/*" if "Object" in what else ""  # listing asks for the bucket
            arn = f"arn:{partition(self._site.region)}:s3:::{self._name}{below}"
            statement = f'{{"Effect": "Allow", "Action": ["{what}"], "Resource": ["{arn}"]}}'
            return Refused(f"s3: access denied, needs {what}", mend=statement)
        if code == "NoSuchBucket":
            return Refused(f"s3: there is no bucket {self._name}", mend="set `backup.bucket`")
        if code in BAD_CREDENTIALS:
            return Refused(f"{what}: AWS does not accept the credentials ({code})", mend=ROLE)
        return Unreachable(f"{what}: AWS answers {code or 'without a word'}")


def _inside(found: Mapping[str, Any], key: str, what: str) -> Mapping[str, Any]:
    """botocore takes any page with status 200 for an answer, and a login page for an empty one."""
    if not isinstance(found.get(key), Mapping):
        raise Refused(f"{what}: not an answer of EKS")
    inside: Mapping[str, Any] = found[key]
    return inside


def _issues(described: Mapping[str, Any]) -> tuple[str, ...]:
    issues = (described.get("health") or {}).get("issues") or ()
    return tuple(f"{issue.get('code', '')}: {issue.get('message', '')}" for issue in issues)


def _snake(action: str) -> str:
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in action).lstrip("_")
