"""When something that fills will be full: a straight line through what was free, since it was last emptied.

Used by disks.py and volumes.py, with the questions that both ask; memory.py draws the line alone.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from commands.alertreads import Matrix
from commands.finding import Finding, Light
from commands.model import Gap
from commands.phrase import span
from commands.triage.measured import Gauge, Reading, plain, share, size
from commands.wording import unread

Points = Sequence[tuple[float, float]]

WINDOW = timedelta(hours=6)
_LEAST = timedelta(minutes=10)  # a shorter line says nothing
_FEWEST = 4  # points
_EMPTIED = 0.05  # of what there is in all: a rise of that much is a clean-up, and growth starts anew
_FAR = timedelta(days=60)  # beyond it nobody believes a line of six hours
_FULL = 0.85  # of it in use: on a disk of a node the kubelet begins to evict


def gauges(noun: str, kind: str, used: str, free: str, total: str) -> tuple[Gauge, Gauge, Gauge]:
    """Share in use, what is free and what there is in all: bytes or inodes. In templates $disk is which one."""
    say = size if kind == "bytes" else plain
    return (
        Gauge(f"{noun} in use", used, share, (free, total), bad=_FULL),
        Gauge(f"{noun} free", f"min({free}{{$disk}})", say, (free,)),
        Gauge(f"{noun} in all", f"max({total}{{$disk}})", say, (total,)),
    )


@dataclass(frozen=True, slots=True)
class Growth:
    """per_hour: how much less is free every hour (negative: it gets more). left: until nothing is free; None where
    it does not grow, or where that is too far off to say."""

    per_hour: float
    left: timedelta | None

    @property
    def words(self) -> str:
        """ "full in 3 h 20 min", "not growing"."""
        if self.left is not None:
            return f"full in {span(self.left)}" if self.left else "full"
        return "not growing" if self.per_hour <= 0 else "growing slowly"

    def rate(self, unit: str = "bytes") -> str:
        if self.per_hour <= 0:
            return "not growing"
        return f"{size(self.per_hour) if unit == 'bytes' else f'{self.per_hour:,.0f}'} more every hour"


def growth(free: Points, total: float, left: float | None = None) -> Growth | None:
    """Of the free amount over time, oldest first; None where there are too few points to say. left: what is free by
    now, where that is known more freshly than the last point."""
    points = _since_emptied(free, total)
    if len(points) < _FEWEST or points[-1][0] - points[0][0] < _LEAST.total_seconds():
        return None
    falling = -_slope(points)
    now = points[-1][1] if left is None else left
    if now <= 0:
        return Growth(falling * 3600, timedelta(0))
    lasts = now / falling if falling > 0 else float("inf")
    return Growth(falling * 3600, timedelta(seconds=lasts) if lasts < _FAR.total_seconds() else None)


def lowest(matrix: Matrix) -> Points:
    """Of several series that say the same (replicas of Prometheus), the one that is the least free now."""
    known = [series.points for series in matrix.series if series.points]
    return min(known, key=lambda points: points[-1][1], default=())


def paced(trend: Matrix | Gap, total: float, free: Reading) -> Growth | None:
    """By what Prometheus answered; None where it did not, or with too little."""
    return None if isinstance(trend, Gap) else growth(lowest(trend), total, free.value if free.top else None)


def told(key: str, trend: Matrix | Gap, pace: Growth | None, kind: str) -> Finding:
    label = f"Growth in the last {span(WINDOW)}"
    if isinstance(trend, Gap):
        return unread(key, label, trend)
    if pace is None:
        return unread(key, label, Gap("no data, or too little of it for a line"))
    light = Light.RED if pace.left is not None else Light.GREEN
    return Finding(key, label, light, pace.words, evidence=(pace.rate(kind),))


def _since_emptied(free: Points, total: float) -> Points:
    rises = [n for n in range(1, len(free)) if free[n][1] - free[n - 1][1] > _EMPTIED * total]
    return free[rises[-1] :] if rises else free


def _slope(points: Points) -> float:
    """Of the line with the least squares, in amount for each second."""
    mean_x = sum(x for x, _ in points) / len(points)
    mean_y = sum(y for _, y in points) / len(points)
    spread = sum((x - mean_x) ** 2 for x, _ in points)
    return sum((x - mean_x) * (y - mean_y) for x, y in points) / spread if spread else 0.0
