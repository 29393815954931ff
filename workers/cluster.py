"""Reads from the Kubernetes API. The only importer of `kubernetes`, and of that only its configuration.

Models, watches and generated methods are left alone: they cost a second per thousand pods and change with
every major version. What is used (Configuration, RESTClientObject.pool_manager) is the same in 36 and 37.
Every request is a GET with an explicit end; every list is paged, projected at once, and the page dropped.
Nothing here judges, retries a refusal, or puts a credential into a reason.
Called by workers/reader.py, and by workers/signals.py for the API server's proxy.
"""

import http.client
import io
import os
import re
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from fractions import Fraction
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlencode

import orjson
import urllib3
import yaml
from kubernetes import config as kubernetes_config
from kubernetes.client.configuration import Configuration
from kubernetes.client.rest import RESTClientObject
from kubernetes.config import kube_config
from kubernetes.config.dateutil import parse_rfc3339
from kubernetes.config.exec_provider import ExecProvider
from urllib3 import exceptions as net

from commands import reads
from commands.errors import Refused, Unanswered, Unreachable
from commands.model import Read
from commands.site import ClusterSite, ServiceAddress
from workers import podtable
from workers.podtable import moment, part
from workers.reader import Answer, seconds_header, user_agent

CONNECT_SECONDS = 3.05
# The longest a single answer may take, however far away the deadline is.
ANSWER_SECONDS = 5.0
PAGE_BYTES = 32 * 1024 * 1024
PAGE = 250
POOL = 16
LIST_ATTEMPTS = 3
# Longer than a read: a plugin that is only slow must come to its end once, and its token is then kept.
PLUGIN_SECONDS = 20.0

Json = dict[str, Any]
T = TypeVar("T")

_JSON = "application/json"
_TABLE = "application/json;as=Table;g=meta.k8s.io;v=v1,application/json"
# What the loader raises over a kubeconfig that is not what it should be; it checks little of it itself.
_BAD_CONFIG = (
    kubernetes_config.ConfigException,
    yaml.YAMLError,
    AttributeError,
    KeyError,
    TypeError,
    ValueError,
)
_NAME = re.compile(r"[a-z0-9]([-a-z0-9.]*[a-z0-9])?")


# --- The connection -------------------------------------------------------------------------------


class _WholeAnswer(io.RawIOBase):
    """A socket file whose timeout bounds the whole answer.

    urllib3's read timeout starts anew with each packet, so a server that drips one byte a second, in the
    headers even, would hold a read for ever.
    """

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._raw = sock.makefile("rb", buffering=0)
        limit = sock.gettimeout()
        self._until = None if limit is None else time.monotonic() + limit

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        if self._until is not None:
            left = self._until - time.monotonic()
            if left <= 0:
                raise TimeoutError("the answer took too long")
            self._sock.settimeout(left)
        return self._raw.readinto(buffer)

    def close(self) -> None:
        self._raw.close()
        super().close()


class _Response(http.client.HTTPResponse):
    def __init__(self, sock: socket.socket, *args: Any, **kwargs: Any) -> None:
        super().__init__(sock, *args, **kwargs)
        self.fp.close()
        self.fp = io.BufferedReader(_WholeAnswer(sock), 64 * 1024)


class _PlainConnection(urllib3.connection.HTTPConnection):
    response_class = _Response


class _TlsConnection(urllib3.connection.HTTPSConnection):
    response_class = _Response


class _PlainPool(urllib3.HTTPConnectionPool):
    ConnectionCls = _PlainConnection


class _TlsPool(urllib3.HTTPSConnectionPool):
    ConnectionCls = _TlsConnection


class _PluginFailed(kubernetes_config.ConfigException):
    """The kubeconfig's credential plugin gave no credentials, this time."""


class _StillLoading(net.TimeoutError):
    """Somebody else waits for the credential plugin already."""


