"""What runtimes tell of their memory: garbage collection, the heap, and what the process holds beside it.

Names differ by exporter and version (C45): the first that is there is taken, and none is said to be none.
Used by memory.py and latency.py.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from itertools import pairwise

from commands.alertreads import Matrix, QueryRange
from commands.finding import Finding, Light
from commands.model import Gap, Seen
from commands.queries import amounts, query, quoted
from commands.reads import Query, Vector
from commands.site import ClusterSite
from commands.triage.measured import plain, share, size
from commands.wording import unread

_BUSY, _FULL, _APART = 0.1, 0.9, 2.0
_HOUR = timedelta(hours=1)
_RISES = 3
_WINDOW = timedelta(minutes=5)
# One series each by which a runtime is known.
_RUNTIMES = {
    "jvm_memory_used_bytes": "JVM",
    "jvm_memory_bytes_used": "JVM",
    "go_memstats_heap_inuse_bytes": "Go",
    "python_gc_collections_total": "Python",
}
_TOOLS = {
    "JVM": "async-profiler, a heap dump (jcmd PID GC.heap_dump), -Xlog:gc* (Java 9 and later)",
    "Go": "pprof: /debug/pprof/heap, twice, and the difference",
    "Python": "tracemalloc or memray (memory_profiler is no longer kept up)",
}


@dataclass(frozen=True, slots=True)
class Asked:
    runtimes: Query
    gc: Query
    go: Query
    heap: Query
    floor: QueryRange
    apart: Query

    @classmethod
    def of(cls, site: ClusterSite, namespace: str, pod: str) -> "Asked":
        here = f'namespace="{quoted(namespace)}",pod="{quoted(pod)}"'
        heap = (
            f'(sum(jvm_memory_used_bytes{{{here},area="heap"}}) or sum(jvm_memory_bytes_used{{{here},area="heap"}})'
            f" or max(go_memstats_heap_inuse_bytes{{{here}}}))"
        )
        return cls(
            Query(f'count by (__name__) ({{{here},__name__=~"{"|".join(_RUNTIMES)}"}})'),
            query(site, "Q-gc", window=_WINDOW, namespace=namespace, pod=pod),
            Query(f"max(rate(go_gc_duration_seconds_sum{{{here}}}[5m]))"),
            query(site, "Q-heap", namespace=namespace, pod=pod),
            QueryRange(f"min_over_time({heap}[1h:1m])", 4 * _HOUR, step=_HOUR, most=1),
            Query(f"max(process_resident_memory_bytes{{{here}}}) / {heap}"),
        )

    @property
    def all(self) -> tuple[Query | QueryRange, ...]:
        return (self.runtimes, self.gc, self.go, self.heap, self.floor, self.apart)


def findings(asked: Asked, seen: Seen) -> tuple[Finding, ...]:
    known: Vector | Gap = seen[asked.runtimes]
    if isinstance(known, Gap):
        return (unread("TM-2.0", "Runtime", known),)
    names = dict.fromkeys(_RUNTIMES.get(each.labels.get("__name__", ""), "") for each in known.samples)
    runtimes = [name for name in names if name]
    if not runtimes:
        value = "it tells nothing of its own heap: no series of a JVM, of Go or of Python"
        return (Finding("TM-2.0", "Runtime", Light.UNKNOWN, value),)
    tools = tuple(f"to look deeper: {_TOOLS[name]}" for name in runtimes)
    return (
        Finding("TM-4.3", "Runtime", Light.GREEN, ", ".join(runtimes), evidence=tools),
        *(collecting(asked, seen) if runtimes != ["Python"] else ()),
        *(_heap(seen[asked.heap]) if "JVM" in runtimes else ()),
        *(_floor(seen[asked.floor]) if runtimes != ["Python"] else ()),
        *(_apart(seen[asked.apart]) if runtimes != ["Python"] else ()),
    )


def collecting(asked: Asked, seen: Seen) -> tuple[Finding, ...]:
    """The share of time that goes into collecting garbage."""
    key, label, threshold = "T2-3.2", "Garbage collection", f"≤ {share(_BUSY)} of the time"
    answers: Sequence[Vector | Gap] = (seen[asked.gc], seen[asked.go])
    found = [value for answer in answers for value in _values(answer)]
    if found:
        light = Light.RED if max(found) > _BUSY else Light.GREEN
        return (Finding(key, label, light, f"{share(max(found))} of the time", threshold),)
    gap = next((each for each in answers if isinstance(each, Gap)), Gap("no series of it"))
    return (unread(key, label, gap, threshold),)


def _values(answer: Vector | Gap) -> list[float]:
    return [] if isinstance(answer, Gap) else list(amounts(answer, ("namespace", "pod")).values())


def _heap(answer: Vector | Gap) -> tuple[Finding, ...]:
    key, label, threshold = "TM-2.2", "Heap", f"≤ {share(_FULL)} of its most"
    if isinstance(answer, Gap):
        return (unread(key, label, answer, threshold),)
    found = _values(answer)
    if not found:
        return (unread(key, label, Gap("it does not say how large it may become"), threshold),)
    light = Light.YELLOW if max(found) > _FULL else Light.GREEN
    return (Finding(key, label, light, f"{share(max(found))} of its most", threshold),)


def _floor(answer: Matrix | Gap) -> tuple[Finding, ...]:
    """What is left after a collection: where that rises hour after hour, something is kept."""
    key, label = "TM-2.2", "Heap after collections"
    if isinstance(answer, Gap):
        return (unread(key, label, answer),)
    values = [value for _, value in answer.series[0].points] if answer.series else []
    last = values[-_RISES - 1 :]
    if len(last) <= _RISES:
        return (unread(key, label, Gap("too few hours to say")),)
    rises = all(later > earlier for earlier, later in pairwise(last))
    if not rises:
        return (Finding(key, label, Light.GREEN, f"{size(last[-1])}, not rising hour after hour"),)
    went = " → ".join(size(each) for each in last)
    return (Finding(key, label, Light.RED, f"leak: rose {_RISES} hours in a row, {went}"),)


def _apart(answer: Vector | Gap) -> tuple[Finding, ...]:
    key, label, threshold = "TM-3.0", "Process against heap", f"≤ {_APART:g} times"
    if isinstance(answer, Gap):
        return (unread(key, label, answer, threshold),)
    found = _values(answer)
    if not found:
        return (unread(key, label, Gap("no series of process_resident_memory_bytes"), threshold),)
    value = f"the process holds {plain(max(found))} times its heap"
    if max(found) <= _APART:
        return (Finding(key, label, Light.GREEN, value, threshold),)
    facts = ("fragmentation, buffers outside of the heap, or native memory: to be looked at by its owner",)
    return (Finding(key, label, Light.YELLOW, value, threshold, facts),)
