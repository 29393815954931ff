"""One cluster's API server: does it answer, is it new enough, and does it let the bot do each thing it declares?

A SelfSubjectAccessReview per right of commands/needs.py, which changes nothing. A missing right comes with the
commands that need it and the rule to add.
"""

import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import orjson
import urllib3
from kubernetes import config as kubernetes_config
from kubernetes.client.configuration import Configuration
from kubernetes.client.rest import RESTClientObject

from bot.doctor.check import ANSWER_BYTES, BROKEN, GOOD, OPEN, Check, side_by_side, words
from bot.doctor.reach import date_check, unreachable
from bot.doctor.wanted import wanted_by
from bot.rights import KubeNeed, change_needs, kube_needs
from bot.settings import Settings
from commands.site import ClusterSite

# Without autoscaling/v2 and policy/v1 nothing is planned.
OLDEST = (1, 23)

NO_ANSWER = (kubernetes_config.ConfigException, urllib3.exceptions.HTTPError, OSError, ValueError)

_TRUST = "put its authority into `certificate-authority-data` of the cluster in KUBECONFIG"

_SIDE_BY_SIDE = 8  # so many reviews at a time: there are some eighty, and the probe has five seconds


class Kube:
    """Plain requests to one cluster's API server, with the credentials the workers would use."""

    def __init__(
        self, cluster: ClusterSite, settings: Settings, environ: Mapping[str, str], patience: float
    ) -> None:
        self.cluster = cluster
        self._kubeconfig = settings.kubeconfig
        self._environ = environ
        self._timeout = urllib3.Timeout(total=patience)
        self._link: tuple[Any, urllib3.PoolManager] | None = None

    @property
    def address(self) -> str:
        """Of the API server; "" before it is known."""
        return str(self._link[0].host) if self._link else ""

    def request(self, method: str, path: str, body: Any = None) -> tuple[int, bytes, Mapping[str, str]]:
        """Status, body and headers; raises what NO_ANSWER names when nobody answers."""
        config, pool = self._link = self._link or self._connection()
        bearer = config.auth_settings().get("BearerToken")
        headers = {"Accept": "application/json", "User-Agent": "sre-bot-doctor"}
        if bearer and bearer["value"]:
            headers["Authorization"] = bearer["value"]
        if body is not None:
            headers["Content-Type"] = "application/json"
        answer = pool.request(
            method,
            config.host + path,
            headers=headers,
            body=None if body is None else orjson.dumps(body),
            timeout=self._timeout,
            retries=False,
            redirect=False,
            preload_content=False,
        )
        found = answer.read(ANSWER_BYTES, decode_content=True)
        if len(found) >= ANSWER_BYTES:
            answer.close()
        return answer.status, found, answer.headers

    def _connection(self) -> tuple[Any, urllib3.PoolManager]:
        config: Any = Configuration()
        is_inside = "KUBERNETES_SERVICE_HOST" in self._environ
        if is_inside and not (self._kubeconfig or self.cluster.context):
            kubernetes_config.load_incluster_config(config)  # type: ignore[no-untyped-call]
        else:
            kubernetes_config.load_kube_config(  # type: ignore[no-untyped-call]
                config_file=self._kubeconfig or os.path.expanduser("~/.kube/config"),
                context=self.cluster.context or None,
                client_configuration=config,
                persist_config=False,
            )
        config.retries = False
        config.connection_pool_maxsize = _SIDE_BY_SIDE
        return config, RESTClientObject(config).pool_manager


_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount/token")


def has_account(cluster: ClusterSite, settings: Settings, environ: Mapping[str, str]) -> bool:
    """False in a pod of the bot's own process, which asks nothing of the cluster, of AWS and of the monitoring."""
    is_pod = "KUBERNETES_SERVICE_HOST" in environ
    return not is_pod or bool(settings.kubeconfig or cluster.context) or _ACCOUNT.exists()


def not_from_here(cluster: ClusterSite) -> Iterator[Check]:
    found = "not asked: this pod has no ServiceAccount token, and the bot's own process needs none"
    mend = "run the doctor where the workers run, too: `kubectl exec -n sre-bot deploy/sre-bot-workers -- sre-bot doctor`"
    yield Check(f"Kubernetes {cluster.name}", OPEN, found, mend)


def probe(kube: Kube) -> Iterator[Check]:
    about = f"Kubernetes {kube.cluster.name}"
    try:
        status, body, headers = kube.request("GET", "/version")
    except NO_ANSWER as error:
        yield _unreached(about, kube, error)
        return
    if status == 401:
        mend = "renew the ServiceAccount token, or the credentials in KUBECONFIG (EKS: `aws eks update-kubeconfig`)"
        yield Check(about, BROKEN, "the credentials are not accepted (401)", mend)
        return
    version = _git_version(body) if status == 200 else ""
    if not version and status != 403:  # 403: it keeps its version to itself
        mend = (
            "look at the API server, or at what stands between: KUBECONFIG may name a proxy or a login page"
        )
        yield Check(about, BROKEN, f"/version answers {status}, and not as an API server does", mend)
        return
    yield _version(about, version)
    yield from date_check(f"{about} clock", headers, "the API server's")
    yield from _rights(kube, about)
    yield from _metrics_api(kube, about)


