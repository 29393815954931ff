"""`pod restarts`: who was restarted how often in a window, and how its container ended the last time.

Prometheus remembers the window. Where it does not answer, the counts of the pods' whole lives are told
instead, and the answer says so: a pod that was replaced is then forgotten with its restarts.
"""

from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from commands.command import Part, Parts
from commands.finding import Finding, Light, Suggestion
from commands.grammar import duration
from commands.model import Args, Gap, Inquiry, Reads, Section, Seen
from commands.phrase import counted, span
from commands.pod.scope import Where, time_of, where
from commands.podreads import Ending, PodDetail, PodDetails, PodRow, PodRows
from commands.queries import PARTIAL_MEND, amounts, partial, query
from commands.reads import Now, Vector
from commands.site import ClusterSite
from commands.wording import aligned, one_line, onward, shown_and_kept, unread

WEEK = timedelta(days=7)
LOOKED_AT = 40  # pods whose last end is read one by one
ROWS = 25
OOM = "OOMKilled"


# Container and last end of a pod; or why it was not read; or, in words, why there is none.
End = tuple[str, Ending] | Gap | str


@dataclass(frozen=True, slots=True)
class _Restarted:
    namespace: str
    pod: str
    times: int

    @property
    def place(self) -> str:
        return f"{self.namespace}/{self.pod}"


@dataclass(frozen=True, slots=True)
class _Counts:
    """Every pod that was restarted, most often first; source where it is not Prometheus, and why."""

    found: tuple[_Restarted, ...]
    source: str
    gap: Gap | None = None
    partial: str = ""


def restarts(args: Args, site: ClusterSite) -> Parts:
    place = where(args, site)
    window = duration(args.flags["since"]) if "since" in args.flags else WEEK
    title = f"Restarts in {span(window)} · {place.said}"
    return {"restarts": Part(title, _restarts(place, site, window, title))}


def _restarts(place: Where, site: ClusterSite, window: timedelta, title: str) -> Inquiry:
    asked = query(site, "Q-restarts", window=window, namespace=place.namespace)
    seen = yield (Now(), asked)
    now = time_of(seen[Now()])
    counts = yield from _counts(place, seen[asked], window)
    if counts.gap:
        return Section("restarts", title, True, (unread("WM-2.4", "Restarts", counts.gap),))
    limit = site.thresholds.trend.restarts_7d
    often = [each for each in counts.found if each.times > limit]
    ends = yield from _ends(often[:LOOKED_AT])
    findings = [_often(counts, often, ends, limit)]
    if counts.partial:
        gap = Gap(f"partial answer: {one_line(counts.partial)}", PARTIAL_MEND)
        findings.append(unread("WM-2.4", "All of them", gap))
    table = aligned(
        ("POD", "TIMES", "LAST END", "WHEN", "CONTAINER"), [_row(each, ends, place, now) for each in often]
    )
    lines, files = shown_and_kept(table, ROWS, "restarts.txt", title)
    answer = Section("restarts", title, True, tuple(findings), counts.source, files, lines if often else ())
    return onward(answer, Suggestion(f"Pods of {place.said}", f"pod list {place.flag}"))


def _counts(place: Where, answer: Vector | Gap, window: timedelta) -> Generator[Reads, Seen, _Counts]:
    if not isinstance(answer, Gap):
        # increase() reckons between samples, so three restarts may come as 3.02.
        numbers = amounts(answer, ("namespace", "pod"))
        found = [_Restarted(namespace, pod, round(times)) for (namespace, pod), times in numbers.items()]
        return _Counts(_most(found), "counted by Prometheus", partial=partial(answer))
    read = PodRows(place.namespace)
    seen = yield (read,)
    rows: Sequence[PodRow] | Gap = seen[read]
    why = one_line(answer.reason)
    if isinstance(rows, Gap):
        return _Counts((), "", Gap(f"{why}; pods: {one_line(rows.reason)}", answer.mend or rows.mend))
    lately = [row for row in rows if row.restarted is not None and row.restarted <= window]
    found = [_Restarted(row.namespace, row.name, row.restarts) for row in lately]
    return _Counts(_most(found), f"in the pods' whole lives, because {why}")


def _most(found: Sequence[_Restarted]) -> tuple[_Restarted, ...]:
    return tuple(
        sorted((each for each in found if each.times > 0), key=lambda each: (-each.times, each.place))
    )


def _ends(
    often: Sequence[_Restarted],
) -> Generator[Reads, Seen, Mapping[str, End]]:
    if not often:
        return {}
    reads = {each.place: PodDetails(each.namespace, each.pod) for each in often}
    seen = yield tuple(reads.values())
    return {place: _last_end(seen[read]) for place, read in reads.items()}


def _last_end(pods: Sequence[PodDetail] | Gap) -> End:
    if isinstance(pods, Gap):
        return pods
    ends = [
        (each.name, each.ended) for pod in pods for each in pod.containers if each.ended and each.restarts
    ]
    if not ends:
        return "not told" if pods else "the pod is gone"
    return max(ends, key=lambda one: one[1].finished.timestamp() if one[1].finished else 0.0)


def _often(
    counts: _Counts,
    often: Sequence[_Restarted],
    ends: Mapping[str, End],
    limit: int,
) -> Finding:
    key, label, threshold = "WM-2.4", "Restarts", f"at most {limit}"
    total = f"{counted(sum(each.times for each in counts.found), 'restart')} of {counted(len(counts.found), 'pod')}"
    if not counts.found:
        return Finding(key, label, Light.GREEN, "none", threshold)
    if not often:
        return Finding(key, label, Light.GREEN, total, threshold)
    killed = [each for each in often if _reason(ends.get(each.place)) == OOM]
    gap = next((end for end in ends.values() if isinstance(end, Gap)), None)
    said = f"{counted(len(often), 'pod')} more than {limit} times, {total}"
    evidence = tuple(f"{each.place}: {OOM}, needs a higher memory limit or less memory" for each in killed)
    evidence += (f"last ends: unknown: {one_line(gap.reason)}",) if gap else ()
    first = (killed or often)[0]
    offers = (
        Suggestion(f"Show {first.pod}", f"pod show {first.place}"),
        Suggestion("Logs before the end", f"logs {first.place} --previous"),
    )
    mend = gap.mend if gap else ""
    return Finding(key, label, Light.YELLOW, said, threshold, evidence, suggestions=offers, mend=mend)


def _reason(end: End | None) -> str:
    return end[1].reason if isinstance(end, tuple) else ""


def _row(
    each: _Restarted,
    ends: Mapping[str, End],
    place: Where,
    now: datetime | None,
) -> tuple[str, ...]:
    name = each.pod if place.namespace else each.place
    end = ends.get(each.place, "not looked at")
    if not isinstance(end, tuple):
        return (name, str(each.times), "unknown" if isinstance(end, Gap) else end, "-", "-")
    container, last = end
    when = f"{span(now - last.finished)} ago" if now and last.finished else "-"
    return (name, str(each.times), f"{last.reason or 'exit'} {last.code}", when, container)
