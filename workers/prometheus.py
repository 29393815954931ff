"""Reads from Prometheus, or what speaks like it: queries, targets, rules, how long it keeps.

Functions over the stack (workers/stack.py), called by workers/signals.py, which owns the source. A query is posted,
with a time limit a little below ours, so that it is Prometheus who says that it was too dear. Nothing here judges.
"""

import math
import re
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from commands import alertreads, reads
from commands.errors import Refused, Unreachable
from commands.model import Read
from workers.http import ANSWER_SECONDS
from workers.stack import LIST_BYTES, Json, Stack, json_of, shaped, short, unexpected

# How many points a series of a range has at most, and how close together.
POINTS = 250
STEP_SECONDS = 15.0
# How many series a range query may find; Prometheus before 3.0 knows no such limit, and its answer is cut by size.
SERIES = 1000

_INFO = "PromQL info:"
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


def _query(stack: Stack, read: reads.Query, deadline: float) -> reads.Vector:
    found = _asked(stack, "/api/v1/query", deadline, {"query": read.expr, "timeout": _limit(deadline)})
    return shaped("prometheus", _vector, found)


def _query_range(stack: Stack, read: alertreads.QueryRange, deadline: float) -> alertreads.Matrix:
    end = time.time() - read.ago.total_seconds()
    window = read.window.total_seconds()
    step = read.step.total_seconds() or max(STEP_SECONDS, math.ceil(window / POINTS))
    form = {
        "query": read.expr,
        "start": f"{end - window:.3f}",
        "end": f"{end:.3f}",
        "step": f"{step:.3f}",
        "timeout": _limit(deadline),
        "limit": str(SERIES),
    }
    found = _asked(stack, "/api/v1/query_range", deadline, form)
    return shaped("prometheus", lambda page: _matrix(page, read.most), found)


def _targets(stack: Stack, read: reads.Targets, deadline: float) -> tuple[reads.TargetView, ...]:
    return shaped("prometheus", _target_views, _active_targets(stack, deadline))


def _scrape_targets(
    stack: Stack, read: alertreads.ScrapeTargets, deadline: float
) -> tuple[alertreads.ScrapeTarget, ...]:
    found = shaped("prometheus", _scrape_views, _active_targets(stack, deadline))
    meant = [target for target in found if read.job in ("", target.job)]
    return tuple(sorted(meant, key=lambda each: (each.health != "down", each.job, each.instance)))


def _active_targets(stack: Stack, deadline: float) -> Json:
    return _asked(stack, "/api/v1/targets?state=active", deadline, cap=LIST_BYTES)


def _rules(stack: Stack, read: alertreads.Rules, deadline: float) -> tuple[alertreads.RuleView, ...]:
    # Without the alerts that each has, which older ones send all the same.
    path = f"/api/v1/rules?{urlencode({'exclude_alerts': 'true'})}"
    return shaped("prometheus", _rule_views, _asked(stack, path, deadline, cap=LIST_BYTES))


def _retention(stack: Stack, read: reads.Retention, deadline: float) -> timedelta | None:
    found = _asked(stack, "/api/v1/status/runtimeinfo", deadline)
    return shaped("prometheus", lambda page: retention(page["data"].get("storageRetention")), found)


READS: Mapping[type[Read], Callable[[Stack, Any, float], Any]] = {
    reads.Query: _query,
    alertreads.QueryRange: _query_range,
    reads.Targets: _targets,
    alertreads.ScrapeTargets: _scrape_targets,
    alertreads.Rules: _rules,
    reads.Retention: _retention,
}


def _limit(deadline: float) -> str:
    seconds = max(0.1, min(deadline - time.monotonic(), ANSWER_SECONDS) - 0.2)
    return f"{seconds * 1000:.0f}ms"


def _asked(
    stack: Stack, path: str, deadline: float, form: Mapping[str, str] | None = None, cap: int = 0
) -> Json:
    answer = stack.asked("prometheus", path, deadline, cap, form=form)
    found = json_of(answer)
    if found is None or "status" not in found:
        raise unexpected("prometheus", answer)
    if found["status"] != "success":
        said = f"{found.get('errorType', 'error')}: {short(str(found.get('error', '')))}"
        if answer.status in (429, 503):
            raise Unreachable(f"prometheus: {said}", retry_after=answer.retry_after)
        raise Refused(f"prometheus: {said}")
    return found


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


def _matrix(found: Json, most: int) -> alertreads.Matrix:
    """What Prometheus only remarks ("might not be a counter") leaves nothing out: it is no warning."""
    data = found["data"]
    if data["resultType"] != "matrix":
        raise Refused(f"prometheus: the query gives a {data['resultType']}, not a range")
    result = data["result"] or ()
    warnings = tuple(str(each) for each in found.get("warnings") or () if not str(each).startswith(_INFO))
    series = tuple(_series(each) for each in result[:most])
    return alertreads.Matrix(series, warnings, max(0, len(result) - most))


def _series(found: Json) -> alertreads.Series:
    if "values" not in found:
        raise Refused("prometheus: the query gives native histograms, not numbers")
    points = ((float(at), float(value)) for at, value in found["values"])
    return alertreads.Series(dict(found["metric"]), tuple(each for each in points if math.isfinite(each[1])))


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


def _scrape_views(found: Json) -> tuple[alertreads.ScrapeTarget, ...]:
    return tuple(
        alertreads.ScrapeTarget(
            job=str(target["labels"].get("job", "")),
            instance=str(target["labels"].get("instance", "")),
            url=str(target.get("scrapeUrl") or ""),
            health=str(target["health"]),
            last_error=str(target.get("lastError") or ""),
            labels=dict(target["labels"]),
            discovered=dict(target.get("discoveredLabels") or {}),
            scraped=moment(target.get("lastScrape")),
        )
        for target in found["data"]["activeTargets"] or ()
    )


def _rule_views(found: Json) -> tuple[alertreads.RuleView, ...]:
    groups = found["data"]["groups"] or ()
    return tuple(_rule_view(rule, group) for group in groups for rule in group["rules"] or ())


def _rule_view(rule: Json, group: Json) -> alertreads.RuleView:
    return alertreads.RuleView(
        name=str(rule["name"]),
        kind=str(rule["type"]),
        group=str(group["name"]),
        file=str(group.get("file") or ""),
        expr=str(rule["query"]),
        health=str(rule.get("health") or "unknown"),
        state=str(rule.get("state") or ""),
        wait=timedelta(seconds=float(rule.get("duration") or 0)),
        labels=dict(rule.get("labels") or {}),
        annotations=dict(rule.get("annotations") or {}),
        last_error=str(rule.get("lastError") or ""),
        took=timedelta(seconds=float(rule.get("evaluationTime") or 0)),
        interval=timedelta(seconds=float(group.get("interval") or 0)),
        evaluated=moment(rule.get("lastEvaluation")),
    )


def moment(text: str | None) -> datetime | None:
    """A time as Go writes it; None for its zero, the year 1."""
    return None if not text or text.startswith("0001-") else datetime.fromisoformat(text).astimezone(UTC)


def retention(text: str | None) -> timedelta | None:
    """From "15d", "1w2d", "15d or 10GB", "15d and 10GB"; None for a size alone, which is no time."""
    for word in re.split(r"\s+(?:or|and)\s+", (text or "").strip()):
        parts = list(_spans(word))
        if parts:
            return sum(parts, timedelta())
    return None


def _spans(word: str) -> Iterator[timedelta]:
    parts = _DURATION.findall(word)
    if "".join(number + unit for number, unit in parts) == word:
        yield from (int(number) * _UNITS[unit] for number, unit in parts)