class _Plugin(ExecProvider):
    """The vendor's, but for the end: a plugin that hangs is killed, with all that it started."""

    def run(self, previous_response: Any = None) -> Json:
        info = {"apiVersion": self.api_version, "kind": "ExecCredential", "spec": {"interactive": False}}
        if self.cluster:
            info["spec"]["cluster"] = self._described()
        with subprocess.Popen(  # noqa: S603 - the kubeconfig says what to run
            self.args,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=self.cwd,
            env={**self.env, "KUBERNETES_EXEC_INFO": orjson.dumps(info).decode()},
            text=True,
            errors="replace",
            start_new_session=True,
        ) as process:
            try:
                printed, complaint = process.communicate(timeout=PLUGIN_SECONDS)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                raise _PluginFailed(f"no answer in {PLUGIN_SECONDS:g} s") from None
        if process.returncode:
            raise _PluginFailed(f"exit code {process.returncode}, {complaint.strip() or 'without a word'}")
        found = orjson.loads(printed)
        if found["apiVersion"] != self.api_version:
            raise _PluginFailed(f"it speaks {found['apiVersion']}, not {self.api_version}")
        status: Json = found["status"]
        return status

    def _described(self) -> Json:
        cluster: Json = dict(self.cluster.value)
        for extension in cluster.get("extensions") or ():
            if extension["name"] == "client.authentication.k8s.io/exec":
                cluster["config"] = extension["extension"]
        return cluster


class _Loader(kube_config.KubeConfigLoader):
    """The vendor's, but for credential plugins: over their failure it only logs, and asks as nobody."""

    def _load_from_exec_plugin(self) -> bool | None:
        user: Any = self._user
        cluster: Any = self._cluster
        if "exec" not in user:
            return None
        try:
            base = self._get_base_path(cluster.path)  # type: ignore[no-untyped-call]
            plugin = _Plugin(user["exec"], base, cluster)  # type: ignore[no-untyped-call]
            self._take(plugin.run(), base)
        except _PluginFailed:
            raise
        except orjson.JSONDecodeError:  # what it printed instead may be a secret
            raise _PluginFailed("what it prints is no JSON") from None
        except (*_BAD_CONFIG, OSError) as error:
            raise _PluginFailed(f"{type(error).__name__}: {error}") from error
        return True

    def _take(self, status: Json, base: str) -> None:
        if status.get("token"):
            self.token = f"Bearer {status['token']}"
        elif status.get("clientCertificateData") and status.get("clientKeyData"):
            self.cert_file = self._file(status, "clientCertificateData", base)
            self.key_file = self._file(status, "clientKeyData", base)
        else:
            raise _PluginFailed("neither a token nor a certificate with its key")
        self.__dict__.pop("expiry", None)
        if status.get("expirationTimestamp"):
            self.expiry = parse_rfc3339(status["expirationTimestamp"])  # type: ignore[no-untyped-call]

    def _file(self, status: Json, key: str, base: str) -> Any:
        kept = kube_config.FileOrData(  # type: ignore[no-untyped-call]
            status,
            None,
            data_key_name=key,
            file_base_path=base,
            base64_file_content=False,
            temp_file_path=self._temp_file_path,
        )
        return kept.as_file()  # type: ignore[no-untyped-call]


@dataclass(frozen=True, slots=True)
class _Link:
    """A loaded configuration and its connections; replaced as a whole when credentials are refused."""

    config: Any
    pool: urllib3.PoolManager
    renewing: threading.Lock = field(default_factory=threading.Lock)

    def credentials(self, deadline: float) -> dict[str, str]:
        """Asked for every request: this is what triggers the client's own token refresh.

        One at a time: that may run a plugin, and one that hangs is enough.
        """
        if not self.renewing.acquire(timeout=max(0.0, deadline - time.monotonic())):
            raise _StillLoading
        try:
            bearer = self.config.auth_settings().get("BearerToken")
        finally:
            self.renewing.release()
        return {"Authorization": bearer["value"]} if bearer and bearer["value"] else {}

    def scrubbed(self, text: str) -> str:
        for key in list(self.config.api_key.values()):
            secret = str(key).split()[-1] if str(key).split() else ""
            text = text.replace(secret, "…") if secret else text
        return text


