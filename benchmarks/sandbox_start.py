"""How soon the sandbox is there, how soon it is as new, how soon it is gone, and how much memory it holds together.

`python -m sandbox` as a person starts it, in a process of its own, five times; then played with: a health check by
each worker, and alerts whose diagnoses draw pictures and ask EC2. Memory is the proportional set size (what processes
share is counted once), of all processes together and by each; in MB. Needs Linux.
"""

import os
import re
import statistics
import sys
import tempfile
import time
from pathlib import Path

import httpx
import psutil

from benchmarks.common import main, table
from sandbox.house import wait_until
from sandbox.process import Child, free_ports

SECONDS = 120
PLAY = ("errors", "volume-filling", "node-not-ready")
_PSS = re.compile(r"^Pss:\s+(\d+) kB", re.MULTILINE)


def run(is_quick: bool) -> list[str]:
    lives = [_life(is_played=number == 0) for number in range(2 if is_quick else 5)]
    took = {what: statistics.median(life[what] for life in lives) for what in ("start", "reset", "stop")}
    rows = [
        (what, f"{value:.1f}", f"{max(life[what] for life in lives):.1f}") for what, value in took.items()
    ]
    table("The sandbox, seconds", ("", "median", "worst"), rows)
    held = statistics.median(life["MB"] for life in lives)
    return [
        f"the sandbox: there after {took['start']:.1f} s, as new after {took['reset']:.1f} s, gone after"
        f" {took['stop']:.1f} s; {held:.0f} MB together, {lives[0]['MB played']:.0f} MB once it was played with"
    ]


def _life(*, is_played: bool) -> dict[str, float]:
    with tempfile.TemporaryDirectory() as folder:
        (port,) = free_ports(1)
        argv = [sys.executable, "-m", "sandbox", "--port", str(port), "--folder", f"{folder}/dot"]
        env = {name: value for name, value in os.environ.items() if not name.endswith("_URL")}
        child = Child(argv, log=Path(folder) / "log", env=env)
        begun = time.monotonic()
        child.start()
        child.wait_ready(lambda: "Ctrl-C stops everything" in child.tail(), seconds=SECONDS)
        seen = {"start": time.monotonic() - begun}
        seen["MB"] = _told(child.pid, f"MB, there after {seen['start']:.1f} s")
        if is_played:
            _play(f"http://127.0.0.1:{port}")
            seen["MB played"] = _told(child.pid, "MB, played with")
        answer = httpx.post(f"http://127.0.0.1:{port}/_sandbox/reset", json={}, timeout=SECONDS).json()
        seen["reset"] = answer["seconds"]
        begun = time.monotonic()
        child.stop(grace=SECONDS)
        return seen | {"stop": time.monotonic() - begun}


def _play(url: str) -> None:
    for _ in range(4):
        asked = {"user": "alice", "channel": "#sre-daily", "text": "health"}
        httpx.post(f"{url}/_standin/command", json=asked, timeout=SECONDS)
    for fault in PLAY:
        httpx.post(f"{url}/_sandbox/break", json={"fault": fault}, timeout=SECONDS)
    wanted = ("HighErrorRate", "is 93 % full", "EC2 stopped")

    def is_told() -> bool:
        shown = httpx.get(f"{url}/_standin/state", timeout=SECONDS).text
        return all(words in shown for words in wanted)

    wait_until(is_told, what="the diagnoses", seconds=SECONDS)
    httpx.post(f"{url}/_sandbox/mend", json={}, timeout=SECONDS)


def _told(pid: int, title: str) -> float:
    root = psutil.Process(pid)
    rows = sorted((_named(each), _held(each.pid)) for each in (root, *root.children(recursive=True)))
    table(title, ("process", "PSS"), [(name, f"{held:.0f}") for name, held in rows])
    return sum(held for _, held in rows)


def _named(process: psutil.Process) -> str:
    name, words = str(process.name()), " ".join(process.cmdline())
    if name.startswith("sre-bot"):
        return name
    return next(
        (name for name in ("nursery", "alertmanager", "prometheus", "redis") if name in words), "page"
    )


def _held(pid: int) -> float:
    found = _PSS.search(Path(f"/proc/{pid}/smaps_rollup").read_text())
    assert found is not None
    return int(found[1]) / 1024


if __name__ == "__main__":
    sys.exit(main(__doc__, run))
