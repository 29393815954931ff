"""How a Kubernetes API server is reached: kubeconfig or service account, credential plugins, the connections.

Of `kubernetes` only its configuration is used. Models, watches and generated methods are left alone: they
cost a second per thousand pods and change with every major version. What is used (Configuration,
RESTClientObject.pool_manager) is the same in 36 and 37. Called by workers/api.py alone.
"""

import http.client
import io
import os
import signal
import socket
import subprocess
import threading
import time
from dataclasses import dataclass, field
from typing import Any

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

from workers.fields import Json

POOL = 16
# Longer than a read: a plugin that is only slow must come to its end once, and its token is then kept.
PLUGIN_SECONDS = 20.0
# What the loader raises over a kubeconfig that is not what it should be; it checks little of it itself.
BAD_CONFIG = (
    kubernetes_config.ConfigException,
    yaml.YAMLError,
    AttributeError,
    KeyError,
    TypeError,
    ValueError,
)
# What credentials that cannot be had raise when a request asks for them.
NO_CREDENTIALS = kubernetes_config.ConfigException


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


class PluginFailed(kubernetes_config.ConfigException):
    """The kubeconfig's credential plugin gave no credentials, this time."""


class StillLoading(net.TimeoutError):
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
                raise PluginFailed(f"no answer in {PLUGIN_SECONDS:g} s") from None
        if process.returncode:
            raise PluginFailed(f"exit code {process.returncode}, {complaint.strip() or 'without a word'}")
        found = orjson.loads(printed)
        if found["apiVersion"] != self.api_version:
            raise PluginFailed(f"it speaks {found['apiVersion']}, not {self.api_version}")
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
        except PluginFailed:
            raise
        except orjson.JSONDecodeError:  # what it printed instead may be a secret
            raise PluginFailed("what it prints is no JSON") from None
        except (*BAD_CONFIG, OSError) as error:
            raise PluginFailed(f"{type(error).__name__}: {error}") from error
        return True

    def _take(self, status: Json, base: str) -> None:
        if status.get("token"):
            self.token = f"Bearer {status['token']}"
        elif status.get("clientCertificateData") and status.get("clientKeyData"):
            self.cert_file = self._file(status, "clientCertificateData", base)
            self.key_file = self._file(status, "clientKeyData", base)
        else:
            raise PluginFailed("neither a token nor a certificate with its key")
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
class Link:
    """A loaded configuration and its connections; replaced as a whole when credentials are refused."""

    config: Any
    pool: urllib3.PoolManager
    renewing: threading.Lock = field(default_factory=threading.Lock)

    def credentials(self, deadline: float) -> dict[str, str]:
        """Asked for every request: this is what triggers the client's own token refresh.

        One at a time: that may run a plugin, and one that hangs is enough.
        """
        if not self.renewing.acquire(timeout=max(0.0, deadline - time.monotonic())):
            raise StillLoading
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


class BadProxy(Exception):
    """The way to the API server leads through a proxy that is none."""


def from_inside() -> Link:
    """As the service account of the pod this runs in."""
    config = Configuration()
    kubernetes_config.load_incluster_config(config)  # type: ignore[no-untyped-call]
    return _connected(config)


def from_kubeconfig(path: str, context: str) -> Link:
    """As a context of the file, or "" for its current one. May run a credential plugin."""
    config = Configuration()
    merged = kube_config.KubeConfigMerger(path)  # type: ignore[no-untyped-call]
    loader = _Loader(merged.config, context or None, config_base_path=None)  # type: ignore[no-untyped-call]
    loader.load_and_set(config)  # type: ignore[no-untyped-call]
    return _connected(config)


def _connected(config: Any) -> Link:
    config.retries = False
    config.connection_pool_maxsize = POOL
    try:
        pool = RESTClientObject(config).pool_manager
    except (net.HTTPError, ImportError, ValueError) as error:
        raise BadProxy from error
    pool.pool_classes_by_scheme = {"http": _PlainPool, "https": _TlsPool}
    return Link(config, pool)