@dataclass(frozen=True, slots=True)
class _Subject:
    """What is asked for, in people's words and in RBAC's."""

    what: str
    resource: str
    group: str = ""
    verb: str = "list"
    namespace: str = ""

    @property
    def rule(self) -> str:
        return f'- {{apiGroups: ["{self.group}"], resources: [{self.resource}], verbs: [{self.verb}]}}'

    @property
    def need(self) -> str:
        resource = f"{self.resource}.{self.group}" if self.group else self.resource
        scope = f"in namespace {self.namespace}" if self.namespace else "at the cluster scope"
        return f"needs {self.verb} on {resource} {scope}"


class _Expired(Exception):
    """A continue token is no longer good (410): the list has to be read from its start."""


# --- The client -----------------------------------------------------------------------------------


class Cluster:
    """One Kubernetes cluster: the context of a kubeconfig, or the cluster the bot runs in."""

    def __init__(self, site: ClusterSite, kubeconfig: Path | None = None) -> None:
        self._site = site
        self._kubeconfig = kubeconfig
        self._lock = threading.Lock()
        self._link: _Link | None = None

    def lanes(self) -> tuple[tuple[type[Read], ...], ...]:
        return ((reads.Nodes, reads.Pods, reads.Endpoints, reads.Deployment, reads.NodeMetrics),)

    def read(self, read: Read, deadline: float) -> Any:
        match read:
            case reads.Nodes():
                return self._nodes(deadline)
            case reads.Pods():
                return self._pods(read, deadline)
            case reads.Endpoints():
                return self._endpoints(read, deadline)
            case reads.Deployment():
                return self._deployment(read, deadline)
            case reads.NodeMetrics():
                return self._node_metrics(deadline)
        raise LookupError(f"not a read of the Kubernetes API: {read}")

    def close(self) -> None:
        """Connections only; the next read opens new ones."""
        link, self._link = self._link, None
        if link is not None:
            link.pool.clear()

    # The API server's proxy, for what cannot be reached directly.

    def via_service(self, address: ServiceAddress, path: str, deadline: float, cap: int) -> Answer:
        scheme = "https:" if address.scheme == "https" else ""
        name = f"{scheme}{address.service}:{address.port}"
        subject = _Subject(
            f"{address.service}.{address.namespace}",
            "services/proxy",
            verb="get",
            namespace=address.namespace,
        )
        base = f"/api/v1/namespaces/{_segment(address.namespace)}/services/{name}/proxy{address.path}"
        return self._via_proxy(subject, base + path, deadline, cap)

    def via_pod(self, namespace: str, pod: str, port: int, path: str, *, deadline: float, cap: int) -> Answer:
        subject = _Subject(f"pod {namespace}/{pod}", "pods/proxy", verb="get", namespace=namespace)
        base = f"/api/v1/namespaces/{_segment(namespace)}/pods/{_segment(pod)}:{port}/proxy"
        return self._via_proxy(subject, base + path, deadline, cap)

    def _via_proxy(self, subject: _Subject, target: str, deadline: float, cap: int) -> Answer:
        answer = self._send(subject, target, "*/*", deadline, cap)
        status = _status_object(answer)
        if status is not None:
            # The API server's own words: behind it nobody answered, or it would not ask.
            raise self._refusal(subject, answer, status)
        return answer

    # Lists and objects.

    def _get(self, subject: _Subject, path: str, deadline: float, accept: str = _JSON) -> Json:
        answer = self._send(subject, path, accept, deadline, PAGE_BYTES)
        if answer.cut:
            raise Refused(f"{subject.what}: more than {PAGE_BYTES >> 20} MiB in one answer")
        if answer.status != 200:
            raise self._refusal(subject, answer, _status_object(answer))
        try:
            found = orjson.loads(answer.body)
        except orjson.JSONDecodeError:
            found = None
        if not isinstance(found, dict):
            raise self._stranger(subject, answer)
        return found

    def _pages(
        self, subject: _Subject, path: str, deadline: float, query: Mapping[str, str]
    ) -> Iterator[Json]:
        """The pages of a list. A list must be read from its start again when `_Expired` comes out."""
        token = ""
        while True:
            more = {"continue": token} if token else {}
            page = self._get(subject, f"{path}?{urlencode({**query, **more})}", deadline)
            yield page
            token = str(part(page, "metadata").get("continue") or "")
            if not token:
                return

    def _listed(
        self,
        subject: _Subject,
        path: str,
        deadline: float,
        project: Callable[[Json], T],
        **query: str,
    ) -> list[T]:
        def attempt() -> list[T]:
            pages = self._pages(subject, path, deadline, {"limit": str(PAGE), **query})
            # `items` is null instead of [] from some servers.
            return [_projected(subject, project, item) for page in pages for item in page.get("items") or ()]

        return _from_the_start(subject, attempt)

    def _nodes(self, deadline: float) -> tuple[reads.NodeView, ...]:
        subject = _Subject("nodes", "nodes")
        found = self._listed(subject, "/api/v1/nodes", deadline, _node_view)
        return tuple(sorted(found, key=lambda node: node.name))

    def _endpoints(self, read: reads.Endpoints, deadline: float) -> tuple[reads.EndpointView, ...]:
        subject = _Subject(
            f"endpoints of {read.namespace}/{read.service}",
            "endpointslices",
            "discovery.k8s.io",
            namespace=read.namespace,
        )
        path = f"/apis/discovery.k8s.io/v1/namespaces/{_segment(read.namespace)}/endpointslices"
        selector = f"kubernetes.io/service-name={_segment(read.service)}"
        slices = self._listed(subject, path, deadline, _slice_views, labelSelector=selector)
        return _merged(slices)

    def _deployment(self, read: reads.Deployment, deadline: float) -> reads.DeploymentView | None:
        what = f"deployment {read.namespace}/{read.name}"
        subject = _Subject(what, "deployments", "apps", verb="get", namespace=read.namespace)
        path = f"/apis/apps/v1/namespaces/{_segment(read.namespace)}/deployments/{_segment(read.name)}"
        try:
            return _projected(subject, _deployment_view, self._get(subject, path, deadline))
        except _NotThere:
            return None

    def _node_metrics(self, deadline: float) -> tuple[reads.NodeUsage, ...]:
        subject = _Subject("node metrics", "nodes", "metrics.k8s.io")
        path = "/apis/metrics.k8s.io/v1beta1/nodes"
        found = self._listed(subject, path, deadline, _node_usage)
        return tuple(sorted(found, key=lambda usage: usage.node))

    def _pods(self, read: reads.Pods, deadline: float) -> reads.PodSurvey:
        scope = f"/namespaces/{_segment(read.namespace)}" if read.namespace else ""
        subject = _Subject(
            f"pods in {read.namespace}" if read.namespace else "pods", "pods", namespace=read.namespace
        )
        path = f"/api/v1{scope}/pods"

        def page(query: Mapping[str, str], until: float) -> Json:
            return self._get(subject, f"{path}?{urlencode(query)}", until, accept=_TABLE)

        table = podtable.PodTable(page, subject.what, deadline)
        return _from_the_start(subject, lambda: podtable.survey(table, read.namespace, read.detail))

    # One request.

    def _send(self, subject: _Subject, target: str, accept: str, deadline: float, cap: int) -> Answer:
        link = self._connected(subject, deadline)
        answer = self._twice(subject, link, target, accept, deadline, cap)
        if answer.status == 401:
            # A kubeconfig's tokenFile is read once and never again, so rotated credentials show up here.
            link = self._connected(subject, deadline, instead_of=link)
            answer = self._twice(subject, link, target, accept, deadline, cap)
        return answer

    def _twice(
        self, subject: _Subject, link: _Link, target: str, accept: str, deadline: float, cap: int
    ) -> Answer:
        """Once more when the connection broke: an API server closes idle ones without a word."""
        try:
            return self._once(link, target, accept, deadline, cap)
        except (net.ProtocolError, ConnectionError):
            pass
        except (net.HTTPError, OSError, kubernetes_config.ConfigException) as error:
            raise self._no_answer(subject, link, error) from error
        try:
            return self._once(link, target, accept, deadline, cap)
        except (net.HTTPError, OSError, kubernetes_config.ConfigException) as error:
            raise self._no_answer(subject, link, error) from error

    def _once(self, link: _Link, target: str, accept: str, deadline: float, cap: int) -> Answer:
        credentials = link.credentials(deadline)
        started = time.monotonic()
        left = min(deadline - started, ANSWER_SECONDS)
        if left <= 0:
            raise net.TimeoutError("no time left")
        response = link.pool.request(
            "GET",
            link.config.host + target,
            headers={"Accept": accept, "User-Agent": user_agent(), **credentials},
            timeout=urllib3.Timeout(total=left, connect=min(CONNECT_SECONDS, left), read=left),
            retries=False,
            redirect=False,
            preload_content=False,
        )
        try:
            body, cut = _body(response, cap)
        finally:
            response.release_conn()
        return Answer(
            status=response.status,
            content_type=response.headers.get("Content-Type", ""),
            body=body,
            took=timedelta(seconds=time.monotonic() - started),
            retry_after=seconds_header(response.headers.get("Retry-After")),
            location=response.headers.get("Location", ""),
            cut=cut,
        )

    def _connected(self, subject: _Subject, deadline: float, instead_of: _Link | None = None) -> _Link:
        """The link, made once; a new one when the caller's was refused and nobody replaced it yet."""
        link = self._link
        if link is not None and link is not instead_of:
            return link
        # Loading may run a credential plugin, which may take longer than a read.
        if not self._lock.acquire(timeout=max(0.0, deadline - time.monotonic())):
            raise Unreachable(f"{subject.what}: credentials for the Kubernetes API are still being loaded")
        try:
            if self._link is None or self._link is instead_of:
                self._link = self._load(subject)
            return self._link
        finally:
            self._lock.release()

    def _load(self, subject: _Subject) -> _Link:
        config = Configuration()
        try:
            if self._is_inside:
                kubernetes_config.load_incluster_config(config)  # type: ignore[no-untyped-call]
            else:
                merged = kube_config.KubeConfigMerger(self._kubeconfig_path)  # type: ignore[no-untyped-call]
                context = self._site.context or None
                loader = _Loader(merged.config, context, config_base_path=None)  # type: ignore[no-untyped-call]
                loader.load_and_set(config)  # type: ignore[no-untyped-call]
        except _PluginFailed as error:
            raise self._plugin_failed(subject, str(error)) from error
        except (*_BAD_CONFIG, OSError) as error:
            raise self._unconfigured(subject, error) from error
        config.retries = False
        config.connection_pool_maxsize = POOL
        try:
            pool = RESTClientObject(config).pool_manager
        except (net.HTTPError, ImportError, ValueError) as error:  # its words may hold the proxy's password
            raise Refused(
                f"{subject.what}: the proxy to the Kubernetes API is no HTTP address",
                mend="check HTTPS_PROXY, or `proxy-url` in the kubeconfig",
            ) from error
        pool.pool_classes_by_scheme = {"http": _PlainPool, "https": _TlsPool}
        return _Link(config, pool)

    @property
    def _is_inside(self) -> bool:
        named = self._site.context or self._kubeconfig or os.environ.get("KUBECONFIG")
        return not named and "KUBERNETES_SERVICE_HOST" in os.environ

    @property
    def _kubeconfig_path(self) -> str:
        return str(self._kubeconfig or os.environ.get("KUBECONFIG") or Path("~/.kube/config").expanduser())

    # What went wrong, in one place.

    @property
    def _mend_address(self) -> str:
        if self._is_inside:
            return "let the bot reach the API server (NetworkPolicy), or set `context` and KUBECONFIG"
        return f"check the server of context `{self._site.context or 'current'}` in the kubeconfig"

    def _unconfigured(self, subject: _Subject, error: Exception) -> Unanswered:
        text = _short(str(error)) or type(error).__name__
        where = "the service account" if self._is_inside else "the kubeconfig"
        mend = f"set `context` of cluster {self._site.name} to a context of the file KUBECONFIG names"
        return Refused(
            f"{subject.what}: no credentials from {where}: {text}",
            mend="mount the ServiceAccount token" if self._is_inside else mend,
        )

    def _plugin_failed(self, subject: _Subject, words: str) -> Unanswered:
        return Unreachable(
            f"{subject.what}: no credentials from the kubeconfig's plugin: {_short(words)}",
            mend=f"run the `exec` command of cluster {self._site.name} in the kubeconfig by hand",
        )

    def _no_answer(self, subject: _Subject, link: _Link, error: Exception) -> Unanswered:
        what, host = subject.what, link.config.host
        match error:
            case _PluginFailed():
                return self._plugin_failed(subject, link.scrubbed(str(error)))
            case _StillLoading():
                return Unreachable(f"{what}: credentials for the Kubernetes API are still being loaded")
            case kubernetes_config.ConfigException():
                return Refused(f"{what}: no credentials: {_short(link.scrubbed(str(error)))}")
            case net.NameResolutionError():
                return Refused(f"{what}: the name in {host} does not resolve", mend=self._mend_address)
            case net.NewConnectionError():
                return Unreachable(f"{what}: no connection to {host}", mend=self._mend_address)
            case net.ConnectTimeoutError():
                return Unreachable(f"{what}: {host} does not accept connections", mend=self._mend_address)
            case net.SSLError():
                return Refused(f"{what}: {host} is not trusted: {_tls_words(error)}", mend=self._mend_address)
            case net.ProxyError():
                return Unreachable(
                    f"{what}: the HTTP proxy does not let us through", mend="check HTTPS_PROXY"
                )
            case net.TimeoutError() | TimeoutError():
                return Unreachable(f"{what}: no complete answer of the Kubernetes API in time")
            case net.ProtocolError() | ConnectionError():
                return Unreachable(f"{what}: the Kubernetes API dropped the connection")
        return Unreachable(f"{what}: {type(error).__name__} from {host}")

    def _stranger(self, subject: _Subject, answer: Answer) -> Unanswered:
        kind = "HTML" if answer.is_html else answer.content_type.partition(";")[0] or "no content type"
        return Refused(
            f"{subject.what}: not a Kubernetes API answer ({answer.status}, {kind})", mend=self._mend_address
        )

    def _refusal(self, subject: _Subject, answer: Answer, status: Json | None) -> Unanswered | _Expired:
        """The error table: what an answer other than 200 means."""
        if answer.status == 410 and subject.verb == "list":
            return _Expired()
        if answer.status == 429:
            return Unreachable(
                f"{subject.what}: the Kubernetes API is too busy (429)", retry_after=answer.retry_after
            )
        if status is None:
            return self._wordless(subject, answer)
        return self._status_error(subject, answer, status)

    def _wordless(self, subject: _Subject, answer: Answer) -> Unanswered:
        """A status code without the API's Status object: aggregated APIs and filters write plain text."""
        if answer.status in (500, 503, 504) and not answer.is_html:
            return _failing(subject, answer, self._said(answer.body.decode(errors="replace")))
        if answer.status == 401:
            return self._unauthorized(subject)
        if answer.status == 404 and answer.body.strip() == b"404 page not found":
            return _absent_api(subject)
        return self._stranger(subject, answer)

    def _status_error(self, subject: _Subject, answer: Answer, status: Json) -> Unanswered:
        message = self._said(str(status.get("message") or ""))
        match answer.status:
            case 401:
                return self._unauthorized(subject)
            case 403:
                return Refused(f"{subject.what}: forbidden, {subject.need}", mend=subject.rule)
            case 404 if part(status, "details").get("name"):
                return _NotThere(f"{subject.what}: not found: {message}")
            case 404:
                return _absent_api(subject)
            case code if code >= 500:
                return _failing(subject, answer, message)
        return Refused(f"{subject.what}: the Kubernetes API answers {answer.status}: {message}")

    def _said(self, text: str) -> str:
        """A server's own words: short, and without our credentials should it echo them."""
        link = self._link
        return _short(link.scrubbed(text) if link else text)

    def _unauthorized(self, subject: _Subject) -> Unanswered:
        where = "the ServiceAccount token" if self._is_inside else "the kubeconfig's credentials"
        return Refused(
            f"{subject.what}: unauthorized, the Kubernetes API does not accept the bot's credentials",
            mend=f"renew {where} of cluster {self._site.name}",
        )


