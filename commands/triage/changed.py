"""What changed before something began, and whether it may be why. Shared by `alert triage` and `debug`."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from commands.finding import Finding, Light, Suggestion
from commands.model import Cause, Confidence, Gap
from commands.phrase import counted, moment, span
from commands.triagereads import ChangeSeen, ChangesSeen
from commands.wording import one_line, unread
from commands.workloads import typed

KEY = "AL-33"
_LABEL = "Changed"
WINDOW = timedelta(hours=2)
# T1-4.1: a rollout this near the onset is the first suspect. After it, only as far as clocks and `for:` differ.
_BEFORE, _AFTER = timedelta(minutes=30), timedelta(minutes=2)
_CLOCKS = timedelta(minutes=1)  # that a pod may seem older than what made it
_SHOWN = 8


@dataclass(frozen=True, slots=True)
class Looked:
    """finding: what changed; cause: set where a rollout came just before; suggestions: the way back."""

    finding: Finding
    cause: Cause | None = None

    @property
    def without_blame(self) -> "Looked":
        """The same facts, where none of them can be why."""
        is_suspect = self.finding.light is Light.YELLOW
        light = Light.GREEN if is_suspect else self.finding.light
        return Looked(replace(self.finding, suggestions=(), light=light))


def looked(
    found: ChangesSeen | Gap,
    onset: datetime | None,
    now: datetime,
    workload: str = "",
    born: datetime | None = None,
) -> Looked:
    """workload: the name of the one that is ill, whose changes come first; "" for none in particular. born: when its
    pod that is ill was made, where it is one pod: a rollout after that did not make it, so it is not why."""
    if isinstance(found, Gap):
        return Looked(unread(KEY, _LABEL, found))
    began = onset or now
    near = [change for change in found.changes if began - WINDOW <= change.at <= max(began, now)]
    blind = (*(f"not looked at: {one_line(gap.reason)}" for gap in found.unread), *_too_old(began, now))
    if not near:
        light = Light.UNKNOWN if blind else Light.GREEN
        return Looked(Finding(KEY, _LABEL, light, f"nothing in the last {span(WINDOW)}", evidence=blind))
    ordered = sorted(near, key=lambda change: (not is_suspect(change, began), not _is_of(change, workload)))
    suspect = next(
        (
            c
            for c in ordered
            if is_suspect(c, began)
            and _is_last(c, found.changes)
            and (not workload or _is_of(c, workload))
            and (born is None or c.at <= born + _CLOCKS)
        ),
        None,
    )
    light = Light.YELLOW if suspect else Light.UNKNOWN if _too_old(began, now) else Light.GREEN
    lines = tuple(line for change in ordered[:_SHOWN] for line in told(change, began))
    value = f"{counted(len(near), 'change')} in the last {span(WINDOW)}"
    cause = _cause(suspect, began, is_own=bool(workload)) if suspect else None
    back = cause.suggestions if cause else ()
    return Looked(Finding(KEY, _LABEL, light, value, evidence=(*lines, *blind), suggestions=back), cause)


def _too_old(began: datetime, now: datetime) -> tuple[str, ...]:
    """What changed is read of the time before now: of one that began earlier the time that counts was not."""
    length = now - began
    if length < WINDOW:
        return ()
    return (f"it began {span(length)} ago: what changed before that was not looked at",)


def is_suspect(change: ChangeSeen, began: datetime) -> bool:
    """A rollout just before it began."""
    return bool(change.revision) and -_AFTER <= began - change.at <= _BEFORE


def _is_last(change: ChangeSeen, changes: Iterable[ChangeSeen]) -> bool:
    """No rollout came after it: one that was rolled back is no cause any more, and the way back undoes the last."""
    own = (change.kind, change.namespace, change.name)
    return not any(
        (each.kind, each.namespace, each.name) == own and each.revision > change.revision for each in changes
    )


def told(change: ChangeSeen, began: datetime) -> Iterable[str]:
    """A line of what, when and who, then its differences."""
    by = f" by {one_line(change.by, 60)}" if change.by else ""
    place = f"{change.namespace}/{change.name}" if change.namespace else change.name
    yield f"{change.kind} {place}: {one_line(change.what)}{by}, {_when(change.at, began)}"
    yield from (f"    {one_line(line)}" for line in change.differences[:4])
    if len(change.differences) > 4:
        yield f"    and {counted(len(change.differences) - 4, 'more difference')}"


def _when(at: datetime, began: datetime) -> str:
    length = began - at
    if length >= timedelta(0):
        return f"{span(length)} before it began ({moment(at)})"
    return f"{span(-length)} after it began ({moment(at)})"


def _cause(change: ChangeSeen, began: datetime, *, is_own: bool) -> Cause:
    """is_own: it is the ill workload's; else nobody says which one is ill, and it is one of several."""
    place = f"{change.namespace}/{change.name}"
    what = f"; {one_line(change.differences[0], 120)}" if change.differences else ""
    text = f"{change.kind} {place}: {change.what} came {_when(change.at, began)}{what}"
    ill = typed(change.kind, change.namespace, change.name)
    back = Suggestion(f"Roll back {change.name}", f"deploy rollback {ill}")
    sure = Confidence.LIKELY if is_own else Confidence.POSSIBLE
    return Cause(text, sure, (back,) if ill else ())


def _is_of(change: ChangeSeen, workload: str) -> bool:
    return bool(workload) and change.name == workload
