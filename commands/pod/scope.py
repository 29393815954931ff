"""Which pods are meant: the namespace of a line, and what a name may stand for.

A name is a pod's own, or that of what its pods were made from: people say "backend" and mean them all.
"""

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from commands.finding import Finding
from commands.model import Args, Gap, Reads, Seen
from commands.podreads import PodDetail, PodDetails, PodRow, PodRows, workload
from commands.reads import PodView
from commands.site import ClusterSite
from commands.wording import missing


@dataclass(frozen=True, slots=True)
class Where:
    """namespace: "" for all of them. flag: what a button types to mean the same."""

    namespace: str

    @property
    def said(self) -> str:
        return self.namespace or "all namespaces"

    @property
    def flag(self) -> str:
        return f"-n {self.namespace or 'all'}"


def where(args: Args, site: ClusterSite) -> Where:
    """The namespace that was typed, or the application's."""
    typed = args.flags.get("namespace", site.namespaces.app)
    return Where("" if typed == "all" else typed)


def time_of(answer: datetime | Gap) -> datetime | None:
    return None if isinstance(answer, Gap) else answer


def named(
    key: str, place: Where, name: str, verb: str
) -> Generator[Reads, Seen, tuple[PodDetail, ...] | Gap | Finding]:
    """The pod of this name, or else the pods made from what has it; a Finding where there is neither."""
    exact = PodDetails(place.namespace, name)
    seen = yield (exact,)
    found: tuple[PodDetail, ...] | Gap = seen[exact]
    if found or isinstance(found, Gap):
        return found
    every = PodRows(place.namespace)
    more = yield (every,)
    rows: Sequence[PodRow] | Gap = more[every]
    if isinstance(rows, Gap):
        return rows
    mine = [row for row in rows if workload(row.name) == name]
    if not mine:
        return missing(key, "Pod", name, f" in {place.said}", _typed(rows, place), verb)
    reads = tuple(PodDetails(row.namespace, row.name) for row in mine[:MANY])
    answers = yield reads
    gone = next((answers[read] for read in reads if isinstance(answers[read], Gap)), None)
    pods = tuple(pod for read in reads if not isinstance(answers[read], Gap) for pod in answers[read])
    return pods if pods or gone is None else gone


MANY = 40  # pods of one workload that are looked at one by one


def _typed(rows: Sequence[PodRow], place: Where) -> list[str]:
    """Names as one would type them: with the namespace where it is not the one already meant."""
    if place.namespace:
        return [row.name for row in rows] + sorted({workload(row.name) for row in rows})
    return [f"{row.namespace}/{row.name}" for row in rows]


def as_view(pod: PodDetail, now: datetime | None) -> PodView:
    """As the morning check judges it."""
    ends = [each.ended for each in pod.containers if each.ended]
    latest = max(ends, key=lambda end: end.finished.timestamp() if end.finished else 0.0, default=None)
    return PodView(
        namespace=pod.namespace,
        name=pod.name,
        status=pod.status,
        ready=pod.ready,
        restarts=pod.restarts,
        age=now - pod.created if now and pod.created else timedelta(0),
        node=pod.node,
        owner=pod.owner,
        message=pod.message,
        phase=pod.phase,
        not_ready_since=pod.not_ready_since,
        last_exit=f"{latest.reason or 'Exit'} {latest.code}" if latest else "",
        last_restart=now - pod.restarted if now and pod.restarted is not None else None,
    )