class _NotThere(Refused):
    """The API knows the kind, and has no object of this name."""


def _absent_api(subject: _Subject) -> Unanswered:
    if subject.group == "metrics.k8s.io":
        return Refused(
            "node metrics: the cluster has no metrics.k8s.io API",
            mend="install metrics-server",
        )
    return Refused(f"{subject.what}: the cluster has no such API (404)")


def _failing(subject: _Subject, answer: Answer, message: str) -> Unanswered:
    mend = ""
    if subject.group == "metrics.k8s.io":
        mend = "kubectl describe apiservice v1beta1.metrics.k8s.io"
    said = f": {message}" if message else ""
    return Unreachable(
        f"{subject.what}: the Kubernetes API answers {answer.status}{said}",
        mend=mend,
        retry_after=answer.retry_after,
    )


def _status_object(answer: Answer) -> Json | None:
    """The API server's own Status, told from whatever a proxied page holds."""
    if answer.status < 300 or b'"Status"' not in answer.body:
        return None
    try:
        found = orjson.loads(answer.body)
    except orjson.JSONDecodeError:
        return None
    is_status = isinstance(found, dict) and (found.get("kind"), found.get("apiVersion")) == ("Status", "v1")
    return found if is_status else None


def _body(response: urllib3.BaseHTTPResponse, cap: int) -> tuple[bytes, bool]:
    """At most `cap` bytes, decoded; a longer body costs the connection, not our memory."""
    pieces: list[bytes] = []
    size = 0
    for piece in response.stream(64 * 1024, decode_content=True):
        pieces.append(piece)
        size += len(piece)
        if size > cap:
            response.close()
            return b"".join(pieces)[:cap], True
    return b"".join(pieces), False


