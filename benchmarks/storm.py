"""An alert storm in a process of its own: many groups over some seconds, and bodies of 300 alerts between.

`Storm(url).start()` beside a measurement; `wait()` gives what the bot answered and how long it took. Groups
come as Alertmanager sends them, each by a connection that stays open, several at once; every tenth is critical.
"""

import argparse
import json
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from benchmarks.common import Caller, Sample, alerts_body, severity_of
from sandbox.house import ALERT_TOKEN

LARGE = 300
SENDERS = 16


@dataclass(frozen=True)
class Outcome:
    """small, large: how long each kind of body took. refused: answers other than 200."""

    small: Sample
    large: Sample
    refused: int
    seconds: float


class Storm:
    """`groups` bodies of five alerts spread over `seconds` (0: all at once), and `large` bodies of 300."""

    def __init__(self, url: str, *, groups: int, seconds: float, large: int, name: str) -> None:
        self._argv = [sys.executable, "-m", "benchmarks.storm", url, name]
        self._argv += ["--groups", str(groups), "--seconds", str(seconds), "--large", str(large)]

    def start(self) -> "Storm":
        """Returns when the storm begins."""
        self._process = subprocess.Popen(self._argv, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        self._process.stdout.readline()
        return self

    def is_over(self) -> bool:
        return self._process.poll() is not None

    def wait(self) -> Outcome:
        said, _ = self._process.communicate()
        told: dict[str, Any] = json.loads(said)
        return Outcome(Sample(told["small"]), Sample(told["large"]), told["refused"], told["took"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("url")
    parser.add_argument("name")
    parser.add_argument("--groups", type=int, default=200)
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--large", type=int, default=20)
    given = parser.parse_args()
    bodies = [alerts_body(f"{given.name}-{n}", 5, severity=severity_of(n)) for n in range(given.groups)]
    large = [alerts_body(f"{given.name}-large-{n}", LARGE) for n in range(given.large)]
    print("ready", flush=True)
    print(json.dumps(_send(given.url, bodies, large, given.seconds)))


def _send(url: str, bodies: list[bytes], large: list[bytes], seconds: float) -> dict[str, Any]:
    lock, mine = threading.Lock(), threading.local()
    taken: dict[bool, list[float]] = {False: [], True: []}
    statuses: list[int] = []
    begun = time.perf_counter()

    def send(due: float, body: bytes, is_large: bool) -> None:
        time.sleep(max(0.0, begun + due - time.perf_counter()))
        if not hasattr(mine, "caller"):
            mine.caller = Caller(url)
        started = time.perf_counter()
        status = mine.caller.alerts(ALERT_TOKEN, body)
        with lock:
            taken[is_large].append(time.perf_counter() - started)
            statuses.append(status)

    plan = [(seconds * n / len(bodies), body, False) for n, body in enumerate(bodies)]
    plan += [(seconds * n / len(large), body, True) for n, body in enumerate(large)]
    with ThreadPoolExecutor(SENDERS) as senders:
        list(senders.map(lambda each: send(*each), sorted(plan, key=lambda each: each[0])))
    refused = sum(status != 200 for status in statuses)
    took = time.perf_counter() - begun
    return {"small": taken[False], "large": taken[True], "refused": refused, "took": took}


if __name__ == "__main__":
    main()
