"""What the pods of a service said lately: bounded tails of their logs, errors by family and by what they share.

A few pods, a few hundred lines of each, a quarter of an hour: enough to see what they complain of. The whole is
`logs NAME --grep errors`. Used by service.py and layers.py.
"""

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from datetime import timedelta

from commands.finding import Finding, Light
from commands.loglines import Entry, counts, entries, families, grouped, is_error, spoken
from commands.model import Gap, Reads, Seen
from commands.phrase import counted, span
from commands.podreads import ContainerLog, LogText, PodDetail, PodDetails, PodRow
from commands.triage.whose import short
from commands.wording import one_line, unread

_PODS, _LOGS = 4, 6
_LINES, _BYTES = 400, 64 * 1024
_SINCE = timedelta(minutes=15)
_SHOWN = 5
_MANY = 3  # of the same error in the tails: it is no accident


@dataclass(frozen=True, slots=True)
class Tails:
    """errors: what the logs complain of. pods: the ones that were asked, whole. gaps: what was not read."""

    errors: tuple[Entry, ...] = ()
    pods: tuple[PodDetail, ...] = ()
    gaps: tuple[Finding, ...] = ()
    read: int = 0

    @property
    def most(self) -> tuple[int, str] | None:
        """The error said most often, and how often; None where none is said again and again."""
        found = grouped(self.errors)[:1]
        return (found[0][0], one_line(spoken(found[0][1]), 160)) if found and found[0][0] >= _MANY else None

    def of(self, *names: str) -> tuple[Entry, ...]:
        """The errors that are of all these families."""
        return tuple(each for each in self.errors if set(names) <= set(families(each)))


def heard(rows: Sequence[PodRow]) -> Generator[Reads, Seen, Tails]:
    """Of these pods, those that are not well first."""
    chosen = sorted(rows, key=lambda row: (row.status == "Running", -row.restarts, row.name))[:_PODS]
    reads = tuple(PodDetails(row.namespace, row.name) for row in chosen)
    if not reads:
        return Tails()
    seen = yield reads
    gaps = [unread("T1-2", f"Pod {read.name}", seen[read]) for read in reads if isinstance(seen[read], Gap)]
    pods = tuple(pod for read in reads if not isinstance(seen[read], Gap) for pod in seen[read])
    asked = tuple(dict.fromkeys(log for pod in pods for log in _logs(pod)))[:_LOGS]
    said = (yield asked) if asked else Seen({})
    errors = tuple(
        entry
        for read in asked
        if isinstance(said[read], LogText)
        for entry in entries(said[read].text, short(read.pod))
        if is_error(entry)
    )
    silent = {
        said[read]: unread("T1-2", f"Log of {read.pod}", said[read])
        for read in asked
        if isinstance(said[read], Gap)
    }
    heard_of = sum(isinstance(said[read], LogText) for read in asked)
    return Tails(errors, pods, (*gaps[:1], *silent.values()), heard_of)


def _logs(pod: PodDetail) -> tuple[ContainerLog, ...]:
    """Each serving container; and what it said before, where it was started again lately."""
    found = []
    for each in pod.containers:
        if each.kind or not each.state:
            continue
        found.append(ContainerLog(pod.namespace, pod.name, each.name, False, _BYTES, _LINES, _SINCE))
        if each.restarts and pod.restarted is not None and pod.restarted < _SINCE:
            found.append(ContainerLog(pod.namespace, pod.name, each.name, True, _BYTES, _LINES))
    return tuple(found)


def told(tails: Tails) -> tuple[Finding, ...]:
    """The errors by family, and the ones said most often."""
    if not tails.read:
        return tails.gaps or (Finding("T1-2.1", "Logs", Light.UNKNOWN, "no pod whose log could be read"),)
    over = f"the last {span(_SINCE)} of {counted(tails.read, 'log')}"
    if not tails.errors:
        return (Finding("T1-2.1", "Logs", Light.GREEN, f"no error in {over}"), *tails.gaps)
    found = counts(tails.errors)
    by_family = ", ".join(f"{name} {number}" for name, number in found.most_common())
    value = f"{counted(len(tails.errors), 'error')} in {over}" + (f": {by_family}" if by_family else "")
    lines = tuple(
        f"{number} × {one_line(spoken(entry), 200)}" for number, entry in grouped(tails.errors)[:_SHOWN]
    )
    return (Finding("T1-2.1", "Logs", Light.YELLOW, value, evidence=lines), *tails.gaps)