def _from_the_start(subject: _Subject, attempt: Callable[[], T]) -> T:
    for _ in range(LIST_ATTEMPTS):
        try:
            return attempt()
        except _Expired:
            continue
    raise Unreachable(f"{subject.what}: the list expired {LIST_ATTEMPTS} times while it was read (410)")


def _projected(subject: _Subject, project: Callable[[Json], T], item: Json) -> T:
    """The projection is also the validation: what it trips over is not what the API promises."""
    try:
        return project(item)
    except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
        raise Refused(f"{subject.what}: an item of the answer is malformed") from error


def _segment(name: str) -> str:
    """A name that is safe as a part of a path; names come from people and from configuration."""
    if not _NAME.fullmatch(name):
        raise Refused(f"`{_short(name)}` is not a name Kubernetes allows")
    return name


def _short(text: str, limit: int = 200) -> str:
    line = " ".join(text.split())
    return line if len(line) <= limit else f"{line[: limit - 1]}…"


def _tls_words(error: Exception) -> str:
    """The reason inside "[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: … (_ssl.c:1006)"."""
    return _short(re.sub(r"\[[^]]*\] *|\(_ssl[^)]*\)", "", str(error)), 120).strip()


# --- From an object to a view ---------------------------------------------------------------------

_QUANTITY = re.compile(r"([+-]?(?:\d+\.?\d*|\.\d+))(?:[eE]([+-]?\d+)|([KMGTPE]i|[numkMGTPE])?)")
_SCALES = {suffix: Fraction(1000) ** power for power, suffix in zip(range(-3, 0), "num", strict=True)}
_SCALES |= {suffix: Fraction(1000) ** power for power, suffix in enumerate("kMGTPE", 1)}
_SCALES |= {f"{suffix}i": Fraction(1024) ** power for power, suffix in enumerate("KMGTPE", 1)}


