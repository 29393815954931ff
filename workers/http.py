"""The one way of the workers to speak HTTP, and the only importer of httpx: bounded, and never redirected.

An answer is bounded in size and, as a whole, in time. Redirects are never followed: an address that redirects
(to a login page, to https) is a wrong address, and who asked says where it leads. No token or password is put into
a reason. Used by workers/stack.py, workers/signals.py and workers/network.py.
"""

import ipaddress
import ssl
import threading
import time
import urllib.request
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Literal
from urllib.parse import urlsplit

import httpcore
import httpx

from commands.errors import Refused, TimedOut, Unanswered, Unreachable
from workers.carried import headers
from workers.reader import Answer, seconds_header, user_agent

CONNECT_SECONDS = 3.05
ANSWER_SECONDS = 5.0

_PIECE_BYTES = 64 * 1024
# What `_unpacked` understands.
_HEADERS = {"User-Agent": user_agent(), "Accept-Encoding": "gzip"}


@dataclass(frozen=True, slots=True)
class Ask:
    """One request. what: whom a reason names. mend: what to check when nobody answers there. body: of a POST."""

    what: str
    url: str
    mend: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    method: Literal["GET", "POST", "DELETE"] = "GET"
    body: bytes | None = None


class Http:
    """The connections of one cluster's clients, kept warm."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._opened: dict[str, httpx.Client] = {}  # by proxy

    def close(self) -> None:
        opened, self._opened = self._opened, {}
        for client in opened.values():
            client.close()

    def fetch(self, ask: Ask, deadline: float, cap: int) -> Answer:
        """At most `cap` bytes of what is answered. Raises Unanswered."""
        started = time.monotonic()
        until = min(deadline, started + ANSWER_SECONDS)
        try:
            return self._stream(self._client(ask), ask, started, until, cap)
        except (httpx.HTTPError, httpx.InvalidURL, UnicodeError) as error:
            raise _no_answer(ask.what, ask.url, error, ask.mend) from error

    def _stream(self, client: httpx.Client, ask: Ask, started: float, until: float, cap: int) -> Answer:
        left = until - started
        if left <= 0:
            raise httpx.ReadTimeout("no time left")
        _clock.until = until
        timeout = httpx.Timeout(left, connect=min(CONNECT_SECONDS, left))
        pieces: list[bytes] = []
        size = 0
        with client.stream(
            ask.method, ask.url, headers={**headers(), **ask.headers}, content=ask.body, timeout=timeout
        ) as response:
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

    def _client(self, ask: Ask) -> httpx.Client:
        proxy = proxy_for(ask.url)
        with self._lock:
            if proxy not in self._opened:
                self._opened[proxy] = _open_client(ask.what, proxy)
            return self._opened[proxy]


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
    # Extra certificates come from the environment, as for every other program; so does the proxy, by `proxy_for`.
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


def proxy_for(url: str) -> str:
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


# --- No answer ------------------------------------------------------------------------------------


def _no_answer(what: str, url: str, error: Exception, mend: str) -> Unanswered:
    """The error table for an answer that did not come."""
    place = shown(url)
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
            return TimedOut(f"{what}: no complete answer in time")
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


def shown(url: str) -> str:
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