def _unreached(about: str, kube: Kube, error: Exception) -> Check:
    if isinstance(error, kubernetes_config.ConfigException):
        mend = f"set KUBECONFIG, and `context` of cluster {kube.cluster.name} to a context in it"
        return Check(about, BROKEN, f"no way to it: {words(error)}", mend)
    found, mend = unreachable(error, kube.address, "KUBECONFIG", _TRUST)
    return Check(about, BROKEN, found, mend)


def _git_version(body: bytes) -> str:
    try:
        return str(orjson.loads(body)["gitVersion"])
    except (ValueError, KeyError, TypeError):
        return ""


def _version(about: str, version: str) -> Check:
    numbers = [int("".join(filter(str.isdigit, part)) or 0) for part in version.lstrip("v").split(".")[:2]]
    if version and tuple(numbers) < OLDEST:
        oldest = ".".join(map(str, OLDEST))
        found = f"answers, {version}, which is too old: autoscaling/v2 and policy/v1 are not all there"
        return Check(about, BROKEN, found, f"upgrade the control plane to {oldest} or newer")
    return Check(about, GOOD, f"answers, {version or 'but does not tell its version (403)'}")


def _rights(kube: Kube, about: str) -> Iterator[Check]:
    needs, more = kube_needs(kube.cluster), change_needs(kube.cluster)
    try:
        missing, lacking = _missing(kube, needs), _missing(kube, more)
    except _NotTold as status:
        mend = "bind ClusterRole system:basic-user to group system:authenticated, as Kubernetes itself does"
        yield Check(f"{about} rights", OPEN, f"what it may do cannot be asked ({status})", mend)
        return
    yield from (_refused(f"{about} rights", need) for need in missing)
    if not missing:
        yield Check(f"{about} rights", GOOD, f"all {len(needs)} rights that reads need are there")
    if len(lacking) == len(more):
        mend = "where changes are wanted, add k8s/components/change to the overlay: the workers then run as sre-bot-change"
        yield Check(f"{about} changes", OPEN, "it may only read: no change can be carried out", mend)
    else:
        yield from (_refused(f"{about} changes", need) for need in lacking)
        if not lacking:
            yield Check(f"{about} changes", GOOD, f"all {len(more)} rights that changes need are there")


class _NotTold(Exception):
    """The API server does not answer what one may do; its argument is the status."""


def _missing(kube: Kube, needs: Iterable[KubeNeed]) -> list[KubeNeed]:
    asked = tuple(needs)
    allowed = side_by_side(lambda need: _may(kube, need), asked, _SIDE_BY_SIDE)
    return [need for need, may in zip(asked, allowed, strict=True) if not may]


def _may(kube: Kube, need: KubeNeed) -> bool:
    path = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
    status, body, _ = kube.request("POST", path, need.review())
    if status != 201:
        raise _NotTold(status)
    return bool(orjson.loads(body)["status"].get("allowed"))


def _refused(about: str, need: KubeNeed) -> Check:
    role = f"a Role in {need.namespace}" if need.namespace else "a ClusterRole"
    by = wanted_by(need)
    found = f"may not {need.words}{f', for {by}' if by else ''}"
    if need.extra:
        where = f" -n {need.namespace}" if need.namespace else ""
        kind = "rolebinding" if need.namespace else "clusterrolebinding"
        account = "--serviceaccount sre-bot:sre-bot-read --serviceaccount sre-bot:sre-bot-change"
        bind = f"`kubectl create {kind} sre-bot-{need.extra}{where} --clusterrole sre-bot-{need.extra} {account}`"
        return Check(about, BROKEN, found, f"{bind}, or in {role} add {need.rule}")
    return Check(about, BROKEN, found, f"`sre-bot rbac | kubectl apply -f -`, or in {role} add {need.rule}")


def _metrics_api(kube: Kube, about: str) -> Iterator[Check]:
    status, _, _ = kube.request("GET", "/apis/metrics.k8s.io/v1beta1")
    if status == 200:
        yield Check(f"{about} metrics", GOOD, "metrics.k8s.io answers")
    else:
        found = f"metrics.k8s.io is not there ({status}): node use comes from Prometheus instead"
        mend = "install metrics-server (at EKS: the add-on metrics-server)"
        yield Check(f"{about} metrics", OPEN, found, mend)