def quantity(text: Any) -> float:
    """A Kubernetes quantity ("250n", "7910m", "128Mi", "1e3") in its unit, exact until the last step."""
    found = _QUANTITY.fullmatch(str(text))
    if not found:
        raise ValueError(f"not a quantity: {text!r}")
    number, exponent, suffix = found.groups()
    return float(Fraction(number) * Fraction(10) ** int(exponent or 0) * _SCALES.get(suffix, 1))


def _conditions(status: Json) -> tuple[reads.Condition, ...]:
    return tuple(
        reads.Condition(
            type=str(each.get("type", "")),
            status=str(each.get("status", "")),
            reason=str(each.get("reason") or ""),
            message=str(each.get("message") or ""),
            since=moment(each.get("lastTransitionTime")),
        )
        for each in status.get("conditions") or ()
    )


def _node_view(node: Json) -> reads.NodeView:
    metadata, spec, status = part(node, "metadata"), part(node, "spec"), part(node, "status")
    allocatable = part(status, "allocatable")
    return reads.NodeView(
        name=str(metadata["name"]),
        conditions=_conditions(status),
        unschedulable=bool(spec.get("unschedulable")),
        taints=tuple(_taint(each) for each in spec.get("taints") or ()),
        kubelet=str(part(status, "nodeInfo").get("kubeletVersion", "")),
        allocatable_cpu=quantity(allocatable.get("cpu", 0)),
        allocatable_memory=quantity(allocatable.get("memory", 0)),
        labels=dict(part(metadata, "labels")),
        created=moment(metadata.get("creationTimestamp")),
    )


