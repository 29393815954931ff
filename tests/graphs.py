"""Every kind of graph there is, as what it shows: for the pictures of the sandbox. By the file that makes its like."""

import math
from collections.abc import Callable
from datetime import timedelta

from commands.picture import Curve, Picture
from tests import build

HOUR = timedelta(hours=1)


def points(count: int, every: timedelta, value: Callable[[int], float]) -> tuple[tuple[float, float], ...]:
    """The last at build.NOW."""
    first = build.NOW - (count - 1) * every
    return tuple(((first + n * every).timestamp(), float(value(n))) for n in range(count))


MEMORY = Picture(
    "KubePodCrashLooping",
    (Curve("web-7d4b9c-x1 app", points(240, HOUR / 240, lambda n: (160 + 30 * math.sin(n / 11) + n / 2.6) * 2**20)),),
    build.NOW - HOUR, build.NOW, "bytes", 256 * 2.0**20, "> 256 MiB", build.NOW - timedelta(minutes=9),
)  # fmt: skip
MANY = Picture(
    "NodeDiskFilling",
    tuple(
        Curve(
            f"ip-10-0-2-{n}.eu-central-1.compute.internal:9100 /dev/nvme0n1p1 ext4",
            points(60, HOUR / 60, lambda m, n=n: 0.5 + n / 30 + m / 300),
        )
        for n in range(12)
    ),
    build.NOW - HOUR, build.NOW, "ratio", 0.9, "> 0.9", build.NOW - timedelta(minutes=22),
)  # fmt: skip
YES_NO = Picture(
    "KubePodNotReady",
    (Curve("shop web-7d4b9c-x1", points(31, timedelta(minutes=2), lambda n: n > 20)),),
    build.NOW - HOUR, build.NOW, "", 0.0, "> 0", build.NOW - timedelta(minutes=20),
)  # fmt: skip
DAYS = timedelta(days=30)
BUDGET = Picture(
    "backend: error budget spent",
    (
        Curve("spent", points(60, DAYS / 60, lambda n: 0.1 + (n > 40) * (n - 40) / 25)),
        Curve("an even pace", (((build.NOW - DAYS).timestamp(), 0.0), (build.NOW.timestamp(), 1.0))),
    ),
    build.NOW - DAYS, build.NOW, "ratio", 1.0, "100 % of the budget",
)  # fmt: skip
MONTHS = Picture(
    "Time to restore, by month", (Curve("Time to restore", points(4, DAYS, lambda n: (50, 35, 41, 22)[n] * 60)),),
    build.NOW - 4 * DAYS, build.NOW + DAYS / 2, "seconds", 30 * 60.0, "< 30 min",
)  # fmt: skip

GRAPHS: dict[str, dict[str, Picture]] = {
    "commands/triage/graph.py": {
        "graph-memory": MEMORY, "graph-many": MANY, "graph-condition": YES_NO,
    },
    "commands/health/trend.py": {"graph-budget": BUDGET},
    "commands/review/months.py": {"graph-months": MONTHS},
}  # fmt: skip
