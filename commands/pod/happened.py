"""`pod events`: what the cluster said of its pods. Warnings first, the newest last, repeats counted.

Order is by when something was last seen: an event is made once and counted on, so its creation tells nothing.
"""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta

from commands.command import Part, Parts
from commands.finding import Finding, Light, Suggestion
from commands.grammar import duration
from commands.model import Args, Attachment, Gap, Inquiry, Section
from commands.phrase import counted, span
from commands.pod.scope import Where, time_of, where
from commands.podreads import Events, EventView, workload
from commands.reads import Now
from commands.site import ClusterSite
from commands.wording import aligned, fitting, one_line, onward, unread

WARNINGS = 18  # lines of each kind in a message; the file has all of them
OTHERS = 6
MESSAGE = 90  # characters of a message that say enough
KEPT = "the API server keeps events for an hour, unless it is told otherwise"


def events(args: Args, site: ClusterSite) -> Parts:
    place = where(args, site)
    since = duration(args.flags["since"]) if "since" in args.flags else None
    of = f"{args.name} · " if args.name else ""
    return {"events": Part(f"Events · {of}{place.said}", _events(place, args.name, since))}


def _events(place: Where, name: str, since: timedelta | None) -> Inquiry:
    read = Events(place.namespace)
    seen = yield (Now(), read)
    found: Sequence[EventView] | Gap = seen[read]
    title = f"Events · {f'{name} · ' if name else ''}{place.said}"
    if isinstance(found, Gap):
        return Section("events", title, True, (unread("TF-2.1", "Events", found),))
    now = time_of(seen[Now()])
    chosen = [event for event in found if _is_meant(event, name) and _is_recent(event, since, now)]
    warnings = [event for event in chosen if event.type == "Warning"]
    others = [event for event in chosen if event.type != "Warning"]
    shown = _fitting(_rows(warnings[-WARNINGS:], place, now), _rows(others[-OTHERS:], place, now))
    files = _file(_rows([*warnings, *others], place, now), title) if len(shown) - 1 < len(chosen) else ()
    findings = (_warned(warnings, place, now), _told(others))
    answer = Section("events", title, True, findings, KEPT, files, shown if chosen else ())
    return onward(answer, Suggestion(f"Pods of {place.said}", f"pod list {place.flag}"))


def _is_meant(event: EventView, name: str) -> bool:
    """Of this object, or of one made from it: a pod's events, or its Deployment's with all its pods'."""
    names = (event.name, workload(event.name), *event.objects)
    return not name or name in names or workload(name) in event.objects


def _is_recent(event: EventView, since: timedelta | None, now: datetime | None) -> bool:
    """Without the time of day everything is recent: better a line too many than one that is missing."""
    return since is None or now is None or event.last is None or now - event.last <= since


def _rows(events: Sequence[EventView], place: Where, now: datetime | None) -> list[tuple[str, ...]]:
    return [
        (
            f"{span(now - event.last)} ago" if now and event.last else "-",
            f"×{event.count}",
            event.reason,
            _object(event, place),
            one_line(event.message, MESSAGE),
        )
        for event in events
    ]


def _object(event: EventView, place: Where) -> str:
    where_ = "" if place.namespace else f"{event.namespace}/"
    return f"{where_}{event.kind}/{event.name}"


_HEADER = ("LAST", "TIMES", "REASON", "OBJECT", "MESSAGE")


def _fitting(warnings: list[tuple[str, ...]], others: list[tuple[str, ...]]) -> tuple[str, ...]:
    """Where it is too much for a message the oldest go first, warnings after everything else."""
    while True:
        table = aligned(_HEADER, [*warnings, *others])
        if len(fitting(table)) == len(table):
            return table
        del (others or warnings)[0]


def _file(rows: list[tuple[str, ...]], title: str) -> tuple[Attachment, ...]:
    return (Attachment("events.txt", title, "\n".join(aligned(_HEADER, rows)) + "\n"),)


def _warned(warnings: Sequence[EventView], place: Where, now: datetime | None) -> Finding:
    key, label = "TF-2.1", "Warnings"
    if not warnings:
        return Finding(key, label, Light.GREEN, "none")
    reasons: Counter[str] = Counter()
    for event in warnings:
        reasons[event.reason] += event.count
    said = ", ".join(f"{reason} × {count}" for reason, count in reasons.most_common(5))
    latest = warnings[-1]
    ago = f", the last {span(now - latest.last)} ago" if now and latest.last else ""
    return Finding(key, label, Light.YELLOW, f"{said}{ago}", suggestions=_steps(latest, place))


def _steps(event: EventView, place: Where) -> tuple[Suggestion, ...]:
    pods = Suggestion(f"Pods of {place.said}", f"pod list {place.flag}")
    if event.kind == "Pod":
        name = workload(event.name)
        return (Suggestion(f"Show {name}", f"pod show {event.namespace}/{name}"), pods)
    if event.kind == "Node":
        return (Suggestion(f"Show {event.name}", f"node show {event.name}"), pods)
    return (pods,)


def _told(others: Sequence[EventView]) -> Finding:
    count = sum(event.count for event in others)
    return Finding("T3-5.2", "Others", Light.GREEN, counted(count, "event") if count else "none")
