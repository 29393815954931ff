"""Reads over HTTP: Prometheus, Alertmanager, Grafana, and the application's pods. The only importer of httpx.

Goes to the configured addresses directly, or through the API server's proxy (`monitoring.access`); in both
cases an answer is bounded in size and, as a whole, in time. Redirects are never followed: an address that
redirects (to a login page, to https) is a wrong address, and the reason says where it leads. Nothing here
judges, and no token or password is put into a reason. Called by workers/reader.py.
"""

import ipaddress
import re
import ssl
import threading
import time
import urllib.request
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import timedelta
from typing import Any, Protocol, TypeVar
from urllib.parse import quote, urlencode, urlsplit

import httpcore
import httpx
import orjson
from prometheus_client.parser import text_string_to_metric_families

from commands import reads
from commands.errors import Refused, Unanswered, Unreachable
from commands.model import Read
from commands.site import ClusterSite, ServiceAddress, service_address
from workers.reader import Answer, seconds_header, user_agent

CONNECT_SECONDS = 3.05
ANSWER_SECONDS = 5.0
API_BYTES = 8 * 1024 * 1024
PAGE_BYTES = 5 * 1024 * 1024
# Of a health page only its beginning is kept; the rest is read to know that it arrives.
PROBE_BYTES = 256 * 1024
SHOWN_BYTES = 4 * 1024

_PIECE_BYTES = 64 * 1024
# What `_unpacked` understands.
_HEADERS = {"User-Agent": user_agent(), "Accept-Encoding": "gzip"}

# Classic text only: the OpenMetrics form of a page names counters differently.
_EXPOSITION = "text/plain;version=0.0.4;q=1,*/*;q=0.1"
_METRIC_NAME = re.compile(r"^[ \t]*([a-zA-Z_:][a-zA-Z0-9_:]*)", re.MULTILINE)
_DURATION = re.compile(r"(\d+)(ms|[ywdhms])")
_UNITS: Mapping[str, timedelta] = {
    "y": timedelta(days=365),
    "w": timedelta(weeks=1),
    "d": timedelta(days=1),
    "h": timedelta(hours=1),
    "m": timedelta(minutes=1),
    "s": timedelta(seconds=1),
    "ms": timedelta(milliseconds=1),
}

Json = dict[str, Any]
T = TypeVar("T")


# --- The connection -------------------------------------------------------------------------------

_clock = threading.local()  # .until: when the answer being read by this thread has to be complete