def _taint(taint: Json) -> str:
    """As kubectl describe writes it: key=value:Effect, key:Effect."""
    value = f"={taint['value']}" if taint.get("value") else ""
    return f"{taint['key']}{value}:{taint.get('effect', '')}"


def _deployment_view(found: Json) -> reads.DeploymentView:
    metadata, status = part(found, "metadata"), part(found, "status")
    wanted = part(found, "spec").get("replicas")
    return reads.DeploymentView(
        namespace=str(metadata["namespace"]),
        name=str(metadata["name"]),
        replicas=1 if wanted is None else int(wanted),
        ready=int(status.get("readyReplicas") or 0),
        available=int(status.get("availableReplicas") or 0),
        updated=int(status.get("updatedReplicas") or 0),
        generation=int(metadata.get("generation") or 0),
        observed_generation=int(status.get("observedGeneration") or 0),
        conditions=_conditions(status),
    )


def _node_usage(found: Json) -> reads.NodeUsage:
    usage = found["usage"]
    return reads.NodeUsage(found["metadata"]["name"], quantity(usage["cpu"]), quantity(usage["memory"]))


_Slice = tuple[str, tuple[reads.EndpointView, ...]]


def _slice_views(found: Json) -> _Slice:
    views = (view for each in found.get("endpoints") or () for view in _endpoint_views(each))
    return str(found.get("addressType", "")), tuple(views)


def _endpoint_views(endpoint: Json) -> Iterator[reads.EndpointView]:
    conditions, target = part(endpoint, "conditions"), part(endpoint, "targetRef")
    for address in endpoint.get("addresses") or ():
        yield reads.EndpointView(
            address=str(address),
            pod=str(target.get("name") or "") if target.get("kind", "Pod") == "Pod" else "",
            # The API says: null is to be taken as true.
            ready=conditions.get("ready") is not False,
            node=str(endpoint.get("nodeName") or ""),
            terminating=bool(conditions.get("terminating")),
        )


def _merged(slices: Iterable[_Slice]) -> tuple[reads.EndpointView, ...]:
    """Each address once, ready if any slice says so: one moves between slices and is in both meanwhile.

    A dual-stack Service has its pods in two kinds of slices; they count once, by their IPv4 address.
    """
    ordered = sorted(slices, key=lambda each: each[0])
    merged: dict[str, reads.EndpointView] = {}
    kinds: dict[str, str] = {}
    for kind, views in ordered:
        for view in views:
            if view.pod and kinds.setdefault(view.pod, kind) != kind:
                continue
            known = merged.get(view.address)
            if known is None or (view.ready and not known.ready):
                merged[view.address] = view
    return tuple(merged.values())
