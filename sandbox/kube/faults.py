"""Failures injected on request: refusals, throttling, errors, hanging, garbage, dropped connections.

Owns which requests they strike and how often; the server asks before it does anything else. What each
fault looks like on the wire is its `strike`'s answer, or one of the two signals the server carries out.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from fnmatch import fnmatchcase

from sandbox.kube.status import ApiError
from sandbox.kube.target import Target


@dataclass(frozen=True, slots=True)
class Forbid:
    """403, worded as RBAC would for the user who asked."""


@dataclass(frozen=True, slots=True)
class Throttle:
    """429 of API priority and fairness: Retry-After, and no cause."""

    retry_after: int = 1

    def error(self) -> ApiError:
        return ApiError(
            429,
            "TooManyRequests",
            "too many requests, please try again later",
            details={"retryAfterSeconds": self.retry_after},
            headers={"Retry-After": str(self.retry_after)},
        )


@dataclass(frozen=True, slots=True)
class Break:
    """An error Status of any code, e.g. 500 of a failed etcd or 503 of a stopping server."""

    code: int = 500
    reason: str = "InternalError"
    message: str = "Internal error occurred: etcdserver: request timed out"

    def error(self) -> ApiError:
        return ApiError(self.code, self.reason, self.message)


@dataclass(frozen=True, slots=True)
class Hang:
    """No answer for so long; then the real one."""

    seconds: float = 3600.0


@dataclass(frozen=True, slots=True)
class Garble:
    """What a proxy in between makes of it: HTML, by default with 200."""

    code: int = 200
    body: str = "<html><body><h1>504 Gateway Time-out</h1></body></html>"
    content_type: str = "text/html"


@dataclass(frozen=True, slots=True)
class Drop:
    """The connection is cut, before the answer or `after` so many bytes of it."""

    after: int = 0


What = Forbid | Throttle | Break | Hang | Garble | Drop


@dataclass(slots=True)
class Fault:
    """Strikes `times` matching requests, or all of them when that is None. Fields are shell patterns."""

    what: What
    verb: str = "*"
    resource: str = "*"
    namespace: str = "*"
    name: str = "*"
    path: str = "*"
    times: int | None = None
    hits: int = 0

    def matches(self, target: Target) -> bool:
        if self.times is not None and self.hits >= self.times:
            return False
        return (
            fnmatchcase(target.verb, self.verb)
            and fnmatchcase(target.what, self.resource)
            and fnmatchcase(target.namespace, self.namespace)
            and fnmatchcase(target.name, self.name)
            and fnmatchcase(target.path, self.path)
        )


class Faults:
    def __init__(self) -> None:
        self._faults: list[Fault] = []
        self._lock = threading.Lock()

    def add(self, fault: Fault) -> Fault:
        with self._lock:
            self._faults.append(fault)
        return fault

    def remove(self, fault: Fault) -> None:
        with self._lock:
            self._faults.remove(fault)

    def clear(self) -> None:
        with self._lock:
            self._faults.clear()

    def striking(self, target: Target) -> What | None:
        """The first fault that matches, counted as a hit."""
        with self._lock:
            for fault in self._faults:
                if fault.matches(target):
                    fault.hits += 1
                    return fault.what
        return None