class _BoundedStream(httpcore.NetworkStream):
    """A connection on which no wait is longer than what is left for the whole answer.

    httpx's read timeout starts anew with each packet, so a server that drips one byte a second, in the
    headers even, would hold a read for ever.
    """

    def __init__(self, stream: httpcore.NetworkStream) -> None:
        self._stream = stream

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        left = getattr(_clock, "until", float("inf")) - time.monotonic()
        if left <= 0:
            raise httpcore.ReadTimeout("the answer took too long")
        return self._stream.read(max_bytes, left if timeout is None else min(left, timeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._stream.write(buffer, timeout)

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        return _BoundedStream(self._stream.start_tls(ssl_context, server_hostname, timeout))

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)

    def close(self) -> None:
        self._stream.close()


class _BoundedBackend(httpcore.SyncBackend):
    def connect_tcp(self, *args: Any, **kwargs: Any) -> httpcore.NetworkStream:
        return _BoundedStream(super().connect_tcp(*args, **kwargs))


def _open_client(what: str, proxy: str) -> httpx.Client:
    # Extra certificates come from the environment, as for every other program; so does the proxy, by `_proxy`.
    try:
        trusted = httpx.create_ssl_context(trust_env=True)
    except OSError as error:
        raise Refused(
            f"{what}: the certificates that the environment names cannot be read ({type(error).__name__})",
            mend="check SSL_CERT_FILE and SSL_CERT_DIR",
        ) from error
    try:
        transport = httpx.HTTPTransport(
            verify=trusted,
            proxy=proxy or None,
            limits=httpx.Limits(max_connections=None, max_keepalive_connections=16),
        )
    except (
        ValueError,
        ImportError,
        httpx.InvalidURL,
    ) as error:  # its words repeat the address, with its password
        raise Refused(
            f"{what}: the proxy that the environment names is no HTTP address",
            mend="check HTTP_PROXY, HTTPS_PROXY and ALL_PROXY",
        ) from error
    # httpx has no parameter for httpcore's backend. A private name; tests/edges/test_signals.py drips headers
    # to see that it holds.
    transport._pool._network_backend = _BoundedBackend()
    return httpx.Client(transport=transport, headers=_HEADERS, follow_redirects=False)


def _unpacked(response: httpx.Response) -> Iterator[bytes]:
    """The body in small pieces. httpx unpacks whatever arrived at once: 64 kB of gzip may be 64 MB of zeros."""
    packed = response.headers.get("Content-Encoding", "").strip().lower()
    if packed in ("", "identity"):
        yield from response.iter_raw()
        return
    if packed not in ("gzip", "x-gzip"):
        raise httpx.DecodingError(f"not asked for: {packed}")
    unpack = zlib.decompressobj(16 + zlib.MAX_WBITS)
    try:
        for piece in response.iter_raw():
            while piece:
                yield unpack.decompress(piece, _PIECE_BYTES)
                piece = unpack.unconsumed_tail
        yield unpack.flush()
    except zlib.error as error:
        raise httpx.DecodingError(str(error)) from error


def _proxy(url: str) -> str:
    """The environment's proxy for an address, "" for none.

    httpx itself takes `10.0.0.0/8` in NO_PROXY for a name, and a pod's address is known by its network only:
    the proxy's own answer would then be read as the pod's.
    """
    proxies = urllib.request.getproxies()
    try:
        parts = urlsplit(url)
    except ValueError:
        return ""  # no address, as httpx will say
    proxy = proxies.get(parts.scheme) or proxies.get("all") or ""
    if not proxy or _is_exempt(parts.hostname or "", parts.netloc.rpartition("@")[2], proxies.get("no", "")):
        return ""
    return proxy if "://" in proxy else f"http://{proxy}"


def _is_exempt(host: str, place: str, no_proxy: str) -> bool:
    entries = [entry.strip().removeprefix("*.") for entry in no_proxy.split(",")]
    if "*" in entries or any(_holds(entry, host) for entry in entries):
        return True
    named = urllib.request.proxy_bypass_environment(place, {"no": ",".join(entries)})  # type: ignore[attr-defined]
    return bool(named)


def _holds(network: str, host: str) -> bool:
    try:
        return ipaddress.ip_address(host) in ipaddress.ip_network(network.strip("[]"), strict=False)
    except ValueError:
        return False


# --- The client -----------------------------------------------------------------------------------


class Proxy(Protocol):
    """The API server's proxy: workers.cluster.Cluster, or a stand-in."""

    def via_service(self, address: ServiceAddress, path: str, deadline: float, cap: int) -> Answer: ...

    def via_pod(
        self, namespace: str, pod: str, port: int, path: str, *, deadline: float, cap: int
    ) -> Answer: ...


class Signals:
    """The monitoring stack and the pods' own pages of one cluster."""

    def __init__(self, site: ClusterSite, proxy: Proxy, grafana_token: str = "") -> None:
        self._monitoring = site.monitoring
        self._proxy = proxy
        self._grafana_token = grafana_token
        self._lock = threading.Lock()
        self._opened: dict[str, httpx.Client] = {}  # by proxy
        self._reads: Mapping[type[Read], Callable[[Any, float], Any]] = {
            reads.Query: self._query,
            reads.Targets: self._targets,
            reads.Retention: self._retention,
            reads.Probe: self._probe,
            reads.GrafanaHealth: self._grafana_health,
            reads.Dashboards: self._dashboards,
            reads.AlertmanagerStatus: self._alertmanager_status,
            reads.PodHttp: self._pod_http,
            reads.PodExposition: self._pod_exposition,
        }

    def lanes(self) -> tuple[tuple[type[Read], ...], ...]:
        """One per server: while Prometheus hangs, the others are still asked."""
        return (
            (reads.Query, reads.Targets, reads.Retention),
            (reads.Probe,),
            (reads.GrafanaHealth, reads.Dashboards),
            (reads.AlertmanagerStatus,),
            (reads.PodHttp, reads.PodExposition),
        )

    def read(self, read: Read, deadline: float) -> Any:
        return self._reads[type(read)](read, deadline)

    def close(self) -> None:
        opened, self._opened = self._opened, {}
        for client in opened.values():
            client.close()

    # Prometheus.

    def _query(self, read: reads.Query, deadline: float) -> reads.Vector:
        # A little less than we wait, so that it is Prometheus who says that the query was too dear.
        limit = max(0.1, min(deadline - time.monotonic(), ANSWER_SECONDS) - 0.2)
        form = {"query": read.expr, "timeout": f"{limit * 1000:.0f}ms"}
        found = self._prometheus("/api/v1/query", deadline, form)
        return _shaped("prometheus", _vector, found)

    def _targets(self, read: reads.Targets, deadline: float) -> tuple[reads.TargetView, ...]:
        found = self._prometheus("/api/v1/targets?state=active", deadline)
        return _shaped("prometheus", _target_views, found)

    def _retention(self, read: reads.Retention, deadline: float) -> timedelta | None:
        found = self._prometheus("/api/v1/status/runtimeinfo", deadline)
        return _shaped("prometheus", lambda page: retention(page["data"].get("storageRetention")), found)

    def _prometheus(self, path: str, deadline: float, form: Mapping[str, str] | None = None) -> Json:
        answer = self._component("prometheus", path, deadline, API_BYTES, form=form)
        found = _json(answer)
        if found is None or "status" not in found:
            raise self._unexpected("prometheus", answer)
        if found["status"] != "success":
            said = f"{found.get('errorType', 'error')}: {_short(str(found.get('error', '')))}"
            if answer.status in (429, 503):
                raise Unreachable(f"prometheus: {said}", retry_after=answer.retry_after)
            raise Refused(f"prometheus: {said}")
        return found

    # Grafana and Alertmanager.

    def _probe(self, read: reads.Probe, deadline: float) -> reads.Http:
        return _http(self._component(read.component, read.path, deadline, PROBE_BYTES))

    def _grafana_health(self, read: reads.GrafanaHealth, deadline: float) -> reads.GrafanaView:
        answer = self._component("grafana", "/api/health", deadline, API_BYTES)
        found = _json(answer)
        # With a failing database the status is 503, and the same page says so.
        if found is None or "database" not in found:
            raise self._unexpected("grafana", answer)
        words = (str(found.get(key) or "") for key in ("version", "database", "commit"))
        return reads.GrafanaView(*words)

    def _dashboards(self, read: reads.Dashboards, deadline: float) -> tuple[reads.DashboardView, ...]:
        path = f"/api/search?{urlencode({'type': 'dash-db', 'limit': 100, 'query': read.title})}"
        answer = self._component("grafana", path, deadline, API_BYTES, token=self._grafana_token)
        if answer.status in (401, 403):
            raise Refused(f"grafana: dashboards need a login ({answer.status})", mend=self._grafana_mend)
        found = _list(answer)
        if found is None:
            raise self._unexpected("grafana", answer)
        return _shaped("grafana", _dashboard_views, found)

    @property
    def _grafana_mend(self) -> str:
        if self._monitoring.access == "proxy":
            return "set `monitoring.access` to direct: the API server's proxy does not pass on GRAFANA_TOKEN"
        return "set GRAFANA_TOKEN to the token of a Grafana service account with role Viewer"

    def _alertmanager_status(self, read: reads.AlertmanagerStatus, deadline: float) -> reads.AlertmanagerView:
        answer = self._component("alertmanager", "/api/v2/status", deadline, API_BYTES)
        found = _json(answer)
        if answer.status != 200 or found is None:
            raise self._unexpected("alertmanager", answer)
        return _shaped("alertmanager", _alertmanager_view, found)

    # The application's pods.

    def _pod_http(self, read: reads.PodHttp, deadline: float) -> reads.Http:
        return _http(self._pod(read, deadline, PROBE_BYTES))

    def _pod_exposition(self, read: reads.PodExposition, deadline: float) -> reads.Exposition:
        return exposition(self._pod(read, deadline, PAGE_BYTES), deadline)

    def _pod(self, read: reads.PodHttp | reads.PodExposition, deadline: float, cap: int) -> Answer:
        path = "/" + quote(read.path.lstrip("/"), safe="/%?&=:@!$'()*+,;~")
        if self._monitoring.access == "proxy":
            return self._proxy.via_pod(read.namespace, read.pod, read.port, path, deadline=deadline, cap=cap)
        host = f"[{read.address}]" if ":" in read.address else read.address
        mend = "let the bot reach the pods (NetworkPolicy), or set `monitoring.access` to proxy"
        accept = _EXPOSITION if isinstance(read, reads.PodExposition) else "*/*"
        return self._fetch(
            f"pod {read.namespace}/{read.pod}",
            f"http://{host}:{read.port}{path}",
            deadline,
            cap,
            mend=mend,
            headers={"Accept": accept},
        )

    # One request.

    def _component(
        self,
        component: str,
        path: str,
        deadline: float,
        cap: int,
        *,
        form: Mapping[str, str] | None = None,
        token: str = "",
    ) -> Answer:
        url = self._address(component)
        if self._monitoring.access == "proxy":
            return self._through_api_server(component, url, _with_query(path, form), deadline, cap)
        return self._fetch(
            component,
            url.rstrip("/") + path,
            deadline,
            cap,
            mend=_mend(component),
            headers={"Authorization": f"Bearer {token}"} if token else {},
            form=form,
        )

    def _address(self, component: str) -> str:
        url = str(getattr(self._monitoring, component).url)
        if not url:
            raise Refused(f"{component}: no address configured", mend=f"set `monitoring.{component}.url`")
        return url

    def _through_api_server(self, component: str, url: str, path: str, deadline: float, cap: int) -> Answer:
        address = service_address(url)
        if address is None:
            raise Refused(
                f"{component}: {_shown(url)} is no Service of the cluster, so there is no way by proxy",
                mend=f"set `monitoring.{component}.url` to http://<service>.<namespace>.svc:<port>",
            )
        return self._proxy.via_service(address, path, deadline, cap)

    def _fetch(
        self,
        what: str,
        url: str,
        deadline: float,
        cap: int,
        *,
        mend: str,
        headers: Mapping[str, str],
        form: Mapping[str, str] | None = None,
    ) -> Answer:
        started = time.monotonic()
        until = min(deadline, started + ANSWER_SECONDS)
        try:
            return self._stream(self._client(what, url), url, started, until, cap, headers, form)
        except (httpx.HTTPError, httpx.InvalidURL, UnicodeError) as error:
            raise _no_answer(what, url, error, mend) from error

    def _stream(
        self,
        client: httpx.Client,
        url: str,
        started: float,
        until: float,
        cap: int,
        headers: Mapping[str, str],
        form: Mapping[str, str] | None,
    ) -> Answer:
        left = until - started
        if left <= 0:
            raise httpx.ReadTimeout("no time left")
        _clock.until = until
        method = "GET" if form is None else "POST"
        timeout = httpx.Timeout(left, connect=min(CONNECT_SECONDS, left))
        pieces: list[bytes] = []
        size = 0
        with client.stream(method, url, headers=headers, data=form, timeout=timeout) as response:
            for piece in _unpacked(response):
                pieces.append(piece)
                size += len(piece)
                if size > cap:
                    break
        return Answer(
            status=response.status_code,
            content_type=response.headers.get("Content-Type", ""),
            body=b"".join(pieces)[:cap],
            took=timedelta(seconds=time.monotonic() - started),
            retry_after=seconds_header(response.headers.get("Retry-After")),
            location=response.headers.get("Location", ""),
            cut=size > cap,
        )

    def _client(self, what: str, url: str) -> httpx.Client:
        proxy = _proxy(url)
        with self._lock:
            if proxy not in self._opened:
                self._opened[proxy] = _open_client(what, proxy)
            return self._opened[proxy]

    def _unexpected(self, component: str, answer: Answer) -> Unanswered:
        """The error table for an answer that is not the component's own JSON."""
        mend = _mend(component)
        if 300 <= answer.status < 400:
            place = _shown(answer.location)
            return Refused(f"{component}: redirects to {place}, which is no answer", mend=mend)
        if answer.status in (401, 403):
            return Refused(f"{component}: needs a login ({answer.status})", mend=mend)
        if answer.status == 429:
            return Unreachable(f"{component}: too busy (429)", retry_after=answer.retry_after)
        if answer.status >= 500:
            return Unreachable(f"{component}: answers {answer.status}", retry_after=answer.retry_after)
        if answer.cut:
            return Refused(f"{component}: more than {API_BYTES >> 20} MiB in one answer")
        kind = "HTML" if answer.is_html else answer.content_type.partition(";")[0] or "no content type"
        return Refused(
            f"{component}: not an answer of {component.capitalize()} ({answer.status}, {kind})", mend=mend
        )


def _no_answer(what: str, url: str, error: Exception, mend: str) -> Unanswered:
    """The error table for an answer that did not come."""
    place = _shown(url)
    match error:
        case httpx.ConnectTimeout():
            return Unreachable(f"{what}: {place} does not accept connections", mend=mend)
        case httpx.ProxyError():
            return Refused(f"{what}: the HTTP proxy does not let us through", mend="check HTTP_PROXY")
        case httpx.ConnectError() if "CERTIFICATE" in str(error) or "SSL" in str(error):
            return Refused(f"{what}: the certificate of {place} is not trusted", mend="set SSL_CERT_FILE")
        case httpx.ConnectError() if _is_name_error(error):
            return Refused(f"{what}: the name in {place} does not resolve", mend=mend)
        case httpx.ConnectError():
            return Unreachable(f"{what}: no connection to {place}", mend=mend)
        case httpx.TimeoutException():
            return Unreachable(f"{what}: no complete answer in time")
        case httpx.UnsupportedProtocol() | httpx.InvalidURL() | UnicodeError():
            return Refused(f"{what}: {place} is not an HTTP address", mend=mend)
        case httpx.DecodingError():
            return Refused(f"{what}: the answer cannot be decompressed")
        case httpx.NetworkError() | httpx.RemoteProtocolError():
            return Unreachable(f"{what}: the connection was dropped")
    return Unreachable(f"{what}: {type(error).__name__}")


def _is_name_error(error: BaseException) -> bool:
    """httpx folds socket.gaierror into ConnectError; its number or its words are all that is left."""
    text = str(error)
    return "[Errno -" in text or "getaddrinfo" in text or "nodename" in text


def _mend(component: str) -> str:
    return f"check `monitoring.{component}.url`"


def _shown(url: str) -> str:
    """Scheme, host and port only: addresses may hold passwords, and redirects hold tokens."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        return "the address"
    if not host:
        return "another page"
    host = f"[{host}]" if ":" in host else host
    return f"{parts.scheme}://{host}" + (f":{port}" if port else "")


def _with_query(path: str, form: Mapping[str, str] | None) -> str:
    """A GET also for queries: by proxy a POST would need `create`, a right no reader should have."""
    return f"{path}?{urlencode(form)}" if form else path


def _json(answer: Answer) -> Json | None:
    found = None if answer.cut else _loads(answer.body)
    return found if isinstance(found, dict) else None


def _list(answer: Answer) -> list[Any] | None:
    found = None if answer.cut or answer.status != 200 else _loads(answer.body)
    return found if isinstance(found, list) else None


def _loads(body: bytes) -> Any:
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        return None


def _shaped(component: str, project: Callable[[Any], T], found: Any) -> T:
    """The projection is also the validation: what it trips over is not what the component promises."""
    try:
        return project(found)
    except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
        raise Refused(f"{component}: an answer of an unknown shape", mend=_mend(component)) from error


def _short(text: str, limit: int = 200) -> str:
    line = " ".join(text.split())
    return line if len(line) <= limit else f"{line[: limit - 1]}…"


# --- From a page to a view ------------------------------------------------------------------------


def _vector(found: Json) -> reads.Vector:
    data = found["data"]
    warnings = (*(found.get("warnings") or ()), *(found.get("infos") or ()))
    match data["resultType"]:
        case "vector":
            samples = tuple(_samples(data["result"] or ()))
        case "scalar":
            samples = (reads.Sample({}, float(data["result"][1])),)
        case other:
            raise Refused(f"prometheus: the query gives a {other}, not an instant vector")
    return reads.Vector(samples, tuple(str(each) for each in warnings))


def _samples(result: Iterable[Json]) -> Iterable[reads.Sample]:
    for series in result:
        if "value" not in series:
            raise Refused("prometheus: the query gives native histograms, not numbers")
        # "NaN" and "+Inf" are numbers to Python as well.
        yield reads.Sample(dict(series["metric"]), float(series["value"][1]))


def _target_views(found: Json) -> tuple[reads.TargetView, ...]:
    return tuple(
        reads.TargetView(
            job=str(target["labels"].get("job", "")),
            instance=str(target["labels"].get("instance", "")),
            health=str(target["health"]),
            last_error=str(target.get("lastError") or ""),
        )
        for target in found["data"]["activeTargets"] or ()
    )


def retention(text: str | None) -> timedelta | None:
    """From "15d", "1w2d", "15d or 10GB", "15d and 10GB"; None for a size alone, which is no time."""
    for word in re.split(r"\s+(?:or|and)\s+", (text or "").strip()):
        parts = _DURATION.findall(word)
        if parts and "".join(number + unit for number, unit in parts) == word:
            return sum((int(number) * _UNITS[unit] for number, unit in parts), timedelta())
    return None


def _dashboard_views(found: list[Any]) -> tuple[reads.DashboardView, ...]:
    return tuple(
        reads.DashboardView(str(each["title"]), str(each["uid"]), str(each["url"])) for each in found
    )


def _alertmanager_view(found: Json) -> reads.AlertmanagerView:
    cluster = found["cluster"]
    return reads.AlertmanagerView(
        version=str((found.get("versionInfo") or {}).get("version", "")),
        cluster=str(cluster["status"]),
        peers=len(cluster.get("peers") or ()),
    )


def _http(answer: Answer) -> reads.Http:
    return reads.Http(answer.status, answer.took, answer.body[:SHOWN_BYTES].decode(errors="replace"))


def exposition(answer: Answer, deadline: float) -> reads.Exposition:
    """Parsed in full, because a page that breaks off half way is not scraped by Prometheus either."""
    error = _not_exposition(answer)
    if error:
        return reads.Exposition(answer.status, frozenset(), error)
    text = answer.body.decode(errors="replace")
    try:
        for _ in text_string_to_metric_families(text):
            if time.monotonic() > deadline:
                raise Unreachable("the metrics page is too long to be parsed in time")
    except (AttributeError, IndexError, KeyError, TypeError, ValueError) as bad:
        return reads.Exposition(answer.status, frozenset(), f"not a metrics page: {_short(str(bad), 80)}")
    # The parser renames counters; what the page itself says is what queries will find.
    return reads.Exposition(answer.status, frozenset(_METRIC_NAME.findall(text)))


def _not_exposition(answer: Answer) -> str:
    if answer.status != 200:
        return f"HTTP {answer.status}"
    if answer.is_html:
        return "not a metrics page: HTML"
    if answer.cut:
        return f"the page is longer than {PAGE_BYTES >> 20} MiB"
    return "" if answer.body.strip() else "the page is empty"
