"""Ways in which Slack's Web API misbehaves, on demand.

Owns the plan of what goes wrong next; `api` carries it out. A fault is used up after `times` calls of its
method (`times=None`: until cleared). `*` stands for every method. Never invents a fault by itself.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import Literal, get_args

Kind = Literal[
    "status",  # HTTP `status` with no effect (500, 502, 503, 504)
    "error",  # {"ok": false, "error": `error`} with no effect
    "fatal_error",  # the effect happens, the answer is {"ok": false, "error": `error` or "fatal_error"}
    "drop_before",  # the connection closes, nothing happened
    "drop_after",  # the effect happens, then the connection closes without an answer
    "slow",  # the effect, and with it the answer, comes `seconds` late: what a real network and a real Slack take
    "latency",  # the answer comes `seconds` late; the effect happens at once
    "ratelimited",  # HTTP 429 with Retry-After: `retry_after`
    "rate_limited_body",  # chat.postMessage's other way: HTTP 200 with error rate_limited
    "down",  # as drop_before, for everything, Socket Mode included
]


@dataclass
class Fault:
    method: str
    kind: Kind
    times: int | None = 1
    status: int = 503
    error: str = "internal_error"
    seconds: float = 0.0
    retry_after: int = 1

    def __post_init__(self) -> None:
        if self.kind not in get_args(Kind):
            raise ValueError(f"no fault {self.kind!r}; there is {', '.join(get_args(Kind))}")


class Faults:
    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._planned: list[Fault] = []

    def add(self, fault: Fault) -> None:
        with self._lock:
            self._planned.append(fault)

    def remove(self, fault: Fault) -> None:
        """This one and no other; nothing when it is used up or cleared."""
        with self._lock:
            self._planned = [each for each in self._planned if each is not fault]

    def take(self, method: str) -> Fault | None:
        """The fault that befalls this call, counted; the one planned first wins."""
        with self._lock:
            for fault in self._planned:
                if fault.method not in (method, "*"):
                    continue
                if fault.times is not None:
                    fault.times -= 1
                    if fault.times <= 0:
                        self._planned.remove(fault)
                return fault
            return None

    def is_down(self) -> bool:
        with self._lock:
            return any(fault.kind == "down" for fault in self._planned)

    def clear(self, method: str | None = None) -> None:
        with self._lock:
            self._planned = [f for f in self._planned if method is not None and f.method != method]

    def planned(self) -> list[Fault]:
        with self._lock:
            return list(self._planned)
