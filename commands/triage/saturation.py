"""What a service's pods lack: CPU that is held back, memory near its limit, kills at it. By the named queries.

Asked for the whole namespace, because a query cannot know which pods are a service's; told of its own pods only.
Used by the diagnoses of errors, of latency and of the layers.
"""

from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from commands.finding import Finding, Light
from commands.model import Gap, Reads, Seen
from commands.phrase import counted
from commands.queries import PARTIAL_MEND, QUERIES, amounts, partial, query
from commands.reads import Query, Vector
from commands.site import ClusterSite, ServiceSite
from commands.triage import served
from commands.triage.measured import share
from commands.triage.rule import Subject
from commands.triage.whose import is_of
from commands.wording import one_line, unread

_WINDOW = timedelta(minutes=5)
_LABELS = ("pod", "container")
HIGH_CPU, HIGH_MEMORY = 0.9, 0.9  # of the limit


@dataclass(frozen=True, slots=True)
class Asked:
    """The questions about one service's namespace."""

    service: ServiceSite
    throttle: Query
    cpu: Query
    memory: Query
    killed: Query

    @classmethod
    def of(cls, site: ClusterSite, service: ServiceSite) -> "Asked":
        def ask(name: str) -> Query:
            return query(site, name, window=_WINDOW, namespace=service.namespace)

        return cls(service, ask("Q-throttle"), ask("Q-cpulimit"), ask("Q-memlimit"), ask("Q-oom"))

    @property
    def all(self) -> tuple[Query, ...]:
        return (self.throttle, self.cpu, self.memory, self.killed)


def mine(answer: Vector | Gap, service: ServiceSite) -> dict[str, float] | None:
    """ "web-7/app" → number, of the pods of this service; None where nothing was answered at all."""
    if isinstance(answer, Gap):
        return None
    name = service.deployment or service.name
    found = amounts(answer, _LABELS)
    return {
        "/".join(filter(None, labels)): value
        for labels, value in sorted(found.items(), key=lambda each: -each[1])
        if is_of(labels[0], name) or labels[0] == name
    }


def worst_pod(subject: Subject, site: ClusterSite, name: str) -> Generator[Reads, Seen, str | Gap]:
    """The pod the labels name; else, by this query, the worst of their service's, or of the namespace's."""
    if subject.pod:
        return subject.pod
    read = query(site, name, window=_WINDOW, namespace=subject.namespace)
    answer: Vector | Gap = (yield (read,))[read]
    if isinstance(answer, Gap):
        return answer
    is_named = subject.service or subject.workload[1]
    known = {"/".join(labels): value for labels, value in amounts(answer, _LABELS).items()}
    about = (yield from served.resolved(served.of(subject, site), site)) if is_named else None
    found = mine(answer, about) if about else known
    worst = max(found or {}, key=lambda who: (found or {})[who], default="")
    return worst.partition("/")[0] or Gap(
        "no data", f"No series of {', '.join(QUERIES[name].metrics)} for its pods: is a limit set?"
    )


def killed(asked: Asked, seen: Seen) -> int | None:
    found = mine(seen[asked.killed], asked.service)
    return None if found is None else len(found)


def findings(asked: Asked, seen: Seen, site: ClusterSite) -> tuple[Finding, ...]:
    limit = site.thresholds.throttle_pct / 100
    return (
        _told("T1-3.1", "CPU held back", "Q-throttle", asked, asked.throttle, seen, limit),
        _told("T2-3.1", "CPU of the limit", "Q-cpulimit", asked, asked.cpu, seen, HIGH_CPU),
        _told("TF-3.2", "Memory of the limit", "Q-memlimit", asked, asked.memory, seen, HIGH_MEMORY),
        _kills(asked, seen),
    )


def _told(key: str, label: str, name: str, asked: Asked, read: Query, seen: Seen, limit: float) -> Finding:
    answer: Vector | Gap = seen[read]
    threshold = f"≤ {share(limit)}"
    if isinstance(answer, Gap):
        return unread(key, label, answer, threshold)
    found = mine(answer, asked.service) or {}
    if not found:
        gap = Gap("no data", f"No series of {', '.join(QUERIES[name].metrics)} for its pods: is a limit set?")
        return unread(key, label, gap, threshold)
    over = {who: value for who, value in found.items() if value > limit}
    who, most = next(iter(found.items()))
    value = f"{share(most)} at most ({who})" + (f", {len(over)} over the mark" if len(over) > 1 else "")
    lines = tuple(f"{each}: {share(amount)}" for each, amount in over.items())
    missing = partial(answer)
    if missing and not over:
        facts = (f"partial answer: {one_line(missing)}",)
        return Finding(key, label, Light.UNKNOWN, value, threshold, facts, mend=PARTIAL_MEND)
    return Finding(key, label, Light.YELLOW if over else Light.GREEN, value, threshold, lines)


def _kills(asked: Asked, seen: Seen) -> Finding:
    key, label = "T1-6.1", "Killed at the memory limit"
    answer: Vector | Gap = seen[asked.killed]
    if isinstance(answer, Gap):
        return unread(key, label, answer)
    found = mine(answer, asked.service) or {}
    value = f"{counted(len(found), 'container')}, its last end" if found else "none at its last end"
    return Finding(key, label, Light.RED if found else Light.GREEN, value, evidence=tuple(found))


def highest(asked: Asked, seen: Seen) -> Mapping[str, tuple[str, float]]:
    """Of each question the one that is over its mark the most, in words for a cause; none where all is well."""
    words = (
        ("throttle", asked.throttle, 0.25, "is held back in {} of its CPU periods"),
        ("memory", asked.memory, HIGH_MEMORY, "uses {} of its memory limit"),
        ("cpu", asked.cpu, HIGH_CPU, "uses {} of its CPU limit"),
    )
    return {
        name: (f"{who} {text.format(share(value))}", value)
        for name, read, limit, text in words
        for who, value in _first(mine(seen[read], asked.service))
        if value > limit
    }


def _first(found: Mapping[str, float] | None) -> Sequence[tuple[str, float]]:
    return list((found or {}).items())[:1]
