"""Reads of the network as the worker sees it: names, ports, and the addresses that the configuration names.

What fails here is the answer, and only a question that cannot be asked is a gap. A port is opened and closed without
a word; a page is only ever one of the configuration's, never one that an alert or a person brings along. Called by
workers/reader.py.
"""

import errno
import queue
import socket
import threading
import time
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

from commands import reads
from commands.errors import Refused
from commands.model import Read
from commands.site import ClusterSite, service_address
from commands.triagereads import Connect, Connected, Fetch, Resolve, Resolved
from workers.http import Ask, Http
from workers.reader import Answer
from workers.stack import Proxy

CONNECT_SECONDS = 3.0
PAGE_BYTES = 256 * 1024
SHOWN_BYTES = 4 * 1024

# Before the deadline, so that the answer is ours ("no answer in 5 s") and not the reader's.
_SPARE_SECONDS = 0.2

_Addresses = list[tuple[Any, ...]]


class Network:
    """The network around one cluster's worker."""

    def __init__(self, site: ClusterSite, proxy: Proxy) -> None:
        self._by_proxy = site.monitoring.access == "proxy"
        self._proxy = proxy
        self._http = Http()
        self._named = {each.url for each in site.dependencies} | {each.url for each in site.critical_checks}

    def lanes(self) -> tuple[tuple[type[Read], ...], ...]:
        return ((Resolve,), (Connect,), (Fetch,))

    def read(self, read: Read, deadline: float) -> Any:
        match read:
            case Resolve():
                return _resolve(read, deadline - _SPARE_SECONDS)
            case Connect():
                return _connect(read, deadline - _SPARE_SECONDS)
            case Fetch():
                return self._fetch(read, deadline)
        raise LookupError(f"not a read of the network: {read}")

    def close(self) -> None:
        self._http.close()

    def _fetch(self, read: Fetch, deadline: float) -> reads.Http:
        if read.url not in self._named:
            raise Refused(
                "an address that the configuration does not name is not asked",
                mend="name it in `dependencies` or `critical_checks`",
            )
        answer = self._page(read.url, deadline)
        return reads.Http(answer.status, answer.took, answer.body[:SHOWN_BYTES].decode(errors="replace"))

    def _page(self, url: str, deadline: float) -> Answer:
        address = service_address(url) if self._by_proxy else None
        if address is not None:
            query = urlsplit(url).query
            return self._proxy.via_service(address, f"?{query}" if query else "", deadline, PAGE_BYTES)
        return self._http.fetch(
            Ask("the address", url, "check it in the configuration"), deadline, PAGE_BYTES
        )


# --- Names ----------------------------------------------------------------------------------------


def _resolve(read: Resolve, until: float) -> tuple[Resolved, ...]:
    """Fewer than asked for where the resolver is slow."""
    found: list[Resolved] = []
    while len(found) < max(1, read.times) and (not found or time.monotonic() < until):
        found.append(_resolved(read.host, until))
    return tuple(found)


def _resolved(host: str, until: float) -> Resolved:
    started = time.monotonic()
    try:
        found = _addresses(host, 0, until)
    except OSError as error:
        return Resolved((), _since(started), _words(error, until - started))
    addresses = sorted({str(each[4][0]) for each in found})
    return Resolved(tuple(addresses), _since(started))


def _addresses(host: str, port: int, until: float) -> _Addresses:
    """getaddrinfo has no time limit of its own: it waits on a thread that may be left behind."""
    answers: queue.SimpleQueue[_Addresses | OSError] = queue.SimpleQueue()

    def look_up() -> None:
        try:
            answers.put(list(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)))
        except UnicodeError:
            answers.put(socket.gaierror(socket.EAI_NONAME, "no name that can be asked for"))
        except OSError as error:
            answers.put(error)

    threading.Thread(target=look_up, name="resolve", daemon=True).start()
    try:
        found = answers.get(timeout=max(0.0, until - time.monotonic()))
    except queue.Empty:
        raise TimeoutError from None
    if isinstance(found, OSError):
        raise found
    return found


# --- Ports ----------------------------------------------------------------------------------------


def _connect(read: Connect, deadline: float) -> Connected:
    """The first address that takes the connection, or the words of the last that did not."""
    started = time.monotonic()
    until = min(deadline, started + CONNECT_SECONDS)
    error: OSError = TimeoutError()
    try:
        for family, kind, protocol, _, address in _addresses(read.host, read.port, until):
            try:
                _open(family, kind, protocol, address, until)
            except OSError as refused:
                error = refused
            else:
                return Connected(_since(started))
    except (OSError, OverflowError) as unresolved:
        error = unresolved if isinstance(unresolved, OSError) else OSError(errno.EINVAL, "no such port")
    return Connected(_since(started), _words(error, until - started))


def _open(family: int, kind: int, protocol: int, address: Any, until: float) -> None:
    left = until - time.monotonic()
    if left <= 0:
        raise TimeoutError
    with socket.socket(family, kind, protocol) as tried:
        tried.settimeout(left)
        tried.connect(address)


def _words(error: OSError, seconds: float) -> str:
    match error:
        case socket.gaierror():
            return f"the name does not resolve ({error.strerror or error})"
        case ConnectionRefusedError():
            return "refused"
        case TimeoutError():
            return f"no answer in {max(seconds, 0):.0f} s"
    if error.errno in (errno.EHOSTUNREACH, errno.ENETUNREACH):
        return "no route"
    return error.strerror or type(error).__name__


def _since(started: float) -> timedelta:
    return timedelta(seconds=time.monotonic() - started)
